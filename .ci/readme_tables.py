"""Write the tables of README.md and docs/*.md anew from the files in figures/.

    python .ci/readme_tables.py

Each table stands between two marks, `<!-- name: begin -->` and `<!-- name: end -->`, wherever it is
shown.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from cptlab.lab import bench
from cptlab.methods import registry

ROOT = Path(__file__).parents[1]
GOLDEN_NAMES = {"zero_shot": ("unprompted",), "linear_probe": ("linear_probe", "clap")}
"""Golden files are called as their method is, but for these."""


def tables(read: Callable[[str], str]) -> dict[str, str]:
    """Name of each table -> Markdown. read: gives the text of a file in figures/."""
    _, _, smallest = read("tab2_base_to_new.md").partition("**tau = 0.06**")
    measured = {
        name: bench.markdown(json.loads(read(f"{name}.json"))) for name in bench.NAMES.values()
    }
    return measured | {
        "results": smallest,
        "headlines": read("headlines.md"),
        "conclusions": read("conclusions.md"),
        "methods": methods(),
        "tail_coop": f"```python\n{(ROOT / 'docs/tail_coop.py').read_text(encoding='utf-8')}```",
    }


def methods() -> str:
    """Source of each built-in method, and the public code that it was compared with."""
    lines = ["| method | source | compared with |", "| --- | --- | --- |"]
    for name, reference in registry.BUILT_IN.items():
        module, _, method = reference.partition(":")
        source = str(importlib.import_module(module).__doc__).strip().partition("\n")[0]
        link = f"[{method}](../{module.replace('.', '/')}.py)"
        lines.append(f"| {link} | {source} | {_compared(name)} |")
    return "\n".join(lines)


def _compared(name: str) -> str:
    """Public repositories with the commit, and the number of golden cases of a method."""
    golden = ROOT / "tests/golden"
    files = [
        path
        for stem in GOLDEN_NAMES.get(name, (name,))
        for path in (*sorted(golden.glob(f"{stem}_*.npz")), *golden.glob(f"{stem}.npz"))
    ]
    used = dict.fromkeys(map(_repository, files))
    return f"{', '.join(used)}: {len(files)} case{'s' * (len(files) > 1)}" if files else "–"


def _repository(path: Path) -> str:
    with np.load(path, allow_pickle=False) as case:
        repository = json.loads(str(case["meta"]))["repo"]
    name, _, commit = repository.partition("@")
    return f"{name}@{commit[:7]}"


def documents() -> dict[Path, str]:
    """README and the documents in docs/ with their texts."""
    paths = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
    return {path: path.read_text(encoding="utf-8") for path in paths}


def filled(texts: Mapping[Path, str], tables: Mapping[str, str]) -> dict[Path, str]:
    """These texts with the tables between their marks. Raises ValueError for a table in no text."""
    new = dict(texts)
    for name, table in tables.items():
        begin, end = (f"<!-- {name}: {which} -->" for which in ("begin", "end"))
        marked = re.compile(re.escape(begin) + ".*?" + re.escape(end), flags=re.DOTALL)
        if not any(marked.search(text) for text in texts.values()):
            raise ValueError(f"No document has the marks {begin} and {end}.")
        block = f"{begin}\n\n{table.strip()}\n\n{end}"
        new = {path: marked.sub(lambda _, b=block: b, text) for path, text in new.items()}
    return new


if __name__ == "__main__":
    new = tables(lambda name: (ROOT / "figures" / name).read_text(encoding="utf-8"))
    for path, text in filled(documents(), new).items():
        path.write_text(text, encoding="utf-8", newline="\n")
