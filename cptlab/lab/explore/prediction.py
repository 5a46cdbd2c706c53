"""Predictions for an image and class names of the user: the frozen model and a run."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import pandas as pd
from PIL import Image

from cptlab.clip import judge, told
from cptlab.data import ImageDataset, Sample
from cptlab.data.images import clip_view
from cptlab.data.reader import Unreadable, read_rgb
from cptlab.lab.runs.results import Result


def read_names(text: str) -> tuple[str, ...]:
    """Class names from text, separated by commas or lines.

    Raises ValueError unless there are at least two, and CLIP can tell them apart.
    """
    parts = (" ".join(part.split()) for line in text.splitlines() for part in line.split(","))
    names = tuple(part for part in parts if part)
    if len(names) < 2:
        raise ValueError(
            "There must be at least two class names to choose between: write them one a line, or "
            "with commas between them."
        )
    problems, repeated, _ = judge(names)
    if problems := problems + repeated:
        raise ValueError(told(problems))
    return names


def read_image(content: bytes, name: str = "This file") -> Image.Image:
    """The image in a file's bytes, read as in training (`cptlab.data.reader`).

    Raises ValueError naming the file if it cannot be read.
    """
    try:
        return read_rgb(BytesIO(content), name)
    except Unreadable as error:
        raise ValueError(f"{error}. Choose another file, such as a PNG or JPEG.") from error


def predict(result: Result, image: Image.Image, names: Sequence[str]) -> pd.DataFrame:
    """Probability of each class by the frozen model and by a run, in percent.

    Columns "name", "zero_shot" and "run", one row per name in the order given; probabilities are
    the softmax of scaled cosines over these names. Raises ValueError for a name that is too long
    for the backbone.
    """
    model = result.model()
    size = model.backbone.image_size
    view = clip_view(image, size)[None]
    alone = ImageDataset("own", tuple(names), (), (Sample("own", 0),), lambda keys, size: view)
    columns = {"zero_shot": model.unprompted(), "run": model}
    shares = {
        column: 100 * one.classify(alone, alone.test)[0, 0].softmax(-1).cpu().numpy()
        for column, one in columns.items()
    }
    return pd.DataFrame({"name": list(names), **shares})
