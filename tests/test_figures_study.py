"""Figures of tables, maps and clusters draw the numbers of their frames; the page of figures."""

import itertools
import re

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFTBASE, CARETRIGHTBASE
from matplotlib.offsetbox import AnnotationBbox
from matplotlib.text import Text

from cptlab.lab.figures import (
    algorithm_intervals,
    class_gains,
    class_map,
    cluster_sizes,
    collapse_curves,
    equal_spans,
    few_shot_panels,
    method_grid,
    rank_plot,
    silhouette_curve,
    verdict_matrix,
)
from cptlab.lab.figures.collapse import MEASURES
from cptlab.lab.figures.map import rounded_hull
from cptlab.lab.figures.style import (
    BLACK,
    BLUE,
    GREY,
    method_look,
    method_looks,
    save,
    use_style,
)
from cptlab.lab.study.intervals import crossed
from cptlab.lab.study.summary import summarise
from cptlab.lab.study.tables import rank_table

SEEDS = range(5)


@pytest.fixture
def ax():
    with use_style():
        yield Figure().subplots()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def ends(bar) -> np.ndarray:
    """(n, 2, 2) end points of an errorbar's whiskers."""
    return np.array(bar.lines[2][0].get_segments())


def interval(values) -> tuple[float, float, float]:
    """Mean and bounds over seeds alone."""
    found = crossed(np.asarray(values, dtype=float)[None])
    return found.mean, found.lower, found.upper


# Methods side by side


def test_grid_has_a_row_per_imbalance_ratio_and_a_scale_per_metric(tmp_path):
    rows = itertools.product(("IVLP", "CPT (sum)", "CoOp"), (1.0, 0.06), ("H", "tail"))
    table = pd.DataFrame(rows, columns=["method", "tau", "metric"])
    table["mean"] = 50.0 + np.arange(len(table))
    table["lower"], table["upper"] = table["mean"] - 1, table["mean"] + 2
    table = table.assign(least=table["mean"], most=table["mean"], n=9)
    with use_style():
        fig = Figure(figsize=(8, 1))
        axes = method_grid(table, {"H": "H", "tail": "the tail"}, fig)
    assert [ax.get_ylabel() for ax in axes] == ["τ = 1", "", "τ = 0.06", ""]
    assert [ax.get_xlabel() for ax in axes] == ["", "", "H (%)", "the tail (%)"]
    for ax, (tau, metric) in zip(axes, itertools.product((1.0, 0.06), ("H", "tail")), strict=True):
        own = table[(table.tau == tau) & (table.metric == metric)].set_index("method")
        for label, bar in zip(("CPT (sum)", "IVLP", "CoOp"), ax.containers, strict=True):
            assert bar.lines[0].get_xdata()[0] == own.loc[label, "mean"]
            np.testing.assert_allclose(ends(bar)[0, :, 0], own.loc[label, ["lower", "upper"]])
    assert axes[0].get_xlim() == axes[2].get_xlim()
    names = [text.get_text() for text in axes[2].get_yticklabels()]
    assert names == ["CPT (sum)", "IVLP", "CoOp"]
    told = [text.get_text() for text in fig.legends[0].get_texts()]
    assert told == ["95 % interval"]  # no zero-shot, so no line to explain
    save(fig, table, tmp_path, "grid")
    with pytest.raises(ValueError, match="no rows of the metric 'new'"):
        method_grid(table, {"new": "new"}, Figure())


def test_one_wild_interval_does_not_stretch_a_grid():
    rows = [("Zero-shot", 50, 50, 50), ("IVLP", 40, -14, 94), ("CoOp", 48, 47, 49)]
    table = pd.DataFrame(rows, columns=["method", "mean", "lower", "upper"])
    table = table.assign(tau=1.0, metric="H", least=table["mean"], most=table["mean"], n=9)
    with use_style():
        fig = Figure(figsize=(8, 1))
        (ax,) = method_grid(table, {"H": "H"}, fig)
    assert ax.get_xlim() == (35, 55)  # the means and half of their range on both sides
    arrows = [line for line in ax.lines if line.get_marker() in (CARETLEFTBASE, CARETRIGHTBASE)]
    assert [(*line.get_xdata(), *line.get_ydata()) for line in arrows] == [(35, 0), (55, 0)]
    assert ax.get_yticklabels()[0].get_text() == "IVLP"  # lowest
    (line,) = fig.legends
    assert [text.get_text() for text in line.get_texts()] == ["95 % interval", "mean of zero-shot"]


