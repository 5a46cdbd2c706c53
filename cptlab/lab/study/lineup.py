"""Who takes part: the methods of the tables by the labels that figures show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cptlab.data import Protocol
from cptlab.lab.study.claims import Claim, Reading, against
from cptlab.lab.study.claims.variants import (
    CPT,
    GLOBAL_ETF,
    WITHOUT_RS,
    ZERO_SHOT,
    CPTVariant,
    GlobalETFVariant,
    Variant,
    label,
)
from cptlab.lab.study.profiles import Profile
from cptlab.methods.base import Method, rows_of
from cptlab.methods.cpt import CPT as CPTMethod
from cptlab.methods.global_etf import GlobalETF
from cptlab.methods.registry import BUILT_IN, METHODS, find_method

BY_READING = ("global_etf", "cpt")
"""Methods whose rows depend on how the losses are read."""

Named = tuple[type[Method], Mapping[str, object]]
"""A method and its hyper-parameters."""

NAMED: dict[str, Named] = {
    row.label: (METHODS[name], row.options)
    for name in BUILT_IN
    if name not in BY_READING
    for row in rows_of(METHODS[name])
}
"""Label of a row that no reading of the losses touches -> its method, in the order of tables."""

BOTH = (Reading("sum"), Reading("pair mean"))
"""The readings of L_TETF that stand side by side in every table of methods."""

STABILITY: tuple[Variant, ...] = ("CoOp", GLOBAL_ETF, WITHOUT_RS, CPT)
"""The methods of Fig. 4."""

SIMILARITY: tuple[Variant, ...] = (ZERO_SHOT, GLOBAL_ETF, CPT)
"""The panels of Fig. 1 (a-c)."""


def named(profile: Profile) -> dict[str, Named]:
    """`NAMED`, and the methods of one's own that a profile adds."""
    methods = dict.fromkeys(map(find_method, profile.also))  # each once
    rows = [(row, method) for method in methods for row in rows_of(method)]
    labels = [row.label for name in BUILT_IN for row in rows_of(METHODS[name])]
    labels += [row.label for row, _ in rows]
    if taken := [row.label for row, _ in rows if labels.count(row.label) > 1]:
        raise ValueError(f"Two methods have the label {taken[0]!r}: give one of them another row.")
    return NAMED | {row.label: (method, row.options) for row, method in rows}


def compared(profile: Profile) -> tuple[Variant, ...]:
    """The rows of Tables 2 to 4: zero-shot, the profile's baselines, one's own methods, Global-ETF
    and CPT.
    """
    wanted = NAMED if profile.baselines is None else profile.baselines
    baselines = [name for name in named(profile) if name not in NAMED or name in wanted]
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
    published depths there and some take no part.
    """
    readings = tuple(readings)
    variants = compared(profile) if variants is None else variants
    found = {
        label(variant, reading): _method(profile, variant, reading, protocol)
        for variant in variants
        for reading in readings
    }
    return {name: method for name, method in found.items() if protocol in method.protocols}


def _method(profile: Profile, variant: Variant, reading: Reading, protocol: Protocol) -> Method:
    if isinstance(variant, CPTVariant):
        return profile.make(CPTMethod, protocol, **variant.fields(reading))
    if isinstance(variant, GlobalETFVariant):
        reduction = "sum" if reading.tetf == "sum" else "pair_mean"
        return profile.make(GlobalETF, protocol, reduction=reduction)
    method, options = named(profile)[variant]
    return profile.make(method, protocol, **options)
