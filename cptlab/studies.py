"""The grid behind each figure: named lists of run specifications for a profile."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from cptlab.methods import CPT, IVLP, CoOp, GlobalETF, Method, ZeroShot
from cptlab.profiles import Profile
from cptlab.runs import Result, run, table
from cptlab.spec import RunSpec

Study = dict[RunSpec, str]
"""Specifications with the method label that figures show for them."""


def methods(profile: Profile) -> dict[str, Method]:
    """Every method of the study under the label that tables and figures show.

    The two readings of L_TETF stand side by side wherever the term is on.
    """
    depth = {"text_depth": profile.text_depth, "vision_depth": profile.vision_depth}
    mean = {**depth, "etf_reduction": "pair_mean"}
    return {
        "Zero-shot": ZeroShot(),
        "CoOp": CoOp(),
        "IVLP": IVLP(**depth),
        "Global-ETF (sum)": GlobalETF(**depth),
        "Global-ETF (pair mean)": GlobalETF(**depth, reduction="pair_mean"),
        "CPT (sum)": CPT(**depth),
        "CPT (pair mean)": CPT(**mean),
        "CPT w/o TETF": CPT(**depth, lambda_tetf=0.0),
        "CPT (sum) w/o CC": CPT(**depth, lambda_cc=0.0),
        "CPT (sum) w/o RS": CPT(**depth, lambda_rs=0.0),
        "CPT (pair mean) w/o CC": CPT(**mean, lambda_cc=0.0),
        "CPT (pair mean) w/o RS": CPT(**mean, lambda_rs=0.0),
    }


STABILITY = (
    "CoOp",
    "Global-ETF (sum)",
    "Global-ETF (pair mean)",
    "CPT (sum) w/o RS",
    "CPT (sum)",
    "CPT (pair mean) w/o RS",
    "CPT (pair mean)",
)
"""The methods of Fig. 4, each reading of L_TETF apart."""

SIMILARITY = (
    "Zero-shot",
    "Global-ETF (sum)",
    "CPT (sum)",
    "Global-ETF (pair mean)",
    "CPT (pair mean)",
)
"""The panels of Fig. 1 (a-c), each reading of L_TETF apart."""


def spec(profile: Profile, label: str, dataset: str, imbalance: float, seed: int) -> RunSpec:
    """One run of a profile.

    Runs that the stability study needs record a curve, so that tables and curves share them.
    """
    hardest = imbalance == min(profile.imbalances) and dataset == profile.datasets[0]
    plain = profile.spec(dataset, methods(profile)[label], imbalance, seed)
    return dataclasses.replace(plain, curve=hardest and label in STABILITY)


def base_to_new(profile: Profile) -> Study:
    """Table 2: every method, data set, imbalance ratio and seed; zero-shot has no seed to vary."""
    return {
        spec(profile, label, dataset, tau, seed): label
        for label in methods(profile)
        for dataset in profile.datasets
        for tau in profile.imbalances
        for seed in (profile.seeds[:1] if label == "Zero-shot" else profile.seeds_at(tau))
    }


def stability(profile: Profile) -> Study:
    """Fig. 1 (d) and Fig. 4: seeds at the smallest tau on the first data set, with curves."""
    tau, dataset = min(profile.imbalances), profile.datasets[0]
    return {
        spec(profile, label, dataset, tau, seed): label
        for label in STABILITY
        for seed in profile.seeds
    }


def similarity(profile: Profile) -> Study:
    """Fig. 1 (a-c): one run per panel on the data set of the matrices at the smallest tau."""
    tau, dataset = min(profile.imbalances), profile.similarity_dataset
    return {spec(profile, label, dataset, tau, profile.seeds[0]): label for label in SIMILARITY}


def tour(profile: Profile) -> Study:
    """The tour: zero-shot and CPT on the first data set at the smallest tau, one seed."""
    tau, dataset = min(profile.imbalances), profile.datasets[0]
    labels = ("Zero-shot", "CPT (sum)", "CPT (pair mean)")
    return {spec(profile, label, dataset, tau, profile.seeds[0]): label for label in labels}


STUDIES: dict[str, Callable[[Profile], Study]] = {
    "00_tour": tour,
    "01_similarity_matrices": similarity,
    "02_training_stability": stability,
    "06_base_to_new": base_to_new,
    "09_published_tables": lambda profile: {},
    "10_throughput": lambda profile: {},
    "11_geometry": stability,
}
"""Notebook -> the study that it shows; the one on throughput measures for itself."""


def results(
    study: Study, store: Path, jobs: int = 1
) -> tuple[dict[str, list[Result]], pd.DataFrame]:
    """Run what is missing; results by label, and the tidy table with labels as `method`."""
    finished = run(list(study), store, jobs)
    by_label: dict[str, list[Result]] = {}
    for result in finished:
        by_label.setdefault(study[result.spec], []).append(result)
    return by_label, table(finished).assign(method=[study[r.spec] for r in finished])
