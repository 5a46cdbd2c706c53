"""Stored runs give the checked-in tables and figures again; running them again gives these runs."""

import numpy as np
import pytest
from golden_study import REBUILT, RUNS, rebuilt, study, tiny_world

from cptlab import __version__
from cptlab.lab.runs import inputs
from cptlab.lab.runs.queue import run
from cptlab.lab.runs.results import load_result, look, missing, remarks


def test_every_stored_run_is_read():
    assert missing(list(study()), RUNS) == []
    told = remarks(look(study(), RUNS))
    assert not any("will be computed again" in remark for remark in told)
    assert told[-1].startswith(f"16 results were computed by cptlab 0.1.0 (this is {__version__})")


def test_tables_ledger_and_figures_are_those_checked_in(tmp_path):
    again = rebuilt(RUNS, tmp_path)
    assert sorted(again) == sorted(path.name for path in REBUILT.iterdir())
    for name, content in again.items():
        assert content == (REBUILT / name).read_text(), name
    images = sorted(path.name for path in tmp_path.glob("*.png"))
    assert images == ["curves.png", "intervals.png", "ranks.png", "violins.png"]


@pytest.mark.parametrize("name", ["CoOp", "CPT (pair mean)"])
def test_running_again_gives_the_stored_runs(name, tmp_path, monkeypatch):
    for attribute in ("backbone_of", "task_of"):
        monkeypatch.setattr(inputs, attribute, getattr(inputs, attribute))  # put back afterwards
    tiny_world()
    specs = [spec for spec, label in study().items() if label == name]
    for result in run(specs, tmp_path, progress=False):
        stored = load_result(RUNS, result.spec)
        assert result.details["subset"] == stored.details["subset"]
        assert result.details["clusters"] == stored.details["clusters"]
        columns = ["lr", "loss", "effective_rank", "drift_degrees"]
        # other versions and machines round otherwise; an image more or less may then change side
        np.testing.assert_allclose(result.log[columns], stored.log[columns], rtol=2e-3, atol=1e-3)
        for metric, value in stored.metrics.items():
            assert result.metrics[metric] == pytest.approx(value, abs=13)
