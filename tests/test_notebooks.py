"""Notebooks: their parameters are what papermill sees, they are stored clean, and they run."""

import ast
import os
import re
import subprocess
import sys

import matplotlib.image
import nbformat
import pandas as pd
import papermill
import pytest
from nbval.plugin import IPyNbFile, coalesce_streams

from cptlab.lab import bench
from cptlab.lab.cli import batch
from cptlab.lab.cli.batch import notebook_names
from cptlab.lab.cli.execute import execute_notebook
from cptlab.lab.figures.style import DPI, WIDEST
from cptlab.lab.study.captions import CAPTIONS
from cptlab.lab.study.notebooks import STUDIES
from cptlab.lab.study.profiles import SMOKE
from cptlab.lab.study.settings import PARAMETERS, profile_with
from cptlab.lab.workspace import CHECKOUT, DEFAULT_PROFILE, NOTEBOOKS, workspace

NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
SMOKE_BATCH = [sys.executable, "-m", "cptlab", "figures"]
SMOKE_BATCH += ["--profile", "smoke", "--out", "below"]
INTERACTIVE = ("compare", "explore")
"""Without a study of the profile: runs that the user asks for, and those that there are."""
MOST_LINES = 56
"""Of code, without parameters and imports."""
OWN_PARAMETERS = {
    "03_sensitivity": ["weights"],
    "04_ablation": ["losses"],
    "05_cluster_structure": ["algorithms", "sizes", "text_features"],
    "13_few_shot": ["shots"],
    "14_long_tail_classics": ["balances"],
}
FIGURES = {
    "00_tour": ["tour_drawings", "tour_predictions", "tour_gain_by_shots"],
    "01_similarity_matrices": ["fig1_similarity"],
    "02_training_stability": ["fig1d_training_curves", "fig4_seed_violins"],
    "05_cluster_structure": [
        "cluster_number",
        "fig5_cluster_map",
        "fig5_cluster_map_drawings",
        "tab5_algorithms",
        "fig5_cluster_size",
    ],
    "03_sensitivity": [
        "dose_response",
        "dose_others",
        "fig3_sensitivity",
        "fig3_weights_heatmap",
    ],
    "04_ablation": ["tab1_ablation"],
    "06_base_to_new": ["tab2_base_to_new", "tab2_ranks", "tail_accuracy", "other_measures"],
    "07_cross_dataset": ["tab3_cross_dataset", "tab3_cross_dataset_ranks"],
    "08_domain_generalization": [
        "tab4_domain_generalization",
        "tab4_domain_generalization_ranks",
    ],
    "09_published_tables": ["published_averages"],
    "10_throughput": ["throughput"],
    "11_geometry": [
        "collapse_along_training",
        "collapse_along_training_rivals",
    ],
    "12_claims": ["claims_ledger"],
    "13_few_shot": ["few_shot"],
    "14_long_tail_classics": ["long_tail_classics"],
    "15_cost": ["cost"],
    "16_backbones": [],
}

ELSEWHERE = [
    "backbones",
    "collapse_by_imbalance",
    "collapse_by_imbalance_rivals",
    "claims_confirmatory",
    "cost_tuning",
    "own_texts_map",
    "own_texts_similarity",
]
"""Figures that need several imbalance ratios or backbones, the planned study, or text features."""


def test_every_notebook_has_a_study_and_every_study_a_notebook():
    assert sorted([*STUDIES, *INTERACTIVE]) == NAMES
    assert sorted(STUDIES) == sorted(FIGURES)


