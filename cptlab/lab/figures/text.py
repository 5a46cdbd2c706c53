"""Text beside the axes."""

import re
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cptlab.lab.figures.style import MATH

LETTERS = 12.5
"""Letters of a headline on an inch."""


def small_text(ax: Axes, text: str, *, y: float, offset: float, va: str, color: str) -> None:
    """Centred text at height `y` of the axes (0 bottom, 1 top), `offset` points above it."""
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "center"}
    ax.annotate(text, (0.5, y), (0, offset), **place, va=va, fontsize=8, color=color)


def headline(fig: Figure, told: str) -> None:
    """A figure's message above all of its panels, in as many lines as it takes.

    The figure grows by their height. Names of losses, "L_TETF", are drawn as formulas; names with
    dollar signs, which are the user's own, letter by letter.
    """
    lines = wrap(told, int(LETTERS * fig.get_figwidth()))
    if not lines:
        return
    fig.set_figheight(fig.get_figheight() + 0.18 * len(lines))
    text, style = "\n".join(lines), {}
    if "$" not in told and "L_" in told:
        text, style = re.sub(r"\bL_([A-Z]+)", r"$L_\\mathrm{\1}$", text), MATH
    fig.suptitle(text, fontsize=10, x=0.01, ha="left", **style)
