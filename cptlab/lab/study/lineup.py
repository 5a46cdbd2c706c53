"""Who takes part: the methods of the tables by the labels that figures show."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping

from cptlab.checks import build, did_you_mean, option
from cptlab.data import Protocol
from cptlab.lab.study.claims import Claim, Reading, against
from cptlab.lab.study.claims.variants import (
    BASELINES,
    CPT,
    GLOBAL_ETF,
    PLAIN,
    WITHOUT_RS,
    ZERO_SHOT,
    CPTVariant,
    GlobalETFVariant,
    Variant,
    label,
)
from cptlab.lab.study.profile import Profile
from cptlab.methods.base import Method, Row, rows_of
from cptlab.methods.cpt import CPT as CPTMethod
from cptlab.methods.global_etf import GlobalETF
from cptlab.methods.outside import full_reference
from cptlab.methods.registry import BUILT_IN, METHODS, UnknownMethod, find_method, known

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
    and CPT; or zero-shot and the methods that were chosen.
    """
    if profile.methods:
        return tuple(dict.fromkeys((ZERO_SHOT, *chosen(profile, profile.methods))))
    wanted = NAMED if profile.baselines is None else profile.baselines
    baselines = [name for name in named(profile) if name not in NAMED or name in wanted]
    return tuple(dict.fromkeys((ZERO_SHOT, *baselines, GLOBAL_ETF, CPT)))


def instead(profile: Profile, usual: tuple[Variant, ...]) -> tuple[Variant, ...]:
    """The usual methods of a study, or the chosen ones, of which zero-shot learns nothing: it takes
    part unless all of the usual ones learn.
    """
    if not profile.methods:
        return usual
    return compared(profile)[1 if usual and ZERO_SHOT not in usual else 0 :]


def reference(labels: Iterable[str]) -> str:
    """What methods are compared with, run by run: IVLP if it takes part, else zero-shot."""
    return PLAIN if PLAIN in set(labels) else ZERO_SHOT


def tuned(profile: Profile) -> dict[str, Method]:
    """What `cptlab tune` tunes: all methods that learn or search, with L_TETF as a mean over pairs,
    and CPT with a single cluster, each for itself.
    """
    every = (name for name in named(profile) if name != ZERO_SHOT)
    profile = dataclasses.replace(profile, tuned=False)
    found = methods(profile, (*every, GLOBAL_ETF, CPT), BOTH[1:])
    return found | chosen(profile, ("cpt, etf_reduction=pair_mean, n_clusters=1",))


def claims(profile: Profile) -> tuple[Claim, ...]:
    """The paper's claims, CPT's baselines being all other prompt-tuning methods of the profile.

    The paper's own baselines where CPT alone was chosen.
    """
    own = {CPT, *(label(CPT, reading) for reading in BOTH)}
    theirs = set(prompt_tuning(profile))
    others = (one for one in compared(profile) if one not in own and label(one, BOTH[0]) in theirs)
    return against(tuple(others) or BASELINES)


