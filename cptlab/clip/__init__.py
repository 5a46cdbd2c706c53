"""A frozen CLIP, learnable prompts, and the two towers that encode with them."""

from cptlab.clip.backbone import Backbone, Precision, wrap
from cptlab.clip.image_tower import ImageTower
from cptlab.clip.loading import load, untrained, weights_id
from cptlab.clip.plain_text import PlainTextTower, build_text_tower
from cptlab.clip.prompts import (
    CONTEXT_INIT,
    IMAGENET_TEMPLATES,
    Prompts,
    PromptShape,
    class_sentences,
    imagenet_names,
    init_prompts,
    load_prompts,
    save_prompts,
)
from cptlab.clip.text_tower import TextTower

__all__ = [
    "CONTEXT_INIT",
    "IMAGENET_TEMPLATES",
    "Backbone",
    "ImageTower",
    "PlainTextTower",
    "Precision",
    "PromptShape",
    "Prompts",
    "TextTower",
    "build_text_tower",
    "class_sentences",
    "imagenet_names",
    "init_prompts",
    "load",
    "load_prompts",
    "save_prompts",
    "untrained",
    "weights_id",
    "wrap",
]
