"""Where numbers come from, in words."""

from cptlab.lab.runs.provenance import PACKAGES, environment, provenance
from cptlab.methods import CoOp
from cptlab.training.spec import RunSpec


def test_one_sentence_tells_runs_days_and_versions():
    first = environment(RunSpec("food", CoOp())) | {"finished": "2026-11-24T23:59:00Z"}
    later = first | {"finished": "2026-11-25T00:10:00Z"}
    later["versions"] = dict.fromkeys(PACKAGES, "9.9")
    torch = first["versions"]["torch"]
    words = provenance("demo", [later, first, first])
    assert words.startswith("Profile `demo`: 3 runs, finished 2026-11-24 to 2026-11-25, with ")
    assert f"torch {torch} and 9.9" in words
    assert "finished 2026-11-24, with" in provenance("demo", [first])
