"""Who takes part in the claims, and the label of each under a reading of the losses."""

from collections.abc import Mapping
from dataclasses import dataclass

from cptlab.lab.study.claims.readings import LossName, Reading


@dataclass(frozen=True)
class CPTVariant:
    """CPT without some losses or with some settings changed, under whatever reading.

    settings: fields of `cptlab.methods.CPT` and their values.
    """

    without: tuple[LossName, ...] = ()
    settings: tuple[tuple[str, float | str], ...] = ()

    def label(self, reading: Reading) -> str:
        """For instance "CPT (sum) w/o RS" or "CPT (pair mean, raw RS), cluster_size = 8".

        A loss that is off has no reading, so that readings share the label, and the runs.
        """
        words = reading.words(self.without)
        label = f"CPT ({', '.join(words)})" if words else "CPT"
        if self.without:
            label += f" w/o {' and '.join(self.without)}"
        for name, value in self.settings:
            label += f", {name} = {value if isinstance(value, str) else format(value, 'g')}"
        return label

    def fields(self, reading: Reading) -> dict[str, float | str]:
        """The fields of `cptlab.methods.CPT` that differ from its defaults."""
        fields: dict[str, float | str] = {f"lambda_{loss.lower()}": 0.0 for loss in self.without}
        words = reading.words(self.without)
        if "pair mean" in words:
            fields["etf_reduction"] = "pair_mean"
        if "raw RS" in words:
            fields["anchor_space"] = "raw"
        if "per-batch CC" in words:
            fields["cc_weighting"] = "batch_class"
        return fields | dict(self.settings)


@dataclass(frozen=True)
class GlobalETFVariant:
    """The global frame under a reading of L_TETF, which it shares."""

    def label(self, reading: Reading) -> str:
        return f"Global-ETF ({reading.tetf})"


Variant = str | CPTVariant | GlobalETFVariant
"""What takes part in a comparison; a string is a label that no reading changes."""


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
"""Prompt-tuning methods that CPT has to be ahead of, if a study does not name its own."""

FACTORS = (0.5, 2.0)
"""A sweep of a weight around its default; the text does not give the values of Fig. 3."""


def weighted(factors: Mapping[LossName, float]) -> CPTVariant:
    """CPT with the weights of some losses multiplied by a factor; 0 leaves the loss out."""
    off = tuple(loss for loss in DEFAULT_WEIGHTS if factors.get(loss) == 0)
    changed = {loss: f for loss, f in factors.items() if f not in (0, 1)}
    values = ((f"lambda_{loss.lower()}", f * DEFAULT_WEIGHTS[loss]) for loss, f in changed.items())
    return CPTVariant(off, tuple(values))


def swept(loss: LossName) -> tuple[CPTVariant, ...]:
    """CPT with one weight changed and the others at their default (Fig. 3)."""
    return tuple(weighted({loss: factor}) for factor in FACTORS)


OTHER_ALGORITHMS = tuple(
    CPTVariant(settings=(("cluster_method", name),))
    for name in ("euclidean", "spectral", "kmedoids")
)
OTHER_SIZES = tuple(CPTVariant(settings=(("cluster_size", size),)) for size in (4, 8, 32, 64))
