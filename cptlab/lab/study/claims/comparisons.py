"""The kinds of comparison that a claim can make, between roles that a reading turns into labels."""

from dataclasses import dataclass

import pandas as pd

from cptlab.lab.study.claims import statistics
from cptlab.lab.study.claims.readings import Reading
from cptlab.lab.study.claims.roles import Role, label
from cptlab.lab.study.claims.statistics import Estimate


@dataclass(frozen=True)
class Ahead:
    """Mean of a quantity minus that of the best rival (one rival: the paired difference)."""

    role: Role
    rivals: tuple[Role, ...]

    @property
    def roles(self) -> tuple[Role, ...]:
        return (self.role, *self.rivals)

    def unit(self, quantity: str) -> str:
        return "dimensions" if quantity == "effective_rank" else "points"

    def words(self, reading: Reading, quantity: str) -> str:
        names = [label(rival, reading) for rival in self.rivals]
        rival = names[0] if len(names) == 1 else f"best of [{'; '.join(names)}]"
        return f"{quantity} of {label(self.role, reading)} minus {rival}"

    def estimate(self, frame: pd.DataFrame, reading: Reading, quantity: str) -> Estimate:
        first, *rivals = (label(role, reading) for role in self.roles)
        return statistics.first_of(frame, first, rivals, quantity)


@dataclass(frozen=True)
class Steadier:
    """Spread over seeds relative to that of the steadiest rival; variances with power 2."""

    role: Role
    rivals: tuple[Role, ...]
    power: int = 1

    @property
    def roles(self) -> tuple[Role, ...]:
        return (self.role, *self.rivals)

    def unit(self, quantity: str) -> str:
        return "ratio"

    def words(self, reading: Reading, quantity: str) -> str:
        names = [label(rival, reading) for rival in self.rivals]
        rival = names[0] if len(names) == 1 else f"steadiest of [{'; '.join(names)}]"
        spread = "seed variance" if self.power == 2 else "seed std"
        return f"{spread} of {quantity}, {label(self.role, reading)} over {rival}"

    def estimate(self, frame: pd.DataFrame, reading: Reading, quantity: str) -> Estimate:
        first, *rivals = (label(role, reading) for role in self.roles)
        return statistics.steadiest_of(frame, first, rivals, quantity, self.power)


@dataclass(frozen=True)
class Change:
    """Relative change against the default, the largest over some settings or their average."""

    role: Role
    settings: tuple[Role, ...]
    average: bool = False

    @property
    def roles(self) -> tuple[Role, ...]:
        return (self.role, *self.settings)

    def unit(self, quantity: str) -> str:
        return "%"

    def words(self, reading: Reading, quantity: str) -> str:
        which = "average" if self.average else "largest"
        names = "; ".join(label(setting, reading) for setting in self.settings)
        return f"{which} change of {quantity} from {label(self.role, reading)} over [{names}]"

    def estimate(self, frame: pd.DataFrame, reading: Reading, quantity: str) -> Estimate:
        default, *settings = (label(role, reading) for role in self.roles)
        change = statistics.average_change if self.average else statistics.largest_change
        return change(frame, default, settings, quantity)


Comparison = Ahead | Steadier | Change
