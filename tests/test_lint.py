"""Notebooks are stored clean, pre-commit's hooks are `make lint`, and no file can run code.

Most calls that could run what a file holds are errors of ruff (its S rules).
"""

import ast
import importlib.util
import shutil
import subprocess
import sys

import nbformat
import pytest
import yaml

from cptlab.lab.workspace import CHECKOUT, NOTEBOOKS

SCRIPT = CHECKOUT / ".ci/clean_notebooks.py"
_spec = importlib.util.spec_from_file_location("clean_notebooks", SCRIPT)
clean_notebooks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(clean_notebooks)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_notebook_is_stored_as_the_hook_stores_it(path, tmp_path):
    copy = shutil.copy(path, tmp_path)
    assert clean_notebooks.main([copy]) == 0


def test_what_an_execution_leaves_is_taken_out_again(tmp_path, capsys):
    path = tmp_path / "09_published_tables.ipynb"
    stored = (NOTEBOOKS / path.name).read_text(encoding="utf-8")
    notebook = nbformat.reads(stored, as_version=4)
    notebook.metadata.kernelspec.display_name = "my env"
    notebook.metadata.language_info = {"name": "python", "version": "3.13.0"}
    notebook.metadata.papermill = {"duration": 3.2}
    for i, cell in enumerate(c for c in notebook.cells if c.cell_type == "code"):
        cell.execution_count = i
        cell.metadata["execution"] = {"iopub.execute_input": "2026-11-24"}
        if "nbval-check-output" not in cell.metadata.get("tags", []):
            cell.outputs = [nbformat.v4.new_output("stream", text="words")]
    nbformat.write(notebook, path)
    assert clean_notebooks.main([str(path)]) == 1
    assert capsys.readouterr().out == f"cleaned {path}\n"
    assert path.read_text(encoding="utf-8") == stored
    assert clean_notebooks.main([str(path)]) == 0


def test_what_is_no_notebook_is_named(tmp_path, capsys):
    path = tmp_path / "a.ipynb"
    path.write_text("no JSON")
    assert clean_notebooks.main([str(path)]) == 1
    assert f"{path} is no notebook" in capsys.readouterr().err


def test_pre_commit_uses_the_pinned_tools_and_what_make_lint_uses():
    (repository,) = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"  # nothing is downloaded
    lint = (CHECKOUT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        python, *command = hook["entry"].removesuffix(" --force-exclude").split()
        assert python == ".venv/bin/python"
        assert f"$(BIN)/python {' '.join(command)}" in lint
        shown = subprocess.run(
            [sys.executable, *command, "--help"][: 2 if command[0] != "-m" else None],
            cwd=CHECKOUT,
            capture_output=True,
            check=False,
        )
        assert shown.returncode == 0


def unpickling(source: str) -> list[str]:
    """Calls that may run what a file holds and that ruff passes."""
    found = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        keywords = {word.arg: ast.unparse(word.value) for word in call.keywords}
        if name == "torch.load" and keywords.get("weights_only") != "True":
            found.append(name)
        if name in ("joblib.load", "cloudpickle.load", "cloudpickle.loads"):
            found.append(name)
        if keywords.get("allow_pickle", "False") != "False":
            found.append(name)
    return found


def test_weights_and_results_are_read_as_plain_data():
    files = [path for room in ("cptlab", "dev") for path in (CHECKOUT / room).rglob("*.py")]
    assert {str(path) for path in files if unpickling(path.read_text(encoding="utf-8"))} == set()
    for source in (
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "joblib.load(path)",
    ):
        assert unpickling(source) != []
