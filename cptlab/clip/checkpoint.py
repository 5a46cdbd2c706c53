"""Checkpoints from anywhere: the content tells what a file is, not its name, and none of it runs.

TorchScript archives and pickles of other things than tensors are programs: they are named with a
way to convert them where one trusts them.
"""

from __future__ import annotations

import re
import shlex
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint

from cptlab.checks import first_few
from cptlab.clip.guard import open_clip, resize_pos_embed, resize_text_pos_embed

BESIDE = ("input_resolution", "context_length", "vocab_size")
"""Numbers that OpenAI's models keep among their weights; open_clip's have them elsewhere."""
TEXTS = {
    b"version https://git-lfs": "a pointer of Git LFS, and the weights are elsewhere: git lfs pull",
    b"<!doctype html": "a web page: fetch the file itself",
    b"<html": "a web page: fetch the file itself",
}
NEITHER = "it is neither a safetensors file nor a checkpoint of torch, or damaged"
SCRIPT = "torch.jit.load(sys.argv[1], 'cpu').state_dict()"
PICKLE = "torch.load(sys.argv[1], 'cpu', weights_only=False)"


class NoCheckpoint(ValueError):
    """A file that is no checkpoint of tensors; the message says what it is, as half a sentence."""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """A state dict from a safetensors file or a checkpoint of torch, whatever the file's name.

    A training checkpoint's `state_dict` is taken, "module." of parallel training left out, and so
    are the numbers that OpenAI's models keep beside their weights (`BESIDE`).

    Raises:
        NoCheckpoint: for a TorchScript archive, a pickle of other things, or no tensors at all.
        OSError, RuntimeError, SafetensorError: for a file that cannot be read or is damaged.
    """
    with path.open("rb") as file:
        start = file.read(64)
    for text, what in TEXTS.items():
        if start.lstrip().lower().startswith(text):
            raise NoCheckpoint(f"it is {what}")
    if _is_safetensors(start):
        state: object = load_file(path)
    else:
        state = _torch_checkpoint(path)
    if isinstance(state, Mapping) and "state_dict" in state:
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not state:
        raise NoCheckpoint(f"it holds no state dict but a {type(state).__name__}")
    state = {str(key).removeprefix("module."): value for key, value in state.items()}
    state = {key: value for key, value in state.items() if key not in BESIDE}
    if others := [key for key, value in state.items() if not isinstance(value, Tensor)]:
        raise NoCheckpoint(
            f"it holds other things than tensors ({first_few(others)}), and no state_dict"
        )
    return state


def fit_positions(state: dict[str, Tensor], model: open_clip.CLIP, name: str, file: Path) -> None:
    """Interpolate position embeddings of another number of patches or tokens in place, and warn."""
    for key, resize, what in (
        ("visual.positional_embedding", resize_pos_embed, "patches and the class token"),
        ("positional_embedding", resize_text_pos_embed, "tokens of text"),
    ):
        before = len(state.get(key, ()))
        resize(state, model)
        after = len(state.get(key, ()))
        if before != after:
            warnings.warn(
                f"{file} has positions for {before} {what}, and {name} has {after}: they were "
                "interpolated, and the features are those of no trained model. Name the model "
                "that the weights belong to, if there is one.",
                stacklevel=5,
            )


def _is_safetensors(start: bytes) -> bool:
    """Eight bytes with the length of the header, then the header, which is JSON."""
    return start[8:9] == b"{" and 0 < int.from_bytes(start[:8], "little") < 10**8


def _torch_checkpoint(path: Path) -> object:
    """What `torch.save` wrote, if it is tensors and plain values."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            parts = [name.rpartition("/")[2] for name in archive.namelist()]
        if "constants.pkl" in parts:
            raise NoCheckpoint(
                "it is a TorchScript archive, a program with its tensors, as OpenAI ships CLIP "
                f"(the tag openai has the same weights). {_advice(SCRIPT, path)}"
            )
    try:
        with path.open("rb") as file:  # of a path torch would believe the suffix
            return torch.load(file, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        if others := _others(path, error):
            raise NoCheckpoint(
                f"it holds more than tensors and plain values: {first_few(others)}. "
                f"{_advice(PICKLE, path)}"
            ) from error
        raise NoCheckpoint(NEITHER) from error
    except EOFError as error:
        raise NoCheckpoint(NEITHER) from error


def _advice(read: str, path: Path) -> str:
    """How to convert a file, outside of cptlab, as that runs whatever is in it."""
    return (
        f'Where you trust it, keep its tensors alone, which runs what is in it: python -c "import '
        f"sys, torch; c = {read}; torch.save({{k: v for k, v in c.get('state_dict', c).items() if "
        f'isinstance(v, torch.Tensor)}}, sys.argv[2])" {shlex.quote(str(path))} '
        f"{shlex.quote(f'{path.stem}-tensors.pt')}"
    )


def _others(path: Path, error: Exception) -> list[str]:
    """Classes and functions that unpickling a checkpoint would call."""
    try:
        return sorted(get_unsafe_globals_in_checkpoint(str(path)))
    except (ValueError, RuntimeError, UnpicklingError):  # of before torch 1.6
        return re.findall(r"GLOBAL ([\w.]+)", str(error))[:1]
