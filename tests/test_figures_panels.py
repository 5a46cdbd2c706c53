"""Whole figures: as many panels as there is to show, also without the house style."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cptlab.lab.figures import (
    ablation_panels,
    algorithm_panels,
    change_panels,
    curve_panels,
    map_panels,
    seed_panels,
    similarity_panels,
    size_panels,
    weight_heatmaps,
)
from cptlab.lab.figures.style import headline, message
from cptlab.lab.study.claims.variants import names_of
from cptlab.lab.study.findings import spreads
from cptlab.lab.study.summary import summarise


def crossed(**columns) -> pd.DataFrame:
    """A row for every combination of values, with three seeds and H = 50 + seed."""
    columns = {**columns, "seed": (1, 2, 3)}
    frame = pd.DataFrame(itertools.product(*columns.values()), columns=list(columns))
    return frame.assign(H=50.0 + frame["seed"], dataset="food")


def table_of(frame: pd.DataFrame, *metrics: str) -> pd.DataFrame:
    """Means over seeds."""
    by = [name for name in frame if name not in ("seed", "H", "dataset", *metrics)]
    return summarise(frame, metrics or ["H"], by)


def titles(axes) -> list[str]:
    return [ax.get_title() for ax in axes]


def changed(**columns) -> pd.DataFrame:
    """A corrected table with a row for every combination of values."""
    frame = pd.DataFrame(itertools.product(*columns.values()), columns=list(columns))
    numbers = {"mean": 1.0, "lower": np.nan, "upper": np.nan, "least": 0.0, "most": 2.0}
    return frame.assign(**numbers, n=3, adjusted=np.nan)


def test_a_panel_per_loss_and_ratio():
    table = changed(reading=("sum", "mine"), loss=("CC", "RS"), weight=(0, 0.5), tau=(1, 0.06))
    places = {(reading, loss): 0.25 for reading in ("sum", "mine") for loss in ("CC", "RS")}
    table = table.assign(place=table["weight"])
    axes = change_panels(table, fig := Figure(), defaults=places, bound=3)
    assert len(axes) == len(fig.axes) == 4
    assert [ax.get_xlabel() for ax in axes[2:]] == [
        r"weight $\lambda_\mathrm{CC}$",
        r"weight $\lambda_\mathrm{RS}$",
    ]
    assert [ax.get_title("left") for ax in axes] == ["τ = 1", "", "τ = 0.06", ""]
    told = [text.get_text() for text in fig.legends[0].get_texts()]
    assert told[:2] == ["sum over pairs", "mine"] and "claimed: within 3 %" in told


def test_a_heat_map_per_reading_on_one_scale():
    table = changed(reading=("sum", "pair mean", "other"), a=(1,), b=(0, 2))
    table.loc[0, "mean"] = -5
    axes = weight_heatmaps(table, fig := Figure(), x="a", y="b", default=(0, 2))
    assert len(axes) == 3
    assert titles(axes)[1] == r"$L_\mathrm{TETF}$ as a pair mean"
    assert {ax.collections[0].get_clim() for ax in axes} == {(-5, 5)}
    fig.canvas.draw()


def test_curves_begin_at_zero_shot_and_end_at_their_names():
    runs = crossed(method=("CoOp", "Mine"), progress=(50.0, 100.0)).assign(H=lambda f: f["seed"])
    curves = table_of(runs).assign(epoch=[1, 2] * 2, steps=[10, 20, 5, 10])
    axes = curve_panels(curves, {"a": ["CoOp"], "b": ["Mine", "CoOp"]}, Figure(), level=4.0)
    assert [ax.get_title("left") for ax in axes] == ["a", "b"]
    assert {ax.get_xlim() for ax in axes} == {(0, 20)}
    start, onward = axes[0].lines[-2:]
    assert start.get_xydata().tolist() == [[0, 4], [10, 2]]
    assert onward.get_xydata().tolist() == [[20, 2], [20, 2]]
    assert {text.get_text() for text in axes[1].texts} == {
        "CoOp, 2 epochs",
        "Mine, 2 epochs",
        "Zero-shot",
    }


@pytest.mark.parametrize("compared", [True, False])
def test_strips_of_seeds_above_the_ratios_of_their_spreads(compared):
    runs = crossed(method=("CoOp", "Mine", "Other")).assign(H=lambda f: f["seed"] ** 2.0)
    ratios = spreads(runs, [("CoOp", "Mine")] if compared else [], "H")
    groups = {"a": ["CoOp"], "b": ["Mine", "Other"], "c": ["CoOp"]}
    axes = seed_panels(runs, groups, ratios, fig := Figure(), level=3.0)
    assert titles(axes) == ["a", "b", "c"] + [""] * compared
    if compared:
        assert axes[-1].get_yticklabels()[0].get_text() == "CoOp / Mine"
        marks = [line.get_xdata()[0] for line in axes[-1].lines]
        assert marks == [1, 1]  # without interval: the mark and the line at one
    fig.canvas.draw()


@pytest.mark.parametrize(("n", "shape"), [(1, (2, 1)), (3, (2, 3)), (5, (2, 5)), (21, (10, 5))])
def test_two_similarity_matrices_for_each_method(n, shape):
    matrices = {f"method {i}": np.full((4, 4), i / n) for i in range(n)}
    around = {name: matrix - 0.5 for name, matrix in matrices.items()}
    numbers = {"method 0": {"rank": 2.0, "within": np.nan}}
    panels = similarity_panels(matrices, around, [0, 0, 1, 1], fig := Figure(), annotations=numbers)
    assert titles(panels) == [*matrices] + [""] * n
    assert fig.axes[0].get_gridspec().get_geometry() == shape
    assert panels[0].texts[0].get_text() == "rank 2.00\nwithin –"
    cosines, centred = panels[:n], panels[n:]
    assert {ax.images[0].get_clim() for ax in cosines} == {(0, 1)}  # one colour scale
    assert {ax.images[0].get_clim() for ax in centred} == {(-0.5, 0.5)}
    np.testing.assert_array_equal(centred[0].images[0].get_array(), around["method 0"])
    headline(fig, "$ and L_X of a name"), headline(fig, "L_TETF, " + "long " * 30)
    assert fig.get_suptitle().startswith(r"$L_\mathrm{TETF}$, long") and "\n" in fig.get_suptitle()
    headline(fig, told := "word " * 14 + "Zero-shot " * 9)  # no line ends inside a name
    assert message(fig) == told.strip()
    fig.canvas.draw()
    with pytest.raises(ValueError, match="nothing to draw"):
        similarity_panels({}, {}, [], Figure())


@pytest.mark.parametrize("n", [1, 4, 7])
def test_a_panel_per_quantity_with_the_chosen_losses_and_methods(n):
    none, tetf, both = (False, False, False), (True, False, False), (True, True, True)
    losses = tuple(map(names_of, (none, tetf, both)))
    names = [f"quantity {i}" for i in range(n)]
    runs = crossed(reading=("sum", "pair mean"), losses=losses)
    runs = runs.assign(**dict.fromkeys(names, runs["H"]))
    beside = crossed(method=("Mine", "CoOp"))
    beside = beside.assign(**dict.fromkeys(names, beside["H"] + 5))
    axes = ablation_panels(
        table_of(runs, *names).assign(adjusted=0.2),
        fig := Figure(),
        {name: (f"title of {name}", name) for name in names},
        combinations=[none, tetf, both],
        beside=table_of(beside, *names),
        levels=table_of(runs, *names),
    )
    assert titles(axes) == [f"title of {name}" for name in names] * 2
    assert [tick.get_text() for tick in axes[0].get_yticklabels()] == ["", "", "", "CoOp", "Mine"]
    places = [bar.lines[0].get_xydata()[0].tolist() for bar in axes[-1].containers]
    assert places == [[52, 1], [52, 2], [57, 3], [57, 4]]
    assert [text.xy for text in axes[-1].texts if text.get_text() == "52.0 %"] == [(0, 0)]
    fig.canvas.draw()


@pytest.mark.parametrize(
    ("taus", "shape"), [((0.06,), (2, 1)), ((1, 0.5, 0.25, 0.1, 0.06), (4, 3))]
)
def test_algorithms_in_as_many_panels_as_methods_and_ratios(taus, shape):
    runs = crossed(method=("CPT (sum)", "CPT (pair mean)"), tau=taus, algorithm=("one", "two"))
    axes = algorithm_panels(runs, fig := Figure())
    assert titles(axes) == [
        f"{method}, τ = {tau:g}" for method in ("CPT (sum)", "CPT (pair mean)") for tau in taus
    ]
    assert fig.axes[0].get_gridspec().get_geometry() == shape
    assert len({round(float(np.ptp(ax.get_xlim())), 6) for ax in axes}) == 1
    fig.canvas.draw()


def test_sizes_in_a_panel_per_method():
    runs = crossed(method=("CPT (sum)", "Mine", "CPT (pair mean)"), tau=(0.5,), size=(4, 8))
    axes = size_panels(runs, Figure(), numbers={4: [4], 8: [2]}, default=16)
    assert titles(axes)[1] == "Mine, τ = 0.5"


@pytest.mark.parametrize(("n", "shape"), [(1, (1, 1)), (5, (3, 2)), (8, (3, 3))])
def test_as_many_maps_as_methods(n, shape):
    places = np.random.default_rng(0).normal(size=(9, 2))
    frame = pd.DataFrame(places, columns=["x", "y"])
    frame = frame.assign(cluster=[0, 1, 2] * 3, name=list("abcdefghi"))
    axes = map_panels({f"method {i}": frame for i in range(n)}, fig := Figure())
    assert titles(axes) == [f"method {i}" for i in range(n)]
    assert fig.axes[0].get_gridspec().get_geometry() == shape
    images = [np.zeros((8, 8, 3))] * 9
    assert len(map_panels({"a": frame, "b": frame}, fig := Figure(), images=images)) == 2
    assert fig.axes[0].get_gridspec().get_geometry() == (2, 1)
