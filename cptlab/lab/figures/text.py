"""Small text beside the axes."""

from matplotlib.axes import Axes


def small_text(ax: Axes, text: str, *, y: float, offset: float, va: str, color: str) -> None:
    """Centred text at height `y` of the axes (0 bottom, 1 top), `offset` points above it."""
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "center"}
    ax.annotate(text, (0.5, y), (0, offset), **place, va=va, fontsize=8, color=color)
