"""Clusters of class texts as tables: their quality, and CPT with other algorithms and sizes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import torch
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score
from torch import Tensor

from cptlab.data import ImageDataset, open_dataset
from cptlab.geometry import cluster_prototypes, number_of_clusters, purity
from cptlab.geometry.clusters import ClusterMethod
from cptlab.lab.runs.results import Result
from cptlab.lab.study import planned, studies
from cptlab.lab.study.claims.variants import CPT, ZERO_SHOT, CPTVariant, label
from cptlab.lab.study.design import Design
from cptlab.lab.study.lineup import BOTH, label_of
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.similarity import frozen_clusters
from cptlab.lab.study.studies import Study
from cptlab.lab.study.summary import NUMBERS, PARTS, summarise, to_markdown

NAMES = {
    "spherical": "Cosine K-means",
    "euclidean": "Euclidean K-means",
    "spectral": "Spectral (cosine)",
    "kmedoids": "K-medoids (cosine)",
    "random": "Random partition",
    "one": "One cluster",
}
"""Algorithms as the paper's Table 5 calls them, and two controls."""
CONTROLS = {
    "random": CPTVariant(settings=(("cluster_method", "random"),)),
    "one": CPTVariant(settings=(("n_clusters", 1),)),
}


def runs(profile: Profile) -> Study:
    """The clusters of the plan, and the runs of the maps, for tuned methods; else those of the
    details.
    """
    if profile.tuned:
        return planned.clusterings(profile) | studies.similarity(profile)
    return studies.clusters(profile)


def numbers(profile: Profile) -> dict[int, list[int]]:
    """Classes per cluster -> the number of clusters M that they make on each data set."""
    counts = [_base_classes(name) for name in profile.details.datasets]
    sizes = profile.varied.sizes
    return {size: [number_of_clusters(count, size) for count in counts] for size in sizes}


def described(profile: Profile, base: ImageDataset) -> str:
    """Classes and known groups on the maps, and how many clusters the runs have, as text."""
    known = f"{len(set(base.groups))} known groups" if base.groups else "no known groups"
    lines = [f"Maps: {len(base.class_names)} base classes of {base.name}, {known}"]
    for i, name in enumerate(profile.details.datasets):
        made = {size: number[i] for size, number in numbers(profile).items()}
        classes = f"{_base_classes(name)} base classes of {Path(name).stem}"
        lines.append(f"Runs: {classes}; clusters by classes per cluster: {made}")
    return "\n".join(lines)


def texts_and_clusters(
    profile: Profile, results: Mapping[str, Sequence[Result]], names: Sequence[str]
) -> tuple[dict[str, Tensor], Tensor]:
    """Class texts (K, d) after the runs of the similarity matrices, and their frozen clusters (K,).

    names: of the K base classes of that data set.
    """
    panels = studies.similarity(profile)
    found = {panels[r.spec]: [r] for runs in results.values() for r in runs if r.spec in panels}
    shown = {name: found[name] for name in dict.fromkeys(panels.values())}
    texts = {name: run.model().class_texts(names)[0].cpu() for name, (run,) in shown.items()}
    return texts, frozen_clusters(shown, names)


