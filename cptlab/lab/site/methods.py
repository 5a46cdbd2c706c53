"""The page of the methods: sources from their docstrings, what they were compared with, rows."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np

from cptlab.lab.workspace import CHECKOUT
from cptlab.methods import registry

GOLDEN = CHECKOUT / "tests/golden"
OTHER_NAMES = {"zero_shot": ("unprompted",), "linear_probe": ("linear_probe", "clap")}
"""Golden files are called as their method is, but for these."""
HERE = """# Methods

Every method is one file and one row or more of tables and figures. *Compared with* names the
public code, at a commit, whose features, logits, losses and gradients on a small CLIP a method
reproduces, and in how many cases; methods without public code are compared with numbers worked out
by hand in the tests, where there are formulas to work out.

| method | rows | source | compared with |
| --- | --- | --- | --- |
{rows}

{left_out}
"""
LEFT_OUT = "The comparisons lie in `tests/golden` of the repository, which a wheel does not carry."


def methods_page() -> str:
    """Markdown: a row for each built-in method."""
    rows = []
    for name, reference in registry.BUILT_IN.items():
        module = importlib.import_module(reference.partition(":")[0])
        cls = registry.METHODS[name]
        labels = ", ".join(row.label for row in cls.rows)
        source = str(module.__doc__).strip().partition("\n")[0]
        link = f"[{cls.__name__}](#{module.__name__}.{cls.__name__})"
        rows.append(f"| {link} | {labels} | {source} | {_compared(name)} |")
    left_out = "" if GOLDEN.is_dir() else LEFT_OUT
    return HERE.format(rows="\n".join(rows), left_out=left_out)


def _compared(name: str) -> str:
    """Public repositories with the commit, and the number of golden cases of a method."""
    files = [
        path
        for stem in OTHER_NAMES.get(name, (name,))
        for path in sorted(GOLDEN.glob(f"{stem}_*.npz")) + sorted(GOLDEN.glob(f"{stem}.npz"))
    ]
    used = dict.fromkeys(map(_repository, files))
    return f"{', '.join(used)}: {len(files)} case{'s' * (len(files) > 1)}" if files else "–"


def _repository(path: Path) -> str:
    with np.load(path, allow_pickle=False) as case:
        repository = json.loads(str(case["meta"]))["repo"]
    name, _, commit = repository.partition("@")
    return f"{name}@{commit[:7]}"
