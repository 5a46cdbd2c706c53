"""Captions of the contact sheet follow the profile."""

import re

import pytest

from cptlab.lab.study.captions import captions
from cptlab.lab.study.profiles import FULL, PROFILES, profile_named


@pytest.mark.parametrize("profile", [*PROFILES, "full,tau=1"])
def test_captions_tell_the_runs_of_the_profile(profile):
    told = captions(profile_named(profile))
    assert not re.search(r"[{}]|None|\(\)", " ".join(told.values()))
    assert all(text.endswith(".") and "same" not in text.split(":")[0] for text in told.values())


def test_captions_tell_data_sets_ratios_and_seeds():
    told = captions(FULL)
    for name, end in {
        "tab2_base_to_new": "6 data sets; τ = 1, 0.25 (3 seeds); 0.06 (5 seeds).",
        "tab3_cross_dataset": "Source: activities; τ = 1, 0.25, 0.06 (3 seeds).",
        "fig1_similarity": "travel; τ = 0.06 (1 seed).",
        "few_shot": "activities; no long tail (3 seeds).",
    }.items():
        assert told[name].endswith(end)
