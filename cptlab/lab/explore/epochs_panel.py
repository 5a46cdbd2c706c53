"""A slider over the epochs of the training that has just ended, below its H as a curve."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np

from cptlab.lab.explore.controls import Sliders
from cptlab.lab.explore.session import Session
from cptlab.lab.figures.style import BLUE, GREY

WIDTH, HEIGHT = 320, 60
"""Of the curve, in pixels."""

Show = Callable[[str, np.ndarray, dict[str, float] | None], None]
"""Shows a label, a cosine matrix (K, K) and metrics, for a run in training."""


class EpochsPanel(widgets.VBox):
    """Hidden until a training has ended, and again once another run is chosen or trained."""

    def __init__(self, session: Session, show: Show) -> None:
        self.show = show
        self.epochs: dict[int, tuple[str, np.ndarray, dict[str, float]]] = {}
        self.curve = widgets.HTML()
        self.slider = Sliders(names=["epoch"], values=[1], largest=[1], smallest=1, digits=0)
        super().__init__(
            [self.curve, self.slider], layout={"display": "none", "overflow": "hidden"}
        )
        self.slider.observe(self.move, "values")
        session.observe(self.hide, ["chosen", "training"])

    def record(
        self, number: int, label: str, cosines: np.ndarray, metrics: dict[str, float]
    ) -> None:
        """Remember the state after an epoch, and show it."""
        self.epochs[number] = label, cosines, metrics
        self.show(label, cosines, metrics)

    def offer(self) -> None:
        """Let the user go back to the epochs that were recorded, if there are several."""
        if len(self.epochs) < 2:
            return
        first, last = min(self.epochs), max(self.epochs)
        self.slider.smallest, self.slider.largest = first, [last]
        self.slider.steps, self.slider.values = last - first, [last]
        self.curve.value = self.drawn(last)
        self.layout.display = ""

    def hide(self, change: dict[str, Any]) -> None:
        """Go out of the way; a new training begins with nothing recorded."""
        self.layout.display = "none"
        if change["name"] == "training" and change["new"]:
            self.epochs = {}

    def move(self, change: dict[str, Any]) -> None:
        """Show the epoch of the slider."""
        number = round(change["new"][0])
        if self.layout.display != "none" and number in self.epochs:
            self.show(*self.epochs[number])
            self.curve.value = self.drawn(number)

    def drawn(self, number: int) -> str:
        """H by epoch as a curve, with a dot at one of them."""
        values = {epoch: metrics["H"] for epoch, (_, _, metrics) in self.epochs.items()}
        low, high = min(values.values()), max(values.values())
        first, last = min(values), max(values)
        points = {
            epoch: (
                5 + (WIDTH - 10) * (epoch - first) / (last - first),
                5 + (HEIGHT - 10) * (high - value) / ((high - low) or 1),
            )
            for epoch, value in values.items()
        }
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points.values())
        x, y = points[number]
        said = f"H by epoch: {values[number]:.1f} at {number}, between {low:.1f} and {high:.1f}"
        return (
            f"{escape(said)}<br>"
            f'<svg role="img" aria-label="{escape(said)}" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'style="width: {WIDTH}px; max-width: 100%">'
            f'<polyline points="{line}" fill="none" stroke="{GREY}" stroke-width="2"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{BLUE}"/></svg>'
        )
