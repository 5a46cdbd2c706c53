"""The grid behind each figure: named lists of run specifications for a profile."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path

import pandas as pd

from cptlab.data import Protocol
from cptlab.lab.runs.queue import run
from cptlab.lab.runs.results import Result, table
from cptlab.lab.study import lineup
from cptlab.lab.study.claims import Reading
from cptlab.lab.study.claims.variants import (
    CPT,
    DEFAULT_WEIGHTS,
    OTHER_ALGORITHMS,
    OTHER_SIZES,
    PLAIN,
    ZERO_SHOT,
    Variant,
    weighted,
)
from cptlab.lab.study.lineup import BOTH, SIMILARITY, STABILITY, learned, methods
from cptlab.lab.study.profiles import Design, Profile
from cptlab.methods.parts.balance import Balance
from cptlab.methods.schedule import in_published_steps
from cptlab.training.spec import RunSpec

Study = dict[RunSpec, str]
"""Specifications with the method label that figures show for them."""

COMBINATIONS: dict[tuple[bool, ...], Variant] = {
    on: weighted(dict(zip(DEFAULT_WEIGHTS, map(float, on)))) if any(on) else PLAIN
    for on in product((False, True), repeat=len(DEFAULT_WEIGHTS))
}
"""Which of L_TETF, L_CC and L_RS are on (Table 1, and the rows that it lacks)."""

FACTORS = (0.0, 0.5, 1.0, 2.0)
SWEEPS = {
    loss: {factor * default: weighted({loss: factor}) for factor in FACTORS}
    for loss, default in DEFAULT_WEIGHTS.items()
}
"""Loss -> its weight -> CPT with that weight (Fig. 3)."""

HEAT_MAP = {
    (tetf * DEFAULT_WEIGHTS["TETF"], rs * DEFAULT_WEIGHTS["RS"]): weighted({"TETF": tetf, "RS": rs})
    for tetf, rs in product((0.0, 1.0, 2.0), repeat=2)
}
"""Weights of L_TETF and L_RS -> CPT with both."""

ALGORITHMS: dict[str, Variant] = {"spherical": CPT} | {
    str(variant.settings[0][1]): variant for variant in OTHER_ALGORITHMS
}
SIZES: dict[int, Variant] = dict(
    sorted({16: CPT, **{int(variant.settings[0][1]): variant for variant in OTHER_SIZES}}.items())
)
"""Classes per cluster -> CPT with that size; one cluster where a size reaches all classes."""


CLASSICS: dict[str, Balance | None] = {
    "as it is": None,
    "balanced softmax": Balance(logits="balanced_softmax"),
    "class-balanced weights": Balance(class_weights=True),
    "class-balanced sampling": Balance(sampling="class_balanced"),
}
"""What can be done about a long tail with any method; balanced softmax is logit adjustment by 1."""


def grid(
    profile: Profile,
    part: Design,
    variants: Iterable[Variant] | None = None,
    readings: Iterable[Reading] = BOTH,
    protocol: Protocol = "base_to_new",
) -> Study:
    """Methods (`methods`) x data sets x imbalance ratios x seeds; zero-shot has no seed to vary.

    Runs that the curves need record them wherever they occur, so that tables and curves share
    them.
    """
    followed = methods(profile, learned(profile))
    curves = [("base_to_new", profile.curve_dataset, tau) for tau in profile.curve_taus]
    return {
        dataclasses.replace(
            profile.spec(dataset, method, tau, seed, protocol),
            curve=name in followed and (protocol, dataset, tau) in curves,
        ): name
        for name, method in methods(profile, variants, readings, protocol).items()
        for dataset in part.datasets
        for tau in part.taus
        for seed in (part.seeds[:1] if name == ZERO_SHOT else part.seeds_at(tau))
    }


def base_to_new(profile: Profile) -> Study:
    """Table 2: every method, data set, imbalance ratio and seed."""
    return grid(profile, profile.comparison)


def transfer(profile: Profile) -> Study:
    """Tables 3 and 4: one run learns a source and is tested on targets and shifted domains."""
    return grid(profile, profile.transfer, protocol="transfer")


def stability(profile: Profile) -> Study:
    """Fig. 1 (d) and Fig. 4: seeds at the smallest tau, curves on one data set, violins on one."""
    return grid(profile, _seeds(profile), STABILITY)


def over_seeds(profile: Profile) -> Study:
    """All of notebook 02: zero-shot as a level beside these."""
    return stability(profile) | grid(profile, _seeds(profile), (ZERO_SHOT,))


def _seeds(profile: Profile) -> Design:
    main = profile.comparison
    names = dict.fromkeys((main.datasets[0], profile.curve_dataset))
    return Design(tuple(names), (min(main.taus),), main.seeds)


def geometry(profile: Profile) -> Study:
    """Neural collapse along training, on one data set at each tau that has curves."""
    part = dataclasses.replace(
        profile.comparison,
        datasets=(profile.curve_dataset,),
        taus=profile.curve_taus,
    )
    return grid(profile, part, learned(profile))


def other_steps(profile: Profile) -> Study:
    """Table 2 again, with published steps for methods that take more here (`in_published_steps`).

    And the other way about, at the smallest tau with three seeds: IVLP and CPT with the most epochs
    that such a method has here. Nothing where schedules are as published (profile `paper`).
    """
    main, to = profile.comparison, profile.schedule
    if to is None:
        return {}
    short, most = {}, to.epochs
    for spec, name in base_to_new(profile).items():
        schedule = in_published_steps(spec.method.schedule(), to)
        if schedule != spec.schedule:
            most = max(most, spec.schedule.epochs)
            spec = dataclasses.replace(spec, curve=False, schedule=schedule)
            short[spec] = f"{name} (published steps)"
    part = dataclasses.replace(main.at(min(main.taus)), seeds=main.seeds[:3])
    longer = {
        dataclasses.replace(
            spec, curve=False, schedule=dataclasses.replace(spec.schedule, epochs=most)
        ): f"{name} ({most} epochs)"
        for spec, name in grid(profile, part, (PLAIN, CPT), BOTH[1:]).items()
    }
    return short | longer


def cost(profile: Profile) -> Study:
    """All of notebook 15: what a method gives for its cost, and for how many steps."""
    return base_to_new(profile) | other_steps(profile)


def similarity(profile: Profile) -> Study:
    """Fig. 1 (a-c): one run per panel on the data set of the matrices at the smallest tau."""
    tau, seeds = min(profile.comparison.taus), profile.comparison.seeds[:1]
    part = Design((profile.similarity_dataset,), (tau,), seeds)
    return grid(profile, part, SIMILARITY)


def tour(profile: Profile) -> Study:
    """The tour: zero-shot and CPT on one data set at the smallest tau, one seed."""
    main = profile.comparison
    part = Design((profile.curve_dataset,), (min(main.taus),), main.seeds[:1])
    return grid(profile, part, (ZERO_SHOT, CPT))


def with_prompts(profile: Profile) -> Study:
    """Runs whose prompts an archive keeps: the tour's, those of the matrices, and one seed of
    what the explorer's sliders reach.
    """
    hard = hardest(profile)
    one = Design(hard.datasets, hard.taus, hard.seeds[:1])
    weights = [variant for sweep in (*SWEEPS.values(), HEAT_MAP) for variant in sweep.values()]
    sliders = grid(profile, one, (PLAIN, *weights), main_readings(profile))
    return tour(profile) | similarity(profile) | sliders


def few_shot(profile: Profile) -> Study:
    """Accuracy on all classes by the number of training images of each; no long tail."""
    plain = grid(profile, profile.few_shot, protocol="few_shot")
    return {
        dataclasses.replace(spec, n_max=shots): name
        for spec, name in plain.items()
        for shots in (profile.shots[:1] if name == ZERO_SHOT else profile.shots)
    }


def classics(profile: Profile) -> Study:
    """Long-tail classics on three kinds of prompts, under imbalance on the first data set."""
    part = dataclasses.replace(long_tailed(profile), datasets=profile.details.datasets[:1])
    plain = grid(profile, part, ("CoOp", PLAIN, CPT), BOTH[1:])
    return {
        # a plain run may carry a curve, which Table 2 needs and a variant does not
        dataclasses.replace(spec, balance=balance, curve=spec.curve and balance is None): (
            f"{name} + {classic}" if balance else name
        )
        for spec, name in plain.items()
        for classic, balance in CLASSICS.items()
    }


def main_readings(profile: Profile) -> tuple[Reading, ...]:
    """Those of the profile's readings that differ in L_TETF alone."""
    return tuple(reading for reading in BOTH if reading in profile.readings)


