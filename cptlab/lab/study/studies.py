"""The runs behind each notebook: every study as a grid of specifications, sized by a profile."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from cptlab.data import Protocol
from cptlab.lab.study.claims import Reading
from cptlab.lab.study.claims.variants import (
    BY_LOSSES,
    CPT,
    PLAIN,
    ZERO_SHOT,
    Variant,
    label,
)
from cptlab.lab.study.design import Design
from cptlab.lab.study.lineup import BOTH, SIMILARITY, STABILITY, instead, learned, methods
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.varied import CLASSICS
from cptlab.training.spec import RunSpec

Study = dict[RunSpec, str]
"""Each run once, with the label under which tables and figures show it."""


def grid(
    profile: Profile,
    design: Design,
    variants: Iterable[Variant] | None = None,
    readings: Iterable[Reading] = BOTH,
    protocol: Protocol = "base_to_new",
    followed: str = "",
) -> Study:
    """Methods (`methods`) x data sets x imbalance ratios x seeds.

    Zero-shot needs one seed, unless each has a tail of its own; costly methods run at the smallest
    ratio alone.

    A run that some figure shows along training records its curve in every study, so that tables and
    curves share it, but for costly ones. followed: a data set on which all of these do.
    """
    shown = methods(profile, learned(profile))
    curves = [("base_to_new", profile.curve_dataset, tau) for tau in profile.curve_taus]
    study = {}
    for name, method in methods(profile, variants, readings, protocol).items():
        part = design
        if name in profile.costly:
            part = design.at(profile.comparison.smallest_tau)
        one = name == ZERO_SHOT and profile.class_order == "name"
        for dataset in part.datasets:
            for tau in part.taus:
                curve = name in shown and (protocol, dataset, tau) in curves
                curve |= dataset == followed and name != ZERO_SHOT
                curve &= name not in profile.costly
                seeds = part.seeds[:1] if one else part.seeds
                for seed in seeds:
                    study[profile.spec(dataset, method, tau, seed, protocol, curve)] = name
    return study


def changed(spec: RunSpec, **fields: object) -> RunSpec:
    """A run with other settings, and without a curve: those of the usual runs are shown."""
    return dataclasses.replace(spec, curve=False, **fields)


def base_to_new(profile: Profile) -> Study:
    """Table 2: every method, data set, imbalance ratio and seed."""
    return grid(profile, profile.comparison)


def transfer(profile: Profile) -> Study:
    """Tables 3 and 4: one run learns a source and is tested on targets and shifted domains."""
    return grid(profile, profile.transfer, protocol="transfer")


def stability(profile: Profile) -> Study:
    """Fig. 1 (d) and Fig. 4: seeds at the smallest tau, curves on one data set, all runs on one."""
    methods, curves = instead(profile, STABILITY), profile.followed_dataset
    return grid(profile, _many_seeds(profile), methods, followed=curves)


def over_seeds(profile: Profile) -> Study:
    """All of notebook 02: zero-shot as a level beside these."""
    return stability(profile) | grid(profile, _many_seeds(profile), (ZERO_SHOT,))


def _many_seeds(profile: Profile) -> Design:
    main = profile.comparison
    datasets = dict.fromkeys((main.datasets[0], profile.followed_dataset))
    return main.at(main.smallest_tau).on(*datasets)


def geometry(profile: Profile) -> Study:
    """Neural collapse along training, on one data set at each tau that has curves."""
    design = profile.comparison.at(*profile.curve_taus).on(profile.followed_dataset)
    methods = instead(profile, learned(profile))
    return grid(profile, design, methods, followed=profile.followed_dataset)


def similarity(profile: Profile) -> Study:
    """Fig. 1 (a-c): one run per panel on the data set of the matrices at the smallest tau."""
    panels = instead(profile, SIMILARITY)
    return grid(profile, _one_run(profile).on(profile.similarity_dataset), panels)


def tour(profile: Profile) -> Study:
    """The tour: zero-shot and CPT on one data set at the smallest tau, one seed."""
    methods = instead(profile, (ZERO_SHOT, CPT))
    return grid(profile, _one_run(profile).on(profile.followed_dataset), methods)


def _one_run(profile: Profile) -> Design:
    main = profile.comparison
    return main.at(main.smallest_tau).first_seeds(1)


def with_prompts(profile: Profile) -> Study:
    """Runs whose prompts an archive keeps: those of the tour, the similarity matrices and, with one
    seed, the explorer's sliders.
    """
    sweeps = (*profile.varied.sweeps().values(), profile.varied.heat_map())
    weights = [variant for sweep in sweeps for variant in sweep.values()]
    design = most_imbalanced(profile).first_seeds(1)
    sliders = grid(profile, design, (PLAIN, *weights), main_readings(profile))
    return tour(profile) | similarity(profile) | sliders


def few_shot(profile: Profile) -> Study:
    """Accuracy on all classes by the number of training images of each; no long tail."""
    return {
        changed(spec, n_max=shots): name
        for spec, name in grid(profile, profile.few_shot, protocol="few_shot").items()
        for shots in (profile.shots[:1] if name == ZERO_SHOT else profile.shots)
    }


def classics(profile: Profile) -> Study:
    """Long-tail classics on three kinds of prompts, under imbalance on the first data set."""
    design = long_tailed(profile).on(profile.details.datasets[0])
    study = {}
    prompts = instead(profile, ("CoOp", PLAIN, CPT))
    for spec, name in grid(profile, design, prompts, BOTH[1:]).items():
        for classic in profile.varied.balances:
            balance = CLASSICS[classic]
            if balance is None:
                study[spec] = name
            else:
                study[changed(spec, balance=balance)] = f"{name} + {classic}"
    return study


def main_readings(profile: Profile) -> tuple[Reading, ...]:
    """Those of the profile's readings that differ in L_TETF alone."""
    return tuple(reading for reading in BOTH if reading in profile.readings)


