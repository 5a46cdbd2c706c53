"""Sliders of CPT's loss weights: the nearest finished run, or a new one that is trained at once."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import ipywidgets as widgets
import numpy as np

from cptlab.lab.explore.choice import label_of
from cptlab.lab.explore.content import effective_rank_of
from cptlab.lab.explore.session import Session
from cptlab.lab.explore.watch import Epoch, train_and_watch
from cptlab.lab.explore.weights import DEFAULTS, NAMES, nearest, weights_of, with_weights
from cptlab.training.loop import TrainingDiverged

LARGEST = 4
"""Times its default that a weight can be dragged to."""
STEPS = 40

Show = Callable[[str, np.ndarray, dict[str, float] | None], None]


class WeightsPanel(widgets.VBox):
    """Sliders, a button and a progress bar.

    show: puts a label, a cosine matrix (K, K) and metrics on the screen, for runs in training.
    """

    def __init__(self, session: Session, show: Show) -> None:
        self.session, self.show = session, show
        self.following = False
        """While sliders and the chosen run are brought in line, neither sets the other."""
        self.sliders = [_slider(*pair) for pair in zip(NAMES, DEFAULTS, strict=True)]
        self.train = widgets.Button(description="Train with these", icon="play")
        self.bar = widgets.IntProgress(description="epoch", layout={"visibility": "hidden"})
        self.said = widgets.HTML()
        title = widgets.HTML("<b>Loss weights of CPT</b>: drag to the nearest finished run")
        super().__init__([title, *self.sliders, widgets.HBox([self.train, self.bar]), self.said])
        for slider in self.sliders:
            slider.observe(self.drag, "value")
        session.observe(self.follow, "chosen")
        self.train.on_click(self.start)
        self.follow()

    def wanted(self) -> tuple[float, ...]:
        """The weights that the sliders stand on."""
        return tuple(round(slider.value, 6) for slider in self.sliders)

    def drag(self, change: object = None) -> None:
        """Choose the nearest finished run; the sliders stay where they were dragged to."""
        if self.following:
            return
        session, wanted = self.session, self.wanted()
        found = nearest(session.runs, session.chosen.spec, session.profile, wanted)
        if found is None:
            self.said.value = "No CPT run of this data set, τ and seed is finished: train one."
            return
        own = weights_of(found.spec.method)
        listed = ", ".join(f"{name} = {weight:g}" for name, weight in zip(NAMES, own))
        which = "Finished run" if np.allclose(own, wanted) else "Nearest finished run"
        self.said.value = f"{which}: {escape(found.label)} ({listed})"
        self.following = True
        session.chosen = found
        self.following = False

    def follow(self, change: object = None) -> None:
        """A run chosen elsewhere puts the sliders on its weights."""
        weights = weights_of(self.session.chosen.spec.method)
        if self.following or weights is None:
            return
        self.following = True
        for slider, weight in zip(self.sliders, weights, strict=True):
            slider.max = max(slider.max, weight)
            slider.value = weight
        self.following = False
        self.said.value = ""

    def start(self, button: object) -> None:
        """Train with the weights of the sliders, or go on where it was interrupted."""
        session = self.session
        spec = with_weights(session.chosen.spec, session.profile, self.wanted())
        label, scene = label_of(spec, session.profile), session.scene()

        def watch(epoch: Epoch) -> None:
            self.bar.max, self.bar.value = epoch.epochs, epoch.number
            cosines = scene.cosines_of(epoch.model)
            metrics = epoch.metrics | {"effective_rank": effective_rank_of(cosines)}
            self.show(f"{label}, epoch {epoch.number} of {epoch.epochs}", cosines, metrics)

        self.train.disabled, self.bar.value, self.bar.layout.visibility = True, 0, "visible"
        self.said.value = f"Training {escape(label)} ..."
        try:
            result = train_and_watch(spec, session.store, watch)
        except (ValueError, OSError, TrainingDiverged) as error:
            self.said.value = f"<b>This run failed.</b> {escape(str(error))}"
        except KeyboardInterrupt:
            self.said.value = "Interrupted; started again, it goes on after its last epoch."
        else:
            session.add(result)
            self.said.value = f"Finished and stored: {escape(label)}"
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
