"""Training in the explorer: what its page shows, how it stops, what watching changes (nothing)."""

import dataclasses
import threading

import pandas as pd
import pytest
from panel_widgets import click, inside, text
from tiny_explorer import PROFILE
from traitlets import TraitError

from cptlab.lab.explore import run_panel
from cptlab.lab.explore.choice import finished
from cptlab.lab.explore.controls import Menu, Sliders, Training
from cptlab.lab.explore.epochs_panel import EpochsPanel
from cptlab.lab.explore.hover import HoverMatrix
from cptlab.lab.explore.session import State
from cptlab.lab.explore.watch import Stopped, train_and_watch
from cptlab.lab.explore.weights import around, with_weights
from cptlab.lab.explore.weights_panel import WeightsPanel
from cptlab.lab.runs.locks import claimed
from cptlab.lab.runs.queue import execute
from cptlab.lab.runs.results import load_result

pytest_plugins = ["explorer_store"]


def train(panel):
    """Click the button and wait for the training's thread; returns once it has ended."""
    click(panel, Training.TRAIN)
    (weights,) = inside(panel, WeightsPanel)
    weights.thread.join()


def test_training_shows_every_epoch_and_offers_the_run(session):
    panel = run_panel(session)
    (matrix,) = inside(panel, HoverMatrix)
    (training,) = inside(panel, Training)
    titles, seen = [], []
    matrix.observe(lambda c: titles.append(c["new"]["panels"][1]["title"]), "content")
    training.observe(lambda c: seen.append(c["new"]), "epoch")
    inside(panel, Sliders)[0].values = [0.5, 0.15, 0.10]
    train(panel)
    label = "CPT (pair mean), lambda_tetf = 0.5"
    epochs = [title for title in titles if "epoch" in title]
    assert epochs == [f"{label}, epoch {n} of 3" for n in (1, 2, 3)]
    assert seen == [1, 2, 3, 0]
    assert titles[-1] == session.chosen.label == label
    assert label in inside(panel, Menu)[2].groups["CPT with other weights"]
    assert "Finished and stored" in text(panel)
    assert not training.running and training.epochs == 3
    assert label in [run.label for run in finished(PROFILE, session.store)[0]]


def test_after_training_a_slider_goes_over_the_epochs(session):
    panel = run_panel(session)
    (epochs,), (matrix,) = inside(panel, EpochsPanel), inside(panel, HoverMatrix)
    inside(panel, Sliders)[0].values = [0.25, 0.15, 0.3]
    seen = []
    matrix.observe(lambda c: seen.append(c["new"]["cosines"]), "content")
    assert epochs.slider.layout.display == "none"
    train(panel)
    assert epochs.layout.display == epochs.slider.layout.display == ""
    assert (epochs.slider.smallest, epochs.slider.largest, epochs.slider.values) == (1, [3], [3])
    during = seen[:3]
    for number in (1, 2, 3):
        epochs.slider.values = [number]
        assert matrix.content["panels"][1]["title"].endswith(
            f"lambda_rs = 0.3, epoch {number} of 3"
        )
        assert matrix.content["cosines"] == during[number - 1]
        assert f"H by epoch: {session.shown.metrics['H']:.1f} at {number}" in text(panel)
        assert f"{session.shown.metrics['H']:.1f}</td>" in text(panel)
    trained = session.chosen.label
    inside(panel, Menu)[2].value = "IVLP"
    assert epochs.slider.layout.display == "none"
    epochs.slider.values = [2]
    assert matrix.content["panels"][1]["title"] == "IVLP"
    inside(panel, Menu)[2].value = trained  # its epochs are still there
    assert epochs.layout.display == epochs.slider.layout.display == ""
    epochs.slider.values = [2]
    assert matrix.content["cosines"] == during[1]


