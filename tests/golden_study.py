"""A small study whose finished runs are committed, and everything that is rebuilt from them.

`python tests/golden_study.py` trains the runs again and rewrites `tests/golden/study`.
"""

import io
import shutil
from pathlib import Path

import pandas as pd
import torch
from matplotlib.figure import Figure
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab.data import Task
from cptlab.lab.figures import method_intervals, rank_plot, seed_strips, training_curves
from cptlab.lab.figures.style import save, use_style
from cptlab.lab.runs import inputs
from cptlab.lab.runs.queue import run
from cptlab.lab.runs.results import load_result, table
from cptlab.lab.study import claims
from cptlab.lab.study.outcomes import training_logs
from cptlab.lab.study.parts import parts_of
from cptlab.lab.study.studies import Study
from cptlab.lab.study.summary import PARTS, summarise, to_markdown
from cptlab.lab.study.tables import differences, for_every_seed, rank_table
from cptlab.methods import CPT, IVLP, CoOp, GlobalETF, ZeroShot
from cptlab.methods.schedule import Schedule
from cptlab.training.spec import RunSpec

FOLDER = Path(__file__).parent / "golden" / "study"
RUNS, REBUILT = FOLDER / "runs", FOLDER / "rebuilt"
SCHEDULE = Schedule(epochs=3, lr=0.02, batch_size=8)
DEEP = {"text_depth": 2, "vision_depth": 2}
METHODS = {
    "Zero-shot": ZeroShot(),
    "CoOp": CoOp(),
    "IVLP": IVLP(**DEEP),
    "Global-ETF (pair mean)": GlobalETF(reduction="pair_mean", **DEEP),
    "CPT (sum)": CPT(cluster_size=2, **DEEP),
    "CPT (pair mean)": CPT(cluster_size=2, etf_reduction="pair_mean", **DEEP),
}
CLAIMS = ("CPT keeps a higher rank than global ETF", "Tail accuracy is up")
METRICS = ["H", "base", "new", "tail"]


def study() -> Study:
    """Every method with three seeds, one of the seeds with a curve; zero-shot once."""
    return {
        RunSpec("tiny", method, 0.06, seed, SCHEDULE, backbone="tiny", curve=True): name
        for name, method in METHODS.items()
        for seed in ((1,) if name == "Zero-shot" else (1, 2, 3))
    }


def tiny_world() -> None:
    """Let specifications mean the tiny CLIP and data set."""
    backbone = tiny_clip(torch.float32)
    base, new = tiny_dataset(8).halves()
    inputs.backbone_of = lambda spec: backbone
    inputs.task_of = lambda spec: Task("base", {"base": base, "new": new})


def rebuilt(store: Path, folder: Path) -> dict[str, str]:
    """Tables, ledger and the data of figures from stored runs: file name -> text.

    folder: where figures are written.
    """
    named = study()
    results = [load_result(store, spec) for spec in named]
    frame = table(results).assign(method=list(named.values())).drop(columns="seconds")
    parts = frame.assign(**{PARTS: list(map(parts_of, results))})
    summary = summarise(parts, METRICS)
    gains = differences(for_every_seed(frame, "Zero-shot"), "IVLP", METRICS)
    chosen = [claim for claim in claims.CLAIMS if claim.name in CLAIMS]
    by_label: dict[str, list] = {}
    for result in results:
        by_label.setdefault(named[result.spec], []).append(result)
    followed = training_logs({k: v for k, v in by_label.items() if k != "Zero-shot"})
    tuned = frame[frame["method"] != "Zero-shot"]
    ranks = rank_table(for_every_seed(frame, "Zero-shot"), "H")
    with use_style():
        axes = [Figure().subplots() for _ in range(4)]
        method_intervals(summary, metric="H", ax=axes[0])
        rank_plot(ranks, ax=axes[1])
        seed_strips(tuned, ax=axes[2])
        curves = summarise(followed, ["H"], ["method", "progress"])
        training_curves(curves, ax=axes[3], x="progress")
        frames = {"intervals": summary, "ranks": ranks, "violins": tuned, "curves": curves}
        written = {
            f"{name}.csv": save(ax.figure, data, folder, name)[1].read_text()
            for ax, (name, data) in zip(axes, frames.items(), strict=True)
        }
    return written | {
        "summary.md": to_markdown(summary),
        "differences.csv": text(gains),
        "ledger.csv": text(claims.ledger(frame, chosen)),
    }


def text(frame: pd.DataFrame) -> str:
    """A frame as CSV text, as the package writes it."""
    buffer = io.StringIO()
    frame.to_csv(buffer, index=False, float_format="%.4f", lineterminator="\n")
    return buffer.getvalue()


if __name__ == "__main__":
    tiny_world()
    shutil.rmtree(FOLDER, ignore_errors=True)
    run(list(study()), RUNS)
    for leftover in (*RUNS.glob("*/.lock"), *RUNS.glob(".passes")):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    REBUILT.mkdir()
    for name, content in rebuilt(RUNS, FOLDER / "figures").items():
        (REBUILT / name).write_text(content)
    shutil.rmtree(FOLDER / "figures")
