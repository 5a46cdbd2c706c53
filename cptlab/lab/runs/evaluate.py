"""A prompted CLIP tested on other data sets than those of its run, beside the frozen CLIP."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cptlab.clip import Prompts
from cptlab.data import ImageDataset, Protocol, full_name, open_dataset, open_task
from cptlab.lab.runs.ready import require_names
from cptlab.methods import ZeroShot
from cptlab.training.evaluation import class_accuracies, micro, predict
from cptlab.training.model import PromptedCLIP


def evaluate(
    model: PromptedCLIP, tests: Mapping[str, ImageDataset]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accuracies on the test images of data sets by role, each among its own class names.

    Data sets keep their own sentences where the method uses them. `zero_shot` is the frozen CLIP
    with the data set's own sentence.

    Returns:
        A frame with a row for each role: role, images, classes, accuracy (over images), macro (over
        classes), zero_shot and zero_shot_macro, in percent. And one with a row for each class:
        role, name, images, accuracy and zero_shot.

    Raises ValueError for a class without test images, and names that CLIP cannot tell apart.
    """
    require_names(tests)
    frozen = PromptedCLIP(model.backbone, Prompts([], []), ZeroShot())
    found, plain = predict(model, tests), predict(frozen, tests)
    rows, classes = [], []
    for role, dataset in tests.items():
        n_classes = len(dataset.class_names)
        (accuracies,), totals = class_accuracies(found[role][:1], n_classes)
        (zero_shot,), _ = class_accuracies(plain[role], n_classes)
        rows.append(
            {
                "role": role,
                "images": int(totals.sum()),
                "classes": n_classes,
                "accuracy": micro(accuracies, totals),
                "macro": float(np.mean(accuracies)),
                "zero_shot": micro(zero_shot, totals),
                "zero_shot_macro": float(np.mean(zero_shot)),
            }
        )
        columns = {
            "role": role,
            "name": dataset.class_names,
            "images": totals,
            "accuracy": accuracies,
            "zero_shot": zero_shot,
        }
        classes.append(pd.DataFrame(columns))
    return pd.DataFrame(rows), pd.concat(classes, ignore_index=True)


def tests_of(dataset: str | ImageDataset, protocol: Protocol) -> Mapping[str, ImageDataset]:
    """What is tested, by role: all classes of a data set for "few_shot", else the roles of the
    protocol; errors of `open_dataset` and `open_task`.
    """
    if isinstance(dataset, ImageDataset):
        return {"all": dataset}
    if protocol == "few_shot":  # also for data sets with test images alone
        return {"all": open_dataset(dataset)}
    return open_task(full_name(dataset), protocol).tests