@pytest.mark.parametrize("name", NAMES)
def test_papermill_sees_every_parameter(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    (cell,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    assigned = {node.target.id: node.value for node in ast.parse(cell.source).body}
    for value in assigned.values():
        ast.literal_eval(value)  # plain literals, nothing derived
    told = papermill.inspect_notebook(str(NOTEBOOKS / f"{name}.ipynb"))
    assert set(told) == set(assigned)
    for parameter in told.values():  # what `papermill --help-notebook` prints
        assert parameter["inferred_type_name"] in ("str", "int", "float", "bool", "list", "dict")
        assert len(parameter["help"]) > 10
    # the explorer trains nothing, and opens on what `make figures` has made
    usual = DEFAULT_PROFILE if name == "explore" else "smoke"
    assert ast.literal_eval(assigned["profile"]) == usual


@pytest.mark.parametrize("name", NAMES)
def test_what_draws_and_computes_lies_in_the_package(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    lines = [
        line
        for cell in notebook.cells
        if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", [])
        for line in cell.source.splitlines()
        if line.strip() and not line.startswith(("import ", "from ", "#"))
    ]
    assert len(lines) <= MOST_LINES


@pytest.mark.parametrize("name", [n for n, study in STUDIES.items() if study(SMOKE)])
def test_notebooks_with_a_study_have_its_parameters(name):
    told = papermill.inspect_notebook(str(NOTEBOOKS / f"{name}.ipynb"))
    common = [p for p in list(PARAMETERS)[:5] if (name, p) != ("13_few_shot", "taus")]
    assert list(told)[: 3 + len(common)] == ["profile", "out", "jobs", *common]
    assert list(told)[3 + len(common) :] == OWN_PARAMETERS.get(name, [])


@pytest.mark.parametrize("name", NAMES)
def test_checked_cells_have_outputs_and_the_last_words_are_what_is_not_shown(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:  # other cells have none: test_lint.py
        assert "nbval-check-output" not in cell.metadata.get("tags", []) or cell.outputs
    last = notebook.cells[-1]
    assert last.cell_type == "markdown"
    assert "does not" in last.source.splitlines()[0]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """What `cptlab figures --profile smoke --out below` made, from nothing, in a folder."""
    folder = tmp_path_factory.mktemp("user")
    before = _tracked_state()
    done = subprocess.run(SMOKE_BATCH, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert _tracked_state() == before
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_checked_outputs_are_those_stored(name, smoke, request):
    """nbval's comparison, of what papermill executed."""
    executed = nbformat.read(smoke / f"below/notebooks/{name}.ipynb", as_version=4)
    outputs = {cell.id: cell.outputs for cell in executed.cells if cell.cell_type == "code"}
    cells = IPyNbFile.from_parent(request.session, path=NOTEBOOKS / f"{name}.ipynb").collect()
    stored = [cell for cell in cells if cell.cell.outputs]
    assert stored
    for cell in stored:
        same = cell.compare_outputs(coalesce_streams(outputs[cell.cell.id]), cell.cell.outputs)
        assert same, "\n".join(cell.comparison_traceback)


@pytest.mark.slow
def test_the_batch_writes_everything_below_out(smoke):
    """The batch from nothing, then again with nothing to do."""
    below = smoke / "below"  # relative to where the user stands
    assert not (NOTEBOOKS / "below").exists()
    for name, images in FIGURES.items():
        assert (below / "notebooks" / f"{name}.ipynb").is_file()
        page = (below / "site/notebooks" / f"{name}.html").read_text(encoding="utf-8")
        shown = re.search(r'<img alt="[^"]+" [^>]*src="../_images/', page)
        assert bool(shown) == bool(images)
        for image in images:
            png = below / "figures" / f"{image}.png"
            assert png.stat().st_size > 5000
            assert matplotlib.image.imread(png).shape[1] <= WIDEST * DPI
            assert (below / "figures" / f"{image}.csv").stat().st_size > 50
    index = (below / "site/index.html").read_text(encoding="utf-8")
    assert {*re.findall(r'href="notebooks/(\w+)\.html"', index)} == {*FIGURES}
    dry = subprocess.run(
        [*SMOKE_BATCH, "--dry-run"], cwd=smoke, capture_output=True, text=True, check=True
    )
    assert " 0 to do" in dry.stdout


@pytest.mark.slow
def test_a_notebook_with_parameters_shows_what_was_asked_for(tmp_path):
    """Text as from `-p`, lists and mappings as from `-y`; what the command plans is what is run."""
    asked = {
        "datasets": ["activities"],
        "methods": "coop,CPT (pair mean)",
        "taus": 0.3,
        "seeds": "1-2",
        "weights": {"RS": [0, 0.7]},
    }
    executed = execute_notebook(
        "03_sensitivity",
        {"profile": "smoke", "out": str(tmp_path), "jobs": 2, **asked},
        tmp_path,
    )
    told = nbformat.read(executed, as_version=4).metadata["papermill"]["parameters"]
    assert {name: told[name] for name in asked} == asked
    drawn = pd.read_csv(tmp_path / "figures/fig3_sensitivity.csv")
    assert drawn[["reading", "tau", "loss"]].drop_duplicates().values.tolist() == [
        ["pair mean", 0.3, "RS"]
    ]
    assert drawn["weight"].tolist() == [0, 0.1, 0.7] and set(drawn["n"]) == {2}
    beside = pd.read_csv(tmp_path / "figures/fig3_beside.csv")
    assert beside["method"].tolist() == ["Zero-shot", "CoOp"]
    assert not (tmp_path / "figures/fig3_weights_heatmap.csv").exists()  # one weight alone
    planned = {spec.run_id for spec in STUDIES["03_sensitivity"](profile_with("smoke", **asked))}
    assert {path.parent.name for path in tmp_path.glob("runs/*/result.json")} == planned


def _tracked_state() -> dict[str, float]:
    """Modification times of the committed figures: a run with --out must not touch them."""
    return {str(path): path.stat().st_mtime for path in (CHECKOUT / "figures").glob("*")}


def test_a_parameter_that_a_notebook_lacks_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"no parameter profil; it has profile, out, jobs"):
        execute_notebook("00_tour", {"profil": "smoke"}, tmp_path)
    assert not os.listdir(tmp_path)


def test_a_failing_notebook_is_named_and_kept(tmp_path):
    with pytest.raises(RuntimeError, match=r"00_tour failed.*Unknown profile 'huge'") as caught:
        execute_notebook("00_tour", {"profile": "huge"}, tmp_path)
    assert str(tmp_path / "00_tour.failed.ipynb") in str(caught.value)
    assert (tmp_path / "00_tour.failed.ipynb").is_file()
    assert not (tmp_path / "00_tour.ipynb").exists()


def test_a_failing_notebook_does_not_stop_the_others(tmp_path, monkeypatch):
    executed = []

    def execute(name, parameters, folder):
        if name == "00_tour":
            raise RuntimeError(f"Notebook {name} failed.")
        executed.append(name)

    monkeypatch.setattr(batch, "run", lambda *rest, **options: [])
    monkeypatch.setattr(batch, "execute_notebook", execute)
    monkeypatch.setattr(batch, "build_site", lambda *rest: executed.append("site") or [])
    folders = workspace("smoke", tmp_path)
    plan = batch.plan(SMOKE, ["00", "09", "10"], folders, 1)
    with pytest.raises(batch.NotebooksFailed, match="Notebook 00_tour failed") as caught:
        batch.figures(plan, jobs=1)
    assert executed == ["09_published_tables", "10_throughput", "site"]
    assert f"The site has the others: {folders.site / 'index.html'}" in str(caught.value)
    with pytest.raises(batch.NotebooksFailed):
        batch.figures(batch.plan(SMOKE, ["00"], folders, 1), jobs=1)
    assert executed[-1] == "site" and len(executed) == 3  # nothing to make pages of


def test_every_figure_has_a_caption_and_every_caption_a_figure():
    drawn = {name for names in (*FIGURES.values(), ELSEWHERE) for name in names}
    assert drawn | set(bench.NAMES.values()) == set(CAPTIONS)


def test_notebooks_are_chosen_by_number_or_name():
    assert notebook_names(["02"]) == ["02_training_stability"]
    assert notebook_names(["00_tour", "00", "0"]) == ["00_tour"]
    with pytest.raises(ValueError, match=r"Unknown notebook '99'.*06_base_to_new"):
        notebook_names(["99"])