def test_ranges_are_thin_and_without_caps_and_the_legend_says_so():
    bare = (np.nan, np.nan)
    rows = [("IVLP", 40, 30, 50, 6), ("CoOp", 48, *bare, 3), ("DeKg", 45, *bare, 1)]
    table = pd.DataFrame(rows, columns=["method", "mean", "lower", "upper", "n"])
    table = table.assign(tau=1.0, metric="H", least=table["mean"] - 2, most=table["mean"] + 1)
    with use_style():
        fig = Figure(figsize=(8, 1))
        (ax,) = method_grid(table, {"H": "H"}, fig)
    _, interval_, range_ = ax.containers  # from below: DeKg, IVLP, CoOp
    np.testing.assert_allclose(ends(interval_)[0, :, 0], [30, 50])
    np.testing.assert_allclose(ends(range_)[0, :, 0], [46, 49])
    assert range_.lines[2][0].get_linewidth() < interval_.lines[2][0].get_linewidth()
    assert interval_.lines[1] and not range_.lines[1]  # caps
    told = [text.get_text() for text in fig.legends[0].get_texts()]
    assert told == ["95 % interval", "range of fewer than 5 runs"]
    alone = method_grid(table[table["n"] == 1], {"H": "H"}, fig := Figure())
    assert len(alone) == 1 and not fig.legends


# Ranks


def test_ranks_stand_on_whole_numbers_and_say_what_is_behind_them(ax):
    rows = [("CoOp", 2.5, 2, 3), ("CPT (sum)", 1.25, 1, 1.5), ("Mystery", 2.25, np.nan, np.nan)]
    table = pd.DataFrame(rows, columns=["method", "mean", "lower", "upper"])
    table = table.assign(metric="rank", n=6, datasets=2, least=table["mean"], most=table["mean"])
    assert rank_plot(table, ax=ax, title="T") is ax
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Mystery", "CPT (sum)", "CoOp"]
    assert [bar.lines[0].get_xdata()[0] for bar in ax.containers] == [2.25, 1.25, 2.5]
    np.testing.assert_allclose(ends(ax.containers[2])[0, :, 0], [2, 3])
    assert ax.get_xlabel() == "mean rank, 1 = best\n(2 data sets, 6 rankings)"
    assert [tick for tick in ax.get_xticks() if 1 <= tick <= 3] == [1, 2, 3]
    rank_plot(table.assign(datasets=1, n=1), ax=ax, over="domain")
    assert "(1 domain, 1 ranking)" in ax.get_xlabel()


# The tail


def test_classes_with_the_same_gain_share_a_dot(ax):
    gains = {"1": [0.0, 0.0, 25.0], "2": [-12.5]}
    rows = [("CoOp", n_k, gain) for n_k, values in gains.items() for gain in values]
    classes = pd.DataFrame(rows, columns=["method", "n_k", "gain"])
    means = pd.DataFrame({"n_k": ["1", "2"], "mean": [25 / 3, -12.5], "classes": [3, 1]})
    assert class_gains(classes, means, ax) is ax
    dots, *lines = ax.collections
    places = {tuple(where): size for where, size in zip(dots.get_offsets(), dots.get_sizes())}
    assert places[0, 0] > places[0, 25] == places[1, -12.5]
    assert {text.get_text() for text in ax.texts} == {"2", "+8.3", "-12.5"}
    assert [line.get_segments()[0][0, 1] for line in lines] == pytest.approx([25 / 3, -12.5])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1\n(3 classes)", "2\n(1 class)"]
    with pytest.raises(ValueError, match="no gains to draw"):
        class_gains(classes.head(0), means, ax)