def prompt_tuning(profile: Profile) -> list[str]:
    """Labels of the methods of the tables that learn tokens of a tower, whatever else they learn.

    Not those that leave both towers as they are (linear probe, Tip-Adapter, Candle) or change
    their weights (CLIP-LoRA), nor zero-shot.
    """
    return [name for name, method in methods(profile).items() if method.prompt_shape()]


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
    published depths there and some take no part. Names of new classes are there in base to new
    alone; elsewhere a method that would read them is the same as its row that does not, and only
    this one takes part.
    """
    readings = tuple(readings)
    variants = compared(profile) if variants is None else variants
    found = {
        label(variant, reading): _method(profile, variant, reading, protocol)
        for variant in variants
        for reading in readings
    }

    def repeats(method: Method) -> bool:
        without = {**vars(method), "knows_new_names": False}
        return any(type(one) is type(method) and vars(one) == without for one in found.values())

    return {
        name: method
        for name, method in found.items()
        if protocol in method.protocols
        and (protocol == "base_to_new" or not (method.knows_new_names and repeats(method)))
    }


def _method(profile: Profile, variant: Variant, reading: Reading, protocol: Protocol) -> Method:
    if isinstance(variant, CPTVariant):
        fields = variant.fields(reading)
        if profile.tuned and "TETF" in variant.without:
            fields["etf_reduction"] = "pair_mean"  # the row that was tuned
        return profile.make(CPTMethod, protocol, **fields)
    if isinstance(variant, GlobalETFVariant):
        reduction = "sum" if reading.tetf == "sum" else "pair_mean"
        return profile.make(GlobalETF, protocol, reduction=reduction)
    rows = named(profile)
    if variant not in rows:
        return _named(profile, variant, protocol)
    method, options = rows[variant]
    return profile.make(method, protocol, **options)


def chosen(
    profile: Profile,
    wanted: Iterable[str | Method | type[Method]],
    protocol: Protocol = "base_to_new",
    options: Mapping[str, Mapping[str, object]] | None = None,
) -> dict[str, Method]:
    """The methods that a user names, by the label that tables and figures show.

    Args:
        wanted: names ("coop"), labels of rows ("CPT (pair mean)"), methods of one's own
            ("path/to/file.py:Class"), each with hyper-parameters behind it if you like ("cpt,
            lambda_rs = 0.2"); classes, or methods as objects.
        protocol: where they will run, as some have other published depths there.
        options: name of a method -> hyper-parameters and values, for all of that name.

    Raises:
        ValueError: for unknown names and hyper-parameters, options of a method that is not wanted,
            or two methods that are the same.
    """
    options, found = options or {}, {}
    for one in wanted:
        fits = isinstance(one, Method)
        method = profile.fitted(one, protocol) if fits else _named(profile, one, protocol)
        method = with_options(method, options.get(method.name, {}))
        label = label_of(profile, method, protocol)
        if label in found:
            raise ValueError(f"{label} is named twice: name every method once.")
        if protocol not in method.protocols:
            raise ValueError(
                f"{label} takes no part in {protocol}; it does in {', '.join(method.protocols)}."
            )
        found[label] = method
    names = {method.name for method in found.values()}
    if strange := [name for name in options if name not in names]:
        raise ValueError(
            f"There are hyper-parameters for {strange[0]!r}, which is not among the methods: "
            f"{', '.join(sorted(names))}."
        )
    return found


def with_options(method: Method, options: Mapping[str, object]) -> Method:
    """A method with some hyper-parameters changed, and paths of files that hold in any folder.

    Raises ValueError for an unknown hyper-parameter, listing those that there are.
    """
    built = build(type(method), options)
    method = dataclasses.replace(method, **{name: getattr(built, name) for name in options})
    files = {
        name: os.path.abspath(os.path.expanduser(value))
        for name, value in vars(method).items()
        if value in method.files()
    }
    return dataclasses.replace(method, **files)


def label_of(profile: Profile, method: Method, protocol: Protocol = "base_to_new") -> str:
    """The label of a method: that of its row, and behind it what is not as this row has it.

    For instance "CPT (pair mean)", or "CPT (pair mean), cluster_size = 8".
    """
    fitting = [
        row
        for row in rows_of(type(method))
        if all(getattr(method, name) == value for name, value in row.options.items())
    ]
    row = max(fitting, key=lambda row: len(row.options), default=Row(type(method).__name__))
    usual = profile.make(type(method), protocol, **row.options)
    for f in dataclasses.fields(method):
        value = getattr(method, f.name)
        if value != getattr(usual, f.name):
            row = dataclasses.replace(row, label=f"{row.label}, {f.name} = {_shown(value)}")
    return row.label


def _shown(value: object) -> str:
    return format(value, "g") if isinstance(value, int | float) else str(value)


def _named(profile: Profile, one: str | type[Method], protocol: Protocol) -> Method:
    """A method by a name, the label of a row, a reference, or its class."""
    if isinstance(one, type):
        return profile.make(one, protocol)
    one, *behind = re.split(r",\s*(?=\w+\s*=)", one)
    if behind:
        values = dict(option(f"Behind {one}", re.sub(r"\s*=\s*", "=", text)) for text in behind)
        return with_options(_named(profile, one, protocol), values)
    rows = {row.label: (kind, row) for kind in known() for row in rows_of(kind)}
    if one in rows:
        kind, row = rows[one]
        return profile.make(kind, protocol, **row.options)
    try:
        return profile.make(find_method(full_reference(one)), protocol)
    except UnknownMethod as error:
        raise ValueError(
            f"Unknown method {one!r}; choose one of {', '.join(METHODS)}; or the label of a row, "
            f"such as CPT (pair mean); or one of your own as path/to/file.py:Class or "
            f"package.module:Class.{did_you_mean(one, (*METHODS, *rows))}"
        ) from error
