"""A frozen CLIP, learnable prompts, and the two towers that encode with them."""

from cptlab.clip.backbone import Backbone, load, weights_id, wrap
from cptlab.clip.image_tower import ImageTower
from cptlab.clip.prompts import (
    Prompts,
    PromptShape,
    class_sentences,
    init_prompts,
    load_prompts,
    save_prompts,
)
from cptlab.clip.text_tower import TextTower

__all__ = [
    "Backbone",
    "ImageTower",
    "PromptShape",
    "Prompts",
    "TextTower",
    "class_sentences",
    "init_prompts",
    "load",
    "load_prompts",
    "save_prompts",
    "weights_id",
    "wrap",
]
