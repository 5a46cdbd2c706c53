"""Dose and response: points on one axis of weights, differences to none, the message."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from cptlab.geometry import textual_etf_separation
from cptlab.lab.figures import dose_panels
from cptlab.lab.figures.style import use_style
from cptlab.lab.study import as_tuned, dose
from cptlab.lab.study.as_tuned import Tuned
from cptlab.lab.study.dose_message import GAINS, acting, drawn, message, messages, not_drawn
from cptlab.lab.study.intervals import crossed
from cptlab.lab.study.profiles import FULL, SMOKE
from cptlab.lab.study.settings import profile_with
from cptlab.lab.study.studies import sensitivity
from cptlab.methods import CPT, CoOp
from cptlab.methods.schedule import Schedule
from cptlab.training.spec import RunSpec

SCHEDULE = Schedule(epochs=6, lr=0.003, batch_size=32)
USUAL = CPT(etf_reduction="pair_mean", lambda_tetf=1.0)
SIZES = {
    "food": (20, 20),
    "travel": (10, 30),
    "a": (9, 9),
    "b": (25, 12),
    "c": (20, 18),
    "d": (30, 31),
}
EFFECT = {
    "0": 0.0,
    "0.25": 1.0,
    "1": 2.0,
    "4": 0.0,
    "16": -4.0,
    "64": -8.0,
    "256": -9.0,
    "sum": -8.5,
}


def weighted(**fields):
    return dataclasses.replace(USUAL, **fields)


TETF = {f"{weight:g}": weighted(lambda_tetf=weight) for weight in (0.0, 0.25, 1, 4, 16, 64, 256)}
TETF["sum"] = weighted(lambda_tetf=0.25, etf_reduction="sum")


def study(methods=TETF, datasets=("food", "travel"), seeds=(11, 12, 13), effect=EFFECT):
    """Results by label and their table, of made-up values."""
    rng, results, rows = np.random.default_rng(0), {}, []
    for dataset in datasets:
        for seed in seeds:
            level = rng.normal(60, 3)
            for point, method in methods.items():
                name = "CPT (pair mean)" if method == USUAL else f"CPT {point}"
                spec = RunSpec(dataset, method, 0.06, seed, SCHEDULE)
                sizes = SIZES[dataset]
                details = {"run_id": spec.run_id, "clusters": list(np.repeat([0, 1], sizes))}
                results.setdefault(name, []).append(SimpleNamespace(spec=spec, details=details))
                values = {
                    metric: level + effect.get(point, 0.0) + rng.normal(0, 0.1) for metric in GAINS
                }
                run = {"dataset": dataset, "method": name, "tau": 0.06, "seed": seed}
                rank = {"effective_rank": 10 + rng.normal(0, 0.1)}
                rows.append(run | values | rank | {"run_id": spec.run_id})
    return pd.DataFrame(rows), results


def test_a_sum_is_a_mean_over_pairs_with_a_larger_weight():
    assert dose.pair_weight([20, 20]) == 380
    assert dose.pair_weight([10, 30, 1]) == (90 + 870 + 0) / 3
    # for clusters of equal size it is exact
    prototypes = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
    clusters = torch.arange(12) // 4
    summed, mean = (textual_etf_separation(prototypes, clusters, r) for r in ("sum", "pair_mean"))
    assert summed.item() == pytest.approx(dose.pair_weight([4, 4, 4]) * mean.item(), rel=1e-5)


def test_both_readings_are_points_on_one_axis():
    table, results = study()
    found = dose.doses(table, results)
    tetf = found[found["loss"] == "TETF"]
    assert list(dict.fromkeys(tetf["point"])) == ["0", "0.25", "1", "4", "16", "64", "sum", "256"]
    places = tetf[tetf["point"] == "sum"].groupby("dataset")["weight"].first()
    assert places.to_dict() == {"food": 0.25 * 380, "travel": 0.25 * (90 + 870) / 2}
    assert set(tetf.loc[tetf["usual"], "point"]) == {"1"}
    # CPT as it is is a point of every loss
    others = found[found["loss"] != "TETF"]
    assert others["usual"].all() and set(others["loss"]) == {"CC", "RS"}


def test_runs_that_differ_in_something_else_are_no_points():
    table, results = study({"1": USUAL})
    spec = results["CPT (pair mean)"][0].spec
    others = [
        dataclasses.replace(spec, schedule=dataclasses.replace(SCHEDULE, epochs=24)),
        dataclasses.replace(spec, method=weighted(lambda_tetf=4.0, lambda_cc=1.5)),
        dataclasses.replace(spec, method=weighted(lambda_tetf=4.0, n_clusters=1)),
        dataclasses.replace(spec, method=CoOp()),
    ]
    results["others"] = [
        SimpleNamespace(spec=s, details={"run_id": s.run_id, "clusters": [0, 1]}) for s in others
    ]
    points = dose.doses(table, results)
    assert set(points["point"]) == {"1", "0.15", "0.1"}
    both = [dataclasses.replace(spec, method=weighted(lambda_rs=1.0))]
    results["more"] = [SimpleNamespace(spec=both[0], details={"run_id": "x", "clusters": [0]})]
    assert set(dose.doses(table, results)["point"]) == {"1", "0.15", "0.1"} | {"1"}


def test_differences_are_to_the_run_without_the_loss():
    table, results = study()
    found = dose.responses(dose.doses(table, results))
    wide = table.pivot(index="dataset", columns=["method", "seed"], values="H")
    row = found[(found["point"] == "16") & (found["metric"] == "H")].iloc[0]
    interval = crossed((wide["CPT 16"] - wide["CPT 0"]).to_numpy())
    assert row[["mean", "lower", "upper", "p"]].tolist() == pytest.approx(
        [interval.mean, interval.lower, interval.upper, interval.p]
    )
    (place,) = set(found.loc[found["point"] == "sum", "weight"])
    assert place == pytest.approx(np.sqrt(95 * 120))
    assert set(found["family"]) == {21}
    # no run without the other losses: nothing to compare with
    assert set(found["loss"]) == {"TETF"}
    levels = dose.levels(dose.doses(table, results))
    assert set(levels["metric"]) == {"effective_rank"}
    assert "0" in set(levels["point"])


def test_the_message_follows_the_results():
    table, results = study()
    gains = dose.responses(dose.doses(table, results))
    assert message(gains).startswith(
        "L_TETF raises H at weights of 0.25 and 1 and lowers it at weights of 16 and above; "
        "the printed sum counts as a weight of 107 (-8."
    )
    assert message(gains, loss="CC") == "Too few runs to tell what L_CC does to H"
    assert messages(gains, ("CC", "TETF", "RS")) == (
        f"{message(gains)}. Too few runs to tell what L_CC and L_RS do to H"
    )
    flat = dose.responses(dose.doses(*study(effect={})))
    assert message(flat).startswith("No weight of L_TETF changes H separably; the printed")
    assert message(flat).endswith("counts as a weight of 107 (not separable)")
    assert acting(gains) == 16
    assert acting(flat) is None
    one = dose.responses(dose.doses(*study(effect={"4": 50.0})))
    assert message(one).startswith("L_TETF raises H at a weight of 4; ")
    few = dose.responses(dose.doses(*study(datasets=("food",))))
    assert message(few) == "Too few runs to tell what L_TETF does to H"


def test_nothing_to_compare_gives_an_empty_table():
    gains = dose.responses(dose.doses(*study({"1": USUAL})))
    assert gains.empty
    assert message(gains) == "Too few runs to tell what L_TETF does to H"
    with use_style():
        dose_panels(gains, gains, Figure(), ("TETF",))


def test_a_curve_needs_two_weights_beside_none():
    table, results = study(effect={"4": 50.0})
    gains = dose.responses(dose.doses(table, results))
    assert drawn(gains, ("TETF", "CC")) == ("TETF",)
    assert not_drawn(gains, ("TETF",)) == ""
    assert not_drawn(gains, ("TETF", "CC", "RS")) == (
        "No figure of L_CC and L_RS: fewer than two weights were run beside 0. "
        "Too few runs to tell what L_CC and L_RS do to H."
    )
    single = gains[gains["point"] == "4"]
    assert drawn(single, ("TETF",)) == ()
    assert not_drawn(single, ("TETF",)).endswith("L_TETF raises H at a weight of 4.")


def test_the_figure_places_the_sum_on_the_axis_of_weights():
    runs = dose.doses(*study())
    gains, levels = dose.responses(runs), dose.levels(runs)
    with use_style():
        fig = Figure()
        axes = dose_panels(gains, levels, fig, ("TETF",))
        fig.draw_without_rendering()
    assert len(axes) == 6
    for ax, metric in zip(axes, GAINS, strict=False):
        assert ax.get_xscale() == "log"
        rows = gains[(gains["metric"] == metric) & (gains["point"] == "sum")]
        (word,) = ax.texts
        assert word.xy == pytest.approx((rows["weight"].iloc[0], rows["mean"].iloc[0]))
    (line,) = [
        line for line in axes[0].lines if len(line.get_xdata()) == 6 and line.get_linestyle() == "-"
    ]
    assert line.get_xdata().tolist() == [0.25, 1, 4, 16, 64, 256]
    assert "raises H" in fig.get_suptitle()


def test_runs_of_a_profile(monkeypatch):
    tuned = Tuned(CPT, {"etf_reduction": "pair_mean"}, {"lr": 0.003}, {"lambda_tetf": 1.0})
    monkeypatch.setattr(as_tuned, "table", lambda: (tuned,))
    swept = dose.runs(SMOKE)
    beside = {name for spec, name in swept.items() if spec not in sensitivity(SMOKE)}
    assert beside == {"CPT (sum)"} and sensitivity(SMOKE).items() <= swept.items()
    chosen = profile_with("smoke", methods="CPT (pair mean)")
    assert dose.runs(chosen) == sensitivity(chosen)
    found = dose.runs(FULL)
    results = {}
    for spec, name in found.items():
        details = {"run_id": spec.run_id, "clusters": [0, 0, 1, 1]}
        results.setdefault(name, []).append(SimpleNamespace(spec=spec, details=details))
    table = pd.DataFrame(
        {
            "run_id": spec.run_id,
            "dataset": spec.dataset,
            "tau": spec.tau,
            "seed": spec.seed,
            "method": name,
        }
        for spec, name in found.items()
    )
    points = dose.doses(table, results)
    counts = points.groupby(["loss", "point"], sort=False).size()
    assert (counts == 30).all()
    by_loss = {
        loss: list(rows.index.get_level_values("point"))
        for loss, rows in counts.groupby("loss", sort=False)
    }
    assert by_loss["TETF"] == ["0", "0.25", "sum", "1", "4", "16", "64", "256"]
    assert by_loss["CC"] == ["0", "0.015", "0.05", "0.15", "0.45", "1.5"]
    assert by_loss["RS"] == ["0", "0.01", "0.033", "0.1", "0.3", "1"]