def long_tailed(profile: Profile) -> Design:
    """The details at the imbalance ratios below 1."""
    taus = tuple(tau for tau in profile.details.taus if tau < 1)
    return dataclasses.replace(profile.details, taus=taus)


def hardest(profile: Profile) -> Design:
    """The details on their first data set at the smallest tau."""
    part = profile.details
    taus = (min(part.taus),)
    return dataclasses.replace(part, datasets=part.datasets[:1], taus=taus)


def sensitivity(profile: Profile) -> Study:
    """Fig. 3: the weights one at a time under imbalance, and two of them together."""
    variants = [variant for loss in DEFAULT_WEIGHTS for variant in SWEEPS[loss].values()]
    one = grid(profile, long_tailed(profile), variants, profile.readings)
    return one | grid(profile, hardest(profile), HEAT_MAP.values(), main_readings(profile))


def ablation(profile: Profile) -> Study:
    """Table 1: every combination of the three losses, base to new and in transfer."""
    rows: Iterable[Variant] = COMBINATIONS.values()
    study = grid(profile, long_tailed(profile), rows)
    part = dataclasses.replace(profile.transfer, taus=(min(profile.transfer.taus),))
    if not profile.ablate_transfer:
        rows = (PLAIN, CPT)  # in the comparison of methods anyway
    return study | grid(profile, part, rows, protocol="transfer")


