"""The panel with the map: class texts by UMAP, of the frozen model and of the chosen run."""

from __future__ import annotations

from html import escape
from weakref import WeakKeyDictionary

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from cptlab.geometry import cosine_matrix
from cptlab.lab.explore.content import FROZEN, classes_content, map_content
from cptlab.lab.explore.hover import HoverMap
from cptlab.lab.explore.scene import Scene
from cptlab.lab.explore.session import Session
from cptlab.lab.explore.static import map_figure
from cptlab.lab.study.plane import plane

Layouts = dict[str, tuple[np.ndarray, np.ndarray]]


def map_panel(session: Session) -> widgets.VBox | Figure:
    """A map of what is shown, with details of its classes; a figure without widgets.

    A training is shown on it once it has ended, since a map may take longer than an epoch.

    Fewer than 4 classes have no map: the panel shows a message; without widgets, ValueError.
    """
    if not session.live:
        scene = session.scene()
        found = layouts(scene, session.shown.label, session.texts()[0], plane(scene.texts))
        drawn = {title: places for title, (places, _) in found.items()}
        return map_figure(scene, drawn)
    widget, message = HoverMap(), widgets.HTML()
    starts: dict[str, np.ndarray] = {}  # by data set
    known: WeakKeyDictionary[object, Layouts] = WeakKeyDictionary()  # of what was shown

    def show(change: object = None) -> None:
        if session.training:
            return
        scene, shown = session.scene(), session.shown
        name = scene.dataset.name
        try:
            starts[name] = starts[name] if name in starts else plane(scene.texts)
            if shown not in known:
                known[shown] = layouts(scene, shown.label, session.texts()[0], starts[name])
        except (ValueError, OSError) as error:
            message.value = f"<b>There is no map of this run.</b> {escape(str(error))}"
            return
        widget.content = classes_content(scene) | map_content(scene, known[shown])
        message.value = ""

    session.observe(show, "shown")
    show()
    return widgets.VBox([widget, message])


def layouts(scene: Scene, label: str, texts: Tensor, start: np.ndarray) -> Layouts:
    """Positions (K, 2) and cosines (K, K) by title: frozen texts, then those (K, d) of a run.

    start: positions of the frozen texts, to which the run's map is aligned.
    """
    cosines = cosine_matrix(texts).numpy()
    return {FROZEN: (start, scene.cosines), label: (plane(texts, like=start), cosines)}
