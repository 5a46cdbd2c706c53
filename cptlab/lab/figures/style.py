"""How figures look and how they are stored: colours, markers, sizes and one atomic `save`."""

import os
import re
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from itertools import product
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple
from zlib import crc32

import matplotlib as mpl
import matplotlib.pyplot as plt
import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from PIL import Image

# Okabe and Ito (2008), moved by as little as the rule below asks for, and three more.
BLACK, ORANGE, SKY, GREEN = "#000000", "#C88300", "#0F9BD8", "#008F61"
BLUE, VERMILLION, PURPLE = "#0076B6", "#CB5700", "#C578AF"
OLIVE, WINE, GREY = "#A1913F", "#661100", "#8C8C8C"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, WINE, OLIVE, BLACK, GREY)
"""Colours of lines and marks.

The rule, for these and for the colours of all methods (tested): a contrast with white of at least
3:1 (WCAG 2.2, graphical objects), and any two at least 8 apart in CIE Lab as seen with normal sight
and by protan, deutan and tritan eyes. Words, which need 4.5:1, are `DARK` or black. Colour never
tells alone: methods have a marker each, and names stand beside what they name.
"""
DARK, PALE = "#444444", "#E5E5E5"  # small text, grid lines

WIDTH = 6.0  # inches: 900 pixels at 150 dpi, the width of a README
WIDEST = 8.0  # where a README shrinks a figure to its width, 8 points can still be read
NAME = 26  # letters of a method's name in a line beside its row
DPI = 150
LETTERS = 12.5
"""Of a headline, on an inch."""


class Look(NamedTuple):
    """A method's colour, marker and line; the marker tells methods apart without colour.

    Markers are filled ones, which seaborn asks for: letters or (corners, 1 = star, rotation).
    Lines are dashes and gaps in points: those that often lie on another let it show through.
    """

    color: str
    marker: str | tuple[int, int, int]
    dashes: tuple[float, ...] = ()


OTHERS = (VERMILLION, SKY, WINE, GREEN, PURPLE, BLUE, ORANGE, GREY), ("h", "P", "X", "v", "p")
"""Colours and markers of labels without a look of their own: variants of methods."""

MATH = {"parse_math": True}
"""For words of our own with formulas in them, "$n_k$"; all else is drawn letter by letter."""

# Names may hold dollar signs, between which JupyterLab would typeset what stands in tables.
pd.set_option("display.html.use_mathjax", False, "styler.html.mathjax", False)

RC = {
    "figure.dpi": DPI,
    "figure.figsize": (WIDTH, 3.6),
    "figure.constrained_layout.use": True,
    "font.family": [
        "DejaVu Sans",
        "sans-serif",
    ],  # ships with matplotlib: the same letters on every machine
    "font.size": 9,
    # names of classes and data sets are the user's own, "$5" among them; MATH marks what is not
    "text.parse_math": False,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
}


def method_looks() -> dict[str, Look]:
    """How methods are drawn, by label: what their own files say, in the order of tables."""
    from cptlab.methods.base import rows_of  # drawing asks for the methods, importing does not
    from cptlab.methods.registry import known

    rows = (row for method in known() for row in rows_of(method))
    return {row.label: Look(row.color, row.marker, row.dashes) for row in rows}


def method_look(label: str) -> Look:
    """Colour and marker of a method label.

    A label without a fixed look has one by its letters, the same in every figure; two such labels
    share a colour now and then, seldom a marker as well.
    """
    looks = method_looks()
    taken = {(look.color, look.marker) for look in looks.values()}
    free = [Look(*pair) for pair in product(*OTHERS) if pair not in taken]
    return looks.get(label, free[crc32(label.encode()) % len(free)])


def method_order(labels: Iterable[str]) -> list[str]:
    """Distinct labels in the order of `method_looks`, then unknown ones as they first appear."""
    present, looks = list(dict.fromkeys(labels)), method_looks()
    return [*(name for name in looks if name in present), *(n for n in present if n not in looks)]


def use_style() -> AbstractContextManager[None]:
    """Context in which figures get the house style: `with use_style(): ...`.

    It starts from matplotlib's defaults: a user's own settings change no picture of ours.
    """
    return mpl.style.context(["default", RC])


def in_style(fig: Figure) -> Figure:
    """A figure with all that matplotlib would make only when it is shown, such as ticks."""
    with use_style():
        fig.draw_without_rendering()
    return fig


