"""A workspace with two notebooks, two figures and tiny runs, and its site, for tests of pages."""

import base64
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from tiny_explorer import PROFILE

from cptlab.lab.figures import ledger_table
from cptlab.lab.figures.style import save
from cptlab.lab.site import build_site, explored, sources
from cptlab.lab.study.profiles import SMOKE
from cptlab.lab.workspace import CHECKOUT, Workspace, workspace

FORMULA = "$$L = \\dfrac{1}{K}\n\\sum_k y_k$$"
MESSAGE = "CPT is 1.2 points above IVLP, for *all* $5 birds"
"""Of the figure tab1_ablation, with signs that mean something in Markdown."""
WIDGET = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "Map: 0%"}


def stored_ledger() -> pd.DataFrame:
    """Those rows of the committed ledger that were run under every reading."""
    ledger = pd.read_csv(CHECKOUT / "figures/claims_ledger.csv")
    ledger = ledger.fillna({"same_as": "", "missing": ""})
    whole = ledger.groupby(["claim", "tau"])["pairs"].transform("min") > 0
    return ledger[whole].reset_index(drop=True)


def not_run(ledger: pd.DataFrame, rows: int) -> pd.DataFrame:
    """A ledger in which nothing was run for the first rows of its table."""
    ledger = ledger.copy()
    first = ledger.groupby(["claim", "tau"], sort=False).ngroup() < rows
    ledger.loc[first, ["verdict", "same_as", "missing"]] = [
        "not run",
        "",
        "At tau = 0.06: no runs.",
    ]
    ledger.loc[first, ["estimate", "lower", "upper", "effect"]] = float("nan")
    ledger.loc[first, "pairs"] = 0
    return ledger


def notebook(*outputs: dict[str, str], code: str = "secret = 1", title: str) -> str:
    """An executed notebook: a text, then two cells, the second of which shows these outputs."""
    shown = [new_output("display_data", output) for output in (*outputs, WIDGET)]
    text = new_markdown_cell(f"# {title}\n\nwith $x_1 < 2$:\n\n{FORMULA}\n")
    beside = new_markdown_cell("## Beside the published table\n\nTable 1 as printed.")
    table = new_output("display_data", {"text/html": "<table class='dataframe'></table>"})
    progress = new_output("stream", name="stderr", text="half done")
    cells = [
        text,
        new_code_cell("first = 1", outputs=[progress]),
        new_code_cell(code, outputs=shown),
        beside,
        new_code_cell("printed", outputs=[table]),
        new_markdown_cell("## What this does not show"),
    ]
    made = new_notebook(cells=cells)
    made.metadata["language_info"] = {"name": "python"}
    made.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    return nbformat.writes(made)


def small_workspace(folder: Path) -> Workspace:
    """One with two notebooks and figures, one of them older, and what was left unfinished."""
    folders = workspace("smoke", folder)
    folders.notebooks.mkdir()
    fig, ax = plt.subplots()
    ax.plot([1, 2])
    save(fig, pd.DataFrame({"x": [1]}), folders.figures, "fig1_similarity")  # without a message
    ax.set_title(MESSAGE)
    save(fig, pd.DataFrame({"x": [1]}), folders.figures, "tab1_ablation")
    plt.close(fig)
    table = "| a | b |\n| --- | --- |\n| 1 | 2 |"
    wide = "<table class='dataframe'><tr>" + "<td>wide_number</td>" * 40 + "</tr></table>"
    pixel = base64.b64encode((folders.figures / "tab1_ablation.png").read_bytes()).decode()
    outputs = {"text/markdown": table}, {"text/html": wide}, {"image/png": pixel}
    ledger = not_run(stored_ledger(), 3)
    texts = {
        "04_ablation": notebook(*outputs, code='save(fig, "tab1_ablation")', title="Tails & heads"),
        "12_claims": notebook({"text/html": ledger_table(ledger)}, title="Claims"),
        "05_c.failed": "{}",
    }
    for name, text in texts.items():
        (folders.notebooks / f"{name}.ipynb").write_text(text, encoding="utf-8")
    return folders


@pytest.fixture(scope="module")
def site(store, tmp_path_factory) -> Path:
    """The site of a small workspace, without the long reference; its map takes no time."""
    folders = small_workspace(tmp_path_factory.mktemp("study"))
    runs = explored.shown(PROFILE, store)
    assert list(runs) == ["Zero-shot", "CPT (pair mean)"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "API", ["", "methods"])
        patch.setattr(explored, "shown", lambda *_: runs)
        patch.setattr(explored, "plane", lambda texts, like=None: texts[:, :2].numpy())
        build_site(SMOKE, folders)
    return folders.site
