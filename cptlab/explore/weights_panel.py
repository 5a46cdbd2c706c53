"""Sliders of CPT's loss weights: the nearest finished run, or a new one that is trained at once."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import ipywidgets as widgets
import numpy as np

from cptlab.explore.choice import label_of
from cptlab.explore.content import effective_rank_of
from cptlab.explore.session import Session
from cptlab.explore.watch import Epoch, train_and_watch
from cptlab.explore.weights import DEFAULTS, NAMES, nearest, weights_of, with_weights
from cptlab.training import TrainingDiverged

LARGEST = 4
"""Times its default that a weight can be dragged to."""
STEPS = 40

Show = Callable[[str, np.ndarray, dict[str, float] | None], None]


def weights_panel(session: Session, show: Show) -> widgets.VBox:
    """Sliders, a button and a progress bar.

    show: puts a label, a cosine matrix (K, K) and metrics on the screen, for runs in training.
    """
    sliders = [
        widgets.FloatSlider(
            default,
            description=name,
            min=0,
            max=LARGEST * default,
            step=LARGEST * default / STEPS,
            readout_format=".3f",
            style={"description_width": "90px"},
            layout={"width": "460px"},
        )
        for name, default in zip(NAMES, DEFAULTS, strict=True)
    ]
    train = widgets.Button(description="Train with these", icon="play")
    bar = widgets.IntProgress(description="epoch", layout={"visibility": "hidden"})
    said = widgets.HTML()
    following = False

    def wanted() -> tuple[float, float, float]:
        return tuple(round(slider.value, 6) for slider in sliders)

    def drag(change: object = None) -> None:
        """Choose the nearest finished run."""
        if following:
            return
        found = nearest(session.runs, session.chosen.spec, session.profile, wanted())
        if found is None:
            said.value = "No CPT run of this data set, τ and seed is finished: train one."
            return
        own = weights_of(found.spec.method)
        exact = np.allclose(own, wanted())
        listed = ", ".join(f"{n} = {w:g}" for n, w in zip(NAMES, own))
        which = "Finished run" if exact else "Nearest finished run"
        said.value = f"{which}: {escape(found.label)} ({listed})"
        hold_still(found)

    def hold_still(run: object) -> None:
        """Choose a run while the sliders stay where they were dragged to."""
        nonlocal following
        following = True
        session.chosen = run
        following = False

    def follow(change: object = None) -> None:
        """A run chosen elsewhere puts the sliders on its weights."""
        nonlocal following
        weights = weights_of(session.chosen.spec.method)
        if following or weights is None:
            return
        following = True
        for slider, weight in zip(sliders, weights, strict=True):
            slider.max = max(slider.max, weight)
            slider.value = weight
        following = False
        said.value = ""

    def start(button: object) -> None:
        spec = with_weights(session.chosen.spec, session.profile, wanted())
        label, scene = label_of(spec, session.profile), session.scene()

        def watch(epoch: Epoch) -> None:
            bar.max, bar.value = epoch.epochs, epoch.number
            cosines = scene.cosines_of(epoch.model)
            rank = {"effective_rank": effective_rank_of(cosines)}
            show(f"{label}, epoch {epoch.number} of {epoch.epochs}", cosines, epoch.metrics | rank)

        train.disabled, bar.value, bar.layout.visibility = True, 0, "visible"
        said.value = f"Training {escape(label)} ..."
        try:
            result = train_and_watch(spec, session.store, watch)
        except (ValueError, OSError, TrainingDiverged) as error:
            said.value = f"<b>This run failed.</b> {escape(str(error))}"
        except KeyboardInterrupt:
            said.value = "Interrupted; started again, it goes on after its last finished epoch."
        else:
            session.add(result)
            said.value = f"Finished and stored: {escape(label)}"
        finally:
            train.disabled, bar.layout.visibility = False, "hidden"

    for slider in sliders:
        slider.observe(drag, "value")
    session.observe(follow, "chosen")
    train.on_click(start)
    follow()
    title = widgets.HTML("<b>Loss weights of CPT</b>: drag to the nearest finished run")
    return widgets.VBox([title, *sliders, widgets.HBox([train, bar]), said])
