"""Write the tables of README.md anew from the files in figures/.

    python .ci/readme_tables.py

Each table stands between two marks, `<!-- name: begin -->` and `<!-- name: end -->`.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from cptlab.lab import bench

ROOT = Path(__file__).parents[1]
TAUS = (0.06, 0.25, 1)
AGAINST = ("CPT (sum)", "CPT (pair mean)", "PromptSRC", "DeKg", "DeKg (published steps)")
"""Methods whose H is compared with that of IVLP."""


def tables(read: Callable[[str], str]) -> dict[str, str]:
    """Name of each table -> Markdown. read: gives the text of a file in figures/."""
    others, smallest = read("tab2_base_to_new.md").split("**tau = 0.06**")
    measured = {
        name: bench.markdown(json.loads(read(f"{name}.json"))) for name in bench.NAMES.values()
    }
    return measured | {
        "results": f"**tau = 0.06**{smallest}",
        "more results": others,
        "against": _against(read),
        "claims": read("claims_ledger.md"),
    }


def _against(read: Callable[[str], str]) -> str:
    gaps = pd.read_csv(io.StringIO(read("tab2_differences_to_ivlp.csv")))
    steps = pd.read_csv(io.StringIO(read("cost_steps.csv")))
    steps = steps.query("reference == 'IVLP' and method.str.contains('published steps')")
    values = pd.concat([gaps, steps]).query("metric == 'H'").set_index(["method", "tau"])
    heads = " | ".join(f"tau = {tau}" for tau in TAUS)
    lines = [f"| H minus that of IVLP, points | {heads} |", "| --- |" + " ---: |" * len(TAUS)]
    for method in AGAINST:
        rows = (values.loc[method, tau] for tau in TAUS)
        cells = [f"{row['mean']:+.1f} ({row['lower']:.1f} to {row['upper']:.1f})" for row in rows]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def filled(text: str, tables: dict[str, str]) -> str:
    """A text with these tables between their marks. Raises ValueError if marks are missing."""
    for name, table in tables.items():
        begin, end = (f"<!-- {name}: {which} -->" for which in ("begin", "end"))
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"There must be one {begin} and one {end} in the text.")
        pattern = re.escape(begin) + ".*" + re.escape(end)
        block = f"{begin}\n\n{table.strip()}\n\n{end}"
        text = re.sub(pattern, lambda _, block=block: block, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    page, figures = ROOT / "README.md", ROOT / "figures"
    new = tables(lambda name: (figures / name).read_text(encoding="utf-8"))
    page.write_text(filled(page.read_text(encoding="utf-8"), new), encoding="utf-8", newline="\n")
