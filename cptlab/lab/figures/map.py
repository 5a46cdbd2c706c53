"""A map of classes in the plane, for example by UMAP, with their clusters outlined."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patches import Polygon
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from scipy.spatial import ConvexHull, KDTree

from cptlab.lab.figures.style import (
    BLUE,
    DPI,
    GREEN,
    OLIVE,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    WINE,
    headline,
)

COLORS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, WINE, OLIVE)
MARKERS = "os^DvPX*"
"""A colour and a shape for each of eight clusters; beyond, in other lines and hatches."""
TEXTURES = (("-", None), ("--", "////"), (":", "...."), ("-.", "xxxx"))
"""Outline and hatch of the first eight clusters, of the next eight, and so on."""

SIDES = (
    ((0, 1), "center", "bottom"),
    ((0, -1), "center", "top"),
    ((1, 0), "left", "center"),
    ((-1, 0), "right", "center"),
)
"""Where a name can be beside its mark, best first, and its alignment there."""

FRAME = {"facecolor": "#FFFFFF99", "linewidth": 0.8, "pad": 0.8}
OFFSET = {"textcoords": "offset points"}
SMALLEST, LARGEST = 10.0, 30.0  # points, of images
LONGEST = 120.0  # points, of the line between a title and its class

CIRCLE = np.linspace(0, 2 * np.pi, 32, endpoint=False)


def class_map(
    frame: pd.DataFrame,
    ax: Axes,
    *,
    images: Sequence[np.ndarray] | None = None,
    middles: Mapping[Hashable, int] | None = None,
) -> Axes:
    """Classes at their positions, clusters outlined, and as many names as have room.

    A cluster is titled with the name of the class in its middle, in bold, framed in the cluster's
    colour and joined by a line to that class, which has a dark rim; other classes are named where
    the name covers nothing.
    Clusters differ in colour and shape and, beyond eight, in line and hatch; after 32 looks repeat.
    Room is measured in the current layout of the figure, so draw maps last.

    Args:
        frame: a row per class: columns "x", "y" (positions without unit), "cluster" and "name".
        ax: axes to draw on; both directions get the same scale.
        images: (H, W, 3) of each class, uint8 or floats in 0..1, drawn instead of points.
        middles: cluster -> row of the class that names it; those of this map if left out.

    Raises:
        ValueError: on missing columns, no rows, or images that do not match the rows in number.
    """
    missing = [name for name in ("x", "y", "cluster", "name") if name not in frame.columns]
    if missing:
        raise ValueError(f"The frame lacks the columns {missing}; it has {list(frame.columns)}.")
    if frame.empty or (images is not None and len(images) != len(frame)):
        raise ValueError("The map needs at least one class, and one image per class or none.")
    points, clusters = frame[["x", "y"]].to_numpy(dtype=float), frame["cluster"].to_numpy()
    margin = 0.03 * (np.ptp(points, axis=0).max() or 1)
    ax.update_datalim(np.concatenate([points - 2 * margin, points + 2 * margin]))
    ax.autoscale_view()
    ax.set_aspect("equal", adjustable="datalim")
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.figure.get_figure(root=True).draw_without_rendering()  # layout and limits become final
    size = 6.0 if images is None else _image_size(ax, points)

    middles = middles_of(frame) if middles is None else middles
    titles, names = [], frame["name"].tolist()
    for index, cluster in enumerate(np.unique(clusters)):
        color, marker = COLORS[index % 8], MARKERS[index % 8]
        line, hatch = TEXTURES[index // 8 % 4]
        rows = np.flatnonzero(clusters == cluster)
        outline = rounded_hull(points[rows], margin)
        faint = {"edgecolor": color, "alpha": 0.12, "linewidth": 0}
        ax.add_patch(Polygon(outline, facecolor=color, hatch=hatch, **faint))
        ax.add_patch(Polygon(outline, fill=False, edgecolor=color, linestyle=line, linewidth=1.2))
        middle = middles[cluster]
        if images is None:
            mark = {"marker": marker, "color": color, "linestyle": "none"}
            ax.plot(*points[rows].T, **mark, markersize=size, markeredgecolor="white")
            rim = {"markeredgecolor": "black", "markeredgewidth": 1.5}
            ax.plot(*points[middle], **mark, markersize=size + 1, **rim, zorder=3)
        else:
            for row in rows:
                image = _shrink(images[row], size * DPI / 72)
                image = OffsetImage(image, zoom=size / max(image.shape[:2]))
                rim = {"edgecolor": "black", "linewidth": 1.8}
                edge = rim if row == middle else {"edgecolor": color, "linewidth": 0.8}
                ax.add_artist(AnnotationBbox(image, points[row], pad=0.05, bboxprops=edge))
        titles.append((names[middle], points[middle], color))
        names[middle] = ""  # it is the title
    _write_names(ax, titles, points, names, size)
    return ax


def map_panels(
    maps: Mapping[str, pd.DataFrame],
    fig: Figure,
    *,
    images: Sequence[np.ndarray] | None = None,
    told: str = "",
) -> list[Axes]:
    """A `class_map` per title, two or three side by side; with images, one below the other.

    Clusters have the names of the first map on all of them.

    Args:
        maps: title -> frame as there, the same classes in the same order.
        fig: empty figure to fill; its size is set to what the maps need.
        images: of each class, the same on every map.
        told: headline; names are placed in the room that it leaves.

    Raises:
        ValueError: as `class_map`.
    """
    across = 1 if images is not None or len(maps) == 1 else 2 if len(maps) < 7 else 3
    down = -(-len(maps) // across)
    fig.set_layout_engine("constrained")
    fig.set_size_inches(8, (5.75 if across == 1 else 7.6 / across) * down)
    axes = list(fig.subplots(down, across, squeeze=False).flat)
    for ax, title in zip(axes, maps):  # before any map, as titles take room
        ax.set_title(title)
    for ax in axes[len(maps) :]:
        ax.set_axis_off()
    headline(fig, told)
    middles = middles_of(next(iter(maps.values())))
    for ax, frame in zip(axes, maps.values()):
        class_map(frame, ax, images=images, middles=middles)
    return axes[: len(maps)]


def middles_of(frame: pd.DataFrame) -> dict[Hashable, int]:
    """Cluster -> row of the class nearest to the mean of its places; frame as in `class_map`."""
    points, clusters = frame[["x", "y"]].to_numpy(dtype=float), frame["cluster"].to_numpy()
    found = {}
    for cluster in np.unique(clusters):
        rows = np.flatnonzero(clusters == cluster)
        gaps = ((points[rows] - points[rows].mean(0)) ** 2).sum(1)
        found[cluster] = int(rows[gaps.argmin()])
    return found


def rounded_hull(points: np.ndarray, margin: float) -> np.ndarray:
    """Corners (n, 2) of the convex hull of discs of radius `margin` around (k, 2) points.

    One point gives a disc, two a capsule: with margin > 0 the hull never degenerates.
    """
    disc = margin * np.stack([np.cos(CIRCLE), np.sin(CIRCLE)], axis=-1)
    rim = (points[:, None] + disc).reshape(-1, 2)
    return rim[ConvexHull(rim).vertices]


def _image_size(ax: Axes, points: np.ndarray) -> float:
    """Side of the images in points: half of the classes have no other class closer than that."""
    if len(points) == 1:
        return LARGEST
    places = ax.transData.transform(points)
    distances = KDTree(places).query(places, k=2)[0][:, 1]
    dots = ax.figure.dpi / 72
    return float(np.clip(np.median(distances) / dots, SMALLEST, LARGEST))


def _shrink(image: np.ndarray, pixels: float) -> np.ndarray:
    """Means over blocks, the smallest with at least `pixels` on the long side, floats in 0..1."""
    image = image / 255 if image.dtype == np.uint8 else image
    block = max(1, int(max(image.shape[:2]) / pixels))
    height, width = (side // block for side in image.shape[:2])
    blocks = image[: height * block, : width * block].reshape(height, block, width, block, -1)
    return blocks.mean((1, 3))


class Room:
    """What is free of an area: thousands of places are tried on a map of a thousand classes."""

    def __init__(self, area: Bbox, taken: np.ndarray):
        """taken: boxes (n, 4), each left, lower, right, upper in pixels."""
        self.area, self.taken = area, taken

    def is_free(self, box: Bbox) -> bool:
        """Whether a box lies in the area and on no other; edges may touch."""
        if not (self.area.contains(*box.p0) and self.area.contains(*box.p1)):
            return False
        left, lower, right, upper = self.taken.T
        over = (left < box.x1) & (right > box.x0) & (lower < box.y1) & (upper > box.y0)
        return not over.any()

    def take(self, box: Bbox) -> None:
        """From now on a box is taken."""
        self.taken = np.vstack([self.taken, box.extents])


def _write_names(
    ax: Axes,
    titles: Sequence[tuple[str, np.ndarray, str]],
    points: np.ndarray,
    names: Sequence[str],
    size: float,
) -> None:
    """Titles as near to their classes as possible, then names beside marks of `size` points.

    A name that would cover a mark, another text or the edge of the axes is left out.
    """
    half = size / 2 * ax.figure.dpi / 72
    places = ax.transData.transform(points)
    room = Room(ax.get_window_extent(), np.hstack([places - half, places + half]))
    for name, middle, color in titles:
        room.take(_write_title(ax, name, middle, color, room, size))
    frame = {**FRAME, "edgecolor": "none"}
    for name, point in zip(names, points, strict=True):
        for side, ha, va in SIDES if name else ():
            offset, align = (size / 2 + 1) * np.array(side), {"ha": ha, "va": va}
            text = ax.annotate(name, point, offset, **OFFSET, **align, fontsize=8, bbox=frame)
            text.set_in_layout(False)  # it fits the axes and must not change the layout
            box = text.get_window_extent()
            if room.is_free(box):
                room.take(box)
                break
            text.remove()


def _write_title(
    ax: Axes, name: str, middle: np.ndarray, color: str, room: Room, size: float
) -> Bbox:
    """A framed title in the free place nearest to its class, joined to it by a line; its box.

    Without a free place the title is just above the class.
    """
    line = {"arrowstyle": "-", "color": color, "linewidth": 0.9, "shrinkA": 0, "shrinkB": size / 2}
    style = {"fontsize": 8, "fontweight": "bold", "ha": "center", "va": "center"}
    frame = {**FRAME, "edgecolor": color}
    text = ax.annotate(name, middle, (0, 0), **OFFSET, **style, bbox=frame, arrowprops=line)
    text.set_zorder(4)  # above the names
    text.set_in_layout(False)
    text.get_window_extent()  # updates its position; Text's method gives the box without the line
    dots = ax.figure.dpi / 72
    box = Text.get_window_extent(text).padded(2.5 * dots)  # both frames
    ways = np.stack([np.sin(CIRCLE), np.cos(CIRCLE)], axis=-1)  # upwards first
    for shift in (np.arange(size, LONGEST, 3.0)[:, None, None] * ways).reshape(-1, 2):
        moved = box.translated(*(shift * dots))
        if room.is_free(moved):
            text.set_position(shift)
            return moved
    text.set_position((0, 2 * size))
    return box.translated(0, 2 * size * dots)
