"""The runs of docs/plan.md, part by part, in the order in which they are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

from cptlab.clip.loading import EMOJI_NAME
from cptlab.lab.study import lineup
from cptlab.lab.study.claims.variants import (
    BY_LOSSES,
    CPT,
    PLAIN,
    WITHOUT_TETF,
    ZERO_SHOT,
    CPTVariant,
    label,
)
from cptlab.lab.study.design import Design
from cptlab.lab.study.lineup import BOTH, STABILITY, label_of
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.studies import Study, few_shot, grid, transfer
from cptlab.lab.study.varied import Varied
from cptlab.methods.base import Method
from cptlab.methods.cpt import CPT as CPTMethod

DOSES = {
    "lambda_tetf": (0.25, 1.0, 4.0, 16.0, 64.0, 256.0),
    "lambda_cc": (0.015, 0.05, 0.15, 0.45, 1.5),
    "lambda_rs": (0.01, 0.033, 0.1, 0.3, 1.0),
}
"""Weights of each loss of CPT, one at a time, L_TETF being a mean over pairs."""

TUNED_SUM = "CPT (sum), tuned schedule"
"""L_TETF as printed, on the axis of the doses: nothing else differs from them."""

ACTING = 4.0
"""The smallest dose of L_TETF above the tuned one at which H differs from that without it: by -2.0
points (-2.8 to -1.2; docs/log.md). `cptlab.lab.study.dose_message.acting` computes it.
"""

NO_LOSS = CPTVariant(without=("TETF", "CC", "RS"))
"""CPT without its losses: the prompts of IVLP under CPT's schedule."""

MAIN_METHODS = (ZERO_SHOT, PLAIN, "PromptSRC", "DeKg", CPT)
"""Those that run on other weights of the backbone, too."""

NOT_AS_PUBLISHED = ("CLIP-LoRA",)
"""By the forecast its runs cost more than all others of this part, and no claim is about them."""

AS_PUBLISHED = " (as published)"
"""Behind the label of a method that has its published schedule in place of the tuned one."""


def smallest(profile: Profile) -> Design:
    """All data sets and seeds of the comparison at its smallest imbalance ratio."""
    main = profile.comparison
    return main.at(main.smallest_tau)


def main(profile: Profile) -> Study:
    """Every method as tuned at the smallest imbalance ratio; CPT and Global-ETF as printed too."""
    return grid(profile, smallest(profile))


def dose(profile: Profile) -> Study:
    """CPT with other weights of one loss at a time, and without L_TETF; those that were asked for,
    or `DOSES`.
    """
    design, cpt = smallest(profile), tuned_cpt(profile)
    study = grid(profile, design, (CPT, WITHOUT_TETF), BOTH[1:])
    asked = profile.varied.weights
    doses = DOSES if asked == Varied.weights else {f"lambda_{k.lower()}": w for k, w in asked}
    for name, weights in doses.items():
        for weight in weights:
            if weight not in (0, getattr(cpt, name)):  # without a loss is a row of the ablation
                study |= _with(profile, design, dataclasses.replace(cpt, **{name: weight}))
    summed = dataclasses.replace(cpt, etf_reduction="sum", lambda_tetf=CPTMethod.lambda_tetf)
    own = profile.schedule_of(cpt, "base_to_new", design.datasets[0])
    for spec in _with(profile, design, summed):
        changed = dataclasses.replace(spec, schedule=own)
        if changed != spec:
            study[changed] = TUNED_SUM
    return study | grid(profile, design, (CPT,), BOTH[:1])


def clusterings(profile: Profile, weight: float = ACTING) -> Study:
    """Other clusters at a weight of L_TETF: algorithms, sizes, a random partition, one cluster."""
    design = smallest(profile)
    cpt = dataclasses.replace(tuned_cpt(profile), lambda_tetf=weight)
    changes: list[dict[str, object]] = [{}, {"n_clusters": 1}]
    changes += [{"cluster_method": name} for name in profile.varied.algorithms]
    changes += [{"cluster_size": size} for size in profile.varied.sizes]
    study: Study = {}
    for change in changes:
        study |= _with(profile, design, dataclasses.replace(cpt, **change))
    for seed in design.seeds:  # another partition in each
        method = dataclasses.replace(cpt, cluster_method="random", cluster_seed=seed)
        name = label_of(profile, dataclasses.replace(method, cluster_seed=0))
        study |= dict.fromkeys(_with(profile, design.with_seeds(seed), method), name)
    return study