@contextmanager
def stored_figure(
    folder: str | os.PathLike[str],
    name: str,
    frame: pd.DataFrame,
    told: str = "",
    width: float = WIDEST,
) -> Generator[Figure]:
    """An empty figure in the house style to fill, stored (`save`) and shown at the end.

    folder, name, frame: as there. told: its `headline`, if any. width: in inches; who fills it sets
    the height.
    """
    with use_style():
        fig = plt.figure(figsize=(width, 1))
        yield fig
        headline(fig, told)
        save(fig, frame, folder, name)
        plt.show()


def save(
    fig: Figure, frame: pd.DataFrame, folder: str | os.PathLike[str], name: str
) -> tuple[Path, Path]:
    """Write a figure as PNG and SVG and its numbers as CSV, each moved into place at once.

    Args:
        fig: figure, written with fixed metadata, so that equal figures are equal files; its
            `message` is among them, for galleries and alternative texts. The PNG has 150 dpi, and
            so have images inside the SVG, which are set to be rasterised; the SVG's words stay
            words, which keeps it small and lets it be searched.
        frame: tidy data of the figure; floats are written with four decimals, the index is not.
        folder: created if missing.
        name: file name without suffix, e.g. "fig1_similarity".

    Returns:
        Paths of the PNG and of the CSV; the SVG lies beside them.

    Raises:
        ValueError: if `name` is empty or holds a path separator.
    """
    if not name or Path(name).name != name:
        raise ValueError(f"name must be a plain file name without folders, got {name!r}.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    png, svg, csv = paths = [folder / f"{name}.{kind}" for kind in ("png", "svg", "csv")]
    beside = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in paths}
    told = {"Title": message(fig)}
    try:
        with use_style():
            tags = {"Software": "cptlab", **told}
            fig.savefig(beside[png], format="png", dpi=DPI, metadata=tags)
        for image in fig.findobj(AxesImage):
            image.set_rasterized(True)
        with use_style(), mpl.rc_context({"svg.hashsalt": "cptlab", "svg.fonttype": "none"}):
            undated = {"Creator": "cptlab", "Date": None, **told}
            fig.savefig(beside[svg], format="svg", dpi=DPI, metadata=undated)
        frame.to_csv(beside[csv], index=False, float_format="%.4f", lineterminator="\n")
        for path, temporary in beside.items():
            os.replace(temporary, path)
    finally:
        for temporary in beside.values():
            temporary.unlink(missing_ok=True)
    return png, csv


def headline(fig: Figure, told: str) -> None:
    """A figure's message above all of its panels, in as many lines as it takes.

    The figure grows by their height. Names of losses, "L_TETF", are drawn as formulas; where there
    are dollar signs, which are in names of the user's own, all is drawn letter by letter.
    """
    lines = wrap(told, int(LETTERS * fig.get_figwidth()), break_on_hyphens=False)
    if not lines:
        return
    fig.set_figheight(fig.get_figheight() + 0.18 * len(lines))
    text, style = "\n".join(lines), {}
    if "$" not in told and "L_" in told:
        text, style = re.sub(r"\bL_([A-Z]+)", r"$L_\\mathrm{\1}$", text), MATH
    fig.suptitle(text, fontsize=10, x=0.01, ha="left", **style)


def message(fig: Figure) -> str:
    """What a figure says, in one line: its title, or its label, or the only title of a panel.

    Titles of several panels name what is in them; where they say something, the figure has a label.
    """
    titles = [ax.get_title(side) for ax in fig.axes for side in ("left", "center")]
    only = "".join(titles) * (sum(map(bool, titles)) == 1)
    told = fig.get_suptitle() or str(fig.get_label()) or only
    if any(text.get_parse_math() for text in fig.findobj(Text) if text.get_text() == told):
        # formulas as they are written in prose: $L_\mathrm{TETF}$ is L_TETF
        told = re.sub(r"\$[^$]*\$", lambda found: re.sub(r"\\[a-z]+|[${}]", "", found[0]), told)
    return " ".join(told.split())


def stored_message(png: str | os.PathLike[str]) -> str:
    """The `message` of a figure that `save` wrote; "" if the picture has none."""
    with Image.open(png) as picture:
        return str(picture.info.get("Title", ""))
