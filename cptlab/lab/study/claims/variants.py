"""The methods that studies and claims compare, and their labels under a reading of the losses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, product

from cptlab.lab.study.claims.readings import LossName, Reading


@dataclass(frozen=True)
class CPTVariant:
    """CPT without some losses or with some settings changed, under any reading.

    settings: fields of `cptlab.methods.CPT` and their values.
    """

    without: tuple[LossName, ...] = ()
    settings: tuple[tuple[str, float | str], ...] = ()

    def label(self, reading: Reading) -> str:
        """For instance "CPT (sum) w/o RS" or "CPT (pair mean, raw RS), cluster_size = 8".

        A loss that is off has no reading, so readings share the label, and the runs.
        """
        terms = reading.terms(self.without)
        label = f"CPT ({', '.join(terms)})" if terms else "CPT"
        if self.without:
            label += f" w/o {' and '.join(self.without)}"
        for name, value in self.settings:
            label += f", {name} = {value if isinstance(value, str) else format(value, 'g')}"
        return label

    def fields(self, reading: Reading) -> dict[str, float | str]:
        """The fields of `cptlab.methods.CPT` that differ from its defaults."""
        fields: dict[str, float | str] = {f"lambda_{loss.lower()}": 0.0 for loss in self.without}
        terms = reading.terms(self.without)
        if "pair mean" in terms:
            fields["etf_reduction"] = "pair_mean"
        if "raw RS" in terms:
            fields["anchor_space"] = "raw"
        if "per-batch CC" in terms:
            fields["cc_weighting"] = "batch_class"
        return fields | dict(self.settings)


@dataclass(frozen=True)
class GlobalETFVariant:
    """The global frame under a reading of L_TETF: its own loss is open in the same way."""

    def label(self, reading: Reading) -> str:
        return f"Global-ETF ({reading.tetf})"


Variant = str | CPTVariant | GlobalETFVariant
"""A method to compare; a string is the label of a method that has no readings."""


def label(variant: Variant, reading: Reading) -> str:
    """The label of a variant under a reading, as tables and figures show it."""
    return variant if isinstance(variant, str) else variant.label(reading)


DEFAULT_WEIGHTS: dict[LossName, float] = {"TETF": 0.25, "CC": 0.15, "RS": 0.10}
"""The paper's weights of the three losses (Sec. 4.5)."""

PLAIN = "IVLP"
"""The prompts of CPT without its losses: row (1) of Table 1."""

ZERO_SHOT = "Zero-shot"
CPT, GLOBAL_ETF = CPTVariant(), GlobalETFVariant()
TETF_ONLY = CPTVariant(without=("CC", "RS"))
WITHOUT_TETF = CPTVariant(without=("TETF",))
WITHOUT_CC = CPTVariant(without=("CC",))
WITHOUT_RS = CPTVariant(without=("RS",))

BASELINES = ("CoOp", PLAIN, GLOBAL_ETF)
"""Prompt-tuning methods that CPT has to be ahead of, unless a study names others."""


def with_weights(weights: Mapping[LossName, float]) -> CPTVariant:
    """CPT with these weights of some losses, the others at their defaults; 0 leaves a loss out."""
    off = tuple(loss for loss in DEFAULT_WEIGHTS if weights.get(loss) == 0)
    changed = {loss: w for loss, w in weights.items() if w not in (0, DEFAULT_WEIGHTS[loss])}
    return CPTVariant(off, tuple((f"lambda_{loss.lower()}", w) for loss, w in changed.items()))


def weighted(factors: Mapping[LossName, float]) -> CPTVariant:
    """CPT with the weights of some losses multiplied by a factor; 0 leaves the loss out."""
    return with_weights({loss: f * DEFAULT_WEIGHTS[loss] for loss, f in factors.items()})


BY_LOSSES: dict[tuple[bool, ...], Variant] = {
    on: weighted(dict(zip(DEFAULT_WEIGHTS, map(float, on)))) if any(on) else PLAIN
    for on in product((False, True), repeat=len(DEFAULT_WEIGHTS))
}
"""Which of L_TETF, L_CC and L_RS are on (Table 1, and the rows that it lacks)."""

LOSSES = {"tetf": "TETF", "cc": "CC", "rs": "RS"}
"""Columns that are true where a loss is on, with the paper's names of the losses."""


def names_of(on: Sequence[bool]) -> str:
    """Which losses are on as text: "TETF + RS", "none"."""
    return " + ".join(compress(LOSSES.values(), on)) or "none"


COMBINATIONS = sorted(product((True, False), repeat=len(LOSSES)), key=sum)
"""Top to bottom: none, each alone, each pair, all three."""

TABLE_1 = {
    (False, False, False): "(1)",
    (True, False, False): "(2)",
    (True, True, False): "(3)",
    (True, False, True): "(4)",
    (True, True, True): "(5)",
}
"""Rows of the paper's Table 1; which losses they have on is inferred from its text."""

WEIGHTS = {
    loss: tuple(factor * weight for factor in (0.0, 0.5, 1.0, 2.0))
    for loss, weight in DEFAULT_WEIGHTS.items()
}
"""Weights of each loss around its default (Fig. 3, which does not say what its values are)."""

ALGORITHMS = {
    name: CPT if name == "spherical" else CPTVariant(settings=(("cluster_method", name),))
    for name in ("spherical", "euclidean", "spectral", "kmedoids")
}
"""Clustering algorithm -> CPT with it; spherical is the paper's cosine k-means (Table 5)."""

SIZES = {
    size: CPT if size == 16 else CPTVariant(settings=(("cluster_size", size),))
    for size in (4, 8, 16, 32, 64)
}
"""Classes per cluster -> CPT with that size; one cluster where a size reaches all classes."""


def half_and_twice(*losses: LossName) -> tuple[CPTVariant, ...]:
    """CPT with the weight of one of the losses halved or doubled, one at a time."""
    return tuple(weighted({loss: factor}) for loss in losses for factor in (0.5, 2.0))
