"""The explorer's panels without a browser: what moves what, training, messages, static images."""

import dataclasses
import re
from io import BytesIO

import ipywidgets as widgets
import nbformat
import numpy as np
import pytest
from matplotlib.figure import Figure
from panel_widgets import inside, text
from PIL import Image
from tiny_explorer import PROFILE

from cptlab.lab.cli.execute import execute_notebook
from cptlab.lab.explore import begin, prediction_panel, run_panel
from cptlab.lab.explore import session as session_module
from cptlab.lab.explore.choice import Finished, label_of
from cptlab.lab.explore.confusion_panel import confusion_panel, confusions
from cptlab.lab.explore.controls import Choices, Menu, Sliders
from cptlab.lab.explore.hover import HoverMatrix
from cptlab.lab.explore.run_panel import TITLES
from cptlab.lab.explore.session import State, is_interactive, there_are
from cptlab.lab.explore.upload import Upload
from cptlab.methods.schedule import Schedule

pytest_plugins = ["explorer_store"]


def test_a_store_without_runs_is_an_error_that_says_what_makes_some(store, tmp_path, monkeypatch):
    other = dataclasses.replace(PROFILE, name="demo", schedule=Schedule(epochs=9))
    with pytest.raises(ValueError, match=r"no finished.*profile demo.*cptlab figures 00 --prof"):
        begin(other, tmp_path)
    assert "There are some" not in there_are(tmp_path)
    monkeypatch.setitem(session_module.PROFILES, "smoke", PROFILE)
    with pytest.raises(ValueError, match=r"There are some of smoke \(3 runs\): give that as prof"):
        begin(other, store)
    with pytest.raises(ValueError, match="widgets is 'yes', but must be one of auto, on, off"):
        begin(PROFILE, tmp_path, "yes")


def test_without_a_notebook_nobody_moves_widgets(store):
    assert not is_interactive()
    assert not begin(PROFILE, store).live


def test_menus_choose_the_run_that_is_shown(session):
    panel = run_panel(session)
    (matrix,) = inside(panel, HoverMatrix)
    dataset, tau, method, seed = inside(panel, Menu)
    assert [menu.description for menu in (dataset, tau, method, seed)] == list(TITLES.values())
    assert [menu.groups for menu in (dataset, tau, seed)] == [
        {"": [x]} for x in ("tiny", "0.25", "1")
    ]
    assert method.groups == {
        "neural-collapse losses": ["CPT (pair mean)"],
        "prompt tuning": ["IVLP"],
        "without learned prompts": ["Zero-shot"],
    }
    before = matrix.content["cosines"]
    method.value = "IVLP"
    assert session.chosen.label == "IVLP"
    assert matrix.content["cosines"] != before
    assert matrix.content["panels"][1]["title"] == "IVLP"
    assert f"{session.chosen.result.metrics['H']:.1f}" in text(panel)
    # sliders follow a run that was chosen elsewhere
    assert inside(panel, Sliders)[0].values == [0, 0, 0]


def test_sliders_choose_the_nearest_run_and_stay_where_they_are(session):
    panel = run_panel(session)
    sliders, _ = inside(panel, Sliders)
    assert sliders.values == [0.25, 0.15, 0.10]
    sliders.values = [0.02] * 3
    assert session.chosen.label == "IVLP"
    assert sliders.values == [0.02] * 3
    assert "Nearest finished run: IVLP" in text(panel)
    assert inside(panel, Menu)[2].value == "IVLP"


def test_a_weight_that_passes_through_zero_keeps_the_reading(session):
    panel = run_panel(session)
    before = session.chosen
    assert before.label == "CPT (pair mean)"
    other = dataclasses.replace(before.spec.method, etf_reduction="sum", lambda_tetf=0.25)
    off = dataclasses.replace(other, lambda_tetf=0.0)
    session.runs = [
        *session.runs,
        *(
            Finished(dataclasses.replace(before.result, spec=spec), label_of(spec, PROFILE))
            for spec in (dataclasses.replace(before.spec, method=one) for one in (other, off))
        ),
    ]
    sliders, _ = inside(panel, Sliders)
    seen = []
    for value in (0, 1, 0, 0.25):
        sliders.values = [value, 0.15, 0.10]
        seen.append(session.chosen.label)
    assert seen == ["CPT w/o TETF", "CPT (pair mean)"] * 2


