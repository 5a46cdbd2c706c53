"""The effect of the clusters: their number, algorithm (Table 5) and size (Fig. 5)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from cptlab.lab.figures.bars import explain, keys, whiskers
from cptlab.lab.figures.style import BLUE, GREY, method_look, method_order
from cptlab.lab.study.summary import summarise

MOST_ACROSS = 3
"""Panels side by side."""


def silhouette_curve(table: pd.DataFrame, *, default: int, ax: Axes) -> Axes:
    """Silhouette against the number of clusters, the largest ringed, the study's number dotted.

    Args:
        table: what `cptlab.geometry.choose_number` returns.
        default: the number of clusters in all other studies.
        ax: axes to draw on.

    Raises:
        ValueError: on missing columns.
    """
    missing = [c for c in ("n_clusters", "silhouette", "best") if c not in table.columns]
    if missing:
        raise ValueError(f"The table lacks the columns {missing}; it has {list(table.columns)}.")
    ax.plot(table["n_clusters"], table["silhouette"], color=BLUE, marker="o", markersize=4)
    best = table[table["best"]].iloc[0]
    ring = {"markersize": 11, "markerfacecolor": "none", "markeredgewidth": 1.6}
    largest = f"largest: M = {best['n_clusters']}"
    ax.plot(best["n_clusters"], best["silhouette"], "o", color="black", label=largest, **ring)
    default_label = f"default (size 16): M = {default}"
    ax.axvline(default, color=GREY, linewidth=1.2, linestyle=":", zorder=0, label=default_label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="number of clusters M", ylabel="mean silhouette (distance 1 − cos)")
    ax.legend()
    return ax


def algorithm_intervals(
    frame: pd.DataFrame,
    *,
    ax: Axes,
    by: str = "algorithm",
    y: str = "H",
    method: str = "",
    title: str = "",
    labels: bool = True,
) -> Axes:
    """One row per algorithm: every seed, the mean with its interval, and the spread as text.

    Args:
        frame: columns `by`, `y`, "dataset" and "seed"; algorithms in order of appearance, top to
            bottom. A seed's mark is its mean over data sets.
        ax: axes to draw on.
        by: what is compared.
        y: quantity to draw, in percent.
        method: the method that all of them are variants of, for its colour and marker.
        title: title of the panel.
        labels: write the names on the y axis.

    Raises:
        ValueError: on missing columns or several rows for one run.
    """
    table = summarise(frame, [y], [by]).set_index(by)
    look, order = method_look(method), list(dict.fromkeys(frame[by]))
    for place, name in enumerate(reversed(order)):
        values = _over_seeds(frame[frame[by] == name], y)
        marks = {"s": 16, "alpha": 0.45, "linewidth": 0, "zorder": 1}
        seeds = np.full(len(values), place - 0.22)
        ax.scatter(values, seeds, color=look.color, marker=look.marker, **marks)
        whiskers(ax, [place], table.loc[[name]], look, along="x")
        std = f"{values.std(ddof=1):.2f}" if len(values) > 1 else "–"
        beside = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 8}
        ax.annotate(std, (1.03, place), **beside, annotation_clip=False)
    head = {"xycoords": "axes fraction", "textcoords": "offset points", "fontsize": 8}
    ax.annotate("SD", (1.03, 1), (0, 3), **head)
    ax.set_yticks(range(len(order)), reversed(order) if labels else [""] * len(order))
    ax.set_ylim(-0.6, len(order) - 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.set(xlabel=f"{y} (%)", title=title)
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", left=labels)
    return ax


def algorithm_panels(frame: pd.DataFrame, fig: Figure) -> list[Axes]:
    """Panels of `algorithm_intervals`: a row per method, a column per imbalance ratio.

    All panels have the same span, but start at different values.

    Args:
        frame: columns "method", "tau", "algorithm", "dataset", "seed" and "H".
        fig: empty figure to fill; its size is set to what the panels need.

    Raises:
        ValueError: as `algorithm_intervals`.
    """
    methods, taus = (list(dict.fromkeys(frame[name])) for name in ("method", "tau"))
    across = min(MOST_ACROSS, len(taus))
    lines = [taus[i : i + across] for i in range(0, len(taus), across)]
    fig.set_layout_engine("constrained")
    fig.set_size_inches(min(3.1 * across + 1.8, 8), 2.1 * len(methods) * len(lines) + 0.4)
    axes = fig.subplots(len(methods) * len(lines), across, squeeze=False)
    drawn = []
    rows = [(method, line) for method in methods for line in lines]
    for row, (method, line) in zip(axes, rows, strict=True):
        for ax, tau in zip(row, line):
            runs = frame[(frame["method"] == method) & (frame["tau"] == tau)]
            title = f"{method}, τ = {tau:g}"
            algorithm_intervals(runs, method=method, ax=ax, title=title, labels=ax is row[0])
            drawn.append(ax)
        for ax in row[len(line) :]:
            ax.set_axis_off()
    equal_spans(drawn)
    explain(fig, keys(summarise(frame, ["H"], ["method", "tau", "algorithm"])))
    return drawn


def size_panels(
    frame: pd.DataFrame, fig: Figure, *, numbers: Mapping[int, Sequence[int]], default: int
) -> list[Axes]:
    """A panel of `cluster_sizes` per method, all with the same span.

    frame: columns "method", "tau" (one ratio), "size", "dataset", "seed" and "H". fig: empty figure
    to fill; its size is set. numbers, default: as there.
    """
    methods = list(dict.fromkeys(frame["method"]))
    fig.set_layout_engine("constrained")
    fig.set_size_inches(4 * len(methods), 3.6)
    axes = list(fig.subplots(1, len(methods), squeeze=False)[0])
    for ax, method in zip(axes, methods, strict=True):
        own = frame[frame["method"] == method]
        cluster_sizes(own, numbers=numbers, default=default, ax=ax)
        ax.set_title(f"{method}, τ = {own['tau'].iloc[0]:g}", fontsize=9)
        ax.get_legend().remove()
    equal_spans(axes, "y")
    usual = {"default": Line2D([], [], color=GREY, linewidth=1.2, linestyle=":")}
    explain(fig, usual | keys(summarise(frame, ["H"], ["method", "size"])))
    return axes


def cluster_sizes(
    frame: pd.DataFrame, *, numbers: Mapping[int, Sequence[int]], default: int, ax: Axes
) -> Axes:
    """H against the number of classes per cluster, a line per method, with M below each size.

    Sizes are equally spaced, each twice the one before. Sizes that make the same numbers of
    clusters are the same method and share a place.

    Args:
        frame: columns "method", "size", "dataset", "seed" and "H". A seed's mark is its mean over
            data sets.
        numbers: numbers of clusters M that a size makes, one per data set.
        default: the size in all other studies, dotted if it is among the sizes.
        ax: axes to draw on.

    Raises:
        ValueError: on missing columns, several rows for one run, or sizes without numbers of
            clusters.
    """
    table = summarise(frame, ["H"], ["method", "size"])
    sizes = sorted(map(int, frame["size"].unique()))
    unknown = [size for size in sizes if not numbers.get(size)]
    if unknown:
        raise ValueError(f"Give the number of clusters of these sizes too: {unknown}.")
    alike: dict[tuple[int, ...], list[int]] = {}
    for size in sizes:
        alike.setdefault(tuple(numbers[size]), []).append(size)
    places = list(alike.values())
    order = method_order(frame["method"])
    for index, name in enumerate(order):
        look, own = method_look(name), frame[frame["method"] == name]
        first = [sizes[0] for sizes in places]
        rows = table[table["method"] == name].set_index("size").loc[first]
        x = np.arange(len(places)) + 0.12 * (index - (len(order) - 1) / 2)
        ax.plot(x, rows["mean"], color=look.color)
        whiskers(ax, x, rows, look, along="y", label=name)
        for place, size in zip(x, first, strict=True):
            values = _over_seeds(own[own["size"] == size], "H")
            seeds = np.full(len(values), place + 0.07)
            marks = {"s": 12, "alpha": 0.45, "linewidth": 0, "zorder": 1}
            ax.scatter(seeds, values, color=look.color, marker=look.marker, **marks)
    middle = {"color": GREY, "linewidth": 1.2, "linestyle": ":", "zorder": 0, "label": "default"}
    for usual in [place for place, same in enumerate(places) if default in same]:
        ax.axvline(usual, **middle)
    ticks = [f"{', '.join(map(str, same))}\n{_numbers(made)}" for made, same in alike.items()]
    ax.set_xticks(range(len(places)), ticks)
    if len(places) == 1:  # limits around a mean and its seeds alone would set them far apart
        ax.set_xlim(-0.5, 0.5)
    ax.set(xlabel="classes per cluster; number of clusters M", ylabel="H (%)")
    ax.grid(False, axis="x")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.28), ncols=2)
    return ax


def equal_spans(axes: Sequence[Axes], axis: str = "x") -> None:
    """Widen the limits of panels, each around its middle, until all have the same span.

    Panels of methods at different levels can then be compared: a point of accuracy has the same
    length in each.
    """
    limits = np.array([getattr(ax, f"get_{axis}lim")() for ax in axes])
    half = np.ptp(limits, axis=1).max() / 2
    for ax, middle in zip(axes, limits.mean(axis=1), strict=True):
        getattr(ax, f"set_{axis}lim")(middle - half, middle + half)


def _over_seeds(runs: pd.DataFrame, y: str) -> np.ndarray:
    """The mean over data sets of each seed."""
    return runs.groupby("seed")[y].mean().dropna().to_numpy()


def _numbers(numbers: Sequence[int]) -> str:
    few, most = min(numbers), max(numbers)
    return f"M = {few}" if few == most else f"M = {few}–{most}"  # neighbours are near
