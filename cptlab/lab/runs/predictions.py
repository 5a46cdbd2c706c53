"""Predictions of single test images, stored beside a result: what confusion, calibration and
reports by class need, without training or reading images again.

`predictions.npz` holds four arrays for every role, in the order of its data set's test images:
`<role>/labels` (N,), `<role>/top` (k, N), the most probable classes, and the logarithms of
probabilities in half precision, `<role>/log_probabilities` (k, N) of these and
`<role>/true_log_probabilities` (N,) of the true class. Probabilities are then right to 2e-4, and
however small they are none becomes zero. Where images are the user's own, `<role>/images` (N,) are
their keys. An image takes some 17 bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from cptlab.training.evaluation import Predictions

FILE = "predictions.npz"
UNREADABLE = (OSError, EOFError, KeyError, ValueError, BadZipFile, zlib.error)


class Unreadable(ValueError):
    """A file holds no predictions."""


def write(
    path: Path, predictions: Mapping[str, Predictions], images: Mapping[str, Sequence[str]]
) -> None:
    """Write predictions by role, and keys of images where they are worth keeping."""
    arrays = {}
    for role, found in predictions.items():
        index = np.min_scalar_type(max(found.labels.max(), found.top.max()))
        arrays[f"{role}/labels"] = found.labels.astype(index)
        # transposed: what is alike lies side by side, which packs better
        arrays[f"{role}/top"] = found.top.T.astype(index)
        arrays[f"{role}/log_probabilities"] = found.log_probabilities.T.astype(np.float16)
        arrays[f"{role}/true_log_probabilities"] = found.true_log_probabilities.astype(np.float16)
    arrays |= {f"{role}/images": np.array(keys) for role, keys in images.items()}
    with path.open("wb") as file:  # a name would get another ending
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read(path: Path, class_names: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """A frame with a row for every test image.

    Columns: role, image (the key of a user's own file, else the position among the role's test
    images), label and label_probability of the true class, then the most probable classes,
    predicted and probability, predicted_2 and probability_2, and so on; empty where a role has
    fewer classes.

    class_names: of every role, in the order of their labels.

    Raises FileNotFoundError if there is no such file, `Unreadable` if it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            parts = [_frame(role, names, file) for role, names in class_names.items()]
    except FileNotFoundError:
        raise
    except UNREADABLE as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error
    return pd.concat(parts, ignore_index=True)


def _frame(role: str, class_names: Sequence[str], file: Mapping[str, np.ndarray]) -> pd.DataFrame:
    names = np.array(class_names, dtype=object)
    labels, top = file[f"{role}/labels"], file[f"{role}/top"]
    if max(labels.max(), top.max()) >= len(names):
        raise ValueError(f"role {role!r} has classes that the result does not name")
    images = f"{role}/images"
    columns = {
        "role": role,
        "image": file[images] if images in file else np.arange(len(labels)),
        "label": names[labels],
        "label_probability": _exp(file[f"{role}/true_log_probabilities"]),
    }
    for i, (classes, row) in enumerate(zip(top, file[f"{role}/log_probabilities"], strict=True)):
        end = f"_{i + 1}" if i else ""
        columns |= {f"predicted{end}": names[classes], f"probability{end}": _exp(row)}
    return pd.DataFrame(columns)


def _exp(logarithms: np.ndarray) -> np.ndarray:
    return np.exp(logarithms.astype(np.float64))
