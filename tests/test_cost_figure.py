"""What methods gain against what they cost, by the content of its Axes."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from cptlab.lab.figures import gain_by_cost
from cptlab.lab.figures.style import method_look, method_looks, save, use_style

COST = "step (ms)"


def table(labels, seed=0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"method": list(labels), "metric": "H", "reference": "Zero-shot"})
    frame["mean"] = rng.normal(size=len(frame))
    frame["lower"], frame["upper"] = frame["mean"] - 0.5, frame["mean"] + 0.25
    frame["least"], frame["most"], frame["n"] = frame["mean"], frame["mean"], 6
    frame["adjusted"] = np.where(np.arange(len(frame)) % 2, 0.01, 0.5)
    frame[COST] = 10.0 * (1 + np.arange(len(frame)))
    return frame


def drawn(frame) -> tuple[Figure, object]:
    with use_style():
        fig = Figure()
        return fig, gain_by_cost(frame, fig, cost=COST)


def names(ax) -> list[Annotation]:
    return [text for text in ax.texts if isinstance(text, Annotation)]


def test_marks_are_those_of_the_frame_filled_where_separable(tmp_path):
    frame = table(["CoOp", "IVLP", "CPT (sum)"])
    fig, ax = drawn(frame)
    for row, bar in zip(frame.itertuples(), ax.containers, strict=True):
        mark, _, (whisker,) = bar.lines
        look = method_look(row.method)
        assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (10 * (1 + row.Index), row.mean)
        assert to_hex(mark.get_color()).upper() == look.color.upper()
        filled = to_hex(mark.get_markerfacecolor()).upper() == look.color.upper()
        assert filled == (row.method == "IVLP")
        assert whisker.get_segments()[0][:, 1] == pytest.approx([row.lower, row.upper])
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == (COST, "H minus Zero-shot (points)")
    ticks = dict(zip([t.get_text() for t in ax.get_xticklabels()], ax.get_xticks(), strict=True))
    assert ticks["none"] == 4 and ticks["10"] == 10
    save(fig, frame, tmp_path, "cost")


def test_the_line_goes_through_the_best_means_at_their_cost():
    frame = table(["CoOp", "IVLP", "MaPLe", "CPT (sum)"]).assign(mean=[-1.0, 2.0, 1.0, 3.0])
    _, ax = drawn(frame)
    (line,) = (line for line in ax.lines if line.get_drawstyle() == "steps-post")
    assert line.get_xydata()[:-1].tolist() == [[4, 0], [20, 2], [40, 3]]
    assert line.get_xydata()[-1].tolist() == [ax.get_xlim()[1], 3]


@pytest.mark.parametrize("labels", [["CoOp"], list(method_looks())[1:25]], ids=len)
def test_every_mark_has_its_name_and_no_two_names_meet(labels):
    frame = table(labels)
    frame[COST] = np.resize([10.0, 11.0, 11.1, 30.0], len(frame))
    frame[f"{COST} min"], frame[f"{COST} max"] = 0.9 * frame[COST], 1.2 * frame[COST]
    _, ax = drawn(frame)
    assert {text.get_text() for text in names(ax)} == {"Zero-shot", *labels}
    boxes = [Text.get_window_extent(text) for text in names(ax)]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    across, _ = (whisker.get_segments()[0] for whisker in ax.containers[0].lines[2])
    np.testing.assert_allclose(across[:, 0], [9, 12])


def test_errors_of_the_figure_say_what_to_do():
    frame = table(["IVLP", "CoOp"])
    with pytest.raises(ValueError, match="No method has a cost to draw"):
        drawn(frame.assign(**{COST: 0.0}))
    frame.loc[1, COST] = np.nan
    with pytest.raises(ValueError, match="The cost of CoOp is not known: measure it first"):
        drawn(frame)
