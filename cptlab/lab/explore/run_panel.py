"""The panel of runs: menus, numbers, class texts as a matrix, and the loss weights."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np
from IPython.display import HTML, display
from matplotlib.figure import Figure

from cptlab.lab.explore.choice import FIELDS, grouped, offered, switched, zero_shot_of
from cptlab.lab.explore.command import command_of
from cptlab.lab.explore.content import FROZEN, classes_content, matrix_content
from cptlab.lab.explore.controls import Command, Menu
from cptlab.lab.explore.hover import HoverMatrix
from cptlab.lab.explore.session import Session
from cptlab.lab.explore.static import matrix_figure
from cptlab.lab.explore.weights_panel import WeightsPanel

TITLES = {"dataset": "data set", "tau": "τ", "method": "method", "seed": "seed"}
METRICS = {
    "base": "base",
    "new": "new",
    "H": "H",
    "head": "head",
    "medium": "medium",
    "tail": "tail",
    "effective_rank": "rank",
}


def run_panel(session: Session) -> widgets.VBox | Figure:
    """Choose a run and see its numbers and matrix; drag the loss weights, or train with them.

    Without widgets: the numbers are displayed, and the matrix is returned as a figure.
    """
    if not session.live:
        display(HTML(numbers(session)))
        return matrix_figure(session.scene(), matrices(session))
    matrix, table, command = HoverMatrix(), widgets.HTML(), Command()
    # Content is kept for the next change: a matrix alone changes far more often than its classes.
    classes: dict[str, dict[str, Any]] = {}

    def show(change: object = None) -> None:
        command.text = command_of(session.shown.spec, session.profile, session.store)
        try:
            both, scene = matrices(session), session.scene()
        except (ValueError, OSError) as error:  # for example, another process deleted the run
            table.value = f"<b>This run cannot be shown.</b> {escape(str(error))}"
            return
        if scene.dataset.name not in classes:
            classes.clear()
            classes[scene.dataset.name] = classes_content(scene)
        matrix.content = classes[scene.dataset.name] | matrix_content(scene, both)
        table.value = numbers(session)

    session.observe(show, "shown")
    show()
    return widgets.VBox([choice_of(session), table, matrix, command, WeightsPanel(session)])


def choice_of(session: Session) -> widgets.HBox:
    """A menu for each of data set, tau, method and seed, with the values of finished runs."""
    menus = {name: Menu(description=TITLES[name]) for name in FIELDS}
    choices: dict[str, dict[str, Any]] = {}
    following = False

    def follow(change: object = None) -> None:
        """Show the chosen run and the other choices, without choosing anything."""
        nonlocal following
        following = True
        for name, options in offered(session.runs, session.chosen).items():
            choices[name] = {str(option): option for option in options}
            words = list(choices[name])
            by_family = name == "method"
            menus[name].groups = grouped(words, session.profile) if by_family else {"": words}
            menus[name].value = str(session.chosen.key[FIELDS.index(name)])
        following = False

    def choose(change: dict[str, Any]) -> None:
        name = next(name for name, menu in menus.items() if menu is change["owner"])
        if following:
            return
        if session.training:
            follow()  # this menu was moved just before it was locked
        else:
            session.chosen = switched(
                session.runs, session.chosen, name, choices[name][change["new"]]
            )

    def lock(change: dict[str, Any]) -> None:
        for menu in menus.values():
            menu.disabled = change["new"]

    follow()
    for menu in menus.values():
        menu.observe(choose, "value")
    session.observe(follow, ["chosen", "runs"])
    session.observe(lock, "training")
    lock({"new": session.training})
    return widgets.HBox([menus[name] for name in FIELDS], layout={"flex_flow": "row wrap"})


def matrices(session: Session) -> dict[str, np.ndarray]:
    """The cosine matrices (K, K) of the frozen texts and of what is shown, by title."""
    return {FROZEN: session.scene().cosines, session.shown.label: session.texts()[1]}


def numbers(session: Session) -> str:
    """HTML table of accuracies in percent, zero-shot above what is shown."""
    zero_shot = zero_shot_of(session.runs, session.chosen)
    rows = {run.label: run.metrics for run in (zero_shot, session.shown) if run is not None}
    head = "".join(
        f'<th style="padding: 2px min(8px, 0.6vw); text-align: right">{title}</th>'
        for title in METRICS.values()
    )
    body = "".join(
        f'<tr><th style="max-width: 260px; text-align: left">{escape(name)}</th>'
        f"{''.join(_cell(values.get(key)) for key in METRICS)}</tr>"
        for name, values in rows.items()
    )
    note = "accuracies in %; head, medium, tail: thirds of base; rank: effective rank of the texts"
    return (
        '<div style="overflow-x: auto">'
        '<table class="cptlab-metrics" style="line-height: 1.4; font-size: 12px">'
        f"<thead><tr><th></th>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div><small>{note}</small>"
    )


def _cell(value: float | None) -> str:
    text = "–" if value is None else f"{value:.1f}"
    return f'<td style="padding: 2px min(8px, 0.6vw); text-align: right">{text}</td>'
