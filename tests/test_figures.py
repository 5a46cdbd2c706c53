"""Figures by the content of their Axes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cptlab.lab.figures import image_grid, seed_violins, similarity_matrix, training_curves
from cptlab.lab.figures.style import (
    GREEN,
    VERMILLION,
    method_look,
    method_looks,
    method_order,
    save,
    use_style,
)
from cptlab.lab.study.tables import mean_interval


@pytest.fixture
def ax():
    with use_style():
        yield Figure().subplots()


def runs(methods=("CPT (sum)", "CoOp"), seeds=3, epochs=4) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"method": method, "seed": seed, "epoch": epoch, "H": 60 + epoch + rng.normal()}
        for method in methods
        for seed in range(seeds)
        for epoch in range(1, epochs + 1)
    )


def test_similarity_matrix_shows_the_data_its_borders_and_its_numbers(ax):
    similarity = np.linspace(0, 1, 25).reshape(5, 5)
    returned = similarity_matrix(
        similarity,
        [2, 2, 0, 1, 1],
        ax,
        title="Zero-shot",
        vmin=-1,
        vmax=1,
        annotations={"effective rank": 12.345, "within": 0.5},
    )
    assert returned is ax
    np.testing.assert_array_equal(ax.images[0].get_array(), similarity)
    assert ax.images[0].get_clim() == (-1, 1)
    horizontal, vertical = (c.get_segments() for c in ax.collections)
    assert [segment[0][1] for segment in horizontal] == [1.5, 2.5]
    assert [segment[0][0] for segment in vertical] == [1.5, 2.5]
    assert ax.get_title() == "Zero-shot"
    assert ax.texts[0].get_text() == "effective rank 12.35\nwithin 0.50"
    assert len(ax.figure.axes) == 2  # the colour bar
    assert ax.figure.axes[1].get_ylabel() == "cosine similarity"


def test_similarity_matrix_without_a_bar_and_with_one_cluster(ax):
    similarity_matrix(np.eye(3), [0, 0, 0], ax, title="", colorbar=False)
    assert len(ax.figure.axes) == 1
    assert all(len(lines.get_segments()) == 0 for lines in ax.collections)


def test_similarity_matrix_refuses_unordered_clusters_and_wrong_shapes(ax):
    with pytest.raises(ValueError, match="side by side"):
        similarity_matrix(np.eye(3), [0, 1, 0], ax, title="")
    with pytest.raises(ValueError, match="square"):
        similarity_matrix(np.eye(3), [0, 1], ax, title="")


def test_training_curves_draw_the_mean_and_one_standard_deviation(ax):
    frame = runs()
    assert training_curves(frame, y="H", ax=ax) is ax
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["CoOp", "CPT (sum)"]
    for label, line, band in zip(labels, ax.lines, ax.collections, strict=False):
        own = frame[frame.method == label].groupby("epoch").H
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4])
        np.testing.assert_allclose(line.get_ydata(), own.mean())
        assert to_hex(line.get_color()) == method_look(label).color.lower()
        outline = band.get_paths()[0].vertices
        for epoch, low, high in zip(
            own.mean().index, own.mean() - own.std(), own.mean() + own.std(), strict=True
        ):
            heights = outline[outline[:, 0] == epoch][:, 1]
            assert heights.min() == pytest.approx(low)
            assert heights.max() == pytest.approx(high)
    assert ax.get_xlabel() == "Epoch"
    assert ax.get_ylabel() == "H (%)"


def test_training_curves_with_intervals(ax):
    frame = runs(seeds=8)
    training_curves(frame, y="H", ax=ax, band="interval", ylabel="Harmonic mean")
    assert ax.get_ylabel() == "Harmonic mean"
    for label, band in zip(method_order(frame.method), ax.collections, strict=True):
        outline = band.get_paths()[0].vertices
        for epoch, values in frame[frame.method == label].groupby("epoch").H:
            heights = outline[outline[:, 0] == epoch][:, 1]
            _, lower, upper = mean_interval(values.to_numpy())
            assert (heights.min(), heights.max()) == pytest.approx((lower, upper))


def test_lines_of_an_ablation_lie_on_top_and_let_the_others_through(ax):
    labels = ["CPT (sum) w/o RS", "CPT (sum)"]
    training_curves(runs(labels).rename(columns={"epoch": "progress"}), y="H", ax=ax, x="progress")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == labels[::-1]
    below, above = ax.lines[:2]
    assert above.is_dashed() and not below.is_dashed()
    assert above.get_linewidth() < below.get_linewidth()
    ax.set_xlim(0, 100)
    assert [tick for tick in ax.get_xticks() if 0 <= tick <= 100] == [0, 20, 40, 60, 80, 100]


def test_training_curves_refuse_unclear_frames(ax):
    with pytest.raises(ValueError, match=r"lacks the columns \['B'\]"):
        training_curves(runs(), y="B", ax=ax)
    with pytest.raises(ValueError, match="several rows"):
        training_curves(pd.concat([runs(), runs()]), y="H", ax=ax)
    with pytest.raises(ValueError, match="band='sem'"):
        training_curves(runs(), y="H", ax=ax, band="sem")


def test_seed_violins_show_every_seed_and_the_interval(ax):
    frame = runs(("Mystery", "CPT (sum)", "CoOp"), seeds=5, epochs=1)
    assert seed_violins(frame, ax=ax) is ax
    ticks = [tick.get_text() for tick in ax.get_xticklabels()]
    assert ticks == ["CoOp", "CPT\n(sum)", "Mystery"]
    assert ax.get_ylabel() == "H (%)"
    assert len(ax.containers) == 3
    dots = [c for c in ax.collections if len(c.get_offsets()) == 5]
    for position, (label, cloud, bar) in enumerate(
        zip(["CoOp", "CPT (sum)", "Mystery"], dots, ax.containers, strict=True)
    ):
        values = frame[frame.method == label].H.to_numpy()
        np.testing.assert_allclose(cloud.get_offsets()[:, 1], np.sort(values))
        assert np.abs(cloud.get_offsets()[:, 0] - position).max() < 0.5
        mean, lower, upper = mean_interval(values)
        assert bar.lines[0].get_ydata() == pytest.approx([mean])
        segment = bar.lines[2][0].get_segments()[0]
        np.testing.assert_allclose(segment, [[position, lower], [position, upper]])


def test_seed_violins_of_equal_or_single_seeds_still_draw(ax, tmp_path):
    frame = pd.DataFrame(
        {"method": ["CoOp"] * 3 + ["IVLP"], "seed": [1, 2, 3, 1], "H": [70.0, 70.0, 70.0, 71.0]}
    )
    seed_violins(frame, ax=ax)
    save(ax.figure, frame, tmp_path, "degenerate")
    assert ax.containers[1].lines[0].get_ydata() == pytest.approx([71])


def test_many_violins_get_slanted_labels(ax):
    seed_violins(runs(tuple(method_looks()), seeds=3, epochs=1), ax=ax)
    assert {tick.get_rotation() for tick in ax.get_xticklabels()} == {30}
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list(method_looks())


def test_image_grid_marks_predictions_by_colour_and_symbol():
    images = [np.zeros((8, 8, 3)), np.ones((8, 8, 3)), np.full((8, 8, 3), 0.5)]
    fig = Figure(figsize=(6, 3))
    long_name = "smiling cat with heart-shaped eyes"
    axes = image_grid(
        images,
        truth=["cat", "dog", long_name],
        before=["dog", "dog", "cat"],
        after=["cat", "dog", long_name],
        fig=fig,
        columns=2,
        stages=("zero-shot", "CPT"),
    )
    assert fig.axes == axes and len(axes) == 3
    np.testing.assert_array_equal(axes[1].images[0].get_array(), images[1])
    assert axes[0].get_title() == "cat"
    assert axes[2].get_title().replace("\n", " ") == long_name
    lines = [(text.get_text(), text.get_color()) for text in axes[0].texts]
    assert lines == [("✗ zero-shot: dog", VERMILLION), ("✓ CPT: cat", GREEN)]
    assert axes[1].texts[0].get_color() == GREEN


def test_image_grid_cuts_long_predictions_and_refuses_uneven_lists():
    name = "a name that is far too long for a column of this figure"
    axes = image_grid([np.zeros((4, 4, 3))] * 4, [name] * 4, [name] * 4, [name] * 4, Figure((6, 2)))
    assert axes[0].texts[0].get_text().startswith("✓ before: a name")
    assert axes[0].texts[0].get_text().endswith("…")
    with pytest.raises(ValueError, match="one entry per image"):
        image_grid([np.zeros((4, 4, 3))], ["cat"], ["cat"], [], Figure())
    with pytest.raises(ValueError, match="at least 1"):
        image_grid([], [], [], [], Figure())


def test_figures_draw_without_warnings(tmp_path, recwarn):
    with use_style():
        fig = Figure()
        top, bottom = fig.subplots(2)
        training_curves(runs(), y="H", ax=top)
        seed_violins(runs(epochs=1), ax=bottom)
        save(fig, runs(), tmp_path, "both")
        grid = Figure()
        image_grid([np.zeros((4, 4, 3))], ["cat"], ["dog"], ["cat"], grid)
        save(grid, runs(), tmp_path, "grid")  # a missing glyph would warn
    assert [str(warning.message) for warning in recwarn] == []
