"""The tables of other measures: what is shown, what is left out, and differences to zero-shot."""

import numpy as np
import pandas as pd
import pytest
from test_by_class import FROZEN, RANKS, run_of
from test_summary import frame_of

from cptlab.lab.study import other_measures
from cptlab.lab.study.beside import GAIN, with_class_measures
from cptlab.methods import ZeroShot


@pytest.fixture
def table(tmp_path):
    """Zero-shot and a method whose runs have stored everything."""
    runs = [run_of(tmp_path, 1, FROZEN, ZeroShot())]
    runs += [run_of(tmp_path, s, np.array(FROZEN) + ranks + 1) for s, ranks in RANKS.items()]
    for i, result in enumerate(runs):
        measures = {"joint": 20.0 + i, "base_nll": 1.234, "base_ece": 5.0, "tail_as_head": 7.0}
        macro = result.classes.query("role == 'base'")["accuracy"].mean()
        result.metrics.update(measures, macro_f1=30.0, macro=float(macro))
    frame = pd.concat([frame_of(runs[:1], "Zero-shot"), frame_of(runs[1:])], ignore_index=True)
    return with_class_measures(frame, runs)


def of(measured, metric, method="CoOp"):
    return measured.set_index(["metric", "method"])["mean"][metric, method]


def test_every_measure_is_summarised_and_told(table):
    measured = other_measures.summary(table)
    assert of(measured, "joint") == pytest.approx(22)
    assert of(measured, GAIN) == pytest.approx(5.5)
    assert of(measured, GAIN, "Zero-shot") == 0
    # Of six classes the worst quarter is one, with 10 plus its rank plus 1.
    worst = np.mean([10 + ranks[0] + 1 for ranks in RANKS.values()])
    assert of(measured, "worst_quarter") == of(measured, "worst_class") == pytest.approx(worst)
    assert of(measured, "few_shot") == of(measured, "tail")
    assert set(measured["metric"]) <= set(other_measures.names_of(measured))
    text = other_measures.as_text(measured)
    assert text.count("tau = 0.06") == 3 and "| CoOp | 22.0 (21.0 to 23.0) |" in text
    assert "1.23" in text and "5.0" in text and "5.00" not in text
    assert "base_nll" not in text and "NLL (base)" in text


def test_what_some_runs_have_not_stored_is_left_out_and_named(table):
    assert "joint (base images), joint (new images)" in other_measures.lacking(table)
    full = table.assign(**dict.fromkeys(other_measures.STORED, 1.0))
    assert other_measures.lacking(full) == ""
    table.loc[2, "joint"] = np.nan
    told = other_measures.lacking(table)
    assert told.startswith("Not stored by 4 runs of 4") and ": joint, joint (base images)" in told
    measured = other_measures.summary(table)
    assert of(measured, "joint", "Zero-shot") == 20
    assert ("joint", "CoOp") not in measured.set_index(["metric", "method"]).index
    older = table.drop(columns=list(other_measures.STORED), errors="ignore")
    assert "worst quarter" in other_measures.as_text(other_measures.summary(older))


def test_differences_to_zero_shot_are_run_by_run(table):
    gaps = other_measures.over_zero_shot(table)
    assert set(gaps["method"]) == {"CoOp"}
    assert set(gaps["metric"]) == {"worst_quarter", "joint"}  # these classes are no emoji
    assert of(gaps, "joint") == pytest.approx(2)
