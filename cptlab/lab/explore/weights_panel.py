"""Sliders of CPT's loss weights: show the nearest finished run, or train a new one."""

from __future__ import annotations

import threading
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np

from cptlab.lab.explore.choice import label_of
from cptlab.lab.explore.content import effective_rank_of
from cptlab.lab.explore.controls import Sliders
from cptlab.lab.explore.epochs_panel import EpochsPanel, Show
from cptlab.lab.explore.session import Session
from cptlab.lab.explore.watch import Epoch, Stopped, on_interrupt, train_and_watch
from cptlab.lab.explore.weights import (
    DEFAULTS,
    NAMES,
    Weights,
    around,
    nearest,
    weights_of,
    with_weights,
)
from cptlab.training.spec import RunSpec

LARGEST = 4
"""Largest weight of a slider, in units of its default."""


class WeightsPanel(widgets.VBox):
    """Sliders, buttons to train and to stop, and a progress bar.

    Training has a thread of its own, or the kernel could not hear that it should stop.

    show: shows a label, a cosine matrix (K, K) and metrics, for a run in training.
    """

    def __init__(self, session: Session, show: Show) -> None:
        self.session, self.epochs = session, EpochsPanel(session, show)
        self.varied = around(session.chosen.spec, session.profile)
        """The run that the sliders vary, with readings of losses that are off at the moment."""
        self.trained = self.varied.method
        """The method in training, if a run is."""
        self.following = False
        """True while sliders and chosen run are synchronised: neither then sets the other."""
        largest = [LARGEST * default for default in DEFAULTS]
        self.sliders = Sliders(names=list(NAMES), values=list(DEFAULTS), largest=largest)
        self.train = widgets.Button(description="Train with these", icon="play")
        self.stop = widgets.Button(description="Stop", icon="stop", disabled=True)
        self.thread = threading.Thread()
        self.bar = widgets.IntProgress(description="epoch", layout={"display": "none"})
        self.message = widgets.HTML()
        title = widgets.HTML("<b>Loss weights of CPT</b>: drag to the nearest finished run")
        buttons = widgets.HBox([self.train, self.stop, self.bar], layout={"flex_flow": "row wrap"})
        super().__init__([title, self.sliders, buttons, self.message, self.epochs])
        self.sliders.observe(self.drag, "values")
        session.observe(self.follow, "chosen")
        session.observe(self.lock, "training")
        self.train.on_click(self.start)
        self.stop.on_click(self.end)
        on_interrupt(self.end)
        self.follow()
        self.lock({"new": session.training})  # the cell may be run again during a training

    def wanted(self) -> Weights:
        """The weights of the sliders."""
        return tuple(round(value, 6) for value in self.sliders.values)

    def drag(self, change: object = None) -> None:
        """Choose the nearest finished run; the sliders stay where they were dragged to."""
        if self.following:
            return
        if self.session.training:  # a slider was moved just before it was locked
            self.move(weights_of(self.trained))
            return
        session, wanted = self.session, self.wanted()
        found = nearest(session.runs, self.varied, wanted)
        if found is None:
            self.message.value = "No CPT run of this data set, τ and seed is finished: train one."
            return
        own = weights_of(found.spec.method)
        listed = ", ".join(f"{name} = {weight:g}" for name, weight in zip(NAMES, own))
        which = "Finished run" if np.allclose(own, wanted) else "Nearest finished run"
        self.following = True
        session.chosen = found
        self.following = False
        self.message.value = f"{which}: {escape(found.label)} ({listed})"

    def follow(self, change: object = None) -> None:
        """Move the sliders to the weights of a run that was chosen elsewhere."""
        if self.following:
            return
        chosen = self.session.chosen.spec
        self.varied = around(chosen, self.session.profile, self.varied.method)
        self.message.value = ""
        weights = weights_of(chosen.method)
        if weights:
            self.move(weights)

    def move(self, weights: Weights) -> None:
        """Move the sliders."""
        self.following = True
        self.sliders.largest = [max(pair) for pair in zip(self.sliders.largest, weights)]
        self.sliders.values = list(weights)
        self.following = False

    def start(self, button: object) -> None:
        """Train with the weights of the sliders, or continue a training that was stopped."""
        if self.session.training:  # clicked twice
            return
        self.session.stopped.clear()
        spec = with_weights(self.varied, self.wanted())
        self.trained = spec.method
        self.session.training = True
        self.thread = threading.Thread(target=self.train_run, args=[spec], daemon=True)
        self.thread.start()

    def end(self, button: object = None) -> None:
        """Stop the training after the present epoch."""
        if self.session.training:
            self.message.value = "Stopping after this epoch ..."
            self.session.stopped.set()

    def lock(self, change: dict[str, Any]) -> None:
        """While a run is in training, it can only be stopped."""
        training = change["new"]
        self.sliders.disabled = self.train.disabled = training
        self.stop.disabled = not training
        self.bar.value, self.bar.layout.display = 0, "" if training else "none"

    def train_run(self, spec: RunSpec) -> None:
        """Train a run and show its epochs; then the page shows it, or the chosen one again."""
        session, result = self.session, None
        label, scene = label_of(spec, session.profile), session.scene()

        def watch(epoch: Epoch) -> None:
            self.bar.max, self.bar.value = epoch.epochs, epoch.number
            cosines = scene.cosines_of(epoch.model)
            metrics = epoch.metrics | {"effective_rank": effective_rank_of(cosines)}
            title = f"{label}, epoch {epoch.number} of {epoch.epochs}"
            self.epochs.record(epoch.number, title, cosines, metrics)

        self.message.value = f"Training {escape(label)} ..."
        try:
            result = train_and_watch(spec, session.store, watch, session.stopped)
        except Stopped:
            self.message.value = (
                "Stopped; started again, it goes on after the last epoch that was shown."
            )
        except Exception as error:  # nobody else would hear of it in this thread
            self.message.value = f"<b>This run failed.</b> {escape(str(error))}"
        session.training = False
        if result is not None:
            session.add(result)
            self.epochs.offer()
            self.message.value = f"Finished and stored: {escape(label)}"