def test_every_marker_draws(rng):
    """Star-shaped markers are tuples, which matplotlib does not take everywhere."""
    rows = itertools.product(method_looks(), SEEDS)
    frame = pd.DataFrame(rows, columns=["method", "seed"]).assign(dataset="food")
    frame["tail"] = rng.uniform(40, 90, len(frame))
    figure = rank_plot(rank_table(frame, "tail"), ax=Figure().subplots()).figure
    figure.draw_without_rendering()
    assert len(figure.axes[0].containers) >= len(method_looks())


# The map


def classes(rng, clusters) -> pd.DataFrame:
    x, y = rng.normal(size=(2, len(clusters)))
    names = [f"class {index}" for index in range(len(clusters))]
    return pd.DataFrame({"x": x, "y": y, "cluster": clusters, "name": names})


def inside(points, outline) -> np.ndarray:
    """Points (n, 2) strictly on the left of every edge of a counter-clockwise polygon (m, 2)."""
    edges = np.roll(outline, -1, axis=0) - outline
    rays = points[:, None] - outline
    return (edges[:, 0] * rays[..., 1] - edges[:, 1] * rays[..., 0] > 0).all(1)


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_hulls_keep_their_distance_whatever_the_size_of_the_cluster(size, rng):
    points = rng.normal(size=(size, 2))
    outline = rounded_hull(points, 0.1)
    assert inside(points, outline).all()
    distances = np.linalg.norm(outline[:, None] - points, axis=-1).min(1)
    np.testing.assert_allclose(distances, 0.1)
    line = np.stack([np.arange(size), np.arange(size)], axis=-1)  # collinear
    assert inside(line, rounded_hull(line, 0.1)).all()


def test_map_outlines_clusters_and_draws_every_class(ax, rng):
    clusters = [*range(10), 0, 0, 0, 3, 3]
    frame = classes(rng, clusters)
    assert class_map(frame, ax) is ax
    assert len(ax.patches) == 20  # each outline is a fill and an edge
    looks = set()
    marks = zip(range(10), ax.lines[::2], ax.lines[1::2], ax.patches[1::2], strict=True)
    for cluster, line, middle, edge in marks:
        own = frame.loc[frame.cluster == cluster, ["x", "y"]].to_numpy()
        np.testing.assert_array_equal(np.transpose(line.get_data()), own)
        assert tuple(middle.get_xydata()[0]) == min(
            map(tuple, own), key=lambda place: ((place - own.mean(axis=0)) ** 2).sum()
        )
        assert inside(own, edge.get_xy()[:-1]).all()
        assert to_hex(line.get_color()) == to_hex(edge.get_edgecolor())
        looks.add((line.get_color(), line.get_marker(), edge.get_linestyle()))
    assert len(looks) == 10


def test_names_of_a_crowded_map_do_not_overlap_and_every_cluster_has_one(ax, rng):
    frame = classes(rng, np.repeat(range(8), 15))
    class_map(frame, ax)
    ax.figure.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # without lines
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    bold = [text for text in ax.texts if text.get_fontweight() == "bold"]
    for cluster, title in enumerate(bold):
        own = frame[frame.cluster == cluster].set_index("name")[["x", "y"]]
        assert ((own - own.mean()) ** 2).sum(axis=1).idxmin() == title.get_text()
    assert len(bold) == 8 < len(ax.texts) < len(frame)
    assert len({text.get_text() for text in ax.texts}) == len(ax.texts)
    middles = [tuple(line.get_xydata()[0]) for line in ax.lines[1::2]]
    assert [text.xy for text in ax.texts if text.arrow_patch] == middles  # joined to its rim


