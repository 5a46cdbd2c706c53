"""Weights as others ship them: read by content, or named with a way to convert them that works."""

import argparse
import json
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny_clip import random_model, tiny_config

from cptlab.clip import load
from cptlab.clip.guard import open_clip

CONFIG = tiny_config()


@pytest.fixture
def state(tmp_path):
    """Weights of the model Tiny-Foreign, which open_clip knows, in a file of every sort."""
    (tmp_path / "Tiny-Foreign.json").write_text(json.dumps(CONFIG))
    open_clip.add_model_config(tmp_path / "Tiny-Foreign.json")
    return dict(random_model(CONFIG).state_dict())


def same(backbone, state) -> bool:
    """Whether a model has exactly these weights, in float32."""
    found = backbone.model.state_dict()
    return found.keys() == state.keys() and all(
        torch.equal(found[key], value.float()) for key, value in state.items()
    )


def converted(error, folder) -> str:
    """The file that the command in a message makes."""
    command = re.search(r"(python -c .*) (\S+-tensors\.pt)\.?$", str(error.value))
    arguments = shlex.split(f"{command[1]} {command[2]}")
    subprocess.run([sys.executable, *arguments[1:]], cwd=folder, check=True)
    return str(folder / command[2])


@pytest.mark.parametrize("number", [7, torch.tensor(7)])
def test_numbers_of_openai_beside_weights_are_left_out(state, tmp_path, number):
    beside = dict.fromkeys(("input_resolution", "context_length", "vocab_size"), number)
    torch.save(state | beside, tmp_path / "plain.pt")
    assert same(load("Tiny-Foreign", str(tmp_path / "plain.pt")), state)


def test_half_precision_and_names_of_parallel_training_are_read(state, tmp_path):
    half = {f"module.{key}": value.half() for key, value in state.items()}
    half["module.logit_scale"] = half["module.logit_scale"].reshape(1)
    torch.save({"epoch": 3, "state_dict": half}, tmp_path / "parallel.pt")
    found = load("Tiny-Foreign", str(tmp_path / "parallel.pt"))
    assert same(found, {key: value.half() for key, value in state.items()})


def test_what_a_file_is_tells_its_content(state, tmp_path):
    save_file(state, tmp_path / "really-safetensors.pt")
    torch.save(state, tmp_path / "really-torch.safetensors")
    torch.save(state, tmp_path / "legacy.bin", _use_new_zipfile_serialization=False)
    for name in ("really-safetensors.pt", "really-torch.safetensors", "legacy.bin"):
        assert same(load("Tiny-Foreign", str(tmp_path / name)), state)


class Scripted(torch.nn.Module):
    """A program with the weights as its tensors, and OpenAI's numbers beside them."""

    def __init__(self, state):
        super().__init__()
        self.register_buffer("input_resolution", torch.tensor(16))
        for key, value in state.items():
            *path, name = key.split(".")
            holder = self
            for part in path:
                if not hasattr(holder, part):
                    holder.add_module(part, torch.nn.Module())
                holder = getattr(holder, part)
            holder.register_buffer(name, value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def test_a_torchscript_archive_is_named_and_its_conversion_works(state, tmp_path):
    file = tmp_path / "ViT {x} 32.pt"
    torch.jit.save(torch.jit.script(Scripted(state)), file)
    with pytest.raises(ValueError, match=r"TorchScript archive.*tag openai.*tensors") as error:
        load("Tiny-Foreign", str(file))
    out = tmp_path / "ViT {x} 32-tensors.pt"
    command = str(error.value)[str(error.value).index("python -c") :].rstrip(".")
    _, *arguments = shlex.split(command)
    subprocess.run([sys.executable, *arguments], cwd=tmp_path, check=True)
    assert same(load("Tiny-Foreign", str(out)), state)


@pytest.mark.parametrize(
    ("beside", "named", "new_format"),
    [
        ({"best": np.float64(71.2)}, "numpy.*scalar", True),
        ({"best": np.float64(71.2)}, "numpy.*scalar", False),
        ({"args": argparse.Namespace(lr=0.1)}, "argparse.Namespace", True),
        ({"optimizer": np.zeros(2)}, "numpy.*reconstruct", True),
    ],
)
def test_what_a_checkpoint_holds_beside_tensors_is_named(
    state, tmp_path, beside, named, new_format
):
    file = tmp_path / "trained.pt"
    content = {"state_dict": state, **beside}
    torch.save(content, file, _use_new_zipfile_serialization=new_format)
    with pytest.raises(ValueError, match=f"more than tensors and plain values: .*{named}") as error:
        load("Tiny-Foreign", str(file))
    assert same(load("Tiny-Foreign", converted(error, tmp_path)), state)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a pointer of Git LFS"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"PK\x03\x04 but no archive", "not a ZIP archive"),
        (b"weights", "neither a safetensors file nor a checkpoint of torch"),
        ([torch.zeros(2)], "it holds no state dict but a list"),
        ({}, "it holds no state dict"),
        ({"epoch": 3, "name": "x"}, r"other things than tensors \(epoch, name\)"),
    ],
)
def test_what_is_no_checkpoint_is_said_to_be_what_it_is(state, tmp_path, content, message):
    file = tmp_path / "odd.pt"
    file.write_bytes(content) if isinstance(content, bytes) else torch.save(content, file)
    with pytest.raises(ValueError, match=f"odd.pt.*could not be loaded: .*{message}"):
        load("Tiny-Foreign", str(file))


@pytest.mark.parametrize(
    ("changes", "before", "after"),
    [
        ({"vision_image_size": 24}, "10 patches and the class token", 5),
        ({"text_context_length": 248}, "248 tokens of text", 77),
    ],
)
def test_positions_of_another_size_are_interpolated_and_told(
    state, tmp_path, changes, before, after
):
    torch.save(random_model(tiny_config(**changes)).state_dict(), tmp_path / "large.pt")
    with pytest.warns(
        UserWarning, match=rf"large\.pt has positions for {before}, and Tiny-Foreign has {after}"
    ):
        load("Tiny-Foreign", str(tmp_path / "large.pt"))


def test_advice_on_the_activation_names_models_that_exist(state, tmp_path):
    file = tmp_path / "open_clip_model.safetensors"
    save_file(state, file)
    config = {"model_cfg": CONFIG | {"quick_gelu": True}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="open_clip has no model for that"):
        load("Tiny-Foreign", str(tmp_path))
    with pytest.raises(ValueError, match="open_clip has no model for that"):
        load("ViT-S-32-alt", str(file))
