"""The site: pages of notebooks, figures and documents that ask for nothing beyond their folder."""

import re
import shutil
from html import unescape
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest
from click.testing import CliRunner
from small_site import MESSAGE, small_workspace

import cptlab
from cptlab.lab.cli.main import commands
from cptlab.lab.figures.style import save
from cptlab.lab.site import build_site, conf, documents, explored, sources
from cptlab.lab.site.beside import beside_page
from cptlab.lab.site.gallery import messages
from cptlab.lab.site.lacking import lacking, read_notebooks
from cptlab.lab.study.captions import captions
from cptlab.lab.study.notebooks import STUDIES
from cptlab.lab.study.profiles import SMOKE
from cptlab.lab.workspace import CARRIED, NOTEBOOKS, workspace

pytest_plugins = ["explorer_store", "small_site"]


def text_of(site: Path, name: str) -> str:
    return (site / f"{name}.html").read_text(encoding="utf-8")


def test_nothing_is_fetched_and_every_link_inside_leads_somewhere(site):
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    assert len(pages) > 10
    for path, page in pages.items():
        for target in re.findall(r"""(?:src|href)=["']([^"'#?]*)[#?"']""", page):
            if not target or re.match(r"https?:|mailto:|data:", target):
                continue
            assert (path.parent / target).exists(), (path.name, target)
        fetched = r"""(?:\bsrc|<link\b[^>]*\bhref)\s*=\s*["']?(?:https?:)?//[^"'>]+|@import"""
        assert re.findall(fetched, page) == []
    for path in site.rglob("*.css"):
        assert not re.findall(
            r"url\(\s*[\"']?(?:https?:)?//|@import", path.read_text(encoding="utf-8")
        )


def test_a_notebook_is_a_page_with_folded_code_formulas_and_alternative_texts(site):
    page = text_of(site, "notebooks/04_ablation")
    assert "<title>Tails &amp; heads - cptlab</title>" in page
    folded = re.search(r"<details.*?</details>", page, re.DOTALL)
    assert folded and "tab1_ablation" in unescape(re.sub("<[^>]*>", "", folded[0]))
    assert len(re.findall("<math", page)) == 2
    assert "$" not in re.sub("<script.*?</script>|<img [^>]*>", "", page)
    assert re.search(r"<td[^>]*><p>1</p></td>", page)  # a Markdown table is a table
    assert page.count('class="toggle-details') == 0 and page.count("<details") == 2
    alts = re.findall(r'<img alt="([^"]*)"', page)
    assert alts and all(unescape(alt).startswith(f"{MESSAGE}. All combinations") for alt in alts)
    assert 'class="next-page"' in page and 'class="prev-page"' in page
    assert "Map: 0%" not in page and "half done" not in page  # progress bars
    assert "document.currentScript" in text_of(site, "notebooks/12_claims")


def test_the_first_page_tells_findings_and_whose_they_are(site):
    page = text_of(site, "index")
    assert "profile <code" in page and "smoke" in page
    told = unescape(" ".join(re.sub("<[^>]*>", " ", page).split()))
    messages = re.findall(r"\*\*([\w .]+)\*\*", documents.findings())
    assert messages and all(message in told for message in messages)
    assert 'href="figures.html#figure-tab1-ablation"' in page and MESSAGE in told
    listed = re.findall(r'class="reference internal" href="([^"#]+)\.html"', page)
    beside = ("figures", "explore", "beside", "docs/methods", "provenance", "README")
    assert {*beside, *(f"docs/{path.stem}" for path in (CARRIED / "docs").glob("*.md"))} <= {
        *listed
    }


def test_the_gallery_has_what_each_figure_says_its_caption_files_and_notebook(site):
    page = text_of(site, "figures")
    first, second = (unescape(head) for head in re.findall(r"<h2>(.*?)<", page))
    assert first in captions(SMOKE)["fig1_similarity"]  # it was stored without a message
    assert second == MESSAGE
    _, older, newer = re.split("<h2>", page)
    for figure, name in ((older, "fig1_similarity"), (newer, "tab1_ablation")):
        for kind in ("png", "svg", "csv"):
            assert f'<a href="drawn/{name}.{kind}" download>' in figure
        assert f'<a href="drawn/{name}.svg"><img' in figure  # for narrow windows
        assert len([*site.rglob(f"{name}.svg")]) == 1
    assert "of the three losses" in newer and 'href="notebooks/04_ablation.html"' in newer
    alt = unescape(re.search(r'<img [^>]*alt="([^"]*)"', newer)[1])
    assert alt.startswith(f"{MESSAGE}. ")


