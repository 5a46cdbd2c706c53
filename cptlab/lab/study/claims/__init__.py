"""The claims of the paper as tests declared beforehand, and the ledger of their verdicts.

`declared` holds the claims, `claim` the rule that decides a verdict, `readings` the ways to read
equations (9) to (11), `variants` the methods that are compared, `comparisons` and `statistics` what
is computed, `ledger` the table. Frames of runs in, a frame of verdicts out; no torch.
"""

from cptlab.lab.study.claims.claim import VERDICTS, Claim, verdict
from cptlab.lab.study.claims.declared import CLAIMS, against
from cptlab.lab.study.claims.ledger import cpt_fields, ledger, ledger_markdown, needs
from cptlab.lab.study.claims.readings import READINGS, Reading
from cptlab.lab.study.claims.statistics import (
    Estimate,
    MissingRuns,
    average_change,
    first_of,
    largest_change,
    paired_difference,
    spread_ratio,
    steadiest_of,
)

__all__ = [
    "CLAIMS",
    "READINGS",
    "VERDICTS",
    "Claim",
    "Estimate",
    "MissingRuns",
    "Reading",
    "against",
    "average_change",
    "cpt_fields",
    "first_of",
    "largest_change",
    "ledger",
    "ledger_markdown",
    "needs",
    "paired_difference",
    "spread_ratio",
    "steadiest_of",
    "verdict",
]