def long_tailed(profile: Profile) -> Design:
    """The details at the imbalance ratios below 1, unless balanced data are to be varied too."""
    if profile.balanced:
        return profile.details
    return profile.details.at(*(tau for tau in profile.details.taus if tau < 1))


def most_imbalanced(profile: Profile) -> Design:
    """The details on their first data set at the smallest tau."""
    details = profile.details
    return details.at(details.smallest_tau).on(details.datasets[0])


def sensitivity(profile: Profile) -> Study:
    """Fig. 3: the weights one at a time under imbalance, and two of them together."""
    varied = profile.varied
    variants = [variant for sweep in varied.sweeps().values() for variant in sweep.values()]
    both, readings = varied.heat_map().values(), main_readings(profile)
    study = grid(profile, long_tailed(profile), variants, profile.readings)
    study |= grid(profile, most_imbalanced(profile), both, readings)
    return grid(profile, long_tailed(profile), levels(profile)) | study


def levels(profile: Profile) -> tuple[Variant, ...]:
    """What stands beside the variants of CPT where methods were chosen: zero-shot, and those that
    are not varied themselves.
    """
    varied = [label(CPT, reading) for reading in main_readings(profile)]
    return tuple(method for method in instead(profile, ()) if method not in varied)


def ablation(profile: Profile) -> Study:
    """Table 1: every combination of the three losses, base to new and in transfer."""
    rows: Iterable[Variant] = [BY_LOSSES[on] for on in profile.varied.losses]
    readings = main_readings(profile)
    study = grid(profile, long_tailed(profile), (*rows, *levels(profile)), readings)
    if not profile.ablate_transfer:
        rows = (PLAIN, CPT)  # these are part of the comparison of methods anyway
    design = profile.transfer.at(profile.transfer.smallest_tau)
    rows = (*rows, *levels(profile))
    return study | grid(profile, design, rows, readings, protocol="transfer")


def clusterings(profile: Profile) -> Study:
    """Table 5 and Fig. 5: other algorithms under imbalance, other sizes on the most balanced."""
    by_algorithm, by_size = profile.varied.by_algorithm(), profile.varied.by_size()
    algorithms = grid(profile, long_tailed(profile), by_algorithm.values(), profile.readings)
    balanced = profile.details.at(max(profile.details.taus))
    return algorithms | grid(profile, balanced, by_size.values(), profile.readings)


def clusters(profile: Profile) -> Study:
    """All of notebook 05: the maps show the data set of the similarity matrices."""
    return clusterings(profile) | similarity(profile)


def claims(profile: Profile) -> Study:
    """The ledger: the tables and variants above; what a claim compares beside them is not run.

    Without the single runs for figures (`similarity`), as a spread needs several seeds.
    """
    study = base_to_new(profile) | stability(profile) | transfer(profile)
    study |= ablation(profile) | sensitivity(profile) | clusterings(profile)
    # those of the transfer tables under the profile's other readings, too
    return study | grid(profile, profile.transfer, (CPT,), profile.readings, "transfer")
