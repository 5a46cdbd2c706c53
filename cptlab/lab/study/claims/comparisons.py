"""The kinds of comparison that a claim can make; a reading gives its variants their labels."""

from dataclasses import dataclass

import pandas as pd

from cptlab.lab.study.claims import statistics
from cptlab.lab.study.claims.readings import Reading
from cptlab.lab.study.claims.statistics import Estimate
from cptlab.lab.study.claims.variants import Variant, label


@dataclass(frozen=True)
class Ahead:
    """Mean of a quantity minus that of the best baseline; paired difference with one baseline."""

    variant: Variant
    baselines: tuple[Variant, ...]

    @property
    def variants(self) -> tuple[Variant, ...]:
        return (self.variant, *self.baselines)

    def unit(self, quantity: str) -> str:
        return "dimensions" if quantity == "effective_rank" else "points"

    def describe(self, reading: Reading, quantity: str) -> str:
        names = [label(baseline, reading) for baseline in self.baselines]
        baseline = names[0] if len(names) == 1 else f"best of [{'; '.join(names)}]"
        return f"{quantity} of {label(self.variant, reading)} minus {baseline}"

    def estimate(self, frame: pd.DataFrame, reading: Reading, quantity: str) -> Estimate:
        first, *baselines = (label(variant, reading) for variant in self.variants)
        return statistics.first_of(frame, first, baselines, quantity)


@dataclass(frozen=True)
class Steadier:
    """Ratio of the spread over seeds to the smallest spread of the baselines.

    power: 1 compares standard deviations, 2 variances.
    """

    variant: Variant
    baselines: tuple[Variant, ...]
    power: int = 1

    @property
    def variants(self) -> tuple[Variant, ...]:
        return (self.variant, *self.baselines)

    def unit(self, quantity: str) -> str:
        return "ratio"

    def describe(self, reading: Reading, quantity: str) -> str:
        names = [label(baseline, reading) for baseline in self.baselines]
        baseline = names[0] if len(names) == 1 else f"steadiest of [{'; '.join(names)}]"
        spread = "seed variance" if self.power == 2 else "seed std"
        return f"{spread} of {quantity}, {label(self.variant, reading)} over {baseline}"

    def estimate(self, frame: pd.DataFrame, reading: Reading, quantity: str) -> Estimate:
        first, *baselines = (label(variant, reading) for variant in self.variants)
        return statistics.steadiest_of(frame, first, baselines, quantity, self.power)


@dataclass(frozen=True)
class Change:
    """Relative change from the default setting: the largest over some settings, or the average."""

    variant: Variant
    settings: tuple[Variant, ...]
    average: bool = False

    @property
    def variants(self) -> tuple[Variant, ...]:
        return (self.variant, *self.settings)

    def unit(self, quantity: str) -> str:
        return "%"

    def describe(self, reading: Reading, quantity: str) -> str:
        which = "average" if self.average else "largest"
        names = "; ".join(label(setting, reading) for setting in self.settings)
        return f"{which} change of {quantity} from {label(self.variant, reading)} over [{names}]"

    def estimate(self, frame: pd.DataFrame, reading: Reading, quantity: str) -> Estimate:
        default, *settings = (label(variant, reading) for variant in self.variants)
        change = statistics.average_change if self.average else statistics.largest_change
        return change(frame, default, settings, quantity)


Comparison = Ahead | Steadier | Change
