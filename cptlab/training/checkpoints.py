"""The state of a training after an epoch, in one file: a killed training continues from it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer
from tqdm.auto import tqdm


@dataclass(frozen=True)
class Checkpoint:
    """A file that holds the last finished epoch: tensors, and progress as JSON in its header.

    Batches, views and draws need nothing here: each comes from a stream of its own that seed, epoch
    and step name (`cptlab.seeds`).

    A checksum of tensors, progress and place says that the file is the one that was written here: a
    wrong number in it would change those of the finished run.
    """

    path: Path

    def save(self, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
        """Replace the file, in one step; OSError if the disk is full (not so with `save_file`)."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        contents = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        text = json.dumps(progress)
        header = {"progress": text, "checksum": self._checksum(contents, text)}
        partial.write_bytes(save(contents, header))
        partial.replace(self.path)

    def load(self, tensors: dict[str, Tensor]) -> dict[str, Any] | None:
        """Put stored values into tensors, in place; the progress, or None without a usable file.

        A file that cannot be read, was changed or does not fit is named in a message and deleted.
        """
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                header = file.metadata() or {}
                stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if header.get("checksum") != self._checksum(stored, header["progress"]):
                raise ValueError("its checksum does not fit")  # damaged, of other runs, or older
            if {n: t.shape for n, t in stored.items()} != {n: t.shape for n, t in tensors.items()}:
                raise ValueError("it holds other tensors")
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            tqdm.write(f"{self.path} cannot be used ({error}): these runs start over.")
            self.path.unlink(missing_ok=True)
            return None
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(stored[name])
        return json.loads(header["progress"])

    def _checksum(self, tensors: dict[str, Tensor], progress: str) -> str:
        place = f"{self.path.parent.name}/{self.path.name}"  # names the runs and the stage
        found = hashlib.sha256(f"{place}\n{progress}\n".encode())
        found.update(save(tensors))
        return found.hexdigest()


def optimiser_state(
    optimiser: Optimizer, parameters: Sequence[Tensor]
) -> Iterator[tuple[str, Tensor]]:
    """The optimiser's memory by name, as live tensors; made as its first step would if missing."""
    adam = isinstance(optimiser, torch.optim.Adam)
    for i, parameter in enumerate(parameters):
        state = optimiser.state[parameter]
        if adam and not state:
            capturable = optimiser.defaults["capturable"]
            device = parameter.device if capturable else torch.device("cpu")
            state["step"] = torch.zeros((), dtype=torch.float32, device=device)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        elif not state or state["momentum_buffer"] is None:
            # The first step sets the buffer to the gradient; 0.9 times zero plus it is the same.
            state["momentum_buffer"] = torch.zeros_like(parameter)
        yield from ((f"optimiser.{i}.{name}", value) for name, value in state.items())