def mapped(profile: Profile, texts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The texts that have a map: of all methods that were chosen, or of zero-shot and CPT as
    printed, or without that of the last one.
    """
    printed = label(CPT, BOTH[0])
    usual = (ZERO_SHOT, printed if printed in texts else list(texts)[-1])
    return {name: found for name, found in texts.items() if profile.methods or name in usual}


def frozen_quality(frozen: Tensor, groups: Sequence[str] | None) -> pd.DataFrame:
    """What each algorithm finds in frozen texts (K, d), and what known groups are: a row each.

    groups: of each class, where they are known. Columns "clusters", "silhouette", with groups
    "purity" and "NMI", and "agreement", the adjusted Rand index with the spherical clusters.
    """
    truth = _numbered(groups)
    algorithms = [name for name in get_args(ClusterMethod) if name != "random"]
    found = {name: cluster_prototypes(frozen, method=name) for name in algorithms}
    found["one cluster"] = torch.zeros(len(frozen), dtype=torch.long)
    if truth is not None:
        found["known groups"] = truth
    rows = {
        name: _quality(frozen, clusters, truth)
        | {"agreement": adjusted_rand_score(found["spherical"], clusters)}
        for name, clusters in found.items()
    }
    return pd.DataFrame(rows).T.astype(float).astype({"clusters": int})


def tuned_quality(
    texts: Mapping[str, Tensor], clusters: Tensor, groups: Sequence[str] | None
) -> pd.DataFrame:
    """How well frozen clusters and known groups fit the tuned texts of each method: a row each.

    texts: (K, d) of each method. clusters: (K,) of the frozen texts. "anew" is of clusters that
    spherical k-means finds in the tuned texts, as many as there are frozen ones.
    """
    rows, truth = {}, _numbered(groups)
    for name, features in texts.items():
        again = cluster_prototypes(features, n_clusters=len(clusters.unique()))
        row = {"same clusters: silhouette": _quality(features, clusters, truth)["silhouette"]}
        if truth is not None:
            row["known groups: silhouette"] = _quality(features, truth, truth)["silhouette"]
        row["anew: agreement"] = adjusted_rand_score(clusters, again)
        anew = _quality(features, again, truth)
        rows[name] = row | {f"anew: {key}": value for key, value in anew.items()}
    return pd.DataFrame(rows).T.drop(columns="anew: clusters").astype(float)


def runs_of(
    profile: Profile,
    table: pd.DataFrame,
    variants: Mapping[Any, CPTVariant],
    column: str,
    design: Design,
) -> pd.DataFrame:
    """H of variants of CPT: a row per "method", `column`, tau, data set and seed.

    table: the runs of `runs`. column: what the keys of `variants` are.
    """
    rows = [
        (found, name, usual)
        for usual, labels in _labels(profile, variants).items()
        for name, found in labels.items()
    ]
    keys = pd.DataFrame(rows, columns=["label", column, "method"])
    here = table["dataset"].isin(design.datasets) & table["tau"].isin(design.taus)
    chosen = table[here].rename(columns={"method": "label"}).merge(keys, on="label")
    return chosen[["method", column, "tau", "dataset", "seed", "H", PARTS]]


def by_algorithm(profile: Profile, table: pd.DataFrame) -> pd.DataFrame:
    """`runs_of` the clustering algorithms, under the names of Table 5, and of the controls."""
    variants, design = profile.varied.by_algorithm(), studies.long_tailed(profile)
    variants |= CONTROLS if profile.tuned else {}
    return runs_of(profile, table, variants, "algorithm", design).replace({"algorithm": NAMES})


def by_size(profile: Profile, table: pd.DataFrame) -> pd.DataFrame:
    """`runs_of` the sizes of clusters, at the largest imbalance ratio."""
    details = profile.details
    design = details.at(max(details.taus))
    return runs_of(profile, table, profile.varied.by_size(), "size", design)


def with_numbers(runs: pd.DataFrame, made: Mapping[int, Sequence[int]]) -> pd.DataFrame:
    """`summarise` of H by method, size and tau, with "clusters", the numbers that it makes."""
    summary = summarise(runs, ["H"], by=["method", "size", "tau"])
    return summary.assign(clusters=[" ".join(map(str, made[size])) for size in summary["size"]])


def with_spread(runs: pd.DataFrame) -> pd.DataFrame:
    """`summarise` of H by method, tau and algorithm, with "std", the deviation over seeds of its
    mean over data sets.
    """
    by = ["method", "tau", "algorithm"]
    means = runs.groupby([*by, "seed"])["H"].mean()
    spread = means.groupby(by).std().rename("std").reset_index()
    return summarise(runs, ["H"], by=by).merge(spread, on=by, how="left")


def spread_markdown(summary: pd.DataFrame) -> str:
    """What `with_spread` returns as Markdown, a table per method and imbalance ratio."""
    table = summary.assign(seeds=(summary["n"] // summary["datasets"]).astype(str))
    table["standard deviation"] = table["std"].map("{:.2f}".format).replace("nan", "–")
    columns = ["algorithm", "standard deviation", "seeds", "metric", *NUMBERS]
    blocks = table.groupby(["method", "tau"], sort=False)
    return "\n".join(
        f"**{method}, tau = {tau:g}**\n\n{to_markdown(rows[columns])}"
        for (method, tau), rows in blocks  # ty: ignore[not-iterable] a tuple, as in summarise
    )


def agreement(profile: Profile, results: Mapping[str, Sequence[Result]]) -> pd.DataFrame:
    """Adjusted Rand index of each algorithm's clusters with those of the first, by data set."""
    labels = next(iter(_labels(profile, profile.varied.by_algorithm()).values()))
    used = {
        (NAMES[name], result.spec.dataset): result.details["clusters"]
        for name, label in labels.items()
        for result in results.get(label, ())
        if result.spec.dataset in profile.details.datasets
    }
    first = NAMES[profile.varied.algorithms[0]]
    found = {
        key: adjusted_rand_score(used[first, key[1]], c)
        for key, c in used.items()
        if (first, key[1]) in used
    }
    table = pd.Series(found).unstack(sort=False).rename_axis("agreement")
    return table.rename(columns=lambda dataset: Path(dataset).stem)


def _labels(profile: Profile, variants: Mapping[Any, CPTVariant]) -> dict[str, dict[Any, str]]:
    """Label of CPT with its usual clusters -> key of a variant -> its label: for each reading, or
    with the weight of L_TETF at which the plan varies them.
    """
    if not profile.tuned:
        return {
            label(CPT, reading): {key: label(one, reading) for key, one in variants.items()}
            for reading in studies.main_readings(profile)
        }
    usual = dataclasses.replace(planned.tuned_cpt(profile), lambda_tetf=planned.ACTING)
    changed = {
        key: dataclasses.replace(usual, **dict(one.settings)) for key, one in variants.items()
    }
    named = {key: label_of(profile, method) for key, method in changed.items()}
    return {label_of(profile, usual): named}


def _base_classes(dataset: str) -> int:
    return len(open_dataset(dataset).halves()[0].class_names)


def _numbered(groups: Sequence[str] | None) -> Tensor | None:
    return torch.from_numpy(pd.factorize(pd.Series(groups))[0]) if groups else None


def _quality(features: Tensor, clusters: Tensor, truth: Tensor | None) -> dict[str, Any]:
    number = len(clusters.unique())
    exists = 1 < number < len(clusters)
    row: dict[str, Any] = {
        "clusters": number,
        "silhouette": silhouette_score(features, clusters, metric="cosine") if exists else None,
    }
    if truth is not None:
        row["purity"] = purity(clusters, truth)
        row["NMI"] = normalized_mutual_info_score(truth, clusters)
    return row
