"""A finished run taken away: class weights and what goes with them in one safetensors file.

Any program that has the frozen backbone can use it, without cptlab: an image's feature, normalised,
times the class weights and the logit scale gives the logits of the classes.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save

from cptlab.lab.runs.classify import names_for
from cptlab.methods.base import Method, Use
from cptlab.training.model import PromptedCLIP

FORMAT = "cptlab class weights 1"


@torch.no_grad()
def export(
    model: PromptedCLIP,
    path: str | Path,
    names: Sequence[str] | None = None,
    backbone: Mapping[str, str | None] | None = None,
) -> None:
    """Write class weights of a prompted CLIP's first replica.

    The tensor `class_weights` (K, d), float32, has rows of length 1. The file's metadata, all
    strings, are format, names (JSON, in the order of the rows), logit_scale, image_size (pixels a
    side), mean and std (JSON, of pixels in 0 to 1), template (the data set's own sentence), method,
    and backbone (JSON: what is given here).

    Where image features come from more than the frozen backbone, class weights alone do not give
    these predictions: what was learned is then written as well (`prompts.*`, as in
    `prompts.safetensors`), the metadata have learned_names (JSON, as these tensors count classes)
    and a warning, and a warning is given.

    names: None means those that were learned; underscores are spaces.

    Raises:
        FileExistsError: if there is such a file.
        ValueError: if there is no folder for it; for a method whose class weights depend on the
            image; for no names, an empty one or one that comes twice.
    """
    path = Path(path).expanduser()
    if path.exists():
        raise FileExistsError(f"{path} is there already: choose another name, or delete it first.")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"There is no folder {path.parent}: make it, or choose another one.")
    method = model.method
    if method.per_image:
        raise ValueError(
            f"The class weights of {method.name} depend on the image, so there is no one set of "
            "them to export: classify with the run itself."
        )
    names = names_for(model, names)
    classes = model.bind(names)
    weights = F.normalize(model.prototypes(classes)[0].double(), dim=-1).float()
    tensors = {"class_weights": weights.cpu().contiguous()}
    clip = model.backbone
    about = {
        "format": FORMAT,
        "names": json.dumps(names, ensure_ascii=False),
        "logit_scale": repr(clip.logit_scale),
        "image_size": str(clip.image_size),
        "mean": json.dumps(clip.mean),
        "std": json.dumps(clip.std),
        "template": model.template,
        "method": method.name,
        "backbone": json.dumps(backbone or {"name": clip.name}),
    }
    if reason := _more_than_weights(model, classes.use):
        about["warning"] = (
            f"{method.name} {reason}: class weights with plain image features do not give its "
            "predictions. What was learned is in the tensors prompts.*."
        )
        about["learned_names"] = json.dumps(model.trained_on, ensure_ascii=False)
        learned = model.prompts.state_dict()
        tensors |= {f"prompts.{k}": v[:1].cpu().contiguous() for k, v in learned.items()}
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(save(tensors, about))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    if "warning" in about:
        warnings.warn(f"{path}: {about['warning']}", stacklevel=3)


def _more_than_weights(model: PromptedCLIP, use: Use) -> str:
    """What a method does beside class weights, in part of a sentence; empty if nothing."""
    if model.learns_in("vision", "base"):
        return "learned something in the image tower"
    if type(model.method).adapt_images is not Method.adapt_images:
        return "changes image features by what it learned"
    if type(model.method).own_logits is not Method.own_logits:
        return "compares images with classes by more than cosines"
    if type(model.method).adapt_logits is not Method.adapt_logits and use != "new":
        return "adds to the cosines of images with class texts"
    return ""
