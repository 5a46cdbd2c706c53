"""Class-text features that a user brings as a file, and numbers that describe such features."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from sklearn.metrics import silhouette_score
from torch import Tensor

from cptlab.checks import first_few
from cptlab.geometry import (
    cluster_prototypes,
    cosine_matrix,
    effective_rank,
    offdiagonal_statistics,
    order_by_cluster,
    textual_etf_separation,
)
from cptlab.lab.study.claims.variants import DEFAULT_WEIGHTS
from cptlab.lab.study.given import items
from cptlab.lab.study.plane import class_maps
from cptlab.lab.study.similarity import SHOWN, Similarities, similarities_of

FEWEST = 4
"""Classes of a map."""
HOW = (
    "np.savez(file, names=np.array(names, dtype=str), features=features) writes such a file, "
    "features with a row for each name"
)


@dataclass(frozen=True, eq=False)  # arrays have no plain equality
class TextFeatures:
    """names: of K classes. features: (K, d) of their texts, float64. title: of pictures."""

    names: tuple[str, ...]
    features: Tensor
    title: str = ""

    @cached_property
    def clusters(self) -> Tensor:
        """(K,) spherical clusters of the paper's size, those that CPT would work in."""
        return cluster_prototypes(self.features)

    @cached_property
    def similarities(self) -> Similarities:
        """Cosines of all classes, or of as many clusters as `similarity.SHOWN` classes make."""
        shown = order_by_cluster(self.features, self.clusters)[:SHOWN]
        names, features = [self.names[i] for i in shown], self.features[shown]
        return similarities_of({self.title: features}, self.clusters[shown], names, features)

    @cached_property
    def map(self) -> pd.DataFrame:
        """A row for each class with its place on a map (`plane.class_maps`)."""
        return class_maps({self.title: self.features}, self.clusters, self.names)[self.title]


def read(path: str | Path) -> TextFeatures:
    """Names and features of class texts from a file, in which nothing is run.

    Args:
        path: an .npz file with the arrays "names" (K,) of text and "features" (K, d), or a
            .safetensors file with the tensor "features" and, in its metadata, "names" as a JSON
            list. Features need not be normalised.

    Raises:
        ValueError: saying what is wrong, for anything else: no such file, pickled objects, other
            shapes, fewer than four classes, names that are empty or occur twice, numbers that are
            not finite, or features without direction.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ValueError(f"There is no file {path} of text features.")
    load = {".npz": _from_npz, ".safetensors": _from_safetensors}.get(path.suffix.lower())
    if load is None:
        raise ValueError(f"Text features are an .npz or .safetensors file, not {path.name}: {HOW}.")
    names, features = load(path)
    if problem := _problem(names, features):
        raise ValueError(f"{path} cannot be used: {problem}.")
    return TextFeatures(tuple(names), torch.from_numpy(features.astype(np.float64)), path.stem)


def brought(value: object) -> list[TextFeatures]:
    """Text features of the notebook's parameter; none if it is empty. Errors of `read`."""
    path = path_of(value)
    return [] if path is None else [read(path)]


def path_of(value: object) -> Path | None:
    """The absolute path of a file, given as text, a path or a list of one; None if it is empty.

    Raises ValueError for anything else.
    """
    given = [value] if isinstance(value, str | Path) else items(value)
    given = [item for item in given if item not in (None, "")]
    paths = [Path(item).expanduser().absolute() for item in given if isinstance(item, str | Path)]
    if len(given) > 1 or len(paths) < len(given):
        raise ValueError(f"text_features is the path of one file, got {value!r}.")
    return paths[0] if paths else None


