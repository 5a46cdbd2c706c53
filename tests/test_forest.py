"""Differences of methods to references: sorted rows, filled where separable."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFTBASE, CARETRIGHTBASE

from cptlab.lab.figures import forest_panels, tail_panels
from cptlab.lab.figures.style import method_look, method_looks, save, use_style
from cptlab.lab.study import comparison, other_measures, transfer

NAN = np.nan


def table(rows, reference="Zero-shot", panel="H") -> pd.DataFrame:
    """Rows of (method, mean, lower, upper, adjusted)."""
    found = pd.DataFrame(rows, columns=["method", "mean", "lower", "upper", "adjusted"])
    found = found.assign(least=found["mean"] - 2, most=found["mean"] + 1, n=6)
    return found.assign(reference=reference, panel=panel, metric=panel)


def drawn(frame) -> tuple[Figure, list]:
    with use_style():
        fig = Figure(figsize=(8, 1))
        axes = forest_panels(frame, fig)
        fig.draw_without_rendering()
    return fig, axes


def marks(ax) -> dict[float, tuple[float, bool]]:
    """Height of a mark -> its place, and whether it is filled."""
    lines = [bar.lines[0] for bar in ax.containers]
    return {
        line.get_ydata()[0]: (
            line.get_xdata()[0],
            to_hex(line.get_markerfacecolor()) == to_hex(line.get_color()),
        )
        for line in lines
    }


ROWS = [("IVLP", -1, -2, 0, 0.06), ("CoOp", 3, 2, 4, 0.05), ("CPT (sum)", -5, -6, -4, 0.001)]


def test_rows_are_sorted_by_the_first_panel_and_filled_where_separable(tmp_path):
    second = table([("CoOp", 4, 3, 5, 0.2), ("CPT (sum)", 9, 8, 10, 0.01)], "IVLP")
    fig, (first, other) = drawn(pd.concat([table(ROWS), second]))
    labels = [label.get_text() for label in first.get_yticklabels()]
    assert labels == ["CoOp", "IVLP", "CPT (sum)"]
    places = first.get_yticks()
    assert first.get_ylim()[0] > first.get_ylim()[1]  # from top to bottom
    wanted = [(3, True), (-1, False), (-5, True)]
    assert marks(first) == dict(zip(places, wanted, strict=True))
    assert marks(other) == {places[0]: (4, False), places[2]: (9, True)}  # none of IVLP itself
    told = [ax.get_xlabel().replace("\n", " ") for ax in (first, other)]
    assert told == ["minus Zero-shot (points)", "minus IVLP (points)"]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == [
        *("95 % interval", "filled: separable after correction", "hollow: not separable")
    ]
    save(fig, second, tmp_path, "forest")


def test_panels_of_a_reference_share_a_scale_that_holds_zero():
    both = pd.concat([table(ROWS), table([("CoOp", 8, 7, 9, 0.1)], panel="tail")])
    _, (first, second, other) = drawn(pd.concat([both, table(ROWS[1:2], "IVLP")]))
    assert first.get_xlim() == second.get_xlim() != other.get_xlim()
    assert first.get_xlim()[0] <= -6 and first.get_xlim()[1] >= 9
    assert other.get_xlim()[0] < 0 < other.get_xlim()[1]


def test_intervals_beyond_the_scale_end_in_an_arrow():
    _, (ax,) = drawn(table([*ROWS, ("MaPLe", 0, -99, 99, 0.9)]))
    assert ax.get_xlim()[0] > -15 and ax.get_xlim()[1] < 15
    arrows = [line for line in ax.lines if line.get_marker() in (CARETLEFTBASE, CARETRIGHTBASE)]
    assert [line.get_xdata()[0] for line in arrows] == list(ax.get_xlim())
    assert {line.get_color() for line in arrows} == {method_look("MaPLe").color}


def test_few_runs_are_hollow_and_have_their_range():
    fig, (ax,) = drawn(table([("CoOp", 3, NAN, NAN, NAN)]))
    assert [filled for _, filled in marks(ax).values()] == [False]
    (bar,) = ax.containers
    assert bar.lines[2][0].get_segments()[0][:, 0].tolist() == [1, 4]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == [
        "range of fewer than 5 runs"
    ]


@pytest.mark.parametrize("count", [1, 2, 24])
def test_names_and_titles_do_not_meet(count):
    names = [*method_looks()][1 : count + 1]
    names[-1] = "a method of one's own with a name that is much too long for a line"
    rows = [(name, i, i - 1, i + 1, 0.01) for i, name in enumerate(names)]
    panels = itertools.product(("Zero-shot", "IVLP"), ("τ = 0.06", "τ = 0.25", "τ = 1"))
    fig, axes = drawn(pd.concat([table(rows, *panel) for panel in panels]))
    for texts in (
        axes[0].get_yticklabels(),
        [ax.title for ax in axes],
        [ax.xaxis.label for ax in axes],
    ):
        boxes = [text.get_window_extent() for text in texts]
        assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(text.get_fontsize() >= 8 for ax in axes for text in (ax.title, ax.xaxis.label))
    assert fig.get_figwidth() == 8


def test_without_differences_nothing_can_be_drawn():
    with pytest.raises(ValueError, match="no differences to draw"):
        forest_panels(table([]), Figure())


# What tables give to the figure


def gaps(metrics, taus, references=("IVLP", "Zero-shot")) -> pd.DataFrame:
    rows = itertools.product(references, ("Zero-shot", "IVLP", "CoOp"), taus, metrics)
    found = pd.DataFrame(rows, columns=["reference", "method", "tau", "metric"])
    return found[found["method"] != found["reference"]].assign(mean=1.0)


def titles(frame) -> dict[str, list[str]]:
    return {
        str(name): list(dict.fromkeys(rows["panel"]))
        for name, rows in frame.groupby("reference", sort=False)
    }


def test_the_table_of_base_to_new_shows_zero_shot_first_and_both_ends():
    found = comparison.drawn(gaps(comparison.SHOWN, (1.0, 0.25, 0.06)))
    assert titles(found) == {
        "Zero-shot": ["H, τ = 0.06", "H, τ = 1", "new, τ = 0.06", "tail, τ = 0.06"],
        "IVLP": ["H, τ = 0.06", "tail, τ = 0.06"],
    }
    one = comparison.drawn(gaps(comparison.SHOWN, (0.1,), ("Zero-shot",)))
    assert titles(one) == {"Zero-shot": ["H", "new", "tail"]}


@pytest.mark.parametrize(
    ("taus", "shown"),
    [((1.0, 0.25, 0.06), (0.06, 0.25, 1.0)), ((1.0, 0.5, 0.25, 0.1), (0.1, 1.0)), ((0.3,), (0.3,))],
)
def test_transfer_shows_the_mean_at_each_ratio_or_at_both_ends(taus, shown):
    found = transfer.drawn(gaps(["source", "targets"], taus), "target")
    ratios = [f"τ = {tau:g}" for tau in shown]
    assert titles(found) == {"Zero-shot": ratios, "IVLP": ratios}
    assert set(found["metric"]) == {"targets"} and "Zero-shot" not in set(found["method"])


def test_measures_have_their_names():
    found = other_measures.drawn(gaps(["base_rare"], (0.06,), ("Zero-shot",)))
    assert titles(found) == {"Zero-shot": [other_measures.NAMES["base_rare"]]}


def test_thirds_are_differences_from_tail_to_head():
    rows = itertools.product(("Zero-shot", "CoOp", "IVLP"), ("food", "travel"), (1, 2, 3))
    runs = pd.DataFrame(rows, columns=["method", "dataset", "seed"]).assign(tau=0.06)
    runs = runs[(runs["method"] != "Zero-shot") | (runs["seed"] == 1)]
    for name, gain in zip(comparison.THIRDS, (5.0, 0.0, -5.0), strict=True):
        runs[name] = (
            50 + gain * (runs["method"] == "CoOp") + runs["seed"] * (runs["method"] == "IVLP")
        )
    found = comparison.thirds_gaps(runs)
    assert titles(found) == {"Zero-shot": ["tail third", "medium third", "head third"]}
    means = found[found["method"] == "CoOp"].set_index("metric")["mean"]
    assert means[comparison.THIRDS].tolist() == [5, 0, -5]


def test_gains_by_images_have_the_rows_of_the_thirds(tmp_path):
    thirds = pd.concat([table(ROWS, panel="tail third"), table(ROWS[:2], panel="head third")])
    gains = pd.concat([table(ROWS[1:], panel="1 image"), table(ROWS[:1], panel="2 images")])
    with use_style():
        fig = Figure()
        axes = tail_panels(thirds, gains, fig)
        save(fig, gains, tmp_path, "tail")
    titles = ["tail third", "head third", "1 image", "2 images"]
    assert [ax.get_title() for ax in axes] == titles
    assert [ax.title.get_fontweight() for ax in axes] == ["bold", "normal", "normal", "normal"]
    for first in (axes[0], axes[2]):
        names = [label.get_text() for label in first.get_yticklabels()]
        assert names == ["CoOp", "IVLP", "CPT (sum)"]
    places = axes[2].get_yticks()
    assert marks(axes[2]) == {places[0]: (3, True), places[2]: (-5, True)}
    assert marks(axes[3]) == {places[1]: (-1, False)}


def test_gains_are_a_family_with_a_panel_for_each_number_of_images():
    rows = itertools.product(("Zero-shot", "CoOp", "IVLP"), "ab", range(6), range(5))
    classes = pd.DataFrame(rows, columns=["method", "dataset", "name", "seed"])
    classes["n_k"] = classes["name"].map(dict(enumerate((1, 1, 1, 2, 3, 4))))
    noise = np.random.default_rng(0).normal(size=len(classes))
    classes["accuracy"] = 50 + noise + 20 * (classes["method"] == "IVLP")
    classes = classes[(classes["method"] != "Zero-shot") | (classes["seed"] == 0)]
    found = comparison.gains(classes)
    assert titles(found) == {
        "Zero-shot": ["1 image\n(6 classes)", "2 images\n(2 classes)", "3 to 4 images\n(4 classes)"]
    }
    assert set(found["family"]) == {6}
    held = found[found["adjusted"] <= 0.05]
    assert set(held["method"]) == {"IVLP"} and len(held) == 3