def test_map_of_images(ax, rng, tmp_path):
    frame = classes(rng, [0, 0, 1])
    images = [np.full((8, 4, 3), level) for level in (0.1, 0.5, 0.9)]
    class_map(frame, ax, images=images)
    drawn = [artist for artist in ax.artists if isinstance(artist, AnnotationBbox)]
    for artist, image, (x, y) in zip(drawn, images, frame[["x", "y"]].to_numpy(), strict=True):
        np.testing.assert_array_equal(artist.offsetbox.get_data(), image)
        assert tuple(artist.xy) == (x, y)
    assert not ax.lines
    # The SVG has other dots per inch and must place them all the same; its y points down.
    svg = save(ax.figure, frame, tmp_path, "map")[0].with_suffix(".svg").read_text()
    pattern = r'<image [^>]*scale\(1 -1\)[^>]* x="(.+?)" y="(.+?)" width="(.+?)" height="(.+?)"'
    x, y, width, height = np.array(re.findall(pattern, svg), dtype=float).T
    places = ax.transData.transform(frame[["x", "y"]]) * 72 / ax.figure.dpi
    np.testing.assert_allclose(x + width / 2, places[:, 0], atol=1)
    top = 72 * ax.figure.get_figheight()
    np.testing.assert_allclose(top + y - height / 2, places[:, 1], atol=1)
    with pytest.raises(ValueError, match="one image per class"):
        class_map(frame, ax, images=images[:2])


def test_large_images_are_shrunk_to_what_can_be_seen(ax, rng):
    image = np.zeros((400, 200, 3), dtype=np.uint8)
    image[200:, :, 1] = 255
    class_map(classes(rng, [0]), ax, images=[image])
    small = ax.artists[0].offsetbox.get_data()
    height, width, _ = small.shape
    assert 60 < height < 125 and width == height // 2
    assert (small[0] == 0).all()
    np.testing.assert_array_equal(small[-1], np.tile([0.0, 1.0, 0.0], (width, 1)))


@pytest.mark.parametrize("count", [1, 2])
def test_map_of_one_class_or_of_equal_places(ax, count, tmp_path, recwarn):
    frame = pd.DataFrame({"x": [1.0] * count, "y": 2.0, "cluster": 0, "name": "cat"})
    class_map(frame, ax, images=[np.zeros((4, 4, 3))] * count)
    save(ax.figure, frame, tmp_path, "one")
    assert ax.texts[0].get_text() == "cat"
    assert [str(warning.message) for warning in recwarn] == []


def test_map_refuses_unclear_frames(ax):
    frame = pd.DataFrame({"x": [1.0], "y": [2.0], "cluster": [0]})
    with pytest.raises(ValueError, match=r"lacks the columns \['name'\]"):
        class_map(frame, ax)
    with pytest.raises(ValueError, match="at least one class"):
        class_map(frame.assign(name="cat").iloc[:0], ax)


# Clusters


def test_silhouette_curve_marks_the_best_number_and_that_of_the_study(ax):
    table = pd.DataFrame({"n_clusters": [2, 3, 4], "silhouette": [0.1, 0.3, 0.2]})
    table["best"] = [False, True, False]
    assert silhouette_curve(table, default=2, ax=ax) is ax
    np.testing.assert_allclose(ax.lines[0].get_ydata(), table["silhouette"])
    assert [line.get_xdata()[0] for line in ax.lines[1:]] == [3, 2]
    assert legend(ax) == ["largest: M = 3", "default (size 16): M = 2"]
    with pytest.raises(ValueError, match=r"lacks the columns \['best'\]"):
        silhouette_curve(table.drop(columns="best"), default=2, ax=ax)


