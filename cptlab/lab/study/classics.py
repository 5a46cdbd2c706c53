"""Long-tail classics added to methods: what each adds, and what methods gain on top of one."""

from __future__ import annotations

import pandas as pd

from cptlab.lab.study.beside import GAIN
from cptlab.lab.study.claims import Reading
from cptlab.lab.study.claims.variants import CPT, PLAIN, label
from cptlab.lab.study.findings import findings
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.summary import NUMBERS, compared, corrected, to_markdown
from cptlab.lab.study.tables import differences
from cptlab.lab.study.varied import CLASSICS

METRICS = ["H", "base", "new", "head", "medium", "tail", GAIN]
SHOWN = ["H", "head", "tail"]
AS_IT_IS = next(iter(CLASSICS))
COLUMNS = ["tau", "method", "metric", *NUMBERS, "p"]


def with_classics(table: pd.DataFrame) -> pd.DataFrame:
    """Runs with their labels' parts: the method as "prompts", and "classic"."""
    parts = table["method"].str.rpartition(" + ")
    added = parts[2].isin(list(CLASSICS))
    return table.assign(
        prompts=parts[0].where(added, table["method"]),
        classic=parts[2].where(added, AS_IT_IS),
    )


def added(table: pd.DataFrame) -> pd.DataFrame:
    """What each classic adds to a method, run by run: `summary.compared` and "prompts"."""
    return _each(table, "prompts", "classic", AS_IT_IS)


def rivals(profile: Profile, table: pd.DataFrame) -> pd.DataFrame:
    """Methods minus IVLP under the same classic: `summary.compared` and "classic".

    CPT alone, which has the same tokens, unless methods were chosen. No rows without IVLP or
    without another method.
    """
    if not profile.methods:
        same = [PLAIN, label(CPT, Reading("pair mean"))]
        table = table[table["prompts"].isin(same)]
    return _each(table, "classic", "prompts", PLAIN)


def as_markdown(gaps: pd.DataFrame) -> str:
    """A Markdown table for each method or classic, whatever the gaps are of."""
    by = "prompts" if "prompts" in gaps else "classic"
    tables = (rows[["tau", by, *COLUMNS[1:]]] for _, rows in gaps.groupby(by, sort=False))
    return "\n".join(map(to_markdown, tables))


def sentences(added: pd.DataFrame, rivals: pd.DataFrame) -> str:
    """Both differences as text, for H and tail accuracy at the smallest imbalance ratio."""
    names = rivals["method"] + " + " + rivals["classic"]
    names = names.str.removesuffix(f" + {AS_IT_IS}")
    named = rivals.assign(method=names).drop(columns="classic")
    with_classic = f"{PLAIN} with the same classic"
    return "\n".join(
        findings(_main(rows), reference)
        for rows, reference in ((added, "no classic"), (named, with_classic))
        if len(rows)
    )


def _main(gaps: pd.DataFrame) -> pd.DataFrame:
    return gaps[gaps["metric"].isin(["H", "tail"]) & (gaps["tau"] == gaps["tau"].min())]


def _each(table: pd.DataFrame, by: str, which: str, reference: str) -> pd.DataFrame:
    """Differences of what is compared, the column `which`, to a reference, within each group that
    has both: one family.
    """
    tables = [
        compared(differences(rows.assign(method=rows[which]), reference, METRICS), SHOWN).assign(
            **{by: name}
        )
        for name, rows in table.groupby(by, sort=False)
        if reference in set(rows[which]) and rows[which].nunique() > 1
    ]
    empty = pd.DataFrame(columns=[*COLUMNS, by])
    return corrected(pd.concat(tables, ignore_index=True) if tables else empty)
