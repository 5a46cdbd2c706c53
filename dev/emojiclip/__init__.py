"""How EmojiCLIP was made: sources, text tower, image tower, model card; see `__main__`."""
