"""Some of a run's classes and the accuracy over them, from what results store of every class:
the head, medium and tail third; many, some or few training images; concepts that EmojiCLIP's
pretraining saw often or seldom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cptlab.emoji import catalog
from cptlab.lab.study.intervals import linear_mean

if TYPE_CHECKING:
    from cptlab.lab.runs.finished import Result

THIRDS = ("head", "medium", "tail")
SHOTS = {"many_shot": (8, np.inf), "medium_shot": (3, 7), "few_shot": (1, 2)}
"""Metric -> the least and the most training images n_k of its classes.

Liu et al. (2019) call classes of ImageNet-LT with more than 100 images many-shot and those with
fewer than 20 few-shot, of 1,280 at most. With 16 at most: *many* have at least half of the largest
class, *few* one or two, which say next to nothing of the spread of a class. Bounds are numbers of
images, the same at every imbalance ratio, where thirds go by rank: at tau = 0.25 the tail has four
to six images and no class is few-shot.
"""
BACKBONE = "EmojiCLIP"
EXPOSURES = ("common", "rare")
"""How its pretraining showed a concept: every second one of a category in a single style,
a tenth as often, and in the last third of it not at all (model card).
"""
SEEN = tuple(f"{role}_{exposure}" for role in ("base", "new") for exposure in EXPOSURES)


class Classes(NamedTuple):
    """Some classes of a role, by their places among the role's."""

    role: str
    places: np.ndarray


def classes_of(result: Result) -> dict[str, Classes]:
    """Metric -> the classes that it is a mean over, where there are any.

    `THIRDS` and `SHOTS` of the learned classes, the second where they differ in n_k; with EmojiCLIP
    and its data sets "base_common", "base_rare", "new_common" and "new_rare" (`EXPOSURES`).
    """
    found, roles = {}, by_role(result)
    for role, rows in roles.items():
        if (n_k := _images(rows)) is None:
            continue
        ranks = _ranks(result, rows)
        thirds = [] if ranks is None else np.array_split(np.argsort(ranks), 3)
        found |= {name: Classes(role, places) for name, places in zip(THIRDS, thirds)}
        if n_k.min() < n_k.max():
            for name, (least, most) in SHOTS.items():
                found[name] = Classes(role, np.flatnonzero((least <= n_k) & (n_k <= most)))
    if result.spec.backbone == BACKBONE and result.spec.dataset in catalog.CATEGORIES:
        exposure = _exposure(result.spec.dataset)
        for role in ("base", "new"):
            names = np.array([exposure.get(row["name"]) for row in roles.get(role, ())])
            for seen in EXPOSURES:
                found[f"{role}_{seen}"] = Classes(role, np.flatnonzero(names == seen))
    return {name: classes for name, classes in found.items() if len(classes.places)}


def by_role(result: Result) -> dict[str, list[Mapping[str, Any]]]:
    """By role what is stored of each class: "name", "accuracy" and, of learned ones, "n_k"."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in result.details["classes"]:
        found.setdefault(row["role"], []).append(row)
    return found


def accuracies_of(result: Result) -> dict[str, np.ndarray]:
    """By role the accuracy in percent of each class (K,)."""
    return {
        role: np.array([row["accuracy"] for row in rows], dtype=float)
        for role, rows in by_role(result).items()
    }


def parts_over(accuracies: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(K,) values whose mean is that of the accuracies (K,) at some places, as
    `intervals.linear_mean`.
    """
    counted = np.isin(np.arange(len(accuracies)), places)
    return linear_mean(accuracies[:, None], counted[:, None])[:, 0]


def _images(rows: Sequence[Mapping[str, Any]]) -> np.ndarray | None:
    """Training images of each class of a role (K,); None if it was not learned."""
    n_k = [row.get("n_k") for row in rows]
    return None if None in n_k else np.array(n_k, dtype=int)


def _ranks(result: Result, rows: Sequence[Mapping[str, Any]]) -> np.ndarray | None:
    """Ranks of the learned classes, 0 the head; None if unknown."""
    if "rank" in rows[0]:
        return np.array([row["rank"] for row in rows], dtype=int)
    if result.spec.class_order == "name":  # older results do not store what the name says
        return np.arange(len(rows))
    return None


@cache
def _exposure(dataset: str) -> dict[str, str]:
    """Class name -> how EmojiCLIP's pretraining showed it, of an embedded data set."""
    table = catalog.concepts()
    table = table[table["category"] == catalog.CATEGORIES[dataset]]
    return dict(zip(table["name"], table["exposure"], strict=True))
