"""Names beside marks, where there is room for them."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text

from cptlab.lab.figures.map import Room
from cptlab.lab.figures.style import DARK

FURTHEST, STEP = 90, 4
"""Points between a mark and its name at most, and from one place tried to the next."""
WAYS = np.deg2rad([0, 20, -20, 40, -40, 180, 160, -160, 60, -60, 90, -90, 120, -120])


def name_marks(ax: Axes, places: Mapping[str, tuple[float, float]], taken: np.ndarray) -> None:
    """Each name beside its mark, to the right if it can be, or joined to it by a thin line.

    Call it when the layout of the figure is done. A name that finds no place stands on others
    right of its mark.

    Args:
        ax: axes whose marks are named.
        places: name -> (x, y) of its mark, in data.
        taken: boxes (n, 4) in pixels that no name may cover: left, lower, right, upper.
    """
    dots = ax.figure.dpi / 72
    room = Room(ax.get_window_extent(), taken)
    for name, place in places.items():
        line = {"arrowstyle": "-", "color": DARK, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 4}
        align = {"ha": "left", "va": "center", "textcoords": "offset points"}
        text = ax.annotate(name, place, (7, 0), fontsize=8, color=DARK, arrowprops=line, **align)
        text.set_in_layout(False)
        text.get_window_extent()  # updates its position; Text's method gives the box without a line
        box = Text.get_window_extent(text)
        for shift in _shifts(box.width / dots):
            moved = box.translated(*((shift - (7, 0)) * dots))
            if room.is_free(moved):
                text.set_position(shift)
                room.take(moved)
                break
        if np.hypot(*text.get_position()) < 10 and text.arrow_patch is not None:
            text.arrow_patch.set_visible(False)


def _shifts(width: float) -> list[np.ndarray]:
    """Where a name of a width may begin, in points from its mark, the nearest first."""
    found = []
    for length in range(7, FURTHEST, STEP):
        for way in WAYS:
            x, y = length * np.cos(way), length * np.sin(way)
            found.append(np.array([x if np.cos(way) > 0.1 else x - width, y]))
    return found
