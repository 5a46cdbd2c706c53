"""The eight confirmatory claims: estimands by hand, Holm's correction, the rule of the verdict."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cptlab.lab.figures import confirmatory_panels
from cptlab.lab.figures.style import message, use_style
from cptlab.lab.study.claims.confirmatory import confirmatory, holm
from cptlab.lab.study.claims.estimands import CONFIRMATORY, Family
from cptlab.lab.study.claims.told import (
    confirmatory_markdown,
    counted,
    ledger_message,
    p_text,
    sentence,
)
from cptlab.lab.study.intervals import crossed

DATASETS = ("activities", "animals", "food", "objects", "smileys", "travel")
FAMILY = Family(
    "as tuned", "CPT", "IVLP", "CPT w/o TETF", "one cluster", "Global-ETF", ("IVLP", "CoOp")
)
LABELS = ("CPT", "IVLP", "CPT w/o TETF", "one cluster", "Global-ETF", "CoOp")


def study(shift=None, seed=0, noise=0.3):
    """Every run of the plan with levels by method: H, new and tail, and by tau.

    shift: (label, tau, metric) -> what is added.
    """
    rng, rows = np.random.default_rng(seed), []
    for tau in (0.06, 1.0):
        for dataset in DATASETS:
            for s in range(11, 21):
                cell = rng.normal(60, 5)
                for name in LABELS:
                    values = {
                        metric: cell
                        + (shift or {}).get((name, tau, metric), 0.0)
                        + rng.normal(0, noise)
                        for metric in ("H", "new", "tail")
                    }
                    rows.append(
                        {"dataset": dataset, "method": name, "tau": tau, "seed": s} | values
                    )
    return pd.DataFrame(rows)


def by_number(table):
    return table.set_index("number")


def test_holm_by_hand():
    # 4 p values: .01 x 4, .02 x 3, .03 x 2 (not below the one before), .5
    assert holm([0.02, 0.5, 0.01, 0.03]) == pytest.approx([0.06, 0.5, 0.04, 0.06])
    # claims that were not run count as members of the family
    assert holm([0.01, np.nan, 0.04]) == pytest.approx([0.03, np.nan, 0.08], nan_ok=True)
    assert holm([0.01], size=8) == pytest.approx([0.08])
    assert np.isnan(holm([np.nan, np.nan])).all()


def test_every_claim_is_estimated_as_the_plan_says():
    up = {("CPT", tau, metric): 2.0 for tau in (0.06, 1.0) for metric in ("H", "new")}
    frame = study(up | {("CPT", 0.06, "tail"): 3.0, ("CPT", 0.06, "H"): 2.5})
    found = by_number(confirmatory(frame, [FAMILY]))
    assert list(found["claim"]) == [claim.name for claim in CONFIRMATORY]
    wide = frame.pivot(
        index="dataset", columns=["method", "tau", "seed"], values=["H", "new", "tail"]
    )
    seeds = range(11, 16)

    def gap(metric, other, tau=0.06):
        return np.stack(
            [wide[metric, "CPT", tau, s] - wide[metric, other, tau, s] for s in seeds], axis=1
        )

    expected = {
        1: gap("H", "IVLP"),
        2: gap("H", "IVLP") - gap("H", "IVLP", 1.0),
        3: gap("tail", "IVLP"),
        4: gap("new", "IVLP"),
        6: gap("H", "CPT w/o TETF"),
        7: gap("H", "one cluster"),
    }
    for number, cells in expected.items():
        interval = crossed(cells)
        row = found.loc[number]
        assert row[["estimate", "lower", "upper", "p"]].tolist() == pytest.approx(
            [interval.mean, interval.lower, interval.upper, interval.p]
        )
        assert row[["cells", "datasets", "seeds"]].tolist() == [30, 6, 5]
    assert found.loc[8, ["cells", "datasets", "seeds"]].tolist() == [60, 6, 10]
    assert found["p_holm"].tolist() == pytest.approx(holm(found["p"]))
    assert found.loc[[1, 3, 4, 6, 7], "verdict"].eq("supported").all()
    assert found["missing"].eq("").all()


def test_the_spread_is_compared_over_ten_seeds():
    frame = study(noise=0.0)
    wobble = frame["seed"].map(
        dict(zip(range(11, 21), np.random.default_rng(1).normal(size=10), strict=True))
    )
    rest = np.random.default_rng(2).normal(0, 0.2, len(frame))
    frame["H"] = 60 + (wobble + rest) * frame["method"].map({"Global-ETF": 4.0}).fillna(1.0)
    row = by_number(confirmatory(frame, [FAMILY])).loc[8]
    assert (row["verdict"], row["rule"], row["unit"]) == ("supported", "< 1", "ratio")
    assert row["lower"] < row["estimate"] < row["upper"] < 1
    assert row["estimate"] == pytest.approx(0.25, rel=0.25)
    few = by_number(confirmatory(frame[frame["seed"] < 16], [FAMILY])).loc[8]
    assert few["verdict"] == "not run"
    assert "30 of 60 runs are missing" in few["missing"]


def test_first_is_ahead_of_all_and_takes_the_largest_p():
    frame = study({("CPT", 0.06, "H"): 2.0, ("CoOp", 0.06, "H"): 1.6})
    row = by_number(confirmatory(frame, [FAMILY])).loc[5]
    cells = {name: [] for name in LABELS}
    for name in cells:
        here = frame[(frame["method"] == name) & (frame["tau"] == 0.06) & (frame["seed"] < 16)]
        cells[name] = here.pivot(index="dataset", columns="seed", values="H").to_numpy()
    gaps = [crossed(cells["CPT"] - cells[name]) for name in ("IVLP", "CoOp")]
    assert row["estimate"] == min(gap.mean for gap in gaps)
    assert row["lower"] == pytest.approx(min(gap.lower for gap in gaps))
    assert row["p"] == pytest.approx(max(gap.p for gap in gaps))
    assert "CoOp, the best of 2 others" in row["estimand"]
    assert row["verdict"] == "supported"


def test_one_that_is_ahead_is_enough_to_contradict_first():
    frame = study({("CPT", 0.06, "H"): 2.0, ("CoOp", 0.06, "H"): 4.0})
    row = by_number(confirmatory(frame, [FAMILY])).loc[5]
    assert row["verdict"] == "contradicted"
    assert row["upper"] < 0


def test_first_is_not_supported_where_a_rival_has_no_verdict():
    frame = study({("CPT", 0.06, "H"): 2.0})
    gone = (frame["method"] == "CoOp") & (frame["dataset"] == "food") & (frame["seed"] < 13)
    row = by_number(confirmatory(frame[~gone], [FAMILY])).loc[5]
    assert row["lower"] > 0
    assert row["verdict"] == "undecided"
    assert row["missing"] == "CoOp at tau = 0.06: 2 of 30 runs are missing (food 11, food 12)."
    # the others of the family are as they were
    assert by_number(confirmatory(frame[~gone], [FAMILY])).loc[1, "verdict"] == "supported"


def test_one_missing_cell_is_allowed_and_two_are_not():
    frame = study({("CPT", 0.06, "H"): 2.0})
    at = (frame["method"] == "IVLP") & (frame["tau"] == 0.06) & (frame["dataset"] == "food")
    one = by_number(confirmatory(frame[~(at & (frame["seed"] == 11))], [FAMILY]))
    # seeds that all data sets have
    assert one.loc[1, ["verdict", "cells", "seeds"]].tolist() == ["supported", 24, 4]
    two = by_number(confirmatory(frame[~(at & frame["seed"].isin((11, 12)))], [FAMILY]))
    assert two.loc[[1, 2, 3, 4], "verdict"].eq("not run").all()
    assert two.loc[6, "verdict"] == "supported"
    assert two.loc[1, ["estimate", "p", "p_holm"]].isna().all()


def test_an_interval_that_holm_does_not_confirm_decides_nothing():
    # a p value between .05 / 8 and .05
    for seed in range(200):
        frame = study({("CPT", 0.06, "H"): 0.25}, seed=seed, noise=0.5)
        row = by_number(confirmatory(frame, [FAMILY])).loc[1]
        if row["lower"] > 0 and row["p_holm"] > 0.05:
            break
    else:
        pytest.fail("no such frame was drawn")
    assert row["verdict"] == "undecided"
    assert row["note"] == "excludes 0, but not after Holm's correction"


def test_nothing_is_run():
    found = confirmatory(study().head(0), [FAMILY, FAMILY])
    assert found["verdict"].eq("not run").all()
    assert len(found) == 16
    assert "none of 30 runs" in found["missing"].iloc[0]
    with pytest.raises(ValueError, match="lacks the columns"):
        confirmatory(pd.DataFrame({"dataset": []}), [FAMILY])


# ------------------------------------------------------------------------------ text and figure


@pytest.fixture(scope="module")
def table():
    """Two families; in the second CPT is far behind, and no claim on one cluster was run."""
    frame = study({("CPT", 0.06, "tail"): 3.0})
    worse = frame[frame["method"] == "CPT"].assign(method="Worse")
    worse["H"] -= 9
    printed = dataclasses.replace(FAMILY, name="as printed", cpt="Worse", one_cluster="none")
    return confirmatory(pd.concat([frame, worse]), [FAMILY, printed])


def test_counts_of_verdicts_in_words(table):
    tuned, printed = (rows for _, rows in table.groupby("family", sort=False))
    assert counted(tuned) == "of 8 claims 1 is supported and 7 undecided"
    assert (
        counted(printed) == "of 8 claims 1 is supported, 3 contradicted, 3 undecided and 1 not run"
    )
    assert counted(tuned[tuned["verdict"] == "undecided"]) == "of 7 claims 7 are undecided"


def test_markdown_tells_estimates_verdicts_and_what_is_missing(table):
    text = confirmatory_markdown(table)
    first = table.iloc[2]
    assert (
        f"| 3 | Tail classes gain (Abstract, Sec. 4.2) | tail, CPT - IVLP | > 0 points | "
        f"+{first['estimate']:.2f} [{first['lower']:.2f}, {first['upper']:.2f}] | < 0.001 | "
        "supported | 30 |"
    ) in text
    assert "- as printed, claim 7: none at tau = 0.06: none of 30 runs." in text
    assert text.count("**CPT as ") == 2


def test_a_sentence_says_verdict_interval_and_base(table):
    told = [sentence(row) for row in table.itertuples()]
    assert told[2].startswith("Tail classes gain: supported. tail, CPT - IVLP: +3.")
    assert told[2].endswith("p < 0.001 after Holm, on 30 cells (6 data sets, 5 seeds).")
    assert told[7].startswith("CPT is steadier than the global frame: undecided.")
    assert "points" not in told[7]
    assert told[14] == (
        "Clusters matter: one frame over all classes is worse: not run. "
        "none at tau = 0.06: none of 30 runs."
    )


def test_p_values_as_text():
    assert [p_text(p) for p in (0.0004, 0.00123, 0.0456, 1.0)] == [
        "p < 0.001",
        "p = 0.0012",
        "p = 0.046",
        "p = 1",
    ]


def test_the_figure_draws_every_interval_and_says_every_verdict(table):
    with use_style():
        fig = Figure()
        axes = confirmatory_panels(table, fig)
        fig.draw_without_rendering()
    assert len(axes) == 4  # points and ratio, of two families
    words = [text.get_text().strip() for ax in axes for text in ax.texts]
    assert [word.split("\n")[0] for word in words] == [*table["verdict"]]
    lost = table["note"].str.contains("Holm")
    assert ["after Holm" in word for word in words] == [*lost]
    drawn = [line.get_xdata() for ax in axes for line in ax.lines if len(line.get_xdata()) == 2]
    bars = [x for x in drawn if x[0] != x[1]]  # the others are thresholds
    run = table.dropna(subset="lower")
    np.testing.assert_allclose(bars, run[["lower", "upper"]])
    assert "1 is supported" in axes[0].get_title("left")
    first, second = message(fig).split("; ")
    assert first.startswith("CPT as tuned: of ") and second.startswith("CPT as printed: of ")
    for ax in axes:
        low, high = ax.get_xlim()
        assert all(low <= x <= high for line in ax.lines for x in line.get_xdata())
    with pytest.raises(ValueError, match="no claims"):
        confirmatory_panels(table.head(0), Figure())


def test_the_ledger_counts_each_comparison_once():
    verdicts = ["supported", "undecided", "undecided", "contradicted"]
    ledger = pd.DataFrame({"verdict": verdicts, "same_as": ["", "", "sum", ""]})
    told = ledger_message(ledger)
    assert told.endswith("of 3 comparisons 1 is supported, 1 contradicted and 1 undecided")
