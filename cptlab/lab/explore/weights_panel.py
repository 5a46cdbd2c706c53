"""Sliders of CPT's loss weights: show the nearest finished run, or train a new one."""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets as widgets
import numpy as np

from cptlab.geometry import cosine_matrix, effective_rank
from cptlab.lab.explore.choice import label_of
from cptlab.lab.explore.controls import Sliders, Training
from cptlab.lab.explore.epochs_panel import EpochsPanel
from cptlab.lab.explore.session import Session, State
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
    """

    def __init__(self, session: Session) -> None:
        self.session, self.epochs = session, EpochsPanel(session)
        self.varied = around(session.chosen.spec, session.profile)
        """The run that the sliders vary, with readings of losses that are off at the moment."""
        self.trained = self.varied.method
        """The method in training, if a run is."""
        self.following = False
        """True while sliders and chosen run are synchronised: neither then sets the other."""
        largest = [LARGEST * default for default in DEFAULTS]
        self.sliders = Sliders(names=list(NAMES), values=list(DEFAULTS), largest=largest)
        self.training = Training()
        self.thread = threading.Thread()
        title = widgets.HTML("<b>Loss weights of CPT</b>: drag to the nearest finished run")
        super().__init__([title, self.sliders, self.training, self.epochs])
        self.sliders.observe(self.drag, "values")
        session.observe(self.follow, "chosen")
        session.observe(self.lock, "training")
        acts = {Training.TRAIN: self.start, Training.STOP: self.end}
        self.training.on_msg(lambda widget, text, buffers: acts[text]())
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
            self.training.message = (
                "No CPT run of this data set, τ and seed is finished: train one."
            )
            return
        own = weights_of(found.spec.method)
        listed = ", ".join(f"{name} = {weight:g}" for name, weight in zip(NAMES, own))
        which = "Finished run" if np.allclose(own, wanted) else "Nearest finished run"
        self.following = True
        session.chosen = found
        self.following = False
        self.training.message = f"{which}: {found.label} ({listed})"

    def follow(self, change: object = None) -> None:
        """Move the sliders to the weights of a run that was chosen elsewhere."""
        if self.following:
            return
        chosen = self.session.chosen.spec
        self.varied = around(chosen, self.session.profile, self.varied.method)
        self.training.message = ""
        weights = weights_of(chosen.method)
        if weights:
            self.move(weights)

    def move(self, weights: Weights) -> None:
        """Move the sliders."""
        self.following = True
        self.sliders.largest = [max(pair) for pair in zip(self.sliders.largest, weights)]
        self.sliders.values = list(weights)
        self.following = False

    def start(self) -> None:
        """Train with the weights of the sliders, or continue a training that was stopped."""
        if self.session.training:  # clicked twice
            return
        self.session.stopped.clear()
        spec = with_weights(self.varied, self.wanted())
        self.trained = spec.method
        self.session.training = True
        self.thread = threading.Thread(target=self.train_run, args=[spec], daemon=True)
        self.thread.start()

    def end(self) -> None:
        """Stop the training after the present epoch."""
        if self.session.training:
            self.training.message = "Stopping after this epoch ..."
            self.session.stopped.set()

    def lock(self, change: dict[str, Any]) -> None:
        """While a run is in training, it can only be stopped."""
        training = change["new"]
        self.sliders.disabled = self.training.running = training
        self.training.epoch = 0

    def train_run(self, spec: RunSpec) -> None:
        """Train a run and show its epochs; then the page shows it, or the chosen one again."""
        session, result = self.session, None
        label, scene = label_of(spec, session.profile), session.scene()

        def watch(epoch: Epoch) -> None:
            self.training.epochs, self.training.epoch = epoch.epochs, epoch.number
            texts = scene.texts_of(epoch.model)
            rank = effective_rank(cosine_matrix(texts)).item()
            title = f"{label}, epoch {epoch.number} of {epoch.epochs}"
            state = State(spec, title, texts, epoch.metrics | {"effective_rank": rank})
            self.epochs.record(epoch.number, state)

        self.training.message = f"Training {label} ..."
        try:
            result = train_and_watch(spec, session.store, watch, session.stopped)
        except Stopped:
            self.training.message = (
                "Stopped; started again, it goes on after the last epoch that was shown."
            )
        except Exception as error:  # nobody else would hear of it in this thread
            self.training.message = f"This run failed. {error}"
        session.training = False
        if result is not None:
            session.add(result)
            self.training.message = f"Finished and stored: {label}"
