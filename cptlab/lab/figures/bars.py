"""The study's interval in figures: a bar with caps, or a filled band.

Where there are too few runs for an interval, their range is in its place: a thin bar without caps,
or thin edges. Tables are those of `cptlab.lab.study.summary.summarise`.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from cptlab.lab.figures.style import DARK, Look
from cptlab.lab.study.intervals import FEWEST

INTERVAL, RANGE = "95 % interval", f"range of fewer than {FEWEST} runs"
Key = Artist | ErrorbarContainer
WIDTH, THIN = 1.4, 0.7
CAP = 3


def spanned(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the range of the runs in place of bounds that are missing."""
    bare = table["lower"].isna()
    return table.assign(
        lower=table["lower"].mask(bare, table["least"]),
        upper=table["upper"].mask(bare, table["most"]),
    )


def whiskers(
    ax: Axes,
    places: ArrayLike,
    rows: pd.DataFrame,
    look: Look,
    *,
    along: Literal["x", "y"],
    size: float = 6,
    cap: float = CAP,
    label: str = "",
    **style: object,
) -> None:
    """A mark for each mean with its interval, or with the range of a few runs.

    Args:
        ax: axes to draw on.
        places: (n,) on the other axis.
        rows: n rows of a table.
        look: colour and marker.
        along: the axis of the values.
        size: of the marker. cap: of an interval, both in points.
        label: in a legend, if any.
        style: more for `Axes.errorbar`.
    """
    places, bare = np.asarray(places, dtype=float), rows["lower"].isna().to_numpy()
    shown = spanned(rows)
    # a mean of runs that are all equal may differ from them by rounding
    lengths = np.maximum([shown["mean"] - shown["lower"], shown["upper"] - shown["mean"]], 0)
    for chosen, width, cap_size in ((~bare, WIDTH, cap), (bare, THIN, 0)):
        if not chosen.any():
            continue
        means = shown["mean"].to_numpy()[chosen]
        xy = (means, places[chosen]) if along == "x" else (places[chosen], means)
        ax.errorbar(
            *xy,
            **{f"{along}err": lengths[:, chosen]},
            color=look.color,
            marker=look.marker,
            markersize=size,
            capsize=cap_size,
            elinewidth=width,
            **{"linestyle": "none", "label": label or None} | style,
        )
        label = ""  # once is enough


def band(ax: Axes, x: ArrayLike, rows: pd.DataFrame, color: str, alpha: float = 0.15) -> None:
    """A filled band where there are intervals, thin edges of the range where there are none.

    x: (n,) for n rows of a table, in their order.
    """
    shown, bare = spanned(rows), rows["lower"].isna().to_numpy()
    edges = np.asarray(x, dtype=float), shown["lower"].to_numpy(), shown["upper"].to_numpy()
    if not bare.all():
        ax.fill_between(*edges, where=~bare, color=color, alpha=alpha, linewidth=0)
    if bare.any():
        for edge in edges[1:]:
            ax.plot(edges[0], np.where(bare, edge, np.nan), color=color, linewidth=THIN)


def with_keys(
    ax: Axes, table: pd.DataFrame, kind: Literal["bar", "band"] = "bar"
) -> tuple[list[Key], list[str]]:
    """Handles and texts for a legend of what axes have, and of the bars or bands (`keys`)."""
    handles, labels = ax.get_legend_handles_labels()
    told = keys(table, kind)
    return [*handles, *told.values()], [*labels, *told]


def explain(fig: FigureBase, told: Mapping[str, Key]) -> None:
    """A legend below a figure, if there is anything to tell (`keys`)."""
    if told:
        fig.legend(told.values(), told, loc="outside lower right", ncols=len(told))


def keys(table: pd.DataFrame, kind: Literal["bar", "band"] = "bar") -> dict[str, Key]:
    """What a legend has to say of a table's bars or bands: text -> handle; of what it has only."""
    bare = table["lower"].isna()
    several = bare & (table["n"] > 1)
    filled = Patch(color=DARK, alpha=0.2, linewidth=0)
    edges = Patch(facecolor="none", edgecolor=DARK, linewidth=THIN)
    made = {
        "bar": (_bar(WIDTH, Line2D([], [], color=DARK)), _bar(THIN)),
        "band": (filled, edges),
    }
    present = {INTERVAL: not bare.all(), RANGE: several.any()}
    return {text: key for (text, there), key in zip(present.items(), made[kind]) if there}


def _bar(width: float, *caps: Line2D) -> ErrorbarContainer:
    nothing = Line2D([], [], linestyle="none")
    line = LineCollection([], colors=DARK, linewidths=width)
    return ErrorbarContainer((nothing, caps, (line,)), has_xerr=True)