def test_algorithms_show_seeds_means_and_their_spread(ax, rng):
    rows = itertools.product(("spherical", "kmedoids"), SEEDS)
    frame = pd.DataFrame(rows, columns=["algorithm", "seed"]).assign(dataset="food")
    frame["H"] = 60 + rng.normal(size=len(frame))
    frame = frame.drop(frame.index[-4:])  # one seed is left of the second
    assert algorithm_intervals(frame, method="CPT (sum)", ax=ax) is ax
    assert [t.get_text() for t in ax.get_yticklabels()] == ["kmedoids", "spherical"]
    single, several = ax.containers
    own = frame[frame.algorithm == "spherical"].H.to_numpy()
    mean, lower, upper = interval(own)
    assert several.lines[0].get_xydata()[0] == pytest.approx([mean, 1])
    np.testing.assert_allclose(ends(several)[0, :, 0], [lower, upper])
    np.testing.assert_allclose(ends(single)[0, :, 0], [frame.H.iloc[-1]] * 2)
    np.testing.assert_allclose(ax.collections[2].get_offsets()[:, 0], own)
    assert [t.get_text() for t in ax.texts] == ["–", f"{own.std(ddof=1):.2f}", "SD"]
    with pytest.raises(ValueError, match="several rows"):
        algorithm_intervals(pd.concat([frame, frame]), ax=ax)


def test_cluster_sizes_stand_with_their_numbers_of_clusters(ax, rng):
    rows = itertools.product(("CPT (pair mean)", "CPT (sum)"), (16, 4, 64), SEEDS)
    frame = pd.DataFrame(rows, columns=["method", "size", "seed"]).assign(dataset="food")
    frame["H"] = 60 + rng.normal(size=len(frame))
    numbers = {4: [10, 16], 16: [2, 4], 32: [1, 2], 64: [1, 1]}
    assert cluster_sizes(frame, numbers=numbers, default=16, ax=ax) is ax
    ticks = [tick.get_text() for tick in ax.get_xticklabels()]
    assert ticks == ["4\nM = 10–16", "16\nM = 2–4", "64\nM = 1"]
    for method, bar in zip(("CPT (sum)", "CPT (pair mean)"), ax.containers, strict=True):
        assert bar.get_label() == method
        for place, size in enumerate((4, 16, 64)):
            own = frame[(frame.method == method) & (frame["size"] == size)].H.to_numpy()
            mean, lower, upper = interval(own)
            assert bar.lines[0].get_ydata()[place] == pytest.approx(mean)
            np.testing.assert_allclose(ends(bar)[place, :, 1], [lower, upper])
    assert list(ax.lines[-1].get_xdata()) == [1, 1]  # the default
    assert sorted(legend(ax)) == ["CPT (pair mean)", "CPT (sum)", "default"]
    with pytest.raises(ValueError, match=r"these sizes too: \[64\]"):
        cluster_sizes(frame, numbers={4: [1], 16: [1]}, default=16, ax=ax)
    other = cluster_sizes(frame, numbers=numbers, default=8, ax=Figure().subplots())
    assert "default" not in legend(other)  # it was not tried


def test_sizes_with_the_same_numbers_of_clusters_share_a_place(ax):
    frame = pd.DataFrame(itertools.product((8, 32, 64), SEEDS), columns=["size", "seed"])
    frame = frame.assign(method="CPT (sum)", H=frame["size"].clip(upper=32) + frame["seed"])
    frame["dataset"] = "food"
    cluster_sizes(frame, numbers={8: [3, 2], 32: [1, 1], 64: [1, 1]}, default=64, ax=ax)
    ticks = [tick.get_text() for tick in ax.get_xticklabels()]
    assert ticks == ["8\nM = 2–3", "32, 64\nM = 1"]
    assert list(ax.containers[0].lines[0].get_ydata()) == [10, 34]
    assert list(ax.lines[-1].get_xdata()) == [1, 1]


def test_a_single_size_has_its_seeds_beside_its_mean(ax):
    frame = pd.DataFrame({"size": 4, "seed": SEEDS}).assign(method="CPT (sum)", H=50.0)
    frame["dataset"] = "food"
    cluster_sizes(frame, numbers={4: [10]}, default=16, ax=ax)
    assert ax.get_xlim() == (-0.5, 0.5)


def test_equal_spans_widen_around_the_middle():
    axes = Figure().subplots(1, 2)
    axes[0].set(xlim=(0, 1), ylim=(5, 9))
    axes[1].set(xlim=(10, 13), ylim=(0, 2))
    equal_spans(axes)
    equal_spans(axes, "y")
    np.testing.assert_allclose([ax.get_xlim() for ax in axes], [(-1, 2), (10, 13)])
    np.testing.assert_allclose([ax.get_ylim() for ax in axes], [(5, 9), (-1, 3)])


