"""The paper's tables with our numbers: published and measured columns side by side."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from pandas.io.formats.style import Styler

from cptlab.lab.study.published import published
from cptlab.lab.study.summary import text_of

SAME_METHOD = {
    "CoPrompt": ("CoPrompt (templates)",),
    "NPT": ("NPT-style",),
    "DPC": ("DPC (CoOp)", "DPC (MaPLe)"),
    "CPT": ("CPT (sum)", "CPT (pair mean)"),
}
"""Name in the paper -> our labels, where they differ: variants and readings have their own rows."""

QUANTITIES = {"Base-to-New": "H", "Cross-Dataset": "targets", "Domain Gen.": "domains"}
"""Column of the paper's Table 1 -> our name for the quantity."""

NOTHING = "The published table has none of these methods: there is nothing to put side by side."

KEYS = ["block", "origin", "reading"]
"""Levels of the columns: quantity and imbalance ratio, published or measured, our reading."""


def losses(measured: pd.DataFrame) -> Styler:
    """Table 1: a row per combination of losses, ours once per reading.

    measured: `summary.summarise` with "reading", "losses" and metrics such as "H, τ = 0.06".
    """
    printed = _printed(1)
    quantity = printed["column"].map(QUANTITIES) + ", " + printed["block"]
    printed = printed.assign(row=printed["components"], block=quantity)
    ours = _measured(measured)
    return _joined(printed, ours.assign(row=ours["losses"], block=ours["metric"]))


def methods(table: int, measured: pd.DataFrame, metric: str) -> Styler:
    """Tables 2 to 4, their averages: a row per measured method, a block per imbalance ratio.

    measured: `summary.summarise` with "method" and "tau", of which `metric` is shown.
    """
    ours = _measured(measured[measured["metric"] == metric])
    ours = ours.assign(row=ours["method"], reading="", block=_tau(ours))
    printed = _printed(table).query("column == 'Avg'")
    labels = {name: SAME_METHOD.get(name, (name,)) for name in printed["method"]}
    printed = printed.assign(row=printed["method"].map(labels)).explode("row")
    printed = printed[printed["row"].isin(ours["row"])]
    only_ours = ours[~ours["row"].isin(printed["row"])]
    style = _joined(printed, ours, pd.concat([only_ours, printed])["row"])
    return style.set_caption(NOTHING) if printed.empty else style


def algorithms(measured: pd.DataFrame) -> Styler:
    """Table 5: a row per clustering algorithm, H and its standard deviation over seeds.

    measured: `summary.summarise` of H with "algorithm", "method" and "tau", and the column "std".
    """
    printed = _printed(5)
    printed = printed.assign(row=printed["method"], block=printed["column"] + ", " + _tau(printed))
    ours = _measured(measured)
    ours = ours.assign(row=ours["algorithm"], reading=ours["method"], block="H, " + _tau(ours))
    spread = ours.dropna(subset="std")
    text = spread["std"].map("{:.2f}".format)
    spread = spread.assign(text=text, block="Std, " + _tau(spread))
    return _joined(printed, pd.concat([ours, spread]))


def _printed(table: int) -> pd.DataFrame:
    printed = published(table)
    text = printed["value"].map("{:.2f}".format)
    return printed.assign(text=text, origin="published", reading="", block=_tau(printed))


def _measured(measured: pd.DataFrame) -> pd.DataFrame:
    ours = measured[measured["n"] > 0]
    return ours.assign(text=list(map(text_of, ours.itertuples())), origin="measured")


def _tau(frame: pd.DataFrame) -> pd.Series:
    return frame["tau"].map("τ = {:g}".format).astype(str)  # also without rows


def _joined(printed: pd.DataFrame, ours: pd.DataFrame, rows: Iterable[str] | None = None) -> Styler:
    """Blocks side by side by quantity, ratios decreasing; "–" where there is no number.

    Both frames have a "row", the `KEYS` and a "text". rows: their order, by default that of ours.
    """
    sides = pd.concat([printed, ours])
    blocks = {b: b.rpartition("τ = ") for b in pd.concat([ours, printed])["block"]}
    quantities = [quantity for quantity, _, _ in blocks.values()]
    order = sorted(blocks, key=lambda b: (quantities.index(blocks[b][0]), -float(blocks[b][2])))
    columns = sides[KEYS].drop_duplicates()
    columns = columns.sort_values("block", key=lambda b: b.map(order.index), kind="stable")
    wide = sides.pivot(index="row", columns=KEYS, values="text")
    wide = wide.reindex(index=dict.fromkeys(ours["row"] if rows is None else rows))
    wide = wide[pd.MultiIndex.from_frame(columns)].fillna("–")
    if not ours["reading"].any():
        wide = wide.droplevel("reading", axis=1)
    if wide.columns.nlevels == len(KEYS):  # many columns: intervals go below their means
        wide = wide.map(lambda text: text.replace(" [", "\n[").replace(" (", "\n("))
    tinted = wide.columns[wide.columns.get_level_values("origin") == "measured"]
    places = range(wide.shape[1])
    starts = [i for i in places if i == 0 or wide.columns[i][0] != wide.columns[i - 1][0]]
    style = wide.rename_axis(index=None, columns=[None] * wide.columns.nlevels).style
    style = style.format(escape="html").format_index(escape="html")
    style = style.format_index(escape="html", axis="columns")
    style = style.set_properties(subset=tinted, **{"background": "rgb(0 114 178 / 0.1)"})
    line = ", ".join(f".col{start}" for start in starts)
    return style.set_table_styles(
        [
            {"selector": "th", "props": "white-space: pre-line"},
            {"selector": "td", "props": "white-space: pre"},
            {"selector": "th.level0", "props": "text-align: center"},
            {"selector": line, "props": "border-left: 1px solid #8888"},
        ]
    )
