"""Figures from tidy frames: data and Axes in, Axes out.

Accuracies are in percent. A row is one seed's run; several data sets are averaged by the caller
before, so that what varies inside a group is the seed alone.
"""

import textwrap
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from cptlab.style import GREEN, VERMILLION, method_look, method_order
from cptlab.tables import CONFIDENCE, check_one_row_per_seed, mean_interval


def similarity_matrix(
    similarity: np.ndarray,
    clusters: Sequence[int],
    ax: Axes,
    *,
    title: str,
    vmin: float | None = None,
    vmax: float | None = None,
    annotations: dict[str, float] | None = None,
    colorbar: bool = True,
) -> Axes:
    """Heat map of a (K, K) similarity matrix with thin lines at the borders of clusters (Fig. 1).

    Args:
        similarity: (K, K), classes already ordered so that clusters are contiguous.
        clusters: (K,) cluster of each row in that order.
        ax: axes to draw on.
        title: title of the panel.
        vmin: cosine at the dark end of the colour scale; the smallest entry if left out.
        vmax: cosine at the bright end; the largest entry if left out.
        annotations: numbers printed small under the title, e.g. {"effective rank": 12.3}.
        colorbar: draw one; `ax.images[0]` serves a bar shared by panels.

    Raises:
        ValueError: if the shapes do not fit or a cluster is torn apart.
    """
    similarity, clusters = np.asarray(similarity), np.asarray(clusters)
    if similarity.shape != (len(clusters), len(clusters)):
        raise ValueError(
            f"similarity {similarity.shape} must be square with one row for each of the "
            f"{len(clusters)} clusters given."
        )
    borders = np.flatnonzero(clusters[1:] != clusters[:-1]) + 0.5
    if len(borders) + 1 != len(np.unique(clusters)):
        raise ValueError("Rows of one cluster must be side by side; order the classes first.")

    heat = ax.imshow(similarity, cmap="viridis", vmin=vmin, vmax=vmax, interpolation="nearest")
    ax.hlines(borders, -0.5, len(clusters) - 0.5, color="white", linewidth=0.5)
    ax.vlines(borders, -0.5, len(clusters) - 0.5, color="white", linewidth=0.5)
    ax.set(xticks=[], yticks=[], xlabel=f"{len(clusters)} classes")
    ax.grid(False)
    ax.spines[:].set_visible(False)
    lines = [f"{name} {value:.3g}" for name, value in (annotations or {}).items()]
    ax.set_title(title, pad=6 + 10 * len(lines))
    _small_text(ax, "\n".join(lines), y=1, offset=4, va="bottom", color="#444444")
    if colorbar:
        ax.figure.colorbar(heat, ax=ax, label="cosine similarity", shrink=0.8)
    return ax


def training_curves(
    frame: pd.DataFrame,
    *,
    y: str,
    ax: Axes,
    x: str = "epoch",
    hue: str = "method",
    band: Literal["std", "bootstrap"] = "std",
    ylabel: str | None = None,
) -> Axes:
    """Mean over seeds along training, with a band around it (Fig. 1 d).

    Args:
        frame: columns `x`, `y`, `hue` and "seed".
        y: quantity to draw.
        ax: axes to draw on.
        x: position along training.
        hue: method labels.
        band: "std" is the mean plus and minus one sample standard deviation, "bootstrap" the 95 %
            bootstrap interval of the mean.
        ylabel: label of the y axis; "`y` (%)" if left out.

    Raises:
        ValueError: on missing columns, several rows for one seed, or an unknown band.
    """
    errorbars = {"std": ("sd", 1), "bootstrap": ("ci", 100 * CONFIDENCE)}
    if band not in errorbars:
        raise ValueError(f"band={band!r} is not known; choose std or bootstrap.")
    check_one_row_per_seed(frame, [hue, x], [y])
    order = method_order(frame[hue])
    sns.lineplot(
        frame,
        x=x,
        y=y,
        hue=hue,
        hue_order=order,
        palette={label: method_look(label).color for label in order},
        style=hue,
        style_order=order,
        markers={label: method_look(label).marker for label in order},
        dashes=False,
        errorbar=errorbars[band],
        seed=0,
        err_kws={"alpha": 0.18, "linewidth": 0},
        markersize=6,
        ax=ax,
    )
    ax.legend(title=None)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel=x.capitalize(), ylabel=ylabel or f"{y} (%)")
    return ax


