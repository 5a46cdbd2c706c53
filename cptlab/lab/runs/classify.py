"""Images of one's own classified by a prompted CLIP, among any class names."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from cptlab.checks import first_few
from cptlab.clip import judge, told
from cptlab.data.images import clip_view
from cptlab.data.layouts import readable
from cptlab.data.own_files import images_below
from cptlab.data.reader import Unreadable, read_rgb
from cptlab.training.images import CPU_BATCH, normalised
from cptlab.training.model import PromptedCLIP

FIXED = ("image", "predicted", "probability", "problem")
"""The columns before those of the classes."""

Images = str | Path | Image.Image | Iterable[str | Path | Image.Image] | Tensor
"""Paths of images or of folders of images, opened images, or pixels (N, 3, H, W)."""


@torch.no_grad()
def classify(
    model: PromptedCLIP,
    images: Images,
    names: Sequence[str] | None = None,
    batch_size: int = CPU_BATCH,
) -> pd.DataFrame:
    """Predicted names and probabilities of images, by the first replica.

    Args:
        images: one or more paths or opened images, which are resized and cut as in testing; a
            folder stands for the images in it, at any depth. Or float pixels (N, 3, H, W) in 0 to
            1 of the size that the backbone takes.
        names: two or more class names; None: those that were learned. Underscores are spaces.
        batch_size: images that are read and encoded at once.

    Returns:
        A row for every image, with the columns image (its path, else its position), predicted,
        probability (of the predicted class), problem, and the probability of every class under its
        name (under "class image" for a class named "image", and so on). Where an image could not
        be read, problem says why and the others are empty; a warning names such images.

    Raises:
        ValueError: for no images, for pixels of another shape or range, a number of names below
            two, an empty name or one that comes twice.
        TypeError: for something that is no image.
    """
    names = names_for(model, names)
    if len(names) < 2:
        raise ValueError(f"Give two class names or more to choose from, not only {names[0]!r}.")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
    size, device = model.backbone.image_size, model.backbone.device
    given = _pixels(images, size) if isinstance(images, Tensor) else _listed(images)
    if not len(given):
        raise ValueError("There are no images to classify: give one or more.")
    classes = model.bind(names)
    features, seen, problems = [], [], [""] * len(given)
    starts = range(0, len(given), batch_size)
    for start in tqdm(starts, desc="images", leave=False, disable=len(starts) < 50):
        views = []
        for i in range(start, min(start + batch_size, len(given))):
            try:
                views.append(_view(given[i], size))
                seen.append(i)
            except FileNotFoundError:
                problems[i] = "there is no such file"
            except Unreadable as error:
                problems[i] = error.reason
        if views:
            batch = normalised(model.backbone, torch.stack(views).to(device))
            features.append(model.image_features(batch[None], classes.use))
    frame = pd.DataFrame({"image": [_known_as(image, i) for i, image in enumerate(given)]})
    columns = [f"class {name}" if name in FIXED else name for name in names]
    found = pd.DataFrame(index=frame.index, columns=columns, dtype=float)
    frame["predicted"], frame["probability"] = None, float("nan")
    if features:
        logits = model.compare(torch.cat(features, dim=-2), classes)[0]
        found.loc[seen] = logits.double().softmax(-1).cpu().numpy()
        frame.loc[seen, "predicted"] = [names[i] for i in logits.argmax(-1).tolist()]
        frame.loc[seen, "probability"] = found.loc[seen].max(axis=1)
    frame["problem"] = problems
    if unread := [str(frame["image"][i]) for i, problem in enumerate(problems) if problem]:
        warnings.warn(
            f"{len(unread)} of {len(given)} images cannot be read: {first_few(unread)}.",
            stacklevel=3,
        )
    return pd.concat([frame, found], axis=1)


def names_for(model: PromptedCLIP, names: Sequence[str] | None) -> tuple[str, ...]:
    """Class names as prompts show them; those that were learned if none are given.

    Raises ValueError for no names, or those that CLIP cannot read or tell apart (`clip.judge`).
    """
    if names is None:
        return model.trained_on
    if isinstance(names, str):
        raise ValueError(f"Class names must be a list of names, got the string {names!r}.")
    if not names:
        raise ValueError("There are no class names.")
    problems, repeated, _ = judge(names)
    if problems := problems + repeated:
        raise ValueError(told(problems))
    return tuple(readable(name).strip() for name in names)


def _pixels(images: Tensor, size: int) -> Tensor:
    """Raise ValueError unless these are pixels as the backbone takes them."""
    if images.ndim != 4 or images.shape[1:] != (3, size, size) or not images.is_floating_point():
        raise ValueError(
            f"Pixels have shape {tuple(images.shape)} and type {images.dtype}; they need to be "
            f"float of (images, 3, {size}, {size}). Files and opened images are resized for you."
        )
    if len(images) and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError("Pixels must lie in 0 to 1: give them as they are, not normalised.")
    return images


def _listed(images: Images) -> list[str | Path | Image.Image]:
    """One image or many as a list, folders as the images in them in natural order.

    Raises ValueError for a folder without images.
    """
    if isinstance(images, str | Path | Image.Image):
        images = [images]
    listed = []
    for image in images:
        if not isinstance(image, str | Path | Image.Image):
            raise TypeError(
                f"{type(image).__name__} is no image: give paths, opened images (PIL) or one float "
                "tensor (images, 3, H, W)."
            )
        if isinstance(image, Image.Image) or not Path(image).expanduser().is_dir():
            listed.append(image)
            continue
        inside = images_below(Path(image).expanduser())
        if not inside:
            raise ValueError(f"The folder {image} holds no images.")
        listed += inside
    return listed


def _view(image: str | Path | Image.Image | Tensor, size: int) -> Tensor:
    """One image as the backbone sees it, (3, size, size) in [0, 1]; errors of `read_rgb`."""
    if isinstance(image, Tensor):
        return image.float()
    path = isinstance(image, str | Path)
    return clip_view(read_rgb(Path(image).expanduser() if path else image), size)


def _known_as(image: object, position: int) -> str | int:
    return str(image) if isinstance(image, str | Path) else position