# Neural collapse


def test_collapse_curves_draw_one_measure(ax, rng):
    rows = itertools.product(("CPT (sum)", "CoOp"), ("nc1", "own"), SEEDS, (1, 2, 3))
    frame = pd.DataFrame(rows, columns=["method", "measure", "seed", "epoch"]).assign(dataset="a")
    frame["value"] = rng.normal(size=len(frame))
    table = summarise(frame, ["value"], ["measure", "method", "epoch"])
    assert collapse_curves(table, measure="nc1", ax=ax) is ax
    assert legend(ax) == ["CoOp", "CPT (sum)", "95 % interval"]
    for method, line in zip(legend(ax), ax.lines, strict=False):
        own = frame[(frame.method == method) & (frame.measure == "nc1")]
        np.testing.assert_allclose(line.get_ydata(), own.groupby("epoch").value.mean())
    assert ax.get_title() == "NC1: spread inside classes"
    assert ax.get_ylabel() == "within / between, 0 = collapsed"
    other = Figure().subplots()
    collapse_curves(table, measure="own", ax=other, legend=False)
    assert other.get_ylabel() == "own" and other.get_legend() is None
    with pytest.raises(ValueError, match="measure 'nc4'; it has nc1, own"):
        collapse_curves(table, measure="nc4", ax=ax)
    with pytest.raises(ValueError, match="no numbers of the measure 'nc1'"):
        collapse_curves(table.assign(mean=np.nan), measure="nc1", ax=ax)


def test_across_imbalance_ratios_there_are_bars(ax):
    """Of few places some may have intervals and others not: no band could show a single one."""
    rows = [("CoOp", 1.0, 0.5, np.nan, np.nan, 3), ("CoOp", 0.06, 0.4, 0.3, 0.6, 5)]
    table = pd.DataFrame(rows, columns=["method", "tau", "mean", "lower", "upper", "n"])
    table = table.assign(measure="nc1", least=0.45, most=0.55)
    collapse_curves(table, measure="nc1", ax=ax, x="tau")
    interval_, range_ = ax.containers
    np.testing.assert_allclose(ends(interval_)[0, :, 1], [0.3, 0.6])
    np.testing.assert_allclose(ends(range_)[0, :, 1], [0.45, 0.55])
    assert legend(ax) == ["CoOp", "95 % interval", "range of fewer than 5 runs"]


def test_measures_of_collapse_have_titles_of_their_own():
    assert len({title for title, _ in MEASURES.values()}) == len(MEASURES)


# Few shots


def test_few_shot_panels_show_each_method_beside_the_same_two(rng, tmp_path):
    rows = itertools.product(("CoOp", "IVLP", "DeKg", "MaPLe", "CPT (sum)"), (1, 2, 4), SEEDS)
    frame = pd.DataFrame([*rows, ("Zero-shot", 1, 0)], columns=["method", "shots", "seed"])
    frame["all"] = rng.uniform(40, 90, len(frame))
    means = frame.groupby(["method", "shots"])["all"].mean()
    table = summarise(frame.assign(dataset="food"), ["all"], ["method", "shots"])
    with use_style():
        fig = Figure(figsize=(8, 1))
        axes = few_shot_panels(table, fig)
    titles = [ax.get_title() for ax in axes]
    assert titles == ["CoOp", "IVLP", "MaPLe", "DeKg", "CPT (sum)"]
    for ax, label in zip(axes, titles, strict=True):
        drawn = {line.get_color(): line for line in reversed(ax.lines) if len(line.get_xdata())}
        np.testing.assert_allclose(drawn[method_look(label).color].get_ydata(), means[label])
        np.testing.assert_allclose(drawn[BLACK].get_ydata(), means["Zero-shot", 1])
        assert (GREY in drawn) == (label != "IVLP")
        if label != "IVLP":
            np.testing.assert_allclose(drawn[GREY].get_ydata(), means["IVLP"])
        assert ax.get_ylim() == axes[0].get_ylim()
    assert [text.get_text() for text in fig.legends[0].get_texts()] == [
        *("IVLP", "Zero-shot", "95 % interval")
    ]
    save(fig, table, tmp_path, "few")
    with pytest.raises(ValueError, match="nothing to draw"):
        few_shot_panels(table[table["method"] == "Zero-shot"], Figure())