def ablation(profile: Profile) -> Study:
    """All combinations of the losses: as tuned, and as printed with published schedules."""
    rows = [variant for on, variant in BY_LOSSES.items() if any(on)] + [NO_LOSS]
    design = smallest(profile)
    tuned = grid(profile, design, rows, BOTH[1:])
    return tuned | _as_published(profile, design, rows)


def ratios(profile: Profile) -> Study:
    """Every method as tuned at the larger imbalance ratios; IVLP as published on balanced data,
    too, which claim 2 compares with CPT as printed.
    """
    main = profile.comparison
    larger = grid(profile, main.at(*(tau for tau in main.taus if tau > main.smallest_tau)))
    return larger | _as_published(profile, main.at(max(main.taus)), (PLAIN,))


def published(profile: Profile) -> Study:
    """The methods with their published schedules, at the smallest imbalance ratio, but for
    `NOT_AS_PUBLISHED`; CPT with a single cluster, too.
    """
    variants = [name for name in lineup.compared(profile) if name not in NOT_AS_PUBLISHED]
    single = dataclasses.replace(untuned(profile).make(CPTMethod), n_clusters=1)
    alone = _with(untuned(profile), smallest(profile), single)
    return _as_published(profile, smallest(profile), variants) | alone


def spread(profile: Profile) -> Study:
    """The methods of Fig. 4, without CoOp and with IVLP, with as many seeds as a spread takes."""
    variants = ("IVLP", *(variant for variant in STABILITY if variant != "CoOp"))
    seeds = profile.spread or smallest(profile).seeds
    return grid(profile, smallest(profile).with_seeds(*seeds), variants)


def single_cluster(profile: Profile) -> Study:
    """CPT with one cluster of all classes, tuned for itself (claim 7)."""
    (method,) = lineup.chosen(profile, ("cpt, etf_reduction=pair_mean, n_clusters=1",)).values()
    name = f"{label(CPT, BOTH[1])}, n_clusters = 1"
    return dict.fromkeys(_with(profile, smallest(profile), method), name)


def backbones(profile: Profile) -> Study:
    """The main methods, or the chosen ones, on other weights of the backbone, with three seeds.

    Empty for a profile whose backbone is another.
    """
    study: Study = {}
    changed = profile.backbone != EMOJI_NAME or profile.pretrained
    for weights in () if changed else profile.other_weights:
        other = dataclasses.replace(profile, pretrained=weights, curve_taus=())
        study |= {spec: f"{name}, {weights}" for spec, name in on_backbone(other).items()}
    return study


def on_backbone(profile: Profile) -> Study:
    """What `backbones` runs, on the backbone of the profile."""
    design = smallest(profile).first_seeds(3)
    return grid(profile, design, lineup.instead(profile, MAIN_METHODS), BOTH[1:])


def tuned_cpt(profile: Profile) -> CPTMethod:
    """CPT as the profile has it, with L_TETF as a mean over pairs."""
    return profile.make(CPTMethod, "base_to_new", **CPT.fields(BOTH[1]))


def untuned(profile: Profile) -> Profile:
    """The profile with published schedules and weights."""
    return dataclasses.replace(profile, tuned=False)


def _with(profile: Profile, design: Design, method: Method) -> Study:
    """One form of CPT on a design, under its own label."""
    name = label_of(profile, method)
    return {
        profile.spec(dataset, method, tau, seed): name
        for dataset in design.datasets
        for tau in design.taus
        for seed in design.seeds
    }


def _as_published(
    profile: Profile, design: Design, variants: Iterable[lineup.Variant] | None = None
) -> Study:
    """A grid with published schedules; what is the same as tuned has the same label."""
    as_tuned = grid(profile, design, variants)
    return {
        spec: as_tuned.get(spec, f"{name}{AS_PUBLISHED}")
        for spec, name in grid(untuned(profile), design, variants).items()
    }


PARTS: dict[str, Callable[[Profile], Study]] = {
    "main": main,
    "single cluster": single_cluster,
    "dose": dose,
    "clusters": clusterings,
    "ablation": ablation,
    "published": published,
    "ratios": ratios,
    "spread": spread,
    "backbones": backbones,
    "few-shot": few_shot,
    "transfer": transfer,
}
"""Part -> its runs; later ones repeat some of earlier ones."""