def seed_violins(
    frame: pd.DataFrame,
    *,
    ax: Axes,
    x: str = "method",
    y: str = "H",
    ylabel: str | None = None,
) -> Axes:
    """Distribution over seeds: a violin, every seed, and the mean with its interval (Fig. 4).

    Args:
        frame: columns `x`, `y` and "seed".
        ax: axes to draw on.
        x: method labels, one violin each.
        y: quantity to draw.
        ylabel: label of the y axis; "`y` (%)" if left out.

    Raises:
        ValueError: on missing columns or several rows for one seed.
    """
    check_one_row_per_seed(frame, [x], [y])
    order = method_order(frame[x])
    sns.violinplot(
        frame,
        x=x,
        y=y,
        order=order,
        hue=x,
        hue_order=order,
        palette={label: method_look(label).color for label in order},
        legend=False,
        inner=None,
        density_norm="width",
        cut=0,  # no density where no seed is
        alpha=0.3,
        linewidth=0.8,
        ax=ax,
    )
    for position, label in enumerate(order):
        values = np.sort(frame.loc[frame[x] == label, y].dropna().to_numpy())
        look = method_look(label)
        spread = np.resize([-0.12, 0.12], len(values))  # alternate sides, so that ties stay apart
        ax.scatter(
            position + spread,
            values,
            s=22,
            color=look.color,
            marker=look.marker,
            edgecolor="white",
            linewidth=0.4,
            zorder=3,
        )
        mean, lower, upper = mean_interval(values)
        ax.errorbar(
            position,
            mean,
            yerr=[[mean - lower], [upper - mean]],
            fmt="_",
            markersize=11,
            color="black",
            capsize=3,
            linewidth=1.4,
            zorder=4,
        )
    if len(order) > 6:
        ax.set_xticks(range(len(order)), order, rotation=30, ha="right", rotation_mode="anchor")
    else:
        ax.set_xticks(range(len(order)), [label.replace(" ", "\n", 1) for label in order])
    ax.grid(False, axis="x")
    ax.set(xlabel="", ylabel=ylabel or f"{y} (%)")
    return ax


def image_grid(
    images: Sequence[np.ndarray],
    truth: Sequence[str],
    before: Sequence[str],
    after: Sequence[str],
    fig: Figure | SubFigure,
    *,
    columns: int = 4,
    stages: tuple[str, str] = ("before", "after"),
) -> list[Axes]:
    """Pictures under their true class, with the predictions before and after tuning below.

    A correct prediction is green with a check mark, a wrong one vermillion with a cross. Long
    names are wrapped above and cut with an ellipsis below, so that pictures keep their size.

    Args:
        images: (H, W, C) arrays, uint8 or floats in 0..1.
        truth: true class of each image.
        before: prediction of the first model.
        after: prediction of the second model.
        fig: empty figure to fill.
        columns: pictures in a row.
        stages: names of the two models.

    Returns:
        The axes, one per image.

    Raises:
        ValueError: if the four sequences differ in length or are empty.
    """
    if not len(images) or not len(images) == len(truth) == len(before) == len(after):
        raise ValueError("images, truth, before and after need one entry per picture, at least 1.")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    fitting = int(18 * fig.bbox.width / fig.dpi / columns)  # letters of size 7 in a column
    axes = []
    for index, image in enumerate(images):
        ax = fig.add_subplot(rows, columns, index + 1)
        ax.imshow(image)
        ax.set_axis_off()
        ax.set_title(textwrap.fill(truth[index], fitting * 2 // 3), fontweight="bold", fontsize=9)
        for position, (stage, guesses) in enumerate(zip(stages, (before, after), strict=True)):
            correct = guesses[index] == truth[index]
            line = f"{'✓' if correct else '✗'} {stage}: {guesses[index]}"
            line = line if len(line) <= fitting else line[: fitting - 1] + "…"
            color = GREEN if correct else VERMILLION
            _small_text(ax, line, y=0, offset=-3 - 10 * position, va="top", color=color)
        axes.append(ax)
    return axes


def _small_text(ax: Axes, text: str, *, y: float, offset: float, va: str, color: str) -> None:
    """Centred text at height `y` of the axes (0 bottom, 1 top), `offset` points above it."""
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "center"}
    ax.annotate(text, (0.5, y), (0, offset), **place, va=va, fontsize=7, color=color)
