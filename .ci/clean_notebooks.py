"""Store notebooks clean: without outputs (but in cells tagged `nbval-check-output`) and machines.

    python .ci/clean_notebooks.py notebooks/*.ipynb

Rewrites those that are not, names them and then ends with status 1, as formatters do for
pre-commit.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

CHECKED = "nbval-check-output"
KEPT = ("tags", "jupyter")  # of a cell's metadata; the rest is times and folded outputs
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def clean(notebook: NotebookNode) -> NotebookNode:
    """The notebook (changed in place) without what an execution left in it, on any Python 3."""
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in KEPT if key in cell.metadata}
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code":
            cell.outputs = cell.outputs if CHECKED in tags else []
            # nbval takes outputs without a count for a mistake; one that says nothing will do
            cell.execution_count = 1 if cell.outputs else None
            for output in cell.outputs:
                if "execution_count" in output:
                    output["execution_count"] = 1
    return notebook


def main(paths: list[str]) -> int:
    """Clean these files; 1 if one had to be rewritten or is no notebook, else 0."""
    status = 0
    for path in map(Path, paths):
        before = path.read_text(encoding="utf-8")
        try:
            notebook = nbformat.reads(before, as_version=4)
        except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
            print(f"{path} is no notebook: {error}", file=sys.stderr)
            status = 1
            continue
        after = nbformat.writes(clean(notebook)) + "\n"
        if after != before:
            path.write_text(after, encoding="utf-8", newline="\n")
            print(f"cleaned {path}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
