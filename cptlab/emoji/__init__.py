"""The embedded world: emoji concepts, vendors and views, and the small CLIP pretrained for them."""
