"""What figures of clusters say, in words; no torch."""

from __future__ import annotations

import pandas as pd

from cptlab.checks import counted
from cptlab.lab.study.summary import LEVEL, NUMBERS, TOO_FEW, compared, corrected
from cptlab.lab.study.tables import differences


def map_message(quality: pd.DataFrame, dataset: str) -> str:
    """How much of the frozen clusters is found again in tuned texts, in one sentence.

    quality: what `tuned_quality` returns, by method, the frozen texts first. dataset: its name.
    """
    agreement = quality["anew: agreement"].iloc[1:].sort_values()
    if agreement.empty:
        return f"Clusters of the frozen texts of {dataset}"
    ends = dict.fromkeys([agreement.index[0], agreement.index[-1]])
    told = " and ".join(f"{agreement[name]:.2f} after {name}" for name in ends)
    return (
        f"Clustered anew, tuned texts of {dataset} agree with the clusters of the frozen ones by "
        f"an adjusted Rand index of {told} (one run each; 1: the same, 0: by chance)"
    )


def number_message(choice: pd.DataFrame, default: int) -> str:
    """Which number of clusters the silhouette favours, in one sentence.

    choice: what `cptlab.geometry.choose_number` returns. default: the number that runs use.
    """
    best = choice[choice["best"]].iloc[0]
    text = f"The silhouette of the frozen texts is largest with {best['n_clusters']} clusters "
    text += f"({best['silhouette']:.2f})"
    if best["n_clusters"] == choice["n_clusters"].max():
        text += ", the most that were tried"
    used = choice.loc[choice["n_clusters"] == default, "silhouette"]
    return f"{text}; runs use {default}" + (f" ({used.iloc[0]:.2f})" if len(used) else "")


def algorithms(runs: pd.DataFrame) -> str:
    """`apart_message` of clustering algorithms beside the first of them.

    runs: what `clusters.by_algorithm` returns.
    """
    first = runs["algorithm"].iloc[0]
    return apart_message(apart(runs, "algorithm", first), "algorithms", first)


def sizes(runs: pd.DataFrame, default: int) -> str:
    """`apart_message` of sizes of clusters beside that of all other studies.

    runs: what `clusters.by_size` returns.
    """
    return apart_message(apart(runs, "size", default), "sizes", f"{default} classes a cluster")


def apart(runs: pd.DataFrame, column: str, first: object) -> pd.DataFrame:
    """H of variants of CPT minus that of one of them, as `summary.corrected`.

    runs: what `runs_of` returns. column: what varies. first: the one of comparison. Returns a row
    per `column`, "reading" (a method's label) and tau.
    """
    parts = [
        differences(rows.assign(method=rows[column], reading=name), str(first), ["H"])
        for name, rows in runs.assign(**{column: runs[column].astype(str)}).groupby("method")
        if str(first) in set(rows[column]) and rows[column].nunique() > 1
    ]
    by = ["method", "reading", "tau"]
    if not parts:
        return pd.DataFrame(columns=[*by, "metric", *NUMBERS, "p", "adjusted", "family"])
    return corrected(compared(pd.concat(parts), ["H"], by))


def apart_message(gaps: pd.DataFrame, what: str, first: str) -> str:
    """Which variants differ from the one of comparison, in one sentence.

    gaps: what `apart` returns. what: of variants, in the plural. first: of comparison, in words.
    """
    if gaps.empty:
        return f"No other {what} to compare with {first}"
    if gaps["adjusted"].isna().all():
        return f"{TOO_FEW.capitalize()} H with other {what} from that with {first}"
    kept = gaps[gaps["adjusted"] <= LEVEL]
    told = f"H with other {what} against {first}: {len(kept) or 'none'} of "
    told += f"{counted(len(gaps), 'comparison')} separable"
    if kept.empty:
        return told
    row = kept.loc[kept["mean"].abs().idxmax()]
    where = f"{row['method']} in {row['reading']} at τ = {row['tau']:g}"
    return f"{told}, the largest that of {where} ({row['mean']:+.1f})"
