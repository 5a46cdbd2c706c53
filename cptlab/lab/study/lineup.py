"""Who takes part: the methods of the tables by the labels that figures show."""

from __future__ import annotations

from collections.abc import Iterable

from cptlab.data import Protocol
from cptlab.lab.study.claims import Claim, Reading, against
from cptlab.lab.study.claims.variants import (
    CPT,
    GLOBAL_ETF,
    PLAIN,
    WITHOUT_RS,
    ZERO_SHOT,
    CPTVariant,
    Variant,
    label,
)
from cptlab.lab.study.profiles import Profile
from cptlab.methods import CPT as CPTMethod
from cptlab.methods import (
    DPC,
    IVLP,
    CoCoOp,
    CoOp,
    CoPrompt,
    DeKg,
    GlobalETF,
    MaPLe,
    Method,
    NPTStyle,
    PromptSRC,
    ZeroShot,
)

NAMED: dict[str, tuple[type[Method], dict[str, object]]] = {
    ZERO_SHOT: (ZeroShot, {}),
    "CoOp": (CoOp, {}),
    "CoCoOp": (CoCoOp, {}),
    PLAIN: (IVLP, {}),
    "MaPLe": (MaPLe, {}),
    "PromptSRC": (PromptSRC, {}),
    "CoPrompt (templates)": (CoPrompt, {}),
    "NPT-style": (NPTStyle, {}),
    "DeKg": (DeKg, {}),
    "DPC (CoOp)": (DPC, {"on": "coop", "tokens_per_layer": 4}),
    "DPC (MaPLe)": (DPC, {"on": "maple"}),
}
"""Label of a method that no reading of CPT's losses touches -> its class and hyper-parameters."""

BOTH = (Reading("sum"), Reading("pair mean"))
"""The readings of L_TETF that stand side by side in every table of methods."""

STABILITY: tuple[Variant, ...] = ("CoOp", GLOBAL_ETF, WITHOUT_RS, CPT)
"""The methods of Fig. 4."""

SIMILARITY: tuple[Variant, ...] = (ZERO_SHOT, GLOBAL_ETF, CPT)
"""The panels of Fig. 1 (a-c)."""


def compared(profile: Profile) -> tuple[Variant, ...]:
    """The rows of Tables 2 to 4: zero-shot, the profile's baselines, Global-ETF and CPT."""
    baselines = [name for name in NAMED if profile.baselines is None or name in profile.baselines]
    return tuple(dict.fromkeys((ZERO_SHOT, *baselines, GLOBAL_ETF, CPT)))


def claims(profile: Profile) -> tuple[Claim, ...]:
    """The paper's claims, CPT's baselines being all other prompt-tuning methods of the profile."""
    return against(
        tuple(variant for variant in compared(profile) if variant not in (ZERO_SHOT, CPT))
    )


def learned(profile: Profile) -> tuple[Variant, ...]:
    """Methods whose training is followed."""
    return tuple(dict.fromkeys((*compared(profile)[1:], *STABILITY)))


def methods(
    profile: Profile,
    variants: Iterable[Variant] | None = None,
    readings: Iterable[Reading] = BOTH,
    protocol: Protocol = "base_to_new",
) -> dict[str, Method]:
    """Methods by the label that tables and figures show; what no reading touches comes once.

    variants: those of the tables, if left out. protocol: where they will run, as some have other
    published depths there.
    """
    readings = tuple(readings)
    variants = compared(profile) if variants is None else variants
    return {
        label(variant, reading): _method(profile, variant, reading, protocol)
        for variant in variants
        for reading in readings
    }


def _method(profile: Profile, variant: Variant, reading: Reading, protocol: Protocol) -> Method:
    if isinstance(variant, CPTVariant):
        return profile.make(CPTMethod, protocol, **variant.fields(reading))
    if variant == GLOBAL_ETF:
        reduction = "sum" if reading.tetf == "sum" else "pair_mean"
        return profile.make(GlobalETF, protocol, reduction=reduction)
    method, options = NAMED[variant]
    return profile.make(method, protocol, **options)
