"""The panel of predictions: for an image and class names of the user, zero-shot and the run."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from cptlab.lab.explore.content import data_url
from cptlab.lab.explore.prediction import predict, read_image, read_names
from cptlab.lab.explore.scene import scene_of
from cptlab.lab.explore.session import Session
from cptlab.lab.explore.static import prediction_figure
from cptlab.lab.explore.upload import Upload
from cptlab.lab.figures.style import BLUE, GREY

SHOWN = 160
"""Side of the image on the screen, in pixels."""
NAMES = 8
"""Number of class names at the beginning."""


def prediction_panel(session: Session) -> widgets.HBox | Figure:
    """Upload an image, write class names, and see the probabilities of both models.

    At first, and without widgets: a test image with the first classes of the data set.
    """
    scene = session.scene()
    names = scene.names[:NAMES]
    if not session.live:
        example = example_of(session)
        shares = predict(session.chosen.result, example, names)
        return prediction_figure(np.asarray(example), shares, session.chosen.label)
    upload = Upload()
    class_names = widgets.Textarea(
        "\n".join(names),
        description="Classes",
        continuous_update=False,
        rows=NAMES,
        style={"description_width": "60px"},
        layout={"width": "300px"},
    )
    shown = widgets.HTML()

    def show(change: object = None) -> None:
        try:
            name, content = upload.file
            image = read_image(content, name) if name else example_of(session)
            shares = predict(session.chosen.result, image, read_names(class_names.value))
        except ValueError as error:
            shown.value = f"<b>Nothing to show.</b> {escape(str(error))}"
        else:
            shown.value = prediction_html(image, shares, session.chosen.label)

    def follow(change: dict[str, Any]) -> None:
        """With another data set show its classes, unless the user has written others."""
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
    class_names.observe(show, "value")
    session.observe(follow, "chosen")
    show()
    asked = widgets.VBox([upload, class_names], layout={"max_width": "98%"})
    return widgets.HBox([asked, shown], layout={"flex_flow": "row wrap"})


def example_of(session: Session) -> Image.Image:
    """A test image of the data set, at the backbone's size."""
    scene = session.scene()
    size = session.chosen.result.model().backbone.image_size
    pixels = scene.dataset.read([scene.sample.key], size)[0].permute(1, 2, 0)
    return Image.fromarray((255 * pixels).round().byte().cpu().numpy())


def prediction_html(image: Image.Image, shares: pd.DataFrame, label: str) -> str:
    """The image and a table of bars in percent, the run's most probable class on top."""
    small = image.copy()
    small.thumbnail((SHOWN, SHOWN))
    style = f"width: {SHOWN}px; height: {SHOWN}px; object-fit: contain"
    drawn = f'<img alt="" src="{data_url(np.asarray(small))}" style="{style}">'
    columns = shares.sort_values("run", ascending=False)[["name", "zero_shot", "run"]]
    rows = "".join(
        f"<tr><td>{escape(name)}</td>{_bar(zero_shot, GREY)}{_bar(run, BLUE)}</tr>"
        for name, zero_shot, run in columns.itertuples(index=False)
    )
    head = (
        '<tr style="text-align: left; vertical-align: bottom"><th></th><th>Zero-shot</th>'
        f'<th style="max-width: 220px">{escape(label)}</th></tr>'
    )
    return (
        f'<div style="display: flex; gap: 1rem; flex-wrap: wrap">{drawn}'
        '<table class="cptlab-prediction" style="line-height: 1.4">'
        f"<thead>{head}</thead><tbody>{rows}</tbody></table></div>"
    )


def _bar(share: float, color: str) -> str:
    """A table cell with a probability in percent, and a bar as long."""
    bar = f'<div style="height: 0.5em; background: {color}; width: {share:.1f}%"></div>'
    return f'<td style="width: 160px; min-width: 70px">{share:.1f} %{bar}</td>'