def test_own_names_and_images_are_predicted_and_errors_told(session):
    panel = prediction_panel(session)
    (names,) = inside(panel, widgets.Textarea)
    assert set(names.value.split()) == {"ant", "bee", "cat", "dog", "eel"}
    assert text(panel).count("<tr>") == 5
    names.value = "a <b>box</b>, tree"
    assert "a &lt;b&gt;box&lt;/b&gt;" in text(panel) and "<b>box" not in text(panel)
    names.value = "tree"
    assert "at least two class names" in text(panel)


def test_an_image_stands_beside_several_runs(session):
    panel = prediction_panel(session)
    (beside,) = inside(panel, Choices)
    assert beside.groups == {"prompt tuning": ["IVLP"]}  # zero-shot stands there anyway
    assert text(panel).count("<th") - text(panel).count("<thead") == 3
    beside.value = ["IVLP"]
    assert re.findall(r"<th [^>]*>([^<]*)<", text(panel)) == [
        "Zero-shot",
        session.chosen.label,
        "IVLP",
    ]
    session.chosen = next(run for run in session.runs if run.label == "IVLP")
    assert (beside.groups, beside.value) == ({"neural-collapse losses": ["CPT (pair mean)"]}, [])
    beside.value = ["CPT (pair mean)"]
    session.chosen = next(run for run in session.runs if run.label == "Zero-shot")
    assert beside.value == ["CPT (pair mean)"]  # it stays where it can
    session.chosen = next(run for run in session.runs if run.label == "IVLP")
    beside.value = []
    assert re.findall(r"<th [^>]*>([^<]*)<", text(panel)) == ["Zero-shot", "IVLP"]


def test_confusions_are_counted_by_class_from_many_images_to_few(session):
    shown = confusion_panel(session)
    result = session.chosen.result
    table = confusions(result)
    assert (
        table["n_k"].is_monotonic_decreasing and table["n_k"].sum() == result.classes["n_k"].sum()
    )
    base = result.classes[result.classes["role"] == "base"].set_index("name")["accuracy"]
    np.testing.assert_allclose(table.set_index("name")["accuracy"], base[table["name"]])
    for images, accuracy, taken_for in zip(table["images"], table["accuracy"], table["taken_for"]):
        wrong = [count for _, count in taken_for]
        assert sum(wrong) == round(images * (1 - accuracy / 100))
        assert wrong == sorted(wrong, reverse=True)
    assert shown.value.count("<tr>") == 6
    before = shown.value
    session.chosen = next(run for run in session.runs if run.label == "IVLP")
    assert "<b>IVLP</b>" in shown.value != before
    bare = dataclasses.replace(result, folder=session.store / "none")
    session.chosen = dataclasses.replace(session.chosen, result=bare)
    assert "There are no confusions of IVLP.</b>" in shown.value
    session.live = False
    assert "no confusions" in confusion_panel(session).data


def send(upload, name, content, part=100):
    """What the page sends of a file."""
    for start in range(0, len(content) or 1, part):
        buffers = [memoryview(content[start : start + part])]
        message = {"name": name, "size": len(content), "start": start}
        upload._handle_custom_msg(message, buffers)


def test_a_file_arrives_in_parts_and_old_messages_go(session):
    panel = prediction_panel(session)
    (upload,) = inside(panel, Upload)
    example, file = text(panel), BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "png")
    upload._handle_custom_msg({"name": "<i>.tif", "size": 2**30, "start": 0}, [])
    assert "&lt;i&gt;.tif has 1024 MiB, and an image may have 100" in text(panel)
    upload._handle_custom_msg({"name": "a.png", "size": 500, "start": 0}, [b"abc"])
    assert text(panel).strip() == "Receiving a.png ..."
    for name, content in (("me.png", b"abc"), ("none.png", b"")):  # in place of the one before
        send(upload, name, content)
        assert f"{name} cannot be read" in text(panel)
    send(upload, "noise.png", file.getvalue())
    assert upload.file == ("noise.png", file.getvalue())
    assert "cannot be read" not in text(panel) and text(panel) != example


