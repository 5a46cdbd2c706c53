"""A training that is cut off after any epoch goes on to the very numbers of an undisturbed one."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from test_every_method import ALL
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab.data import draw_long_tailed
from cptlab.methods import CPT, CLIPLoRA, CoOp
from cptlab.methods.schedule import Schedule
from cptlab.training.checkpoints import Checkpoint
from cptlab.training.loop import Trained, train
from cptlab.training.spec import RunSpec

SCHEDULE = Schedule(epochs=4, lr=0.02, batch_size=8)


class Killed(BaseException):
    """Stands in for a kill: nothing in the package may catch it."""


@pytest.fixture(scope="module")
def backbone():
    return tiny_clip(torch.float32)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def trained(
    backbone, method, folder: Path | None = None, kill_after: int = 0, **schedule
) -> Trained:
    base = tiny_dataset().halves()[0]
    seeds = (1,) if method.per_replica is None else (1, 2)
    plan = dataclasses.replace(SCHEDULE, **schedule)
    specs = [RunSpec("tiny", method, 0.25, seed, plan, backbone="tiny") for seed in seeds]
    subsets = [draw_long_tailed(base, 0.25, seed) for seed in seeds]
    count = 0

    def after(state):
        nonlocal count
        count += 1
        if count == kill_after:
            raise Killed
        return [{"seen": float(state.logs[0][-1]["epoch"] if state.logs[0] else 0)} for _ in seeds]

    return train(specs, backbone, base, subsets, after, folder=folder)


LEARNING = [method for method in ALL if method.weights()]


@pytest.mark.parametrize(
    ("method", "schedule"),
    [
        *((m, {}) for m in LEARNING),
        (LEARNING[-1], {"optimiser": "adam"}),
        (CLIPLoRA(), {"optimiser": "adamw", "annealing": "steps"}),
    ],
    ids=repr,
)
def test_cut_off_and_resumed_is_bit_for_bit_the_same(backbone, tmp_path, method, schedule):
    whole = trained(backbone, method, **schedule)
    with pytest.raises(Killed):
        trained(backbone, method, tmp_path, kill_after=3, **schedule)
    resumed = trained(backbone, method, tmp_path, **schedule)
    assert resumed.logs == whole.logs
    expected = dict(whole.model.prompts.named_parameters())
    for name, value in resumed.model.prompts.named_parameters():
        assert torch.equal(value, expected[name])
    for name, value in whole.prepared.items():
        assert torch.equal(resumed.prepared[name], value)
    # A training that had ended is not repeated.
    again = trained(backbone, method, tmp_path, kill_after=1, **schedule)
    assert again.logs == whole.logs


def test_a_diverged_replica_stays_so(backbone, tmp_path):
    first = trained(backbone, CoOp(), tmp_path, lr=1e30)
    again = trained(backbone, CoOp(), tmp_path, kill_after=1, lr=1e30)
    assert list(map(str, again.errors)) == list(map(str, first.errors)) != ["None", "None"]


def with_progress(path: Path, **changes) -> None:
    """Edit what a checkpoint says of its progress, and nothing else."""
    with safe_open(path, "pt") as file:
        header, tensors = file.metadata(), {n: file.get_tensor(n) for n in file.keys()}  # noqa: SIM118
    header["progress"] = json.dumps(json.loads(header["progress"]) | changes)
    save_file(tensors, path, header)


def flipped(path: Path) -> None:
    """Flip a bit of the last tensor, which still is a number."""
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "empty": lambda path: path.write_bytes(b""),
    "foreign": lambda path: Checkpoint(path).save({"a": torch.zeros(2)}, {"epoch": 1}),
    "flipped": flipped,
    "epoch": lambda path: with_progress(path, epoch=3),
    "late epoch": lambda path: with_progress(path, epoch=99),
    "empty log": lambda path: with_progress(path, logs=[]),
    "no log": lambda path: with_progress(path, logs=None),
    "older": lambda path: save_file(load_file(path), path, {"progress": "{}"}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_named_and_dropped(backbone, tmp_path, damage, capsys):
    method = CPT(text_depth=2, vision_depth=2)
    whole = trained(backbone, method, tmp_path)
    (path,) = tmp_path.iterdir()
    DAMAGE[damage](path)
    with pytest.raises(Killed):
        trained(backbone, method, tmp_path, kill_after=1)
    assert not path.exists()
    again = trained(backbone, method, tmp_path)
    assert again.logs == whole.logs
    captured = capsys.readouterr()
    assert f"{path} cannot be used" in captured.out + captured.err


def test_the_checkpoint_of_other_runs_is_not_taken_over(backbone, tmp_path, capsys):
    """Its tensors have the same names and shapes."""
    one, other = tmp_path / "one", tmp_path / "other"
    trained(backbone, CoOp(), one, lr=0.05)
    whole = trained(backbone, CoOp(), other)
    shutil.copy(one / "coop.safetensors", other)
    assert trained(backbone, CoOp(), other).logs == whole.logs
    assert "coop.safetensors cannot be used (its checksum does not" in capsys.readouterr().out