def test_the_page_of_matrices_and_map_has_everything_in_it(site):
    page = text_of(site, "explore")
    assert page.count("render({ model: fixed(") == 2
    assert page.count("data:image/png;base64,") == 2 * 5 + 2 + 1  # classes, matrices, the scale
    assert "5 training classes" in page


def test_the_page_of_runs_without_a_map_says_why(monkeypatch, tmp_path):
    def fail(*_):
        raise ValueError("features must be (K, d) with K >= 4 classes")

    monkeypatch.setattr(explored, "explore_page", fail)
    page = sources._explore({}, tmp_path)
    assert page.startswith("# Explore") and "K \\>= 4 classes" in page


def test_published_tables_stand_beside_measured_ones_on_a_page(site):
    page = text_of(site, "beside")
    assert "<title>Published beside measured - cptlab</title>" in page
    assert page.count("Table 1 as printed.") == 2 and page.count("table class='dataframe'") == 2
    assert "What this does not show" not in page
    sections = beside_page(read_notebooks(NOTEBOOKS)[0]).cells
    linked = [re.findall(r"notebooks/(\d\d)_", cell.source) for cell in sections]
    assert linked[0] == ["09"]
    assert [one[0] for one in linked[1:] if one] == ["04", "05", "06", "07", "08"]


def test_the_next_site_reads_what_has_changed(monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "API", [""])
    folders = small_workspace(tmp_path)
    build_site(SMOKE, folders)
    trees = {path: path.stat().st_mtime_ns for path in (tmp_path / ".site-read").rglob("*.doctree")}
    changed = folders.notebooks / "04_ablation.ipynb"
    text = changed.read_text(encoding="utf-8")
    changed.write_text(text.replace("as printed", "as it is printed"), encoding="utf-8")
    (folders.notebooks / "12_claims.ipynb").unlink()
    build_site(SMOKE, folders)
    anew = {path.stem for path, time in trees.items() if path.stat().st_mtime_ns != time}
    linked = {"figures", "claims_ledger", "claims_confirmatory"}  # to the notebook that is gone
    assert {"04_ablation", "beside", "index"} <= anew
    assert anew <= {"04_ablation", "beside", "index", *linked}
    assert not (folders.site / "notebooks/12_claims.html").exists()
    assert "as it is printed" in text_of(folders.site, "notebooks/04_ablation")
    assert (folders.site / "_images").is_dir()  # also of notebooks that were not read again
    test_nothing_is_fetched_and_every_link_inside_leads_somewhere(folders.site)


def test_a_comparison_has_pages_of_its_own_alone(tmp_path):
    folders = small_workspace(tmp_path)
    for path in folders.notebooks.glob("*.ipynb"):
        path.unlink()
    cell = nbformat.v4.new_code_cell("study.plot();")
    text = nbformat.writes(nbformat.v4.new_notebook(cells=[cell]))
    (folders.notebooks / "compare.ipynb").write_text(text, encoding="utf-8")
    (folders.figures / "table.md").write_text("| method | H |\n| --- | --- |\n| CoOp | 61.5 |\n")
    runs = {"dataset": "birds", "tau": 0.25, "seed": [1, 2], "class_order": "count"}
    runs |= {"method": "CoOp", "protocol": "base_to_new"}
    pd.DataFrame(runs).to_csv(folders.figures / "runs.csv")
    shutil.copy(folders.figures / "tab1_ablation.png", folders.figures / "comparison.png")
    assert build_site(SMOKE, folders) == []
    pages = {path.stem for path in folders.site.rglob("*.html")}
    assert pages == {"index", "compare", "figures", "genindex", "search"}
    page = text_of(folders.site, "index")
    assert "61.5" in page and 'href="figures.html#figure-comparison"' in page
    told = " ".join(re.sub("<[^>]*>", "", page).split())
    assert "A comparison on birds" in told and "profile smoke. It rests on 2 runs: 1 data" in told


