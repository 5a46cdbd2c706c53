"""The study in a few lines: verdicts side by side, and what is separable."""

import re

import pandas as pd
import pytest
from test_conclusions import NUMBERS, methods

from cptlab.lab.study import conclusions, headlines
from cptlab.lab.study.profiles import FULL, SMOKE
from cptlab.lab.workspace import CHECKOUT


def test_claims_stand_side_by_side_by_family():
    columns = ["family", "claim", "estimand", "verdict", "estimate", "lower", "upper", "unit"]
    rows = [
        [
            "as tuned",
            "It gains",
            "H, CPT (pair mean) - IVLP",
            "undecided",
            0.61,
            0.17,
            1.05,
            "points",
        ],
        [
            "as tuned",
            "It is first",
            "H, CPT (sum) - DPC (MaPLe), the best of 2 that were run of 3 others",
            "contradicted",
            -4.0,
            -5.0,
            -3.0,
            "points",
        ],
        ["as tuned", "It is steady", "spread", "supported", 0.5, 0.4, 0.62, "ratio"],
        ["as printed", "It gains", "H, other - IVLP", "not run", *[float("nan")] * 3, "points"],
        ["as printed", "It is first", "H, CPT (sum) - the best of 3 others", "not run"]
        + [float("nan")] * 3
        + ["points"],
        ["as printed", "It is steady", "spread", "contradicted", 1.5, 1.2, 1.9, "ratio"],
    ]
    table = headlines.claims_table(pd.DataFrame(rows, columns=columns)).splitlines()
    assert table[0] == "| the paper says | measured by | CPT as tuned | CPT as printed |"
    assert table[2:] == [
        "| It gains | H, CPT - IVLP | **undecided** +0.61 [0.17, 1.05] | not run yet |",
        "| It is first | H, CPT - the best other | **contradicted** -4.00 [-5.00, -3.00], "
        "against 2 that were run of 3 others (best: DPC (MaPLe)) | not run yet |",
        "| It is steady | spread | **supported** 0.50 [0.40, 0.62] | "
        "**contradicted** 1.50 [1.20, 1.90] |",
    ]


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (
            ("undecided", "contradicted"),
            "is not shown to improve on plain prompts (H +0.60 [0.20, 1.00]) and is behind DeKg "
            "(H -4.00 [-5.00, -3.00])",
        ),
        (
            ("supported", "not run"),
            "improves on plain prompts (H +0.60 [0.20, 1.00]) and is not yet compared with the "
            "other prompt-tuning methods",
        ),
    ],
)
def test_two_claims_in_plain_words(verdicts, words):
    rows = [
        [1, "H, CPT (sum) - IVLP", verdicts[0], 0.6, 0.2, 1.0, "points"],
        [5, "H, CPT (sum) - DeKg, the best of 3 others", verdicts[1], -4.0, -5.0, -3.0, "points"],
    ]
    columns = ["number", "estimand", "verdict", "estimate", "lower", "upper", "unit"]
    assert headlines.in_words(pd.DataFrame(rows, columns=columns)) == words


def test_what_is_separable_is_named_and_the_rest_counted():
    frame = methods({"Zero-shot": 0.0, "IVLP": 2.0, "CoOp": -3.0, "MaPLe": 0.02})
    first, _ = headlines.against(frame)
    assert re.fullmatch(
        rf"\*\*H minus that of Zero-shot\*\*, in points: above it IVLP {NUMBERS}; "
        rf"below it CoOp {NUMBERS}; not separable from it 1\.",
        first,
    )
    gone = (frame["method"] == "CoOp") & (frame["seed"] < 13)
    first, *_ = headlines.against(frame[~gone])
    assert first.endswith("not separable from it 1; no verdict, as runs are missing 1 more.")
    only, _ = headlines.against(methods({"Zero-shot": 0.0, "CoOp": 0.0}))
    assert "above it none; below it none; not separable from it 1." in only


def test_a_loss_is_told_with_what_is_separable():
    columns = ["loss", "point", "weight", "usual", "metric", "mean", "lower", "upper", "adjusted"]
    rows = [
        ["RS", "0.1", 0.1, True, "H", 0.4, 0.2, 0.7, 0.01],
        ["RS", "0.3", 0.3, False, "H", 0.2, -0.1, 0.5, 0.2],
        ["RS", "0.1", 0.1, True, "tail", 3.0, 2.0, 4.0, 0.01],
    ]
    table = pd.DataFrame(rows, columns=columns)
    told = "**L_RS raises H at a weight of 0.1.** In points, by weight: 0.1: +0.4 (0.2 to 0.7)."
    assert headlines.response(table, "RS") == told
    none = headlines.response(table.assign(adjusted=0.2), "RS")
    assert none == "**No weight of L_RS changes H separably.**"


def test_headlines_are_those_of_the_figures_beside_them():
    table = pd.read_csv(CHECKOUT / "figures/dose_others.csv", dtype={"point": str})
    told = (CHECKOUT / "figures/headlines.md").read_text(encoding="utf-8")
    for loss in ("TETF", "CC", "RS"):
        assert f"- {headlines.response(table, loss)}\n" in told


def test_seeds_of_spreads_alone_are_in_no_other_finding():
    frame = methods({"Zero-shot": 0.0, "CPT (pair mean)": 1.0}, seeds=range(11, 21))
    kept = conclusions.without_spread(FULL, frame)
    assert set(kept["seed"]) == set(FULL.comparison.seeds) < set(FULL.spread)
    assert len(conclusions.without_spread(SMOKE, frame)) == len(frame)