def test_a_run_that_followed_its_training_has_a_curve(session):
    log = session.chosen.result.log.assign(H=[10.0, 30.0, 20.0])
    followed = dataclasses.replace(session.chosen.result)
    vars(followed)["log"] = log
    panel = EpochsPanel(session)
    session.chosen = dataclasses.replace(session.chosen, result=followed)
    assert (panel.layout.display, panel.slider.layout.display) == ("", "none")
    assert "H by epoch: 20.0 at 3, between 10.0 and 30.0" in text(panel)
    vars(followed)["log"] = log.drop(columns="H")
    session.chosen = dataclasses.replace(session.chosen)
    assert panel.layout.display == "none"


def test_a_training_that_fails_says_why_and_the_page_shows_the_chosen_run(session, monkeypatch):
    def full(spec, store, watch, stopped):
        session.shown = State(spec, "half", session.texts()[0], {})
        assert matrix.content["panels"][1]["title"] == "half"
        raise OSError("no space left")

    panel = run_panel(session)
    (matrix,) = inside(panel, HoverMatrix)
    before = matrix.content
    monkeypatch.setattr("cptlab.lab.explore.weights_panel.train_and_watch", full)
    train(panel)
    assert "This run failed. no space left" in text(panel)
    assert not inside(panel, Training)[0].running
    assert matrix.content == before


def test_a_training_stops_at_the_button_and_its_page_shows_one_run(session):
    panel = run_panel(session)
    (matrix,) = inside(panel, HoverMatrix)
    chosen, titles, tried = session.chosen, [], []
    method = inside(panel, Menu)[2]

    def at_epoch(change):
        titles.append(change["new"]["panels"][1]["title"])
        if "epoch 1" in titles[-1]:
            tried.append(method.disabled)
            method.value = "IVLP"  # as if it had been moved before it was locked
            inside(panel, Sliders)[0].values = [0.75, 0.15, 0]
            tried.append((session.chosen, method.value, inside(panel, Sliders)[0].values))
            with pytest.raises(TraitError, match="A run is in training: wait for it, or stop"):
                session.chosen = session.runs[1]
            again = run_panel(session)  # the cell, run once more
            tried.append([inside(again, Menu)[0].disabled, inside(again, Training)[0].running])
            click(again, Training.TRAIN)
            click(again, Training.STOP)

    matrix.observe(at_epoch, "content")
    inside(panel, Sliders)[0].values = [0.75, 0.15, 0.10]
    train(panel)
    assert tried == [True, (chosen, chosen.label, [0.75, 0.15, 0.1]), [True, True]]
    assert [title for title in titles if "epoch 2" in title] == []
    assert titles[-1] == session.chosen.label == method.value == chosen.label
    assert "Stopped; started again" in text(panel)
    assert not method.disabled
    method.value = "Zero-shot"  # has no weights, and yet the message is gone
    assert "Stopped" not in text(panel)


def test_watching_changes_nothing_and_a_stopped_training_goes_on(session, tmp_path):
    spec = with_weights(around(session.chosen.spec, PROFILE), (0.75, 0.15, 0.1))
    watched, stopped = [], threading.Event()

    def stop(epoch):
        watched.append(epoch)
        if len(watched) == 1:
            stopped.set()

    with pytest.raises(Stopped):
        train_and_watch(spec, session.store, stop, stopped)
    assert load_result(session.store, spec) is None
    stopped.clear()
    result = train_and_watch(spec, session.store, stop, stopped)
    assert [(epoch.number, epoch.epochs) for epoch in watched] == [(1, 3), (2, 3), (3, 3)]
    execute([spec], tmp_path / "plain")
    plain = load_result(tmp_path / "plain", spec)
    assert result.metrics == pytest.approx(plain.metrics)
    pd.testing.assert_frame_equal(result.log, plain.log)
    for name in ("base", "new", "H", "tail"):
        assert watched[-1].metrics[name] == pytest.approx(result.metrics[name])
    assert train_and_watch(spec, session.store, watched.append, stopped).spec == spec  # it is there
    assert len(watched) == 3


def test_waiting_for_another_process_can_be_stopped(session):
    spec = with_weights(around(session.chosen.spec, PROFILE), (0.5, 0.15, 0.2))
    stopped = threading.Event()
    stopped.set()
    with claimed(session.store, [spec], wait=True), pytest.raises(Stopped):
        train_and_watch(spec, session.store, print, stopped)