def test_docstrings_are_shown_as_they_are():
    lines = [
        "A sum |x|, a_ and `b_`:",
        "",
        "    L = |x|_1",
        "",
        "alpha: one",
        "    or none.",
        "- a",
        "  b",
    ]
    conf.plain(None, "class", "C", None, None, lines)
    assert lines == [
        "A sum \\|x\\|, a\\_ and `b_`:",
        "",
        "::",
        "",
        "    L = |x|_1",
        "",
        "alpha: one",
        "or none.",
        "",
        "- a",
        "  b",
    ]


def test_without_executed_notebooks_it_is_said_what_makes_them(tmp_path):
    done = CliRunner().invoke(commands, ["site", "--profile", "smoke", "--out", str(tmp_path)])
    assert "`cptlab figures --profile smoke` executes them" in str(done.exception)
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("content", ["{", "{}", "[]", '{"nbformat": 4, "cells": [{}]}', "\xff"])
def test_a_damaged_notebook_is_left_out_and_named(content, tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    shutil.copy(NOTEBOOKS / "04_ablation.ipynb", folder)
    (folder / "05_broken.ipynb").write_text(content, encoding="latin-1")
    (folder / "06_stopped.failed.ipynb").write_text("{")
    found, (remark,) = read_notebooks(folder)
    assert [path.stem for path in found] == ["04_ablation"]
    assert remark.startswith("Notebook 05_broken is damaged and left out: ")


def test_what_is_missing_is_on_the_first_page_and_told(site, tmp_path):
    folders = workspace("smoke", tmp_path)
    names = [*STUDIES]
    (no_figures,) = lacking(SMOKE, folders, names)
    assert no_figures.startswith("There are no figures yet: `cptlab figures --profile smoke`")
    folders.figures.mkdir()
    (folders.figures / "a.png").touch()
    assert lacking(SMOKE, folders, names) == []
    (lacks,) = lacking(SMOKE, folders, names[2:])
    assert lacks.startswith(f"2 notebooks of {len(names)} are missing (00, 01)")
    assert f"{len(names) - 2} notebooks of {len(names)} are missing" in text_of(site, "index")


def test_figures_with_too_few_runs_are_counted_not_quoted(tmp_path):
    fig, ax = plt.subplots()
    none = "In H: too few runs to tell methods apart"
    told = {
        "a": "H rises by 2",
        "b": f"{none}. {none}",
        "c": MESSAGE,
        "d": f"{none}. New: none higher",
    }
    for name, said in told.items():
        ax.set_title(said)
        save(fig, pd.DataFrame({"x": [1]}), tmp_path, name)
    plt.close(fig)
    first, second, third, last = messages(tmp_path, {}).splitlines()
    assert first == "- [H rises by 2](#figure-a)" and "figure-c" in second
    assert "figure-d" in third
    assert last == "- [1 more figure has](figures.md) too few runs for a statement"


def test_a_stored_table_has_a_title_in_words_and_the_ledger_its_filter(site):
    pages = {path.stem: text_of(site, f"figures/{path.stem}") for path in site.glob("figures/*")}
    title = "<title>The paper's claims: which of them hold here (table claims_confirmatory)"
    assert title in pages["claims_confirmatory"].replace("&#39;", "'").replace("’", "'")
    assert "cptlab-ledger" in pages["claims_ledger"] and " not run." in pages["claims_ledger"]


def test_what_a_document_links_to_comes_along_or_is_text(tmp_path):
    names: list[str] = []
    text = "[a](../figures/runs.csv) [b](../notebooks) ![c](no.png) [d](plan.md#x) [e](#f)"
    text += " [g](../cptlab/methods/cpt.py)"
    kept = documents.LINK.sub(lambda link: documents._kept(tmp_path, "docs", names, link), text)
    told = "[a](../figures/runs.csv) b c [d](plan.md#x) [e](#f) [g](#cptlab.methods.cpt)"
    assert kept == told
    assert names == ["figures/runs.csv", "docs/plan.md"]


@pytest.mark.slow
def test_the_whole_reference_is_built_without_a_warning(tmp_path, capfd):
    folders = small_workspace(tmp_path)
    build_site(SMOKE, folders)
    assert capfd.readouterr().err == ""
    start = text_of(folders.site, "api/cptlab")
    for name in cptlab.PUBLIC:
        assert f'<span class="pre">{name}</span></span>' in start
    page = text_of(folders.site, "api/methods")
    assert 'id="cptlab.methods.cpt.CPT"' in page
    assert 'href="../api/methods.html#module-cptlab.methods.cpt"' in text_of(
        folders.site, "docs/methods"
    )
