"""The report: what it shows, that it stands alone, and how browsers take it."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from click.testing import CliRunner
from html_page import Page

from cptlab.lab.cli import batch
from cptlab.lab.cli.main import commands
from cptlab.lab.figures.style import save
from cptlab.lab.report import captions, write_report
from cptlab.lab.report.pictures import title_of
from cptlab.lab.study.profiles import FULL, PROFILES, SMOKE, profile_named
from cptlab.lab.study.published import published
from cptlab.lab.workspace import CHECKOUT, Workspace, workspace

PAPER = "https://arxiv.org/abs/2605.11939"
NO_RUNS = pd.DataFrame()


@pytest.fixture(scope="module")
def committed(tmp_path_factory) -> Path:
    """The report of the committed figures."""
    root = tmp_path_factory.mktemp("committed")
    folders = Workspace(CHECKOUT / "figures", root / "runs", root / "notebooks", root / "report")
    return write_report(FULL, folders, ["00_tour"], NO_RUNS, [], 0)


@pytest.fixture
def folders(tmp_path) -> Workspace:
    """A folder with one plain figure, made up."""
    made = workspace("smoke", tmp_path)
    fig, ax = plt.subplots(figsize=(2, 1))
    ax.plot([1, 2])
    frame = pd.DataFrame({"x": [1, 2]})
    save(fig, frame, made.figures, "fig1d_training_curves")
    plt.close(fig)
    return made


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def table_2(folder: Path, *rows: tuple[str, float]) -> None:
    """A stored table of base-to-new: the mean of H of each method at tau = 0.06."""
    lines = [(name, 0.06, "H", mean, mean - 1, mean + 1, 3) for name, mean in rows]
    columns = ["method", "tau", "metric", "mean", "lower", "upper", "n"]
    pd.DataFrame(lines, columns=columns).to_csv(folder / "tab2_base_to_new.csv", index=False)


# ------------------------------------------------------------------------------------ stands alone


def test_the_page_is_well_formed_and_has_title_and_landmarks(committed):
    page = read(committed)
    assert not page.faults
    assert page.all("html") == [{"lang": "en"}]
    for landmark in ("title", "h1", "main", "nav", "header", "footer"):
        assert len(page.all(landmark)) == 1, landmark
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    named = [a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a]
    assert named and set(named) <= set(ids)


def test_nothing_comes_from_a_network(committed):
    text, page = committed.read_text(encoding="utf-8"), read(committed)
    assert not page.all("link") and not page.all("iframe")
    assert all("src" not in script for script in page.all("script"))
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert {a["href"] for a in page.all("a") if ":" in a["href"]} == {PAPER}
    assert "url(" not in text and "@import" not in text
    (policy,) = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    assert policy.startswith("default-src 'none'")


def test_every_link_leads_somewhere(committed):
    page = read(committed)
    ids = {a["id"] for _, a in page.elements if "id" in a}
    links = [a["href"] for a in page.all("a")]
    for link in links:
        if link.startswith("#"):
            assert unquote(link[1:]) in ids
        elif link != PAPER:
            assert (committed.parent / unquote(link)).is_file(), link
    assert any(link.endswith("tab2_base_to_new.csv") for link in links)


def test_every_picture_is_there_and_told_in_words(committed):
    page = read(committed)
    assert all("alt" in image for image in page.all("img"))
    shown = [image for image in page.all("img") if "width" in image]
    assert len(shown) == len(list((CHECKOUT / "figures").glob("*.png")))
    assert all(len(image["alt"]) > 20 for image in shown)
    assert committed.stat().st_size < 15e6


@pytest.mark.parametrize("profile", [*PROFILES, "full,tau=1"])
def test_captions_tell_the_runs_of_the_profile(profile):
    told = captions(profile_named(profile))
    assert not re.search(r"[{}]|None|\(\)", " ".join(told.values()))
    assert all(text.endswith(".") and "same" not in text.split(":")[0] for text in told.values())


def test_captions_tell_data_sets_ratios_and_seeds():
    told = captions(FULL)
    for name, end in {
        "tab2_base_to_new": "6 data sets; τ = 1, 0.25 (3 seeds); 0.06 (5 seeds).",
        "tab3_cross_dataset": "Source: activities; τ = 1, 0.25, 0.06 (3 seeds).",
        "fig1_similarity": "travel; τ = 0.06 (1 seed).",
        "few_shot": "activities; no long tail (3 seeds).",
    }.items():
        assert told[name].endswith(end)


def test_equal_inputs_make_equal_pages(folders):
    first = write_report(SMOKE, folders, [], NO_RUNS, [], 0).read_bytes()
    assert write_report(SMOKE, folders, [], NO_RUNS, [], 0).read_bytes() == first
    assert [path.name for path in folders.report.iterdir()] == ["index.html"]


# ------------------------------------------------------------------------------------ what it shows


def test_the_ledger_is_the_stored_one(committed):
    page, text = read(committed), committed.read_text(encoding="utf-8")
    stored = pd.read_csv(CHECKOUT / "figures/claims_ledger.csv", keep_default_na=False)
    cells = [a["data-verdict"] for a in page.all("td") if "data-verdict" in a]
    assert cells == stored["verdict"].tolist()
    distinct = stored[stored["same_as"] == ""]["verdict"].value_counts()
    for verdict in ("supported", "contradicted", "undecided"):
        assert f"<strong>{distinct[verdict]}</strong> {verdict}" in text
    (row,) = [r for r in page.rows if "Tail accuracy is up" in r[0] and r[1] == "0.06"]
    line = stored.query("claim == 'Tail accuracy is up' and tau == 0.06 and reading == 'pair mean'")
    estimate = f"{float(line['estimate'].iloc[0]):.2f}"
    (shown,) = [cell for cell in row if estimate in cell]
    assert line["verdict"].iloc[0] in shown


def test_published_numbers_stand_beside_measured_ones(folders):
    table_2(folders.figures, ("IVLP", 50.0), ("CPT (sum)", 40.0), ("CPT (pair mean)", 60.0))
    page = read(write_report(SMOKE, folders, [], NO_RUNS, [], 0))
    printed = published(2).query("column == 'Avg'").set_index(["method", "tau"])["value"]
    rows = {row[0]: row[1:] for row in page.rows if row}
    one = f"{printed['CPT', 0.06]:.2f}"  # the measured ratio comes first
    assert rows["CPT (pair mean)"][:2] == [one, "60.0 [59.0, 61.0]"]
    assert rows["CPT (sum)"][:2] == [one, "40.0 [39.0, 41.0]"]
    assert rows["IVLP"][:2] == ["–", "50.0 [49.0, 51.0]"]
    assert rows["MaPLe"][:2] == [f"{printed['MaPLe', 0.06]:.2f}", "–"]
    labelled = [row for row in page.rows if "published" in row]
    assert labelled == [["published", "measured", "published", "published"]]


@pytest.mark.parametrize("number", range(1, 6))
def test_all_tables_of_the_paper_are_compared(committed, number):
    page = read(committed)
    rows = {tuple(cell.strip() for cell in row) for row in page.rows}
    printed = published(number)
    shown = printed["column"] == "Avg" if number in (2, 3, 4) else printed["column"] != ""
    for value in printed.loc[shown, "value"]:
        assert any(f"{value:.2f}" in row for row in rows), value


def test_what_is_not_there_is_said(folders):
    text = write_report(SMOKE, folders, [], NO_RUNS, [], 3).read_text(encoding="utf-8")
    assert "There is no ledger in this folder yet" in text
    assert "None of the paper's tables has a measured counterpart" in text
    assert "No executed notebook" in text
    assert "There are no result files" in text


def test_stored_runs_stand_in_for_results(committed):
    runs = pd.read_csv(CHECKOUT / "figures/runs.csv")
    text = committed.read_text(encoding="utf-8")
    assert "The result files are not in this folder" in text
    assert f"<strong>{len(runs):,}</strong> runs" in text


def test_runs_and_their_environments_are_told(folders):
    runs = pd.DataFrame(
        {"dataset": "food", "method": ["cpt", "cpt", "coop"], "seed": 1, "seconds": [60, 120, 60]}
    )
    plain = {"python": "3.12.1", "machine": "x86_64", "threads": 2, "device": "cpu"}
    environments = [
        plain | {"finished": f"2026-01-0{day}T12:00:00Z", "versions": {"torch": f"2.{day}"}}
        for day in (1, 2, 2)
    ]
    page = write_report(SMOKE, folders, [], runs, environments, 4).read_text(encoding="utf-8")
    assert "<strong>3</strong> runs, 4 missing" in page
    for told in ("4 min of run time", "2026-01-01 to 2026-01-02", "2.1 and 2.2", "3.12.1"):
        assert f"<dd>{told}" in page, told
    assert ["cpt", "2", "1", "1", "90.0", "3.0"] in Page(page).rows


def test_executed_notebooks_are_linked(folders):
    folders.notebooks.mkdir()
    content = {
        "cells": [{"cell_type": "markdown", "source": ["# Tails & heads\n", "prose"]}],
        "metadata": {"papermill": {"duration": 61.2, "end_time": "2026-01-02T03:04:05"}},
    }
    for name in ("00_tour", "01_similarity_matrices"):
        (folders.notebooks / f"{name}.ipynb").write_text(json.dumps(content))
    (folders.notebooks / "00_tour.html").write_text("<p>page</p>")
    names = ["00_tour", "01_similarity_matrices", "02_training_stability"]
    page = read(write_report(SMOKE, folders, names, NO_RUNS, [], 0))
    assert ["Tails & heads", "00_tour.ipynb", "2026-01-02", "61 s"] in page.rows
    links = [a["href"] for a in page.all("a") if "notebooks/" in a["href"]]
    assert links == ["../notebooks/00_tour.html", "../notebooks/00_tour.ipynb"]


def test_names_are_escaped(folders):
    evil = "<script>alert('&')</script>"
    table_2(folders.figures, (evil, 50.0))
    numbers = f"| a |\n| --- |\n| {evil} ![x](https://example.org/x.png) |\n"
    (folders.figures / "fig1d_training_curves.md").write_text(numbers.replace("![", "["))
    odd = folders.figures / "a <b> & 50 %.png"
    odd.write_bytes((folders.figures / "fig1d_training_curves.png").read_bytes())
    page = read(write_report(SMOKE, folders, [], NO_RUNS, [], 0))
    assert not page.faults
    assert len(page.all("script")) == 1 and not page.all("b")
    assert any(evil in row[0] for row in page.rows if row)
    assert (folders.report / "../figures/a <b> & 50 %.png").is_file()
    assert "../figures/a%20%3Cb%3E%20%26%2050%20%25.png" in [a["href"] for a in page.all("a")]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("fig1d_training_curves", "Fig. 1 d: training curves"),
        ("tab2_ranks", "Table 2: ranks"),
        ("tour_drawings", "Tour drawings"),
        ("figures", "Figures"),
    ],
)
def test_titles_are_words(name, title):
    assert title_of(name) == title


# --------------------------------------------------------------------------------------- commands


def test_without_figures_there_is_one_clear_error(tmp_path):
    answer = CliRunner().invoke(commands, ["report", "--profile", "smoke", "--out", str(tmp_path)])
    assert isinstance(answer.exception, ValueError)
    command = f"cptlab figures --profile smoke --out {tmp_path}"
    assert str(answer.exception).startswith("There are no figures of profile smoke in")
    assert str(answer.exception).endswith(command)
    assert not list(tmp_path.iterdir())


def test_a_damaged_picture_is_named(folders):
    (folders.figures / "tab2_ranks.png").write_bytes(b"half a pict")
    with pytest.raises(ValueError, match=r"tab2_ranks\.png is not a readable picture"):
        write_report(SMOKE, folders, [], NO_RUNS, [], 0)
    assert not folders.report.exists()


def test_the_batch_ends_with_the_report(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "run", lambda *rest, **options: [])
    monkeypatch.setattr(batch, "execute_notebook", lambda name, parameters, folder: folder)
    plan = batch.plan(SMOKE, ["09"], folders, 1)
    batch.figures(plan, jobs=1)
    page = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert "profile smoke" in page
    assert re.search(r"<strong>0</strong> runs, \d+ missing", page)
