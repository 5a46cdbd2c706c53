"""Predictions for an image and class names of the user: the frozen model and a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import pandas as pd
from PIL import Image

from cptlab.clip import judge, told
from cptlab.data import ImageDataset, Sample
from cptlab.data.images import clip_view
from cptlab.data.reader import Unreadable, read_rgb
from cptlab.lab.runs.results import Result
from cptlab.lab.study.claims.variants import ZERO_SHOT


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


def predict(
    results: Mapping[str, Result], image: Image.Image, names: Sequence[str]
) -> pd.DataFrame:
    """Probability of each class by the frozen model and by runs of one backbone, in percent.

    Columns "name", "Zero-shot" and the labels of `results`, one row per name in the order given;
    probabilities are the softmax of scaled cosines over these names. Raises ValueError for a name
    that is too long for the backbone, and the errors of `Result.model`.
    """
    models = {label: result.model() for label, result in results.items()}
    first = next(iter(models.values()))
    view = clip_view(image, first.backbone.image_size)[None]
    alone = ImageDataset("own", tuple(names), (), (Sample("own", 0),), lambda keys, size: view)
    shares = {
        label: 100 * model.classify(alone, alone.test)[0, 0].softmax(-1).cpu().numpy()
        for label, model in ({ZERO_SHOT: first.unprompted()} | models).items()
    }
    return pd.DataFrame({"name": list(names), **shares})


def ranked(shares: pd.DataFrame) -> pd.DataFrame:
    """What `predict` gave, the classes by the first run's probability, the highest on top."""
    _, zero_shot, *runs = shares.columns
    return shares.sort_values([*runs, zero_shot][0], ascending=False, kind="stable")
