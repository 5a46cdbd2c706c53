"""H of the chosen run by epoch as a curve; after a training, with a slider over its epochs."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from cptlab.lab.explore.controls import Sliders
from cptlab.lab.explore.session import Session, State
from cptlab.lab.figures.style import BLUE, GREY

WIDTH, HEIGHT = 320, 60
"""Of the curve, in pixels."""


class EpochsPanel(widgets.VBox):
    """The epochs of runs that were trained on this page can be shown again: their texts are kept.

    Other runs have a curve if they followed their training, and the prompts of the last epoch
    alone. Hidden during a training, and for runs without a curve.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.recorded: dict[str, dict[int, State]] = {}
        """Id of a run -> its epochs that were watched."""
        self.curve = widgets.HTML()
        self.slider = Sliders(names=["epoch"], values=[1], largest=[1], smallest=1, digits=0)
        super().__init__([self.curve, self.slider], layout={"overflow": "hidden"})
        self.slider.observe(self.move, "values")
        session.observe(self.follow, ["chosen", "training"])
        self.follow()

    def record(self, number: int, state: State) -> None:
        """Keep the state of a run in training after an epoch, and show it."""
        self.recorded.setdefault(state.spec.run_id, {})[number] = state
        self.session.shown = state

    def states(self) -> dict[int, State]:
        """The epochs of the chosen run that can be shown."""
        return self.recorded.get(self.session.chosen.spec.run_id, {})

    def values(self) -> dict[int, float]:
        """H of the chosen run by epoch, as far as it is known."""
        if states := self.states():
            return {number: state.metrics["H"] for number, state in sorted(states.items())}
        log = self.session.chosen.result.log
        return dict(zip(log["epoch"], log["H"])) if "H" in log else {}

    def follow(self, change: object = None) -> None:
        """Offer the epochs of the chosen run, the last of which is the run."""
        self.layout.display = "none"
        values = self.values()
        if self.session.training or len(values) < 2:
            return
        first, last = min(values), max(values)
        self.slider.smallest, self.slider.largest = first, [last]
        self.slider.steps, self.slider.values = last - first, [last]
        self.slider.layout.display = "" if self.states() else "none"
        self.curve.value = drawn(values, last)
        self.layout.display = ""

    def move(self, change: dict[str, Any]) -> None:
        """Show the epoch of the slider."""
        number, states = round(change["new"][0]), self.states()
        if self.layout.display != "none" and number in states:
            self.session.shown = states[number]
            self.curve.value = drawn(self.values(), number)


def drawn(values: dict[int, float], number: int) -> str:
    """H by epoch as a curve, with a dot at one of them; HTML."""
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