def clusterings(profile: Profile) -> Study:
    """Table 5 and Fig. 5: other algorithms under imbalance, other sizes on the most balanced."""
    algorithms = grid(profile, long_tailed(profile), ALGORITHMS.values(), profile.readings)
    part = dataclasses.replace(profile.details, taus=(max(profile.details.taus),))
    return algorithms | grid(profile, part, SIZES.values(), profile.readings)


def clusters(profile: Profile) -> Study:
    """All of notebook 05: the maps show the data set of the similarity matrices."""
    return clusterings(profile) | similarity(profile)


def claims(profile: Profile) -> Study:
    """The ledger: the tables and variants above, and whatever else the claims compare.

    Single runs for figures (`similarity`) stay out: a spread needs seeds.
    """
    study = base_to_new(profile) | stability(profile) | transfer(profile)
    study |= ablation(profile) | sensitivity(profile) | clusterings(profile)
    for claim in lineup.claims(profile):
        part = profile.transfer if claim.protocol == "transfer" else profile.details
        taus = tuple(tau for tau in claim.taus if tau in part.taus)
        part = dataclasses.replace(part, taus=taus)
        study |= grid(profile, part, claim.comparison.variants, profile.readings, claim.protocol)
    return study


STUDIES: dict[str, Callable[[Profile], Study]] = {
    "00_tour": tour,
    "01_similarity_matrices": similarity,
    "02_training_stability": over_seeds,
    "03_sensitivity": sensitivity,
    "04_ablation": ablation,
    "05_cluster_structure": clusters,
    "06_base_to_new": base_to_new,
    "07_cross_dataset": transfer,
    "08_domain_generalization": transfer,
    "09_published_tables": lambda profile: {},
    "10_throughput": lambda profile: {},
    "11_geometry": geometry,
    "12_claims": claims,
    "13_few_shot": few_shot,
    "14_long_tail_classics": classics,
    "15_cost": cost,
}
"""Notebook -> the study that it shows; the one on throughput measures for itself."""


def curves(by_label: dict[str, list[Result]]) -> pd.DataFrame:
    """Logs of runs that followed their training, one row per epoch, with method, tau, seed, and
    `progress` in percent of the run's epochs: schedules differ between methods.
    """
    return pd.concat(
        result.log.assign(
            method=name,
            tau=result.spec.tau,
            seed=result.spec.seed,
            progress=100 * result.log["epoch"] / result.log["epoch"].max(),
        )
        for name, finished in by_label.items()
        for result in finished
        if result.spec.curve
    )


def results(
    study: Study, store: Path, jobs: int = 1
) -> tuple[dict[str, list[Result]], pd.DataFrame]:
    """Run what is missing; results by label, and the tidy table with labels as `method`."""
    finished = run(list(study), store, jobs)
    by_label: dict[str, list[Result]] = {}
    for result in finished:
        by_label.setdefault(study[result.spec], []).append(result)
    return by_label, table(finished).assign(method=[study[r.spec] for r in finished])
