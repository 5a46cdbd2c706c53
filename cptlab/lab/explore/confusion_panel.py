"""The panel of confusions: what the chosen run takes the images of each class for."""

from __future__ import annotations

from html import escape

import ipywidgets as widgets
import pandas as pd
from IPython.display import HTML

from cptlab.lab.explore.session import Session
from cptlab.lab.figures.style import BLUE
from cptlab.lab.runs.results import Result

LISTED = 3
"""Wrong classes that are named for each class."""


def confusion_panel(session: Session) -> widgets.HTML | HTML:
    """A table of the trained classes that follows the chosen run; without widgets, of this run."""
    if not session.live:
        return HTML(confusion_html(session))
    shown = widgets.HTML()

    def show(change: object = None) -> None:
        shown.value = confusion_html(session)

    session.observe(show, "chosen")
    show()
    return shown


def confusions(result: Result) -> pd.DataFrame:
    """The trained classes by their number of training images n_k, most first, then by name.

    Columns: name, n_k, images (tested), accuracy in percent, and taken_for, the names of the wrong
    classes that its images are taken for and how many of them, the most frequent first. From stored
    predictions: raises the errors of `Result.predictions`.
    """
    classes = result.classes[result.classes["n_k"].notna()]
    found = result.predictions()
    found = found[found["role"] == classes["role"].iloc[0]]
    rows = []
    for name, n_k in zip(classes["name"], classes["n_k"].astype(int)):
        predicted = found.loc[found["label"] == name, "predicted"]
        wrong = predicted[predicted != name].value_counts()
        right = len(predicted) - int(wrong.sum())
        taken_for = sorted(wrong.items(), key=lambda pair: (-pair[1], pair[0]))
        rows.append((name, n_k, len(predicted), 100 * right / len(predicted), taken_for))
    columns = ["name", "n_k", "images", "accuracy", "taken_for"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values(["n_k", "name"], ascending=[False, True], ignore_index=True)


def confusion_html(session: Session) -> str:
    """The table of the chosen run, or why there is none."""
    label = escape(session.chosen.label)
    try:
        table = confusions(session.chosen.result)
    except (ValueError, OSError) as error:
        return f"<b>There are no confusions of {label}.</b> {escape(str(error))}"
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td style="text-align: right; padding-right: 1em">{n_k}</td>'
        f"{_accuracy(accuracy, images)}<td>{_listed(taken_for)}</td></tr>"
        for name, n_k, images, accuracy, taken_for in table.itertuples(index=False)
    )
    head = "".join(f"<th>{title}</th>" for title in ("class", "n_k", "right", "taken for"))
    return (
        f"<b>{label}</b>: classes from the most training images (n_k) to the fewest"
        '<div style="max-height: 400px; overflow: auto" tabindex="0" role="region" '
        'aria-label="Confusions by class">'
        '<table class="cptlab-confusions" style="line-height: 1.4; font-size: 12px">'
        f'<thead style="text-align: left"><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _accuracy(share: float, images: int) -> str:
    bar = f'<div style="height: 0.4em; background: {BLUE}; width: {share:.0f}%"></div>'
    return f'<td style="min-width: 70px">{share:.0f} % of {images}{bar}</td>'


def _listed(taken_for: list[tuple[str, int]]) -> str:
    """The most frequent wrong classes, and how many images the others have together."""
    named = [f"{escape(name)} {count}" for name, count in taken_for[:LISTED]]
    rest = sum(count for _, count in taken_for[LISTED:])
    return ", ".join([*named, *([f"others {rest}"] if rest else [])])
