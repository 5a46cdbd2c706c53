"""Counts of a ledger's verdicts: by reading, and where the verdict depends on the reading."""

import pandas as pd

from cptlab.lab.study.claims.claim import VERDICTS


def by_reading(ledger: pd.DataFrame) -> pd.DataFrame:
    """Numbers of verdicts under each reading; what a reading does not touch counts as well."""
    counts = pd.crosstab(ledger["reading"], ledger["verdict"])
    return counts.reindex(index=ledger["reading"].unique(), columns=VERDICTS, fill_value=0)


def by_agreement(ledger: pd.DataFrame) -> pd.DataFrame:
    """Numbers of claims and imbalance ratios by how far the readings agree on them."""
    verdicts = ledger.pivot_table(
        index=["claim", "tau"], columns="reading", values="verdict", aggfunc="first", sort=False
    )
    decided = [{*row} & {"supported", "contradicted"} for row in verdicts.to_numpy()]
    counts = {
        "supported under some reading, contradicted under another": {"supported", "contradicted"},
        "supported under some reading, contradicted under none": {"supported"},
        "contradicted under some reading, supported under none": {"contradicted"},
        "undecided or not run under all readings": set(),
    }
    numbers = {text: decided.count(found) for text, found in counts.items()}
    return pd.Series(numbers, name="claims and imbalance ratios").to_frame()


def left_out(ledger: pd.DataFrame) -> pd.DataFrame:
    """Comparisons of which some runs are missing, and which."""
    lacking = ledger[ledger["missing"] != ""]
    return lacking[["claim", "tau", "reading", "verdict", "missing"]]
