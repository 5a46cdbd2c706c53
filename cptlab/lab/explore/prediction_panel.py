"""The panel of predictions: an image and class names of the user, zero-shot and up to four runs."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from cptlab.lab.explore.choice import Finished, grouped
from cptlab.lab.explore.content import data_url
from cptlab.lab.explore.controls import Choices
from cptlab.lab.explore.prediction import predict, ranked, read_image, read_names
from cptlab.lab.explore.scene import scene_of
from cptlab.lab.explore.session import Session
from cptlab.lab.explore.static import prediction_figure
from cptlab.lab.explore.upload import Upload
from cptlab.lab.figures.style import BLUE, GREY
from cptlab.lab.study.claims.variants import ZERO_SHOT

SHOWN = 160
"""Side of the image on the screen, in pixels."""
MOST = 4
"""Runs that stand side by side, zero-shot aside."""
NAMES = 8
"""Number of class names at the beginning."""


def prediction_panel(session: Session) -> widgets.HBox | Figure:
    """Upload an image, write class names, and see the probabilities of zero-shot, the chosen run
    and others with its data set, tau and seed.

    At first, and without widgets: a test image with the first classes of the data set.
    """
    scene = session.scene()
    names = scene.names[:NAMES]
    if not session.live:
        example = example_of(session)
        shares = predict({session.chosen.label: session.chosen.result}, example, names)
        return prediction_figure(np.asarray(example), shares)
    upload = Upload()
    class_names = widgets.Textarea(
        "\n".join(names),
        description="Classes",
        continuous_update=False,
        rows=NAMES,
        style={"description_width": "60px"},
        layout={"width": "300px"},
    )
    beside = Choices(description="Beside", groups=groups(session), most=MOST - 1)
    shown = widgets.HTML()

    def show(change: object = None) -> None:
        try:
            name, content = upload.file
            image = read_image(content, name) if name else example_of(session)
            results = {session.chosen.label: session.chosen.result}
            results |= {r.label: r.result for r in comparable(session) if r.label in beside.value}
            shares = predict(results, image, read_names(class_names.value))
        except (ValueError, OSError) as error:
            shown.value = f"<b>Nothing to show.</b> {escape(str(error))}"
        else:
            shown.value = prediction_html(image, shares)

    def follow(change: dict[str, Any]) -> None:
        """With another data set show its classes, unless the user has written others."""
        kept, labels = beside.value, [run.label for run in comparable(session)]
        beside.unobserve(show, "value")  # what follows shows them once
        beside.groups = groups(session)
        beside.value = [label for label in kept if label in labels]
        beside.observe(show, "value")
        untouched = "\n".join(scene_of(change["old"].spec).names[:NAMES])
        fresh = "\n".join(session.scene().names[:NAMES])
        if class_names.value == untouched != fresh:
            class_names.value = fresh  # this calls `show` too
        else:
            show()

    def receive(change: dict[str, Any]) -> None:
        shown.value = escape(change["new"])
        if not change["new"]:
            show()

    upload.observe(receive, "message")
    for widget in (class_names, beside):
        widget.observe(show, "value")
    session.observe(follow, "chosen")
    show()
    asked = widgets.VBox([upload, class_names, beside], layout={"max_width": "98%"})
    return widgets.HBox([asked, shown], layout={"flex_flow": "row wrap"})


def example_of(session: Session) -> Image.Image:
    """A test image of the data set, at the backbone's size."""
    scene = session.scene()
    size = session.chosen.result.model().backbone.image_size
    pixels = scene.dataset.read([scene.sample.key], size)[0].permute(1, 2, 0)
    return Image.fromarray((255 * pixels).round().byte().cpu().numpy())


def comparable(session: Session) -> list[Finished]:
    """Runs to stand beside the chosen one: those of its data set, tau and seed that learned."""
    dataset, tau, label, seed = session.chosen.key
    same = [run for run in session.runs if run.key == (dataset, tau, run.label, seed)]
    return [run for run in same if run.label not in (label, ZERO_SHOT)]


def groups(session: Session) -> dict[str, list[str]]:
    """Their labels by what varies in them."""
    return grouped([run.label for run in comparable(session)], session.profile)


def prediction_html(image: Image.Image, shares: pd.DataFrame) -> str:
    """The image and a table of bars in percent, the first run's most probable class on top."""
    small = image.copy()
    small.thumbnail((SHOWN, SHOWN))
    style = f"width: {SHOWN}px; height: {SHOWN}px; object-fit: contain"
    drawn = f'<img alt="" src="{data_url(np.asarray(small))}" style="{style}">'
    labels = list(shares.columns[1:])
    rows = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(_bar(share, BLUE if i else GREY) for i, share in enumerate(by_label))
        + "</tr>"
        for name, *by_label in ranked(shares).itertuples(index=False)
    )
    head = "".join(f'<th style="max-width: 160px">{escape(label)}</th>' for label in labels)
    return (
        f'<div style="display: flex; gap: 1rem; flex-wrap: wrap">{drawn}'
        '<div style="overflow-x: auto"><table class="cptlab-prediction" style="line-height: 1.4">'
        '<thead><tr style="text-align: left; vertical-align: bottom"><th></th>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div></div>"
    )


def _bar(share: float, color: str) -> str:
    """A table cell with a probability in percent, and a bar as long."""
    bar = f'<div style="height: 0.5em; background: {color}; width: {share:.1f}%"></div>'
    return f'<td style="width: 160px; min-width: 60px">{share:.1f} %{bar}</td>'
