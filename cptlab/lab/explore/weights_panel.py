"""Sliders of CPT's loss weights: show the nearest finished run, or train a new one."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import ipywidgets as widgets
import numpy as np

from cptlab.lab.explore.choice import label_of
from cptlab.lab.explore.content import effective_rank_of
from cptlab.lab.explore.session import Session
from cptlab.lab.explore.watch import Epoch, train_and_watch
from cptlab.lab.explore.weights import (
    DEFAULTS,
    NAMES,
    Weights,
    around,
    nearest,
    weights_of,
    with_weights,
)
from cptlab.training.loop import TrainingDiverged

LARGEST = 4
"""Largest weight of a slider, in units of its default."""
STEPS = 40

Show = Callable[[str, np.ndarray, dict[str, float] | None], None]


class WeightsPanel(widgets.VBox):
    """Sliders, a button and a progress bar.

    show: shows a label, a cosine matrix (K, K) and metrics, for a run in training.
    """

    def __init__(self, session: Session, show: Show) -> None:
        self.session, self.show = session, show
        self.varied = around(session.chosen.spec, session.profile)
        """The run that the sliders vary, with readings of losses that are off at the moment."""
        self.following = False
        """True while sliders and chosen run are synchronised: neither then sets the other."""
        self.sliders = [_slider(*pair) for pair in zip(NAMES, DEFAULTS, strict=True)]
        self.train = widgets.Button(description="Train with these", icon="play")
        self.bar = widgets.IntProgress(description="epoch", layout={"visibility": "hidden"})
        self.message = widgets.HTML()
        title = widgets.HTML("<b>Loss weights of CPT</b>: drag to the nearest finished run")
        super().__init__([title, *self.sliders, widgets.HBox([self.train, self.bar]), self.message])
        for slider in self.sliders:
            slider.observe(self.drag, "value")
        session.observe(self.follow, "chosen")
        self.train.on_click(self.start)
        self.follow()

    def wanted(self) -> Weights:
        """The weights of the sliders."""
        return tuple(round(slider.value, 6) for slider in self.sliders)

    def drag(self, change: object = None) -> None:
        """Choose the nearest finished run; the sliders stay where they were dragged to."""
        if self.following:
            return
        session, wanted = self.session, self.wanted()
        found = nearest(session.runs, self.varied, wanted)
        if found is None:
            self.message.value = "No CPT run of this data set, τ and seed is finished: train one."
            return
        own = weights_of(found.spec.method)
        listed = ", ".join(f"{name} = {weight:g}" for name, weight in zip(NAMES, own))
        which = "Finished run" if np.allclose(own, wanted) else "Nearest finished run"
        self.message.value = f"{which}: {escape(found.label)} ({listed})"
        self.following = True
        session.chosen = found
        self.following = False

    def follow(self, change: object = None) -> None:
        """Move the sliders to the weights of a run that was chosen elsewhere."""
        if self.following:
            return
        chosen = self.session.chosen.spec
        self.varied = around(chosen, self.session.profile, self.varied.method)
        weights = weights_of(chosen.method)
        if not weights:
            return
        self.following = True
        for slider, weight in zip(self.sliders, weights, strict=True):
            slider.max = max(slider.max, weight)
            slider.value = weight
        self.following = False
        self.message.value = ""

    def start(self, button: object) -> None:
        """Train with the weights of the sliders, or continue an interrupted training."""
        session = self.session
        spec = with_weights(self.varied, self.wanted())
        label, scene = label_of(spec, session.profile), session.scene()

        def watch(epoch: Epoch) -> None:
            self.bar.max, self.bar.value = epoch.epochs, epoch.number
            cosines = scene.cosines_of(epoch.model)
            metrics = epoch.metrics | {"effective_rank": effective_rank_of(cosines)}
            self.show(f"{label}, epoch {epoch.number} of {epoch.epochs}", cosines, metrics)

        self.train.disabled, self.bar.value, self.bar.layout.visibility = True, 0, "visible"
        self.message.value = f"Training {escape(label)} ..."
        try:
            result = train_and_watch(spec, session.store, watch)
        except (ValueError, OSError, TrainingDiverged) as error:
            self.message.value = f"<b>This run failed.</b> {escape(str(error))}"
        except KeyboardInterrupt:
            self.message.value = "Interrupted; started again, it goes on after its last epoch."
        else:
            session.add(result)
            self.message.value = f"Finished and stored: {escape(label)}"
        finally:
            self.train.disabled, self.bar.layout.visibility = False, "hidden"


def _slider(name: str, default: float) -> widgets.FloatSlider:
    return widgets.FloatSlider(
        default,
        description=name,
        min=0,
        max=LARGEST * default,
        step=LARGEST * default / STEPS,
        readout_format=".3f",
        style={"description_width": "90px"},
        layout={"width": "460px"},
    )
