"""The content of the hover widgets: plain values, and images as data URLs."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from PIL import Image

from cptlab.geometry import effective_rank
from cptlab.lab.explore.scene import Scene
from cptlab.lab.figures.map import COLORS

FROZEN = "Zero-shot (frozen)"
"""The title of what the frozen model shows."""
NEIGHBOURS = 3
"""Nearest classes by cosine that a map names."""


def data_url(pixels: np.ndarray) -> str:
    """An image (H, W, 3) uint8 as a PNG in a data URL."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def classes_content(scene: Scene) -> dict[str, object]:
    """Name, image and cluster (counted from 1) of each of the K classes."""
    return {
        "names": list(scene.names),
        "images": [data_url(image) for image in scene.images],
        "clusters": (scene.clusters + 1).tolist(),
    }


def matrix_content(scene: Scene, panels: Mapping[str, np.ndarray]) -> dict[str, object]:
    """Cosine matrices (K, K) by title on the colour scale of their data set (`scale_start`).

    `cosines` holds the panels one after another as little-endian float32; `borders` the rows at
    which clusters begin, without the first.
    """
    low = scale_start(scene)
    drawn = [
        {
            "title": title,
            "note": f"effective rank {effective_rank_of(matrix):.3g}",
            "image": data_url(coloured(matrix, low)),
        }
        for title, matrix in panels.items()
    ]
    scale = coloured(np.linspace(1, low, 128)[:, None], low)
    return {
        "panels": drawn,
        "cosines": np.stack(list(panels.values())).astype("<f4").tobytes(),
        "borders": (np.flatnonzero(np.diff(scene.clusters)) + 1).tolist(),
        "scale": {"low": low, "image": data_url(scale)},
    }


def map_content(
    scene: Scene, layouts: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> dict[str, Any]:
    """Maps by title, each from positions (K, 2), and cosines (K, K) to find neighbours.

    All maps share one scale; positions lie in 0 to 1, y downwards.
    """
    every = np.concatenate([positions for positions, _ in layouts.values()])
    low, span = every.min(axis=0), np.ptp(every, axis=0).max() or 1.0
    shift = (1 - np.ptp(every, axis=0) / span) / 2  # the shorter side is centred
    drawn = []
    for title, (positions, cosines) in layouts.items():
        places = (positions - low) / span + shift
        points = np.stack([places[:, 0], 1 - places[:, 1]], axis=-1)
        drawn.append(
            {
                "title": title,
                "points": points.round(4).tolist(),
                "near": [_nearest(scene, cosines, row) for row in range(len(points))],
            }
        )
    return {"layouts": drawn, "colours": [COLORS[c % len(COLORS)] for c in scene.clusters]}


def _nearest(scene: Scene, cosines: np.ndarray, row: int) -> list[str]:
    """The nearest other classes and their cosines."""
    others = [c for c in np.argsort(-cosines[row], kind="stable") if c != row][:NEIGHBOURS]
    return [f"{scene.names[c]} {cosines[row, c]:.2f}" for c in others]


def scale_start(scene: Scene) -> float:
    """The cosine at the dark end of the colour scale, which ends at 1; smaller ones are as dark.

    One scale for all runs of a data set, so that colours keep their meaning: the frozen cosines
    take its upper half, and what a run spreads further is darker. Rounded down to a tenth.
    """
    return float(np.floor(10 * max(2 * scene.cosines.min() - 1, -1)) / 10)


def effective_rank_of(matrix: np.ndarray) -> float:
    """`cptlab.geometry.effective_rank` of a cosine matrix (K, K), in dimensions."""
    return effective_rank(torch.from_numpy(matrix)).item()


def coloured(matrix: np.ndarray, low: float) -> np.ndarray:
    """Cosines (H, W) in the colours of the figures, (H, W, 3) uint8; dark is `low`, bright is 1."""
    scaled = (matrix - low) / (1 - low) if low < 1 else np.zeros_like(matrix)
    return mpl.colormaps["viridis"](scaled, bytes=True)[..., :3]
