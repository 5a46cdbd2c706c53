"""The profile paper end to end, small: every notebook on miniature copies of the paper's data sets.

The code of the notebooks runs here as it is, with the profile's data sets, protocols, crops and
published schedules, on a CLIP of three layers instead of ViT-B/16.
"""

import dataclasses
import json

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from PIL import Image
from tiny_clip import tiny_clip
from tiny_data_root import publish, tiny_root, use

from cptlab.lab.runs import inputs
from cptlab.lab.study import profiles
from cptlab.lab.study.notebooks import STUDIES
from cptlab.lab.study.profile import Depths
from cptlab.lab.study.profiles import PAPER
from cptlab.lab.workspace import NOTEBOOKS, workspace
from cptlab.methods.schedule import Schedule

TINY = dataclasses.replace(
    PAPER,
    backbone="tiny",
    pretrained=None,
    device="cpu",
    precision="fp32",
    comparison=dataclasses.replace(
        PAPER.comparison, datasets=("eurosat", "imagenet"), seeds=(1, 2)
    ),
    details=dataclasses.replace(PAPER.details, datasets=("eurosat",), seeds=(1,)),
    transfer=dataclasses.replace(PAPER.transfer, taus=(0.06,), seeds=(1,)),
    few_shot=dataclasses.replace(PAPER.few_shot, datasets=("dtd",), seeds=(1,)),
    shots=(1, 2),
    baselines=("CoOp", "IVLP"),
    readings=PAPER.readings[:1],
    similarity_dataset="imagenet",
    curve_taus=(0.06,),
    schedule=Schedule(epochs=2, lr=0.01),
    depths=Depths(2, 2, 2, 1),
)
MEASURING = ("10_throughput", "15_cost")
"""Notebooks that time the profile's own backbone."""


@pytest.fixture
def paper(monkeypatch, tmp_path):
    root, noise = tiny_root(tmp_path / "data"), np.random.default_rng(0)
    for path in root.rglob("*.jpg"):  # crops of a single colour would all be the same
        Image.fromarray(noise.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(path)
    publish(monkeypatch)
    use(monkeypatch, root)
    backbone = tiny_clip(torch.float32)
    monkeypatch.setattr(inputs, "backbone_of", lambda spec: backbone)
    monkeypatch.setattr(inputs, "cached_backbone", lambda *args: backbone)
    monkeypatch.setitem(profiles.PROFILES, "paper", TINY)
    return tmp_path / "out"


def test_every_notebook_runs_at_the_papers_settings(paper, monkeypatch):
    monkeypatch.setattr(plt, "show", plt.close)
    for name in sorted(set(STUDIES) - set(MEASURING)):
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        scope = {"display": lambda *shown: None}
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            exec(compile(cell.source, f"{name}: {cell.id}", "exec"), scope)
            if "parameters" in cell.metadata.get("tags", []):
                scope |= {"profile": "paper", "out": str(paper), "jobs": 1}
    folders = workspace("paper", paper)
    specs = [json.loads(p.read_text())["spec"] for p in folders.runs.glob("*/result.json")]
    assert {spec["protocol"] for spec in specs} == {"base_to_new", "transfer", "few_shot"}
    assert all(spec["crop"] for spec in specs)
    assert (folders.figures / "tab4_domain_generalization.md").read_text().count("imagenet_v2") == 1
