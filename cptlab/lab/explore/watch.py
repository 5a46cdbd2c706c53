"""Train a run and observe it after every epoch; it is stored like any other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from cptlab.lab.runs.locks import claimed
from cptlab.lab.runs.one_pass import Epoch, check_writable, execute
from cptlab.lab.runs.results import Result, load_result, require_result
from cptlab.training.spec import RunSpec


def train_and_watch(spec: RunSpec, store: Path, watch: Callable[[Epoch], None]) -> Result:
    """The result of a run, trained if it is missing; `watch` is called after every epoch.

    The numbers are those of `cptlab run`: watching changes nothing. A training that was interrupted
    goes on after its last finished epoch.

    Raises TrainingDiverged if the loss stops being finite, OSError if the store takes no results,
    and the errors of `cptlab.training.loop.train`.
    """
    spec = dataclasses.replace(spec, curve=False)
    check_writable(store)
    with claimed(store, [spec], wait=True):
        if load_result(store, spec) is None:
            for error in execute([spec], store, observe=watch).values():
                raise error
    return require_result(store, spec)
