"""The profiles by name. Every notebook runs with each of them."""

from __future__ import annotations

import dataclasses

from cptlab.checks import check_text, check_values, did_you_mean, option
from cptlab.data import PAPER_DATASETS
from cptlab.emoji.catalog import CATEGORIES
from cptlab.lab.study.claims import Reading
from cptlab.lab.study.claims.variants import BY_LOSSES
from cptlab.lab.study.design import Design
from cptlab.lab.study.profile import EMBEDDED_SCHEDULE, TAUS, Profile
from cptlab.lab.study.varied import Varied
from cptlab.methods.registry import find_method
from cptlab.methods.schedule import Schedule

SMOKE = Profile(
    "smoke",
    comparison=Design(("activities",), (0.06,), (1, 2)),
    details=Design(("activities",), (0.06,), (1,)),
    transfer=Design(("activities",), (0.06,), (1,)),
    few_shot=Design(("activities",), (1.0,), (1,)),
    shots=(1, 4),
    baselines=("CoOp", "IVLP", "MaPLe", "DPC (CoOp)"),
    similarity_dataset="activities",
    readings=(Reading("pair mean"),),
    ablate_transfer=False,
    curve_taus=(0.06,),
    schedule=Schedule(epochs=2, lr=EMBEDDED_SCHEDULE.lr, batch_size=32),
    class_order="permuted",
)
DEMO = Profile(
    "demo",
    # one ratio, one data set and few other settings: it should take less than ten minutes
    comparison=Design(("activities",), (0.06,), (1, 2, 3, 4, 5)),
    details=Design(("activities",), (0.06,), (1, 2, 3, 4, 5)),
    transfer=Design(("activities",), (0.06,), (1, 2)),
    baselines=("CoOp", "IVLP"),
    few_shot=Design(("activities",), (1.0,), (1, 2)),
    shots=(1, 4),
    similarity_dataset="travel",
    readings=(Reading("pair mean"),),
    ablate_transfer=False,
    curve_taus=(0.06,),
    varied=Varied(
        weights=(
            ("TETF", (0.0, 0.25, 1.0, 4.0, 16.0, 64.0)),
            ("CC", (0.0, 0.15)),
            ("RS", (0.0, 0.10)),
        ),
        losses=tuple(on for on in BY_LOSSES if sum(on) != 1 or on[0]),
        algorithms=("spherical", "euclidean"),
        sizes=(4, 16, 64),
        balances=("as it is", "balanced softmax"),
    ),
    class_order="permuted",
)
FULL = Profile(
    "full",  # docs/plan.md
    comparison=Design(tuple(CATEGORIES), TAUS, (11, 12, 13, 14, 15)),
    details=Design(tuple(CATEGORIES), (0.06,), (11, 12, 13, 14, 15)),
    transfer=Design(("activities", "food"), (0.06,), (11, 12, 13)),
    few_shot=Design(("activities", "food"), (1.0,), (11, 12, 13)),
    similarity_dataset="travel",
    curve_taus=(0.06,),
    readings=(Reading("sum"), Reading("pair mean")),
    tuned=True,
    costly=("CLIP-LoRA", "PromptSRC", "DPC (MaPLe)", "CoCoOp"),
    spread=tuple(range(11, 21)),
    other_weights=("seed1", "seed2"),
    class_order="permuted",
)
PAPER = Profile(
    "paper",
    comparison=Design(PAPER_DATASETS, TAUS, (1, 2, 3, 4, 5)),
    details=Design(PAPER_DATASETS, TAUS, (1, 2, 3, 4, 5)),
    transfer=Design(("imagenet",), TAUS, (1, 2, 3, 4, 5)),
    few_shot=Design(PAPER_DATASETS, (1.0,), (1, 2, 3)),
    similarity_dataset="flowers102",
    curve_dataset="eurosat",
    schedule=None,
    backbone="ViT-B-16-quickgelu",
    pretrained="openai",
    depths=None,
    crop=True,
    device="cuda",
    precision="bf16",
)
PROFILES = {profile.name: profile for profile in (SMOKE, DEMO, FULL, PAPER)}


ALSO = "also"
DESIGNS_BY_TAU = ("comparison", "details", "transfer")
MACHINE = ("backbone", "pretrained", "device", "precision", "compile", "threads")
"""Fields that can be changed with the name of a profile: another model, another machine."""


def profile_named(text: str) -> Profile:
    """Profile by name, optionally with changes: "paper", or "paper,device=cpu,compile=True".

    "full,tau=0.06" is the study of this imbalance ratio alone; few-shot learning stays as it is.
    "demo,also=tail_coop.py:TailCoOp" adds a method from outside the package.

    Raises ValueError listing the choices for an unknown name, change or value.
    """
    check_text("profile", text)
    name, *changes = text.split(",")
    if name not in PROFILES:
        raise ValueError(
            f"Unknown profile {name!r}; choose one of {', '.join(PROFILES)}."
            f"{did_you_mean(name, PROFILES)} Changes go behind a comma, as in full,tau=0.06."
        )
    if not changes:
        return PROFILES[name]
    pairs = [option(f"Behind a comma, profile {name}", change) for change in changes]
    also = tuple(str(value) for key, value in pairs if key == ALSO)
    values = dict(pair for pair in pairs if pair[0] != ALSO)
    if len(values) + len(also) < len(pairs):
        raise ValueError(f"{text} changes something twice: change it once.")
    tau = values.pop("tau", None)
    unknown = sorted(values.keys() - set(MACHINE))
    if unknown:
        choices = ", ".join(("tau", ALSO, *MACHINE))
        raise ValueError(f"A profile cannot change {', '.join(unknown)}; it can change {choices}.")
    profile = dataclasses.replace(PROFILES[name], name=text, also=also, **values)
    check_values(profile)
    for reference in also:
        find_method(reference)  # a wrong one should fail here
    return profile if tau is None else _at(profile, tau)


def _at(profile: Profile, tau: object) -> Profile:
    """A profile at one imbalance ratio."""
    designs = {name: getattr(profile, name) for name in DESIGNS_BY_TAU}
    common = [t for t in TAUS if all(t in design.taus for design in designs.values())]
    if tau not in common:
        raise ValueError(
            f"Profile {profile.name.split(',')[0]} cannot be had at tau={tau} alone; choose one "
            f"of {', '.join(f'{t:g}' for t in common)}."
        )
    curves = tuple(t for t in profile.curve_taus if t == tau)
    at = {name: design.at(tau) for name, design in designs.items()}
    return dataclasses.replace(profile, curve_taus=curves, **at)
