"""Which methods and runs the confirmatory claims of the plan compare."""

import pandas as pd
import pytest

from cptlab.lab.study import as_tuned, conclusions, families
from cptlab.lab.study.as_tuned import Tuned
from cptlab.lab.study.claims.estimands import CONFIRMATORY
from cptlab.lab.study.lineup import prompt_tuning
from cptlab.lab.study.profiles import DEMO, FULL
from cptlab.methods import CPT, IVLP


@pytest.fixture
def table(monkeypatch):
    """What tuning chose: another rate for IVLP and CPT, nothing for others."""
    found = (
        Tuned(IVLP, {}, {"lr": 0.003}, {}),
        Tuned(CPT, {"etf_reduction": "pair_mean"}, {"lr": 0.003}, {"lambda_tetf": 1.0}),
    )
    monkeypatch.setattr(as_tuned, "table", lambda: found)


def test_methods_of_the_families(table):
    tuned, printed = families.families(FULL)
    assert (tuned.cpt, printed.cpt) == ("CPT (pair mean)", "CPT (sum)")
    assert (tuned.plain, printed.plain) == ("IVLP", "IVLP (as published)")
    assert (tuned.without_tetf, printed.without_tetf) == (
        "CPT w/o TETF",
        "CPT w/o TETF (as published)",
    )
    assert tuned.one_cluster == "CPT (pair mean), n_clusters = 1"
    assert printed.one_cluster == "CPT (sum), n_clusters = 1"
    # of the two readings of the global frame each family has its own
    assert tuned.global_etf in tuned.rivals and printed.global_etf in printed.rivals
    assert not {"CPT (sum)", "CPT (pair mean)"} & {*tuned.rivals, *printed.rivals}
    assert len(tuned.rivals) == len(printed.rivals)
    # its tuned schedule is the published one
    assert "CoOp" in printed.rivals and "CoOp" in tuned.rivals


def test_prompt_tuning_is_to_learn_tokens(table):
    found = set(prompt_tuning(FULL))
    assert {"CoOp", "CoCoOp", "MaPLe", "PromptSRC", "DeKg", "TCP", "KgCoOp", "IVLP"} <= found
    others = {"Zero-shot", "Linear probe", "CLAP", "Tip-Adapter", "Tip-Adapter-F", "CLIP-LoRA"}
    assert not found & (others | {"Candle", "Candle (knows new names)"})


def test_the_plan_has_all_runs_of_the_claims(table):
    by_label = {}
    for spec, name in conclusions.runs(FULL).items():
        if spec.protocol == "base_to_new":
            by_label.setdefault((name, spec.tau), set()).add((spec.dataset, spec.seed))
    for one in families.families(FULL):
        for claim in CONFIRMATORY:
            for name in (one.cpt, *claim.others(one)):
                assert len(by_label[name, 0.06]) >= 30
        assert len(by_label[one.global_etf, 0.06]) == len(by_label[one.cpt, 0.06]) == 60
        assert len(by_label[one.cpt, 1.0]) == len(by_label[one.plain, 1.0]) == 30


def test_comparisons_of_claims_are_marked_in_the_study_alone():
    methods = ["CPT (pair mean)", "CPT (pair mean)", "CoOp", "CPT (pair mean)"]
    gaps = pd.DataFrame(
        {"method": methods, "reference": ["IVLP", "Zero-shot", "IVLP", "IVLP"], "tau": 0.06}
    ).assign(metric=["new", "new", "new", "base"])
    marked = families.with_planned(FULL, gaps)
    assert marked["planned"].tolist() == [True, False, False, False]
    assert families.with_planned(DEMO, gaps) is gaps


def test_other_profiles_have_no_planned_runs():
    assert families.is_planned(FULL) and not families.is_planned(DEMO)
    assert conclusions.runs(DEMO) == {}
