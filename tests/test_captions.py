"""Captions of the figures follow the profile."""

import re

import pytest

from cptlab.lab.study.captions import captions
from cptlab.lab.study.profiles import FULL, PROFILES, profile_named
from cptlab.lab.study.settings import profile_with


@pytest.mark.parametrize("profile", [*PROFILES, "paper,tau=1"])
def test_captions_tell_the_runs_of_the_profile(profile):
    told = captions(profile_named(profile))
    assert not re.search(r"[{}]|None|\(\)", " ".join(told.values()))
    assert all(text.endswith(".") and "same" not in text.split(":")[0] for text in told.values())


def test_captions_tell_data_sets_ratios_and_seeds():
    told = captions(FULL)
    for name, end in {
        "tab2_base_to_new": "6 data sets; τ = 1, 0.25, 0.06 (5 seeds).",
        "tab3_cross_dataset": "Source: activities, food; τ = 0.06 (3 seeds).",
        "fig1_similarity": "travel; τ = 0.06 (1 seed).",
        "few_shot": "activities, food; no long tail (3 seeds).",
    }.items():
        assert told[name].endswith(end)


def test_captions_follow_what_was_changed(tmp_path):
    told = captions(
        profile_with(
            "full",
            datasets=f"{tmp_path}/birds",
            methods="cpt,coop",
            taus=[0.3],
            seeds="1-4",
            losses="TETF",
        )
    )
    assert not [text for text in told.values() if str(tmp_path) in text]
    assert "predictions of zero-shot and of CoOp, changed" in told["tour_predictions"]
    assert told["fig3_sensitivity"].endswith("On birds; τ = 0.3 (4 seeds).")
    assert told["tab1_ablation"].startswith("Combinations of the three losses, other methods")
    assert told["tab3_cross_dataset"].endswith("Source: no data set; τ = 0.3 (4 seeds).")
