"""Which study each notebook shows."""

from __future__ import annotations

from collections.abc import Callable

from cptlab.lab.study import (
    ablation,
    backbones,
    clusters,
    conclusions,
    costs,
    dose,
    stability,
    studies,
)
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.studies import Study


def _claims(profile: Profile) -> Study:
    """All runs of the plan, or those of the ledger for a profile that was not planned."""
    return conclusions.runs(profile) or studies.claims(profile)


STUDIES: dict[str, Callable[[Profile], Study]] = {
    "00_tour": studies.tour,
    "01_similarity_matrices": studies.similarity,
    "02_training_stability": stability.runs,
    "03_sensitivity": dose.runs,
    "04_ablation": ablation.runs,
    "05_cluster_structure": clusters.runs,
    "06_base_to_new": studies.base_to_new,
    "07_cross_dataset": studies.transfer,
    "08_domain_generalization": studies.transfer,
    "09_published_tables": lambda profile: {},
    "10_throughput": lambda profile: {},
    "11_geometry": studies.geometry,
    "12_claims": _claims,
    "13_few_shot": studies.few_shot,
    "14_long_tail_classics": studies.classics,
    "15_cost": costs.runs,
    "16_backbones": backbones.runs,
}
"""Notebook -> the study that it shows. Notebook 09 has no runs, and 10 measures by itself."""
