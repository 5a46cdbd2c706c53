"""Transfer of learned prompts to other data sets ("target") and to shifted domains ("domain")."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd

from cptlab.checks import shown
from cptlab.lab.study.claims.variants import ZERO_SHOT
from cptlab.lab.study.paired import paired, sentences, taking_part
from cptlab.lab.study.summary import corrected, summarise
from cptlab.lab.study.tables import for_every_seed, rankings

Kind = Literal["target", "domain"]


def parts(table: pd.DataFrame, kind: Kind) -> list[str]:
    """The columns of runs that are accuracies on one target or domain each; maybe none."""
    return [name for name in table if name.startswith(f"{kind} ")]


def metrics(table: pd.DataFrame, kind: Kind) -> list[str]:
    """Accuracy on the source, on each part, and their mean."""
    return ["source", *parts(table, kind), f"{kind}s"]


def summary(table: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """`summary.summarise` of the `metrics`."""
    return summarise(table, metrics(table, kind))


def ranks(table: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """`tables.rankings`: methods are ranked on each part within each seed; of several sources each
    has the mean rank over its parts, as these are tests of the same run.
    """
    seeded, keys = for_every_seed(table, ZERO_SHOT), ["tau", "method", "seed", "dataset"]
    long = seeded.melt(keys, parts(table, kind), "part", "accuracy").dropna(subset="accuracy")
    if table["dataset"].nunique() == 1:
        return rankings(long.assign(dataset=long["part"]), "accuracy")
    pairs = long["dataset"] + " to " + long["part"]  # another source makes it another transfer
    return rankings(long.assign(source=long["dataset"], dataset=pairs), "accuracy", "source")


def unit(table: pd.DataFrame, kind: Kind) -> str:
    """Within what methods are ranked: the sources if there are several, else the parts of one."""
    return "source" if table["dataset"].nunique() > 1 else kind


def sources(table: pd.DataFrame) -> str:
    """Where prompts were learned, for titles: "from food", "from 2 sources"."""
    names = list(dict.fromkeys(table["dataset"]))
    return f"from {len(names)} sources" if len(names) > 1 else f"from {shown(Path(names[0]).stem)}"


def gaps(table: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """Differences run by run to IVLP and zero-shot, on the source and in the mean over parts."""
    seeded = for_every_seed(table, ZERO_SHOT)
    return corrected(paired(seeded, ["source", f"{kind}s"], taking_part(seeded["method"])))


def drawn(gaps: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """Those of `gaps` that the figure shows, with the column "panel": the mean over parts at each
    imbalance ratio, of many the smallest and the largest; to zero-shot, then to IVLP.
    """
    taus = sorted(gaps["tau"].unique())
    taus = taus if len(taus) < 4 else [taus[0], taus[-1]]
    own = gaps[(gaps["metric"] == f"{kind}s") & gaps["tau"].isin(taus)]
    own = own[own["method"] != ZERO_SHOT]  # that is the other difference, the other way round
    own = own.assign(panel=[f"τ = {tau:g}" for tau in own["tau"]])
    first = own["reference"] != ZERO_SHOT
    return (
        own.assign(first=first).sort_values(["first", "tau"], kind="stable").drop(columns="first")
    )


def main_findings(gaps: pd.DataFrame, kind: Kind) -> str:
    """The differences in the mean over parts as sentences."""
    return sentences(gaps[gaps["metric"] == f"{kind}s"])
