"""Figures of runs, weights and losses draw the numbers of their frames and refuse unclear ones."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from cptlab.lab.figures import (
    ablation_bars,
    change_curves,
    cluster_sizes,
    image_grid,
    method_intervals,
    seed_strips,
    similarity_matrix,
    training_curves,
    weight_heatmap,
)
from cptlab.lab.figures.sensitivity import spaced
from cptlab.lab.figures.style import BLUE, GREEN, VERMILLION, method_look, save, use_style
from cptlab.lab.figures.text import end_labels
from cptlab.lab.study.claims.variants import names_of
from cptlab.lab.study.intervals import crossed
from cptlab.lab.study.summary import summarise

SEEDS = range(5)


@pytest.fixture
def ax():
    with use_style():
        yield Figure().subplots()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def interval(values) -> tuple[float, float, float]:
    """Mean and bounds over seeds alone."""
    found = crossed(np.asarray(values, dtype=float)[None])
    return found.mean, found.lower, found.upper


def runs(methods=("CPT (sum)", "CoOp"), seeds=5, epochs=4) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"dataset": "food", "method": method, "seed": seed, "epoch": epoch}
        | {"H": 60 + epoch + rng.normal()}
        for method in methods
        for seed in range(seeds)
        for epoch in range(1, epochs + 1)
    )


def heights(band, x: float) -> tuple[float, float]:
    """Lower and upper edge of a filled band at x."""
    outline = band.get_paths()[0].vertices
    there = outline[outline[:, 0] == x][:, 1]
    return there.min(), there.max()


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_similarity_matrix(ax):
    similarity = np.linspace(0, 1, 25).reshape(5, 5)
    numbers = {"effective rank": 12.345, "within": 0.5}
    options = {"title": "Zero-shot", "vmin": -1, "vmax": 1, "annotations": numbers}
    assert similarity_matrix(similarity, [2, 2, 0, 1, 1], ax, **options) is ax
    np.testing.assert_array_equal(ax.images[0].get_array(), similarity)
    assert ax.images[0].get_clim() == (-1, 1)
    horizontal, vertical = (c.get_segments() for c in ax.collections)
    assert [segment[0][1] for segment in horizontal] == [1.5, 2.5]  # between clusters
    assert [segment[0][0] for segment in vertical] == [1.5, 2.5]
    assert ax.texts[0].get_text() == "effective rank 12.35\nwithin 0.50"
    with pytest.raises(ValueError, match="side by side"):
        similarity_matrix(np.eye(3), [0, 1, 0], ax, title="")
    with pytest.raises(ValueError, match="square"):
        similarity_matrix(np.eye(3), [0, 1], ax, title="")


def test_training_curves_draw_the_mean_and_its_interval(ax):
    frame = runs()
    assert training_curves(summarise(frame, ["H"], ["method", "epoch"]), ax=ax) is ax
    assert legend(ax) == ["CoOp", "CPT (sum)", "95 % interval"]
    assert ax.get_ylabel() == "H (%)"
    for label, line, drawn in zip(legend(ax), ax.lines, ax.collections, strict=False):
        assert to_hex(line.get_color()) == method_look(label).color.lower()
        own = frame[frame.method == label].groupby("epoch").H
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4])
        np.testing.assert_allclose(line.get_ydata(), own.mean())
        for epoch, values in own:
            assert heights(drawn, epoch) == pytest.approx(interval(values)[1:])


def test_few_runs_have_the_edges_of_their_range(ax):
    frame = runs(("CoOp",), seeds=3)
    training_curves(summarise(frame, ["H"], ["method", "epoch"]), ax=ax)
    assert legend(ax) == ["CoOp", "range of fewer than 5 runs"]
    least, most, _ = ax.lines
    by_epoch = frame.groupby("epoch")["H"]
    np.testing.assert_allclose(least.get_ydata(), by_epoch.min())
    np.testing.assert_allclose(most.get_ydata(), by_epoch.max())
    assert not ax.collections  # nothing is filled


def test_seed_strips_show_every_run_and_join_those_of_a_seed(ax):
    frame = runs(("Mystery", "CPT (sum)", "CoOp"), seeds=4, epochs=1)
    assert seed_strips(frame, ax=ax, level=60) is ax
    labels = ["CoOp", "CPT (sum)", "Mystery"]
    assert [t.get_text().replace("\n", " ") for t in ax.get_xticklabels()] == labels
    level, *lines = ax.lines
    assert list(level.get_ydata()) == [60, 60]
    by_seed = frame.pivot(index="seed", columns="method", values="H")[labels]
    np.testing.assert_allclose([line.get_ydata() for line in lines], by_seed)
    clouds, means = ax.collections[::2], ax.collections[1::2]
    for place, label in enumerate(labels):
        np.testing.assert_allclose(clouds[place].get_offsets()[:, 1], by_seed[label])
        (segment,) = means[place].get_segments()
        assert segment[:, 1] == pytest.approx(by_seed[label].mean())
    with pytest.raises(ValueError, match="several rows"):
        seed_strips(pd.concat([frame, frame]), ax=ax)


def test_names_at_the_ends_of_lines_keep_their_order_and_do_not_meet(ax):
    ax.set_ylim(0, 100)
    end_labels(ax, [(50.0, "b", "red"), (90.0, "d", "red"), (50.5, "c", "red"), (49.5, "a", "red")])
    ax.figure.draw_without_rendering()
    names = {text.get_text(): text for text in ax.texts}
    assert list(names) == list("abcd")
    boxes = [Text.get_window_extent(names[name]) for name in "abcd"]
    assert all(below.y1 < above.y0 for below, above in itertools.pairwise(boxes))
    assert names["d"].xyann[1] == pytest.approx(0, abs=1e-6)  # with room it stays at its line


def test_image_grid_marks_predictions_by_colour_and_symbol():
    images = [np.zeros((8, 8, 3)), np.ones((8, 8, 3))]
    stages = {"stages": ("zero-shot", "CPT"), "columns": 2}
    axes = image_grid(images, ["cat", "dog"], ["dog", "dog"], ["cat", "dog"], Figure(), **stages)
    np.testing.assert_array_equal(axes[1].images[0].get_array(), images[1])
    assert [ax.get_title() for ax in axes] == ["cat", "dog"]
    lines = [(text.get_text(), text.get_color()) for text in axes[0].texts]
    assert lines == [("✗ zero-shot: dog", VERMILLION), ("✓ CPT: cat", GREEN)]
    with pytest.raises(ValueError, match="one entry per image"):
        image_grid(images[:1], ["cat"], ["cat"], [], Figure())
    with pytest.raises(ValueError, match="at least 1"):
        image_grid([], [], [], [], Figure())


# ------------------------------------------------------------------------- weights and combinations


def changed(*cells: tuple, **more) -> pd.DataFrame:
    """Rows of a corrected table: weight, mean, lower, upper, adjusted."""
    table = pd.DataFrame(cells, columns=["weight", "mean", "lower", "upper", "adjusted"])
    table = table.assign(least=table["mean"] - 1, most=table["mean"] + 1, n=5, datasets=1)
    return table.assign(place=table["weight"], reading="sum", loss="CC", tau=0.06, **more)


def test_changes_lie_on_a_line_through_the_default(ax):
    table = changed((0.0, -2.0, -3.0, -1.0, 0.01), (1.0, 1.0, -1.0, 3.0, 0.4))
    assert change_curves(table, defaults={"sum": 0.5}, bound=3, ax=ax) is ax
    line = ax.lines[1]
    assert line.get_xydata().tolist() == [[0, -2], [0.5, 0], [1, 1]]
    faces = {
        bar.lines[0].get_xdata()[0]: bar.lines[0].get_markerfacecolor() for bar in ax.containers
    }
    assert faces == {0: VERMILLION, 1: "white"}  # separable is filled
    (whisker,) = ax.containers[1].lines[2][0].get_segments()
    assert whisker.tolist() == [[0, -3], [0, -1]]
    band = ax.patches[0]
    assert (band.get_y(), band.get_height()) == (-3, 6)
    assert ax.get_ylim()[0] < -3 and ax.get_ylim()[1] > 3  # all of what is claimed can be seen
    assert ax.get_xlim()[0] < 0
    assert ax.xaxis.get_majorticklocs()[0] == 0


def test_weights_whose_numbers_would_meet_have_no_tick():
    assert spaced([0.125, 0.25, 0.5, 52, 208], 1e4) == [0.125, 0.5, 52, 208]


def test_heatmap_shows_differences_to_the_default(ax):
    rows = [(0.0, 0.1, -2.04), (1.0, 0.1, 1.0), (0.0, 0.5, -0.01), (0.2, 0.5, 3.0)]
    table = pd.DataFrame(rows, columns=["lambda_tetf", "lambda_rs", "mean"])
    table = table.assign(lower=np.nan, upper=np.nan, least=table["mean"] - 1, most=table["mean"])
    table = table.assign(n=[3, 3, 1, 3], adjusted=[np.nan, np.nan, np.nan, 0.01])
    options = {"x": "lambda_tetf", "y": "lambda_rs", "ax": ax}
    weight_heatmap(table, **options, default=(0.2, 0.1), end=4)
    shown = ax.collections[0].get_array()
    np.testing.assert_allclose(shown[0], [-2.04, 0, 1])  # lambda_rs = 0.1 lies at the bottom
    assert ax.collections[0].get_clim() == (-4, 4)
    texts = {tuple(int(c) for c in text.get_position()): text for text in ax.texts}
    assert texts[0, 0].get_text() == "-2.0\n-3.0 to -2.0"
    assert texts[0, 1].get_text() == "+0.0"  # of a single run there is no range
    assert texts[1, 0].get_text() == "default" and texts[2, 1].get_text() == "not run"
    assert texts[1, 1].get_fontweight() == "bold"
    assert ax.patches[0].get_xy() == pytest.approx((1.03, 0.03))


def ablation(rng, seeds=SEEDS) -> pd.DataFrame:
    rows = itertools.product((0, 1), (0, 1), (0, 1), seeds)
    frame = pd.DataFrame(rows, columns=["tetf", "cc", "rs", "seed"]).assign(dataset="food")
    frame["losses"] = [names_of(on) for on in frame[["tetf", "cc", "rs"]].to_numpy()]
    return frame.assign(H=lambda f: 60 + rng.normal(size=len(f)))


def test_ablation_orders_rows_and_marks_those_of_table_1(ax, rng):
    frame = ablation(rng)
    table = summarise(frame, ["H"], ["losses"])
    table = table.assign(adjusted=np.where(table["losses"] == "TETF", 0.01, 0.2))
    assert ablation_bars(table, metric="H", ax=ax, level=61.24) is ax
    assert [t.xy for t in ax.texts if t.get_text() == "61.2 %"] == [(0, 0)]
    order = ["000", "100", "010", "001", "110", "101", "011", "111"]
    table_1 = {"000": "(1)", "100": "(2)", "110": "(3)", "101": "(4)", "111": "(5)"}
    keys = frame[["tetf", "cc", "rs"]].astype(str).agg("".join, axis=1)
    dark = [[], *(line.get_xdata() for line in ax.lines if line.get_color() == "#333333")]
    for place, (key, bar) in enumerate(zip(order[1:], ax.containers, strict=True), 1):
        mean, lower, upper = interval(frame[keys == key].H.to_numpy())
        point = bar.lines[0]
        assert (point.get_xdata()[0], point.get_ydata()[0]) == pytest.approx((mean, place))
        whiskers = bar.lines[2][0].get_segments()[0]
        np.testing.assert_allclose(whiskers, [[lower, place], [upper, place]])
        assert (to_hex(point.get_markerfacecolor()) == BLUE.lower()) == (key == "100")
        dots = dict(zip((-70, -44, -18), key, strict=True))
        assert [x for x, on in dots.items() if on == "1"] == list(dark[place])
    numbers = {t.get_position()[1]: t.get_text() for t in ax.texts if "(" in t.get_text()}
    assert {order[place]: text for place, text in numbers.items()} == table_1
    assert ax.get_ylim() == (7.5, -0.5)  # no loss at the top


def test_ablation_says_what_was_not_run(ax, rng):
    frame = ablation(rng)
    table = summarise(frame[(frame.tetf + frame.cc) > 0], ["H"], ["losses"])
    ablation_bars(table.assign(adjusted=0.2), metric="H", ax=ax, labels=False)
    assert len(ax.containers) == 6
    assert [t.xy[1] for t in ax.texts if t.get_text() == "not run"] == [3]


# ------------------------------------------------------------------------------------ all of them


def test_figures_of_single_or_equal_seeds_draw_without_warnings(rng, tmp_path, recwarn):
    equal = pd.DataFrame(
        {"method": ["CoOp"] * 3 + ["IVLP"], "seed": [1, 2, 3, 1], "H": [70.0, 70.0, 70.0, 71.0]}
    ).assign(dataset="food")
    sizes = pd.DataFrame({"size": [4, 16, 64], "H": 70.0, "seed": 1, "dataset": "food"})
    sizes = sizes.assign(method="CoOp")
    numbers = {4: [10, 16], 16: [2, 4], 64: [1]}
    with use_style():
        axes = Figure(figsize=(9, 9)).subplots(2, 2).ravel()
        training_curves(summarise(runs(seeds=1), ["H"], ["method", "epoch"]), ax=axes[0])
        seed_strips(equal, ax=axes[1])
        combined = summarise(ablation(rng, seeds=[1]), ["H"], ["losses"]).assign(adjusted=np.nan)
        ablation_bars(combined, metric="H", ax=axes[3])
        cluster_sizes(sizes, numbers=numbers, default=4, ax=axes[2])
        save(axes[0].figure, sizes, tmp_path, "single")
        grid = Figure()
        image_grid([np.zeros((4, 4, 3))], ["cat"], ["dog"], ["cat"], grid)
        save(grid, sizes, tmp_path, "grid")  # a missing glyph would warn
    assert [str(warning.message) for warning in recwarn] == []


def test_a_method_that_was_not_run_at_a_ratio_has_an_empty_row(ax):
    table = pd.DataFrame({"method": ["Zero-shot", "IVLP"], "metric": "H", "mean": [50.0, 51.0]})
    table = table.assign(lower=np.nan, upper=np.nan, least=table["mean"], most=table["mean"])
    table = table.assign(n=1, datasets=1)
    method_intervals(table, metric="H", ax=ax, order=["Zero-shot", "CoCoOp", "IVLP"])
    assert [(text.get_text(), text.xy[1]) for text in ax.texts] == [("not run", 1)]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["IVLP", "CoCoOp", "Zero-shot"]
