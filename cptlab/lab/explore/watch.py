"""Train a run and observe it after every epoch; it is stored like any other."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

from IPython import get_ipython

from cptlab.lab.runs.locks import claimed
from cptlab.lab.runs.one_pass import Epoch, check_writable, execute
from cptlab.lab.runs.results import Result, load_result, require_result
from cptlab.training.spec import RunSpec

LOOK_SECONDS = 0.5
"""Between two looks at whether another process has let go of the run."""


class Stopped(Exception):
    """The user stopped a training."""


def train_and_watch(
    spec: RunSpec, store: Path, watch: Callable[[Epoch], None], stopped: threading.Event
) -> Result:
    """The result of a run, trained if it is missing; `watch` is called after every epoch.

    The numbers are those of `cptlab run`: watching changes nothing. `stopped` is looked at after
    every epoch, and while another process trains this run. A training that was stopped goes on
    after its last watched epoch.

    Raises Stopped; TrainingDiverged if the loss stops being finite, OSError if the store takes no
    results, and the errors of `cptlab.training.loop.train`.
    """
    spec = dataclasses.replace(spec, curve=False)

    def look(epoch: Epoch) -> None:
        if stopped.is_set():
            raise Stopped
        watch(epoch)

    check_writable(store)
    while True:
        with claimed(store, [spec], wait=False) as mine:
            if mine:
                if load_result(store, spec) is None:
                    for error in execute([spec], store, observe=look).values():
                        raise error
                return require_result(store, spec)
        if stopped.wait(LOOK_SECONDS):
            raise Stopped


def on_interrupt(act: Callable[[], None]) -> None:
    """Have *Interrupt Kernel* call `act` when no cell runs. To be called in a cell.

    An idle kernel ignores interrupts. After every cell, it puts back the handler from before it.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is not None:
        kernel.saved_sigint_handler = lambda number, frame: act()