def _from_npz(path: Path) -> tuple[Any, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if missing := [name for name in ("names", "features") if name not in file]:
                raise ValueError(f"it has no array {missing[0]!r}, but {', '.join(file)}")
            names, features = file["names"], file["features"]
    except (OSError, EOFError, BadZipFile, UnpicklingError, AttributeError, ValueError) as error:
        what = str(error)
        if "pickle" in what:
            what = "it holds pickled Python objects, which are not read, as they could run anything"
        raise ValueError(f"{path} cannot be used: {what}. {HOW}.") from error
    return names.tolist() if names.ndim == 1 else names, features


def _from_safetensors(path: Path) -> tuple[Any, np.ndarray]:
    try:
        with safe_open(path, framework="pt") as file:  # numpy has no bfloat16
            features = file.get_tensor("features")
            names = json.loads((file.metadata() or {})["names"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be used ({error}): a safetensors file needs the tensor 'features' and, "
            "in its metadata, 'names' as a JSON list."
        ) from error
    return names, (features.double() if features.is_floating_point() else features).numpy()


def _problem(names: Any, features: np.ndarray) -> str:
    """What is wrong with names or features; empty if nothing."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return "names are no plain list of texts"
    if features.ndim != 2 or features.dtype.kind != "f" or not features.shape[-1]:
        kind = f"{features.dtype} of shape {features.shape}"
        return f"features must be floating-point numbers (classes, dimensions), they are {kind}"
    if len(names) != len(features):
        return f"there are {len(names)} names, and features of {len(features)} classes"
    if len(names) < FEWEST:
        return f"it has {len(names)} classes, and a map needs {FEWEST} or more"
    if not all(name.strip() for name in names):
        return "some names are empty"
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        return f"these names occur twice: {first_few(twice)}"
    if bad := [name for name, row in zip(names, features) if not np.isfinite(row).all()]:
        return f"features of these classes are not all finite: {first_few(bad)}"
    if bad := [name for name, row in zip(names, features) if not row.any()]:
        return f"features of these classes are all zero and have no direction: {first_few(bad)}"
    if len(np.unique(features, axis=0)) < len(names):
        return "some classes have the same features, so that nothing can tell them apart"
    return ""


def geometry(texts: Iterable[TextFeatures]) -> pd.DataFrame:
    """How class texts lie, and what the separation loss says of them before training: a row each.

    Returns:
        Columns: "classes"; of the cosines of different classes their "mean", "std" and, with the
        nearest other class, "nearest" (mean over classes); "rank", the effective rank of the cosine
        matrix, and "centred rank", of the products of the unit vectors minus their mean; of CPT's
        clusters (spherical k-means) their number "clusters", their "silhouette", the mean cosines
        "within" and "between", and "gap", their difference in units of "std". Then L_TETF (eq. 9)
        with its published weight as "sum" and as "pair mean" over pairs, each with "gradient", the
        mean over classes of the length of the gradient with respect to the unit vector. NaN where
        there is a single cluster. The index, "texts", are the titles.
    """
    rows = {own.title: _geometry(own) for own in texts}
    table = pd.DataFrame(rows).T.astype({"classes": int, "clusters": int})
    return table.rename_axis("texts")


def _geometry(texts: TextFeatures) -> dict[str, float]:
    unit = F.normalize(texts.features.detach().cpu().double(), dim=-1)
    clusters, similarity = texts.clusters, cosine_matrix(unit)
    number = len(clusters.unique())
    centred = unit - unit.mean(0)
    pairs = offdiagonal_statistics(similarity, clusters)
    others = similarity.masked_fill(torch.eye(len(unit), dtype=torch.bool), -torch.inf)
    row = {
        "classes": len(unit),
        "mean": pairs["mean"],
        "std": pairs["std"],
        "nearest": others.amax(-1).mean().item(),
        "rank": effective_rank(similarity).item(),
        "centred rank": effective_rank(centred @ centred.mT).item(),
        "clusters": number,
        "silhouette": float("nan"),
        "within": pairs["within_mean"],
        "between": pairs["between_mean"],
        "gap": (pairs["within_mean"] - pairs["between_mean"]) / pairs["std"],
    }
    if 1 < number < len(unit):
        row["silhouette"] = float(silhouette_score(unit, clusters, metric="cosine"))
    for name, reduction in {"sum": "sum", "pair mean": "pair_mean"}.items():
        learned = unit.clone().requires_grad_()
        loss = DEFAULT_WEIGHTS["TETF"] * textual_etf_separation(learned, clusters, reduction)
        (gradient,) = torch.autograd.grad(loss, learned)
        row[name], row[f"{name} gradient"] = loss.item(), gradient.norm(dim=-1).mean().item()
    return row
