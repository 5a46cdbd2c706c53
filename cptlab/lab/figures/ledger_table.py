"""The ledger of claims as a table that readers can filter: one piece of HTML, with its script."""

from __future__ import annotations

from html import escape
from importlib.resources import files

import numpy as np
import pandas as pd

MARKS = {"supported": "●", "contradicted": "✕", "undecided": "–", "not run": "·"}
"""As in `verdict_matrix`: verdicts are told apart without colour."""


def ledger_table(ledger: pd.DataFrame) -> str:
    """A row per claim and imbalance ratio, a column per reading; rows are found by word or verdict.

    Rows that nothing was run for come last, folded away. A claim unfolds into its
    text and its comparison; a cell says its own when pointed at. Nothing is fetched, and where
    scripts do not run every row is shown.

    Args:
        ledger: a frame of `cptlab.lab.study.claims.ledger`.
    """
    readings = dict.fromkeys(ledger["reading"])
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in readings)
    ran: list[str] = []
    rest: list[str] = []
    for _, lines in ledger.groupby(["claim", "tau"], sort=False):
        (rest if (lines["verdict"] == "not run").all() else ran).append(_row(lines))
    tables = _table(heads, ran) if ran else ""
    if rest:
        tables += f"<details{' open' * (not ran)}><summary>{_not_run(len(rest))}</summary>"
        tables += f"{_table(heads, rest)}</details>"
    counts = ledger[ledger["same_as"] == ""]["verdict"].value_counts()
    buttons = [
        f'<button type="button" value="{verdict}" aria-pressed="false">{_mark(verdict)} '
        f"{verdict} ({counts[verdict]})</button>"
        for verdict in MARKS
        if verdict in counts
    ]
    style, script = (
        files(__package__).joinpath(f"ledger_table.{kind}").read_text(encoding="utf-8")
        for kind in ("css", "js")
    )
    return f"""<div class="cptlab-ledger"><style>{style}</style>
<form hidden><input type="search" aria-label="Words" placeholder="tail, Table 1, 0.06">
<span role="group" aria-label="Verdict under some reading">
<button type="button" value="" aria-pressed="true">all</button>
{"".join(buttons)}</span> <output aria-live="polite"></output></form>
{tables}
<script>{script}</script></div>"""


def _table(heads: str, rows: list[str]) -> str:
    return f"""<div class="scroll" tabindex="0" role="group" aria-label="Ledger of claims"><table>
<thead><tr><th scope="col">claim</th><th scope="col">τ</th><th scope="col">claimed</th>{heads}</tr>
</thead><tbody>{"".join(rows)}</tbody></table></div>"""


def _not_run(rows: int) -> str:
    return f"{rows} row{'s' * (rows > 1)} that nothing was run for"


def _row(lines: pd.DataFrame) -> str:
    """A claim at one imbalance ratio under each reading."""
    first = lines.iloc[0]
    compared = f"{first['reading']}: {_comparison(first)}"
    about = "".join(f"<p>{escape(text)}</p>" for text in (first["text"], first["source"], compared))
    cells = "".join(_cell(line) for _, line in lines.iterrows())
    return (
        f'<tr><th scope="row"><details><summary>{escape(first["claim"])}</summary>{about}</details>'
        f'</th><td data-head="τ">{first["tau"]:g}</td>'
        f'<td data-head="claimed">{escape(first["rule"])}</td>{cells}</tr>'
    )


def _cell(line: pd.Series) -> str:
    """Verdict, estimate, interval, pairs of runs and data sets; the rest where it is pointed at."""
    if line["same_as"]:
        told = f"<small>as {escape(line['same_as'])}</small>"
    elif np.isnan(line["estimate"]):
        told = "<small>not run</small>"
    else:
        interval = "no interval"
        if not np.isnan(line["lower"]):
            interval = f"[{line['lower']:.2f}, {line['upper']:.2f}]"
        on = f"{line['pairs']}/{line['datasets']}"
        told = f"{line['estimate']:.2f} <small>{interval} {on}</small>".replace("-", "−")
    verdict, title = line["verdict"], escape(f"{line['verdict']}. {_comparison(line)}")
    head = f'data-head="{escape(line["reading"])}"'
    return f'<td {head} data-verdict="{verdict}" title="{title}">{_mark(verdict)}&nbsp;{told}</td>'


def _comparison(line: pd.Series) -> str:
    """What was compared, on how many runs, with which effect size, and what is missing."""
    parts = [line["comparison"]]
    if line["pairs"]:
        parts.append(
            f"{line['pairs']} pairs of {line['runs']} runs on {line['datasets']} data sets"
        )
    if not np.isnan(line["effect"]):
        parts.append(f"effect size {line['effect']:.2f}")
    return "; ".join(parts) + f". {line['missing']}"


def _mark(verdict: str) -> str:
    name = verdict.replace(" ", "-")
    return f'<b class="{name}" role="img" aria-label="{verdict}">{MARKS[verdict]}</b>'