def test_a_map_follows_the_run(session, monkeypatch):
    from cptlab.lab.explore import map_panel as module

    made = []

    def plane(texts, like=None):
        made.append(like)
        return texts[:, :2].numpy()

    monkeypatch.setattr(module, "plane", plane)
    panel = module.map_panel(session)
    (shown,) = inside(panel, module.HoverMap)
    before = shown.content["layouts"]
    assert [layout["title"] for layout in before] == ["Zero-shot (frozen)", "CPT (pair mean)"]
    session.chosen = next(run for run in session.runs if run.label == "IVLP")
    after = shown.content["layouts"]
    assert after[1]["title"] == "IVLP" and after[1]["points"] != before[1]["points"]
    assert [like is None for like in made] == [True, False, False]  # frozen texts only once
    texts, spec = session.texts()[0], session.chosen.spec
    session.shown = State(spec, "epoch 2", texts.flip(0), {})
    assert shown.content["layouts"][1]["title"] == "epoch 2"
    assert shown.content["layouts"][1]["points"] != after[1]["points"]
    session.shown = session.chosen
    assert shown.content["layouts"] == after and len(made) == 4  # each state once
    session.training = True
    session.shown = State(spec, "epoch 1", texts, {})
    assert shown.content["layouts"] == after  # a map may take longer than an epoch
    session.training = False

    def none(texts, like=None):
        raise ValueError("too few classes")

    monkeypatch.setattr(module, "plane", none)
    session.chosen = next(run for run in session.runs if run.label == "Zero-shot")
    assert "There is no map of this run.</b> too few classes" in text(panel)


def test_without_widgets_there_are_figures_of_the_same(session, monkeypatch, capsys):
    from cptlab.lab.explore import map_panel as module

    monkeypatch.setattr(module, "plane", lambda texts, like=None: texts[:, :2].numpy())
    session.live = False
    matrix, place, prediction = (
        panel(session) for panel in (run_panel, module.map_panel, prediction_panel)
    )
    assert all(isinstance(figure, Figure) for figure in (matrix, place, prediction))
    drawn = [ax.images[0].get_array() for ax in matrix.axes[:2]]
    np.testing.assert_allclose(drawn[0], session.scene().cosines)
    np.testing.assert_allclose(drawn[1], session.texts()[1])
    titles = [ax.get_title() for ax in place.axes]
    assert titles == ["Zero-shot (frozen)", "CPT (pair mean)"]
    bars = prediction.axes[1].containers
    assert [len(group) for group in bars] == [5, 5]
    for group in bars:
        assert sum(bar.get_width() for bar in group) == pytest.approx(100, abs=1e-3)
    assert "HTML" in capsys.readouterr().out  # the table of numbers, which a notebook renders


def test_papermill_gets_static_images_from_nothing(tmp_path):
    execute_notebook("explore", {"out": str(tmp_path / "out"), "profile": "smoke"}, tmp_path)
    notebook = nbformat.read(tmp_path / "explore.ipynb", as_version=4)
    code = (cell for cell in notebook.cells if cell.cell_type == "code")
    shown = [output.get("data", {}) for cell in code for output in cell.outputs]
    assert sum("image/png" in data for data in shown) == 3
    assert any("cptlab-metrics" in data.get("text/html", "") for data in shown)
    state = notebook.metadata.get("widgets", {}).get(
        "application/vnd.jupyter.widget-state+json", {}
    )
    models = {model["model_name"] for model in state.get("state", {}).values()}
    assert not models & {"AnyModel", "DropdownModel", "FileUploadModel"}  # progress bars may be
    assert len(list((tmp_path / "out/runs").glob("*/result.json"))) == 3
