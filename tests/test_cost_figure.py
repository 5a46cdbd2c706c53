"""Accuracy against cost, by the content of its Axes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cptlab.lab.figures import accuracy_by_cost
from cptlab.lab.figures.style import method_look, method_looks, use_style


@pytest.fixture
def ax():
    with use_style():
        yield Figure(figsize=(5, 3.5)).subplots()


def table(labels) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"method": list(labels), "metric": "H"})
    frame["mean"] = 50 + rng.normal(size=len(frame))
    frame["lower"], frame["upper"] = frame["mean"] - 0.5, frame["mean"] + 0.25
    frame["least"], frame["most"], frame["n"] = frame["mean"], frame["mean"], 6
    frame["step (ms)"] = 10.0 * np.arange(len(frame))  # the first one, zero-shot, takes none
    return frame


def test_marks_and_intervals_are_those_of_the_frame(ax):
    frame = table(["Zero-shot", "CoOp", "IVLP", "CPT (sum)"])
    frame.loc[0, ["lower", "upper"]] = np.nan
    frame.loc[len(frame)] = ["IVLP", "tail", 1.0, 0.0, 2.0, 1.0, 1.0, 6, 1e6]  # another metric
    assert accuracy_by_cost(frame, metric="H", cost="step (ms)", ax=ax) is ax
    rows = frame[frame["metric"] == "H"].set_index("method")
    assert len(ax.containers) == len(rows)
    for label, bar in zip(rows.index, ax.containers, strict=True):
        mark, _, (whisker,) = bar.lines
        (x,), (y,) = mark.get_data()
        assert y == rows.loc[label, "mean"]
        assert x == (2.5 if label == "Zero-shot" else rows.loc[label, "step (ms)"])
        assert to_hex(mark.get_color()).upper() == to_hex(method_look(label).color).upper()
        ends = whisker.get_segments()[0][:, 1]
        wanted = rows.loc[label, ["lower", "upper"]].fillna(rows.loc[label, "mean"])
        assert ends == pytest.approx(wanted.to_numpy(dtype=float))
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step (ms)", "H (%)")
    ticks = dict(zip(ax.get_xticks(), [t.get_text() for t in ax.get_xticklabels()], strict=True))
    assert ticks[2.5] == "none" and ticks[10] == "10" and len(ticks) == len(set(ticks.values()))


def test_ranges_of_costs_are_whiskers_and_every_mark_has_its_name(ax):
    frame = table(method_looks())
    frame["step (ms) min"], frame["step (ms) max"] = 0.5 * frame["step (ms)"], 15.0 * frame.index
    accuracy_by_cost(frame, metric="H", cost="step (ms)", ax=ax)
    assert ax.get_legend_handles_labels()[1] == list(method_looks())
    assert len(ax.containers[0].lines[2]) == 1  # zero-shot: nothing that could vary
    for x, bar in zip(frame["step (ms)"][1:], ax.containers[1:], strict=True):
        across, _ = (whisker.get_segments()[0] for whisker in bar.lines[2])
        np.testing.assert_allclose(across[:, 0], [0.5 * x, 1.5 * x])
    ax.figure.draw_without_rendering()


def test_errors_of_the_figure_say_what_to_do(ax):
    frame = table(["Zero-shot", "CoOp"])
    with pytest.raises(ValueError, match="no rows of the metric 'tail'"):
        accuracy_by_cost(frame, metric="tail", cost="step (ms)", ax=ax)
    frame.loc[1, "step (ms)"] = np.nan
    with pytest.raises(ValueError, match="The cost of CoOp is not known: measure it first"):
        accuracy_by_cost(frame, metric="H", cost="step (ms)", ax=ax)
