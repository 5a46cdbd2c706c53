"""Seeded views of a drawing: the same (drawing, index) always gives the same image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from cptlab.seeds import numpy_stream


@dataclass(frozen=True)
class View:
    """How a drawing is placed on the canvas: scale and shift in canvas widths, angle in degrees."""

    scale: float = 0.95
    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)


CANONICAL = View()
"""View 0: upright, centred, on white."""


def seeded_view(drawing: str, index: int) -> View:
    """View number `index` (0 = canonical) of the drawing with this name; a pure function."""
    if index == 0:
        return CANONICAL
    rng = numpy_stream("view", drawing, index)
    scale = rng.uniform(0.75, 1.0)
    angle = rng.uniform(-15, 15)
    shift = rng.uniform(-0.08, 0.08, size=2)
    background = rng.uniform(0.55, 1.0, size=3) if rng.random() < 0.5 else np.ones(3)
    return View(float(scale), float(angle), tuple(shift.tolist()), tuple(background.tolist()))


def render(drawings: np.ndarray, views: Sequence[View], size: int) -> torch.Tensor:
    """Place drawings (N, 4, S, S), premultiplied RGBA uint8, on their canvases.

    Returns float images (N, 3, size, size) in [0, 1].
    """
    angles = torch.tensor([np.deg2rad(view.angle) for view in views])
    scales = torch.tensor([view.scale for view in views])
    shifts = torch.tensor([view.shift for view in views])
    backgrounds = torch.tensor([view.background for view in views])
    layers = torch.from_numpy(np.ascontiguousarray(drawings)).float() / 255
    return composite(layers, angles, scales, shifts, backgrounds, size)


def composite(
    layers: torch.Tensor,
    angles: torch.Tensor,
    scales: torch.Tensor,
    shifts: torch.Tensor,
    backgrounds: torch.Tensor,
    size: int,
) -> torch.Tensor:
    """Rotate, scale, shift and put premultiplied RGBA layers (N, 4, S, S) on plain backgrounds.

    angles (N,) in radians, scales (N,), shifts (N, 2) in canvas widths, backgrounds (N, 3) in 0..1.
    Returns (N, 3, size, size) in [0, 1].
    """
    cos, sin = torch.cos(angles) / scales, torch.sin(angles) / scales
    dx, dy = -2 * shifts[:, 0], -2 * shifts[:, 1]
    # Maps canvas to drawing coordinates, so the shift is rotated and scaled as well.
    theta = torch.stack(
        [cos, sin, cos * dx + sin * dy, -sin, cos, -sin * dx + cos * dy], dim=1
    ).view(-1, 2, 3)
    grid = F.affine_grid(theta.to(layers.dtype), [len(layers), 4, size, size], align_corners=False)
    warped = F.grid_sample(layers, grid, align_corners=False)
    colour, alpha = warped[:, :3], warped[:, 3:]
    return (colour + (1 - alpha) * backgrounds.to(layers.dtype)[:, :, None, None]).clamp(0, 1)