# Files


def test_svg_repeats_its_bytes_keeps_words_and_bounds_images(tmp_path):
    svgs = []
    for name in ("one", "two"):
        with use_style():
            ax = Figure(figsize=(3, 2)).subplots()
        ax.imshow(np.random.default_rng(0).random((800, 800, 3)))  # 2 MB as it is
        for place in range(300):
            ax.text(place % 30 / 30, place / 300, f"class {place}", transform=ax.transAxes)
        png, _ = save(ax.figure, pd.DataFrame({"x": [1]}), tmp_path, name)
        svgs.append(png.with_suffix(".svg").read_bytes())
    assert svgs[0] == svgs[1]
    assert b">class 299</text>" in svgs[0]
    assert b"dc:date" not in svgs[0] and b"Matplotlib v" not in svgs[0]
    assert len(svgs[0]) < 1_000_000
    height, width = matplotlib.image.imread(png).shape[:2]
    assert (height, width) == (300, 450)


def verdicts() -> pd.DataFrame:
    rows = [
        ("A", 0.25, "sum", "supported", ""),
        ("A", 0.25, "pair mean", "supported", "sum"),
        ("A", 0.06, "sum", "contradicted", ""),
        ("A", 0.06, "pair mean", "undecided", ""),
        ("L_CC adds", 1.0, "sum", "not run", ""),
        ("L_CC adds", 1.0, "pair mean", "undecided", ""),
    ]
    return pd.DataFrame(rows, columns=["claim", "tau", "reading", "verdict", "same_as"])


def test_verdict_matrix_places_a_mark_per_comparison(ax):
    verdict_matrix(verdicts(), ax=ax)
    marks = {
        (x, y): (to_hex(group.get_facecolor()[0]), group.get_sizes()[0])
        for group in ax.collections
        for x, y in group.get_offsets()
    }
    assert len(marks) == 6
    assert marks[0, 0][0] == BLUE.lower() and marks[0, 0][1] > marks[1, 0][1]  # a repetition
    assert len({marks[0, 0][0], marks[0, 1][0], marks[1, 1][0], marks[0, 2][0]}) == 4
    assert [text.get_text() for text in ax.get_xticklabels()] == ["sum", "pair mean"]
    names = [text.get_text().strip() for text in ax.get_yticklabels()]
    assert names == ["A   τ = 0.25", "τ = 0.06", r"$L_\mathrm{CC}$ adds   τ = 1"]
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words[:-1] == ["supported (1)", "contradicted (1)", "undecided (2)", "not run (1)"]
    assert words[-1].startswith("small: ")


def test_verdict_matrix_leaves_out_rows_and_columns_of_which_nothing_was_run(ax):
    one = verdicts().replace({"verdict": {"undecided": "not run", "contradicted": "not run"}})
    verdict_matrix(one, ax=ax)
    run = one[(one["verdict"] != "not run") & (one["same_as"] == "")]
    assert len(ax.get_yticklabels()) == run.groupby(["claim", "tau"]).ngroups < len(one)
    names = [text.get_text() for text in ax.get_xticklabels()]
    assert names == list(dict.fromkeys(run["reading"]))
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert any(word.startswith("not run (") and word.endswith("left out") for word in words)


def test_verdict_matrix_refuses_what_it_cannot_show(ax):
    with pytest.raises(ValueError, match="lacks the columns"):
        verdict_matrix(verdicts().drop(columns="same_as"), ax=ax)
    with pytest.raises(ValueError, match="unknown verdicts: proven"):
        verdict_matrix(verdicts().replace("supported", "proven"), ax=ax)
