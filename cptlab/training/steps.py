"""The steps of training: from a batch of every replica to its updated prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from cptlab.data import ImageDataset, Subset
from cptlab.methods import BatchOutputs, Context, Method
from cptlab.methods.parts.balance import Balance
from cptlab.training.batches import Batches, TrainingImages
from cptlab.training.cuda_graph import captured
from cptlab.training.model import PromptedCLIP, frozen_prototypes, frozen_texts
from cptlab.training.optimisation import optimiser_for, rewind
from cptlab.training.spec import RunSpec


def context_of(
    model: PromptedCLIP, dataset: ImageDataset, subsets: Sequence[Subset], balance: Balance | None
) -> Context:
    """What the losses of a run may know beside its batch."""
    backbone, names, balance = model.backbone, dataset.class_names, balance or Balance()
    return Context(
        names,
        frozen_prototypes(backbone, names, model.method.anchor_templates or (dataset.template,)),
        balance.drawn(_counts(subsets, backbone.device)),
        partial(frozen_texts, backbone),
        backbone.logit_scale,
    )


def prepare(methods: Sequence[Method], context: Context) -> dict[str, Tensor]:
    """What the replicas' methods compute once, stacked to (R, ...)."""
    once = {method: method.prepare(context) for method in dict.fromkeys(methods)}
    return {
        name: torch.stack([once[method][name] for method in methods]) for name in once[methods[0]]
    }


class Steps:
    """The updates of a model's prompts by R runs that train side by side.

    Attributes:
        parameters: what is learned, each (R, ...).
        optimiser: starts at the rate of the warm-up; its `set_rate` is the caller's.
        n_samples: training images of each run.
    """

    def __init__(
        self,
        specs: Sequence[RunSpec],
        model: PromptedCLIP,
        dataset: ImageDataset,
        subsets: Sequence[Subset],
        context: Context,
        prepared: dict[str, Tensor],
    ):
        first, balance = specs[0], specs[0].balance or Balance()
        self._model, self._context, self._prepared = model, context, prepared
        self.parameters = model.prompts.learned()
        self._weights = {
            name: self.parameters[0].new_tensor([spec.method.weights()[name] for spec in specs])
            for name in first.method.weights()
        }
        counts = _counts(subsets, model.backbone.device)
        self._offsets = balance.logit_offsets(counts)
        self._class_weights = balance.weights(counts)
        self._classes = model.bind(dataset.class_names, "training")
        self._learned = TrainingImages(model, dataset, subsets, first.crop)
        self.n_samples = self._learned.size
        self.optimiser = optimiser_for(self.parameters, first.schedule)
        self._draws = Batches(specs, self._learned, balance)
        self._losses = torch.compile(self._forward) if first.compile else self._forward
        self._update = self._step

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, ...]]:
        """The batches of an epoch, counted from 0; the same whenever they are asked for."""
        return self._draws.of_epoch(epoch)

    def __call__(self, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """One update; the loss, its terms and the training accuracy before it, each (R,)."""
        return self._update(*batch)

    def capture(self) -> None:
        """On a GPU, record the step as a graph; prompts and optimiser are as before."""
        model = self._model
        if model.backbone.device.type != "cuda" or model.method.hard_negatives:
            return  # batches with hard negatives differ in size
        start = [(t, t.detach().clone()) for t in (*self.parameters, *self._prepared.values())]
        self._update = captured(self._step, *next(self.batches(0)))
        rewind(self.optimiser, start)

    def _forward(self, batch: Tensor, chance: Tensor, *views: Tensor) -> dict[str, Tensor]:
        """batch: positions (R, B)."""
        model, method = self._model, self._model.method
        features, frozen, labels = self._learned.features(batch, views)
        prototypes = model.prototypes(self._classes, features if method.per_image else None)
        logits = model.logits(features, prototypes)
        state = BatchOutputs(
            features,
            prototypes,
            logits,
            labels,
            frozen,
            chance,
            self._offsets,
            self._class_weights,
        )
        terms = method.losses(state, self._context, self._prepared)
        loss = sum(weight * terms[name] for name, weight in self._weights.items())
        hits = 100 * (logits.argmax(-1) == labels).float().mean(-1)
        return {**terms, "loss": loss, "train_accuracy": hits}

    def _step(self, *batch: Tensor) -> dict[str, Tensor]:
        logged = self._losses(*batch)
        self.optimiser.zero_grad(set_to_none=True)
        logged["loss"].sum().backward()
        self.optimiser.step()
        return {name: value.detach() for name, value in logged.items()}


def _counts(subsets: Sequence[Subset], device: torch.device) -> Tensor:
    """Training images of every class, (R, K)."""
    return torch.tensor([subset.counts for subset in subsets], device=device)
