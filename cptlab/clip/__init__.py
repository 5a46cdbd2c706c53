"""A frozen CLIP, learnable prompts, and the two towers that encode with them."""

from cptlab.clip.backbone import Backbone, Precision, wrap
from cptlab.clip.class_names import Reads, Verdict, judge, told, too_long
from cptlab.clip.image_tower import ImageTower
from cptlab.clip.loading import load, reads, untrained, weights_id
from cptlab.clip.low_rank import Dropout, LowRank
from cptlab.clip.plain_text import PlainTextTower, build_text_tower
from cptlab.clip.prompts import (
    Prompts,
    PromptShape,
    init_prompts,
    kept,
    load_prompts,
    save_prompts,
    stacked,
)
from cptlab.clip.sentences import (
    CONTEXT_INIT,
    IMAGENET_TEMPLATES,
    class_sentences,
    fill_template,
    imagenet_names,
    prompt_template,
    with_placeholders,
)
from cptlab.clip.text_tower import TextTower

__all__ = [
    "CONTEXT_INIT",
    "IMAGENET_TEMPLATES",
    "Backbone",
    "Dropout",
    "ImageTower",
    "LowRank",
    "PlainTextTower",
    "Precision",
    "PromptShape",
    "Prompts",
    "Reads",
    "TextTower",
    "Verdict",
    "build_text_tower",
    "class_sentences",
    "fill_template",
    "imagenet_names",
    "init_prompts",
    "judge",
    "kept",
    "load",
    "load_prompts",
    "prompt_template",
    "reads",
    "save_prompts",
    "stacked",
    "told",
    "too_long",
    "untrained",
    "weights_id",
    "with_placeholders",
    "wrap",
]
