"""The committed archive redraws the committed tables and figures, untrained."""

import io
import subprocess
import sys

import pandas as pd
import pytest
from committed import committed

from cptlab.lab.runs import archive
from cptlab.lab.workspace import CHECKOUT, workspace

pytestmark = pytest.mark.slow
FILES = sorted(path.name for kind in ("csv", "md") for path in CHECKOUT.glob(f"figures/*.{kind}"))
COMPUTED = ("fig1_similarity.csv", "fig1_similarity_statistics.csv")
"""Computed from stored prompts: another machine rounds otherwise."""
ELSEWHERE = (
    *("fig5_cluster_map.csv", "fig5_cluster_map_drawings.csv", "fig5_cluster_map_quality.csv"),
    "throughput_gpu.csv",
)
"""UMAP's places, which differ between machines; what a GPU measured."""

LEFT = "13_few_shot"
"""The notebook whose part of the plan (docs/plan.md) is not run yet."""


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory):
    """Where `cptlab figures --finished` wrote figures, with all runs from the archive."""
    folder = tmp_path_factory.mktemp("full")
    folders = workspace("full", folder)
    count = len(archive.unpack(CHECKOUT / "figures/full.tar.xz", folders.runs))
    command = [sys.executable, "-m", "cptlab", "figures", "--profile", "full", "--finished"]
    command += ["--out", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "0 to do" in done.stdout and f"No run is finished of {LEFT}: left out." in done.stdout
    assert len(list(folders.runs.glob("*/result.json"))) == count  # no notebook trained either
    return folders.figures


def test_redrawn_files_are_the_committed_ones(redrawn):
    names = sorted({*FILES} - {*ELSEWHERE, *COMPUTED})
    assert len(names) > 50
    again = {name: (redrawn / name).read_text(encoding="utf-8") for name in names}
    assert [name for name in names if again[name] != committed(name)] == []


@pytest.mark.parametrize("name", COMPUTED)
def test_similarities_are_the_committed_ones(redrawn, name):
    stored, again = pd.read_csv(io.StringIO(committed(name))), pd.read_csv(redrawn / name)
    pd.testing.assert_frame_equal(again, stored, rtol=1e-4, atol=1.01e-4)
