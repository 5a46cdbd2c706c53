"""Train a run and look at it after every epoch; it is stored like any other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from cptlab.data import draw_long_tailed
from cptlab.lab.runs import world
from cptlab.lab.runs.locks import claimed
from cptlab.lab.runs.one_pass import check_writable, execute
from cptlab.lab.runs.passes import begin
from cptlab.lab.runs.results import Result, load_result
from cptlab.training.evaluation import scores, thirds
from cptlab.training.loop import Trained, train
from cptlab.training.model import PromptedCLIP
from cptlab.training.optimisation import planned_epochs
from cptlab.training.spec import RunSpec


@dataclass(frozen=True)
class Epoch:
    """The state after an epoch of `epochs`: the model, and its metrics in percent."""

    number: int
    epochs: int
    model: PromptedCLIP
    metrics: dict[str, float]


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
            _train(spec, store, watch)
            # Finds the training finished in its checkpoint; what is left is to test and to store.
            for error in execute([spec], store).values():
                raise error
    return load_result(store, spec)


def _train(spec: RunSpec, store: Path, watch: Callable[[Epoch], None]) -> None:
    torch.set_num_threads(spec.threads)
    roles = world.roles_of(spec)
    source, learned = next(iter(roles.items()))
    subset = draw_long_tailed(learned, spec.tau, spec.seed, spec.n_max, spec.class_order)
    epochs = planned_epochs(spec, len(learned.class_names), len(subset.samples))

    def after_epoch(state: Trained) -> list[dict[str, float]]:
        metrics, accuracies = scores(state.model, roles)
        own = thirds(accuracies[source][0], subset.ranks)
        # the row of this epoch is written afterwards
        watch(Epoch(len(state.logs[0]) + 1, epochs, state.model, metrics[0] | own))
        return [{}]  # nothing for the log, which stays that of an ordinary run

    folder = begin(store, [spec])
    train([spec], world.backbone_of(spec), learned, [subset], after_epoch, folder=folder)
