"""Few-shot subsets of the CoOp family, drawn as public code draws them, and subsets as files.

Public repositories keep a subset as a pickle of absolute paths, which breaks when data move. Here
it is drawn again, sample by sample the same, or kept as JSON with relative paths and a checksum.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from cptlab.checks import read_text
from cptlab.data.dataset import ImageDataset, Samples, by_label
from cptlab.data.long_tail import Subset, checksum

VALIDATION_SHOTS = 4
"""Public code draws at most this many validation images of a class."""


def public_draw(train: Samples, val: Samples, seed: int, shots: int) -> tuple[Samples, Samples]:
    """Up to `shots` training and min(shots, 4) validation samples of every class.

    The order of operations is that of KaiyangZhou/Dassl.pytorch (`generate_fewshot_dataset`) right
    after it seeds Python's generator with the run seed: labels in order of first appearance,
    `random.sample` for each, training samples before validation samples. A class with fewer samples
    gives all of them. `train` and `val` must be whole lists: halves are cut afterwards.
    """
    chance = random.Random(seed)

    def sampled(samples: Samples, count: int) -> Samples:
        return tuple(
            sample
            for pool in by_label(samples).values()
            for sample in (chance.sample(pool, count) if len(pool) >= count else pool)
        )

    return sampled(train, shots), sampled(val, min(shots, VALIDATION_SHOTS))


def subset_values(
    dataset: ImageDataset, subset: Subset, seed: int, shots: int, tau: float
) -> dict[str, Any]:
    """A drawn subset ready for JSON: class names, [key, label] pairs, and their checksum.

    "val" has the validation samples that go with it where subsets are published (no run of this
    package uses them).
    """
    val = dataset.draw(seed, shots)[1] if dataset.draw else ()
    return {
        "dataset": dataset.name,
        "seed": seed,
        "shots": shots,
        "imbalance": tau,
        "checksum": subset.checksum,
        "class_names": list(dataset.class_names),
        "train": [[s.key, s.label] for s in subset.samples],
        "val": [[s.key, s.label] for s in val],
    }


def write_subset(values: dict[str, Any], path: Path) -> None:
    """Write what `subset_values` gave as JSON, one sample a line."""
    text = json.dumps(values, ensure_ascii=False, indent=1)
    # what is no UTF-8 in the names of files becomes an escape of JSON's
    path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def read_subset(path: Path) -> dict[str, Any]:
    """Read a subset file; the values of `subset_values`.

    Raises ValueError if the file is no subset, or its samples are not those that its checksum was
    made of; FileNotFoundError if there is none.
    """
    try:
        values = json.loads(read_text(path))
        intact = checksum([tuple(pair) for pair in values["train"]]) == values["checksum"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no subset: draw it again with `cptlab data subset`.") from (
            error
        )
    if not intact:
        raise ValueError(
            f"{path} was changed after it was written: its training samples do not give the "
            "checksum in it. Draw it again with `cptlab data subset`."
        )
    return values
