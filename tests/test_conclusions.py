"""The sentences of the study say what their intervals carry, and nothing else."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cptlab.lab.study import as_tuned, conclusions
from cptlab.lab.study.as_tuned import Tuned
from cptlab.lab.study.comparison import gaps
from cptlab.lab.study.profiles import DEMO, FULL
from cptlab.methods import CPT, IVLP

TOO_FAR = (
    "real image",
    "photograph is",
    " win",
    "push",
    "helps",
    "hardly",
    "robust",
    "halve",
    "third at",
    "best at",
    "show what they are for",
    "no other",
    "remed",
    "bootstrap",
    "equal",
    "no difference",
    "no effect",
    "because CPT",
    "mechanism",
)
"""What earlier texts said that their numbers did not carry."""


def methods(levels, seeds=range(11, 16), noise=0.3, tau=0.06):
    """Runs of methods on six data sets, each at a level above its cell."""
    rng, rows = np.random.default_rng(0), []
    for dataset in ("activities", "animals", "food", "objects", "smileys", "travel"):
        for seed in seeds:
            cell = rng.normal(60, 5)
            for name, level in levels.items():
                values = {m: cell + level + rng.normal(0, noise) for m in ("H", "new", "tail")}
                run = {"dataset": dataset, "method": name, "tau": tau, "seed": seed}
                rows.append(run | values | {"processor_seconds": 10.0 + level})
    return pd.DataFrame(rows)


NUMBERS = r"[+-]\d\.\d \(-?\d\.\d to -?\d\.\d\)"


def test_above_below_and_not_separable():
    frame = methods({"Zero-shot": 0.0, "IVLP": 2.0, "CoOp": -3.0, "MaPLe": 0.02})
    gone = (frame["method"] == "CoOp") & (frame["dataset"] == "food")
    told = conclusions.against(frame[~(gone & (frame["seed"] == 11))])
    assert len(told) == 6  # three metrics, two references
    (text,) = [t for t in told if t.startswith("Tail accuracy minus that of Zero-shot")]
    assert re.search(
        rf"in points: above: IVLP {NUMBERS}; below: CoOp {NUMBERS} \[4 seeds\]; "
        rf"not separable: MaPLe {NUMBERS}\.",
        text,
    )
    assert "among the 9 comparisons with Zero-shot, Benjamini-Hochberg at 5 %" in text
    assert text.endswith("`tab2_differences_to_zero_shot`.)")
    text = conclusions.against(frame[~(gone & (frame["seed"] < 13))])[5]
    assert "no verdict, as runs are missing: CoOp." in text and "below" not in text.split("(95")[0]


def test_what_excludes_zero_alone_is_not_separable_in_its_family(monkeypatch):
    frame = methods({"Zero-shot": 0.0, "IVLP": 0.5})

    def uncertain(*arguments):
        table = gaps(*arguments).assign(adjusted=0.2)
        assert (table["lower"] > 0).any() or (table["upper"] < 0).any()
        return table

    monkeypatch.setattr(conclusions, "gaps", uncertain)
    told = conclusions.against(frame)
    assert told and all("in points: not separable: IVLP +0." in text for text in told)


def test_cost_is_a_ratio_within_cells():
    (text,) = conclusions.cost(methods({"IVLP": 0.0, "CPT (pair mean)": 2.0}))
    assert text.startswith("A run of CPT (pair mean) takes 1.20 times the processor time of one of")
    assert "95 % interval 1.20 to 1.20" in text and text.endswith("`cost`).")
    bare = methods({"IVLP": 0.0, "CPT (pair mean)": 2.0}).drop(columns="processor_seconds")
    assert conclusions.cost(bare) == []


def test_losses_tell_their_weights_and_how_texts_lie():
    gains = pd.DataFrame(
        [
            ("TETF", "16", 16.0, metric, -2.0, -3.0, -1.0, 0.01, 18)
            for metric in ("H", "new", "tail")
        ],
        columns=[
            "loss",
            "point",
            "weight",
            "metric",
            "mean",
            "lower",
            "upper",
            "adjusted",
            "family",
        ],
    )
    shown = {"loss": "TETF", "metric": "cluster_auc", "n": 30, "datasets": 6}
    levels = pd.DataFrame(
        shown
        | {"point": point, "mean": mean, "lower": mean - 1, "upper": mean + 1}
        | {"least": mean, "most": mean}
        for point, mean in (("0", 80.0), ("sum", 70.0))
    )
    first, *_, texts = conclusions.responses(gains, levels)
    assert first == (
        "L_TETF lowers H at a weight of 16. By weight, in points against the same runs without "
        "L_TETF: 16: -2.0 (-3.0 to -1.0). (in units of the mean over pairs; 18 comparisons, "
        "Benjamini-Hochberg at 5 %; `dose_response`.)"
    )
    assert texts.endswith(
        "in percent: 80.0 [79.0, 81.0] without L_TETF, 70.0 [69.0, 71.0] with the printed sum "
        "(`dose_response`)."
    )


@pytest.fixture
def tuned(monkeypatch):
    found = (
        Tuned(IVLP, {}, {"lr": 0.003}, {}),
        Tuned(CPT, {"etf_reduction": "pair_mean"}, {"lr": 0.003}, {"lambda_tetf": 1.0}),
    )
    monkeypatch.setattr(as_tuned, "table", lambda: found)


@pytest.mark.parametrize("spread", [0.05, 3.0])
def test_all_sentences_of_a_study(tuned, spread):
    assert conclusions.runs(DEMO) == {}
    study = conclusions.runs(FULL)
    rng, results, rows = np.random.default_rng(int(spread)), {}, []
    levels = {name: rng.normal(0, 1) for name in dict.fromkeys(study.values())}
    for spec, name in study.items():
        details = {"run_id": spec.run_id, "clusters": [0, 0, 0, 1, 1, 1]}
        results.setdefault(name, []).append(SimpleNamespace(spec=spec, details=details))
        metrics = ("H", "new", "tail", "effective_rank", "drift_degrees", "cluster_auc")
        values = {m: 60 + levels[name] + rng.normal(0, spread) for m in metrics}
        keys = ("dataset", "tau", "seed", "protocol")
        run = {key: getattr(spec, key) for key in keys} | {"method": name, "run_id": spec.run_id}
        rows.append(run | values | {"processor_seconds": rng.uniform(9, 11)})
    text = conclusions.conclusions(FULL, pd.DataFrame(rows), results)
    lines = text.splitlines()
    assert all(line.startswith("- ") for line in lines)
    assert "6 data sets" in lines[0] and "5 seeds" in lines[0]
    # each but the scope names what it rests on, or the family that does
    claims = [line for line in lines if re.match(r"- Claim \d, CPT as", line)]
    assert len(claims) == 16
    assert all("`" in line for line in lines[1:] if line not in claims)
    assert not [phrase for phrase in TOO_FAR if phrase in text]
    assert len(lines) == 1 + 2 + 16 + 6 + 9 + 3 + 2 + 2
