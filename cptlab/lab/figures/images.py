"""Images with predictions, and sheets of drawings."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from cptlab.lab.figures.style import GREEN, VERMILLION
from cptlab.lab.figures.text import small_text


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
    """Images under their true class, with the predictions before and after tuning below.

    A correct prediction is green with a check mark, a wrong one vermillion with a cross. Long
    names are wrapped above and cut with an ellipsis below, so that images keep their size.

    Args:
        images: (H, W, C) arrays, uint8 or floats in 0..1.
        truth: true class of each image.
        before: prediction of the first model.
        after: prediction of the second model.
        fig: empty figure to fill.
        columns: images in a row.
        stages: names of the two models.

    Returns:
        The axes, one per image.

    Raises:
        ValueError: if the four sequences differ in length or are empty.
    """
    if not len(images) or not len(images) == len(truth) == len(before) == len(after):
        raise ValueError("images, truth, before and after need one entry per image, at least 1.")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    fitting = int(16 * fig.bbox.width / fig.dpi / columns)  # letters of size 8 in a column
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
            small_text(ax, line, y=0, offset=-3 - 11 * position, va="top", color=color)
        axes.append(ax)
    return axes


def drawing_sheet(
    rows: Sequence[Sequence[np.ndarray]],
    row_names: Sequence[str],
    column_names: Sequence[str],
    ax: Axes,
) -> Axes:
    """A table of images on one axes: rows x columns of (H, W, 3) floats in 0..1, equal sizes.

    Raises:
        ValueError: if names and images do not match in number.
    """
    if len(rows) != len(row_names) or any(len(row) != len(column_names) for row in rows):
        raise ValueError("Give one row name per row of images and one column name per column.")
    height, width = rows[0][0].shape[:2]
    ax.imshow(np.vstack([np.hstack(list(row)) for row in rows]))
    ax.set_yticks([height * (i + 0.5) for i in range(len(rows))], row_names)
    ax.set_xticks([width * (i + 0.5) for i in range(len(column_names))], column_names, fontsize=8)
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return ax
