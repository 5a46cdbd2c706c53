"""Static images of what the widgets show, for notebooks without a person."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cptlab.lab import figures
from cptlab.lab.explore.content import effective_rank_of, scale_start
from cptlab.lab.explore.prediction import ranked
from cptlab.lab.explore.scene import Scene
from cptlab.lab.figures.style import BLACK, GREEN, in_style, use_style


def matrix_figure(scene: Scene, panels: Mapping[str, np.ndarray]) -> Figure:
    """Cosine matrices (K, K) by title, side by side on the colour scale of their data set."""
    with use_style():
        fig, axes = plt.subplots(1, len(panels), figsize=(3.6 * len(panels) + 0.8, 3.9))
        axes = np.atleast_1d(axes)
        for ax, (title, matrix) in zip(axes, panels.items(), strict=True):
            figures.similarity_matrix(
                matrix,
                scene.clusters,
                ax,
                title=title,
                vmin=scale_start(scene),
                vmax=1,
                annotations={"effective rank": effective_rank_of(matrix)},
                colorbar=False,
            )
        fig.colorbar(
            axes[0].images[0], ax=axes, label="cosine similarity", shrink=0.8, extend="min"
        )
    return _finished(fig)


def map_figure(scene: Scene, layouts: Mapping[str, np.ndarray]) -> Figure:
    """Maps of the classes by title, from positions (K, 2), each class drawn as its image."""
    with use_style():
        fig, axes = plt.subplots(1, len(layouts), figsize=(5.4 * len(layouts), 5.2))
        axes = np.atleast_1d(axes)
        for ax, title in zip(axes, layouts, strict=True):
            ax.set_title(title)
        for ax, positions in zip(axes, layouts.values(), strict=True):
            frame = pd.DataFrame({"x": positions[:, 0], "y": positions[:, 1]})
            frame = frame.assign(cluster=scene.clusters, name=scene.names)
            figures.class_map(frame, ax, images=list(scene.images))
    return _finished(fig)


def prediction_figure(image: np.ndarray, shares: pd.DataFrame) -> Figure:
    """An image (H, W, 3) beside the probabilities in percent that `predict` gave for one run."""
    shares = ranked(shares)[::-1]  # bars begin at the bottom
    with use_style():
        height = 1.2 + 0.32 * len(shares)
        fig, (left, right) = plt.subplots(
            1, 2, figsize=(7.5, max(2.4, height)), width_ratios=(1, 2.4)
        )
        left.imshow(image)
        left.set_axis_off()
        rows = np.arange(len(shares))
        looks = zip((-0.2, 0.2), list(shares.columns[1:]), (BLACK, GREEN), ("////", None))
        for shift, label, color, hatch in looks:
            face = "white" if hatch else color
            right.barh(
                rows - shift,
                shares[label],
                height=0.36,
                label=label,
                facecolor=face,
                edgecolor=color,
                hatch=hatch,
            )
        right.set_yticks(rows, shares["name"])
        right.set(xlim=(0, 100), xlabel="probability (%)")
        right.grid(axis="y", visible=False)
        right.legend(loc="lower right")
    return _finished(fig)


def _finished(fig: Figure) -> Figure:
    """Close a figure for pyplot: the notebook would show it again beside what the cell returns."""
    plt.close(fig)
    return in_style(fig)
