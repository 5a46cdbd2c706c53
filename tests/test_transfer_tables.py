"""Tables of transfer: which parts there are, from one source or several."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from cptlab.lab import figures
from cptlab.lab.study import transfer
from cptlab.lab.study.summary import summarise

NAN = float("nan")


def runs(methods, sources=("food",)):
    """Accuracies of runs; no source is a target of its own."""
    return pd.DataFrame(
        {"method": method, "tau": 0.06, "seed": seed, "dataset": source, "source": 90.0}
        | {f"target {t}": NAN if t == source else level + seed for t in ("food", "birds", "bugs")}
        | {"targets": level + seed}
        for method, level in methods.items()
        for source in sources
        for seed in ((1,) if method == "Zero-shot" else (1, 2, 3))
    )


def test_parts_are_columns_of_the_kind():
    table = runs({"CoOp": 50})
    assert transfer.parts(table, "domain") == []
    assert transfer.parts(table, "target") == ["target food", "target birds", "target bugs"]
    assert transfer.parts(pd.DataFrame(), "target") == []


def test_ranks_are_within_parts_of_each_source():
    methods = {"Zero-shot": 40, "CoOp": 50}
    (one,) = transfer.ranks(runs(methods), "target").query("method == 'CoOp'").itertuples()
    assert (one.mean, one.datasets, one.n) == (1, 2, 6)
    both = transfer.ranks(runs(methods, ("food", "/some/where/birds")), "target")
    (one,) = both.query("method == 'CoOp'").itertuples()
    assert one.datasets == 2 and one.n == 6  # targets of one source are tests of one run
    assert transfer.unit(runs(methods), "target") == "target"
    assert transfer.unit(runs(methods, ("food", "birds")), "target") == "source"
    assert transfer.sources(runs(methods, ("food", "birds"))) == "from 2 sources"
    assert transfer.sources(runs(methods, ("/some/birds",))) == "from birds"


def test_gaps_are_to_the_references_that_take_part():
    gaps = transfer.gaps(runs({"Zero-shot": 40, "CoOp": 50, "IVLP": 45}), "target")
    assert list(gaps["reference"].unique()) == ["IVLP", "Zero-shot"]
    row = gaps.query("method == 'CoOp' and reference == 'IVLP' and metric == 'targets'")
    assert row["mean"].tolist() == [5]
    text = transfer.main_findings(gaps, "target")
    assert "targets, tau = 0.06, against IVLP" in text and "source" not in text
    assert list(transfer.gaps(runs({"Zero-shot": 40, "CoOp": 50}), "target")["reference"]) == [
        "Zero-shot",
        "Zero-shot",
    ]


def test_a_part_that_no_run_has_is_left_empty():
    """Of one source; the others have it."""
    summary = transfer.summary(runs({"CoOp": 50}, ("food", "birds")), "target")
    assert summary.set_index("metric").loc["target birds", "mean"] == 52
    runs_of = dict(zip(summary["metric"], summary["n"], strict=True))
    assert runs_of["targets"] == 6 and runs_of["target birds"] == 3


@pytest.mark.parametrize(("count", "blocks"), [(1, 1), (6, 1), (7, 2), (11, 2)])
def test_many_metrics_are_drawn_in_blocks(count, blocks):
    names = {f"m{i}": f"metric {i}" for i in range(count)}
    frame = pd.DataFrame(
        {"dataset": "food", "method": method, "tau": tau, "seed": seed}
        | dict.fromkeys(names, 10.0 * seed + tau)
        for method in ("Zero-shot", "CoOp")
        for tau in (1.0, 0.06)
        for seed in (1, 2, 3)
    )
    fig = plt.figure(figsize=(8, 1), layout="constrained")
    axes = figures.method_grid(summarise(frame, list(names)), names, fig)
    assert len(axes) == 2 * count
    assert [ax.get_xlabel() for ax in axes if ax.get_xlabel()] == [
        f"metric {i} (%)" for i in range(count)
    ]
    assert fig.get_figheight() == pytest.approx(blocks * 2 * (0.8 + 0.18 * 2))
    fig.canvas.draw()
    plt.close(fig)
