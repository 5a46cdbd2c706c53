"""What the losses of a run may know beside its batch, computed once before training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from cptlab.data import ImageDataset, Subset
from cptlab.methods.base import Context, Method, Support
from cptlab.methods.parts.balance import Balance
from cptlab.training.model import PromptedCLIP, frozen_prototypes, frozen_texts
from cptlab.training.spec import RunSpec
from cptlab.training.support import start_from_support


class Begun(NamedTuple):
    """What R runs know before their first step.

    supports: of each run, for methods that start from training images. prepared: what the methods
    computed, each tensor (R, ...). class_counts (R, K): training images.
    """

    context: Context
    supports: list[Support]
    prepared: dict[str, Tensor]
    class_counts: Tensor


def begin(
    specs: Sequence[RunSpec], model: PromptedCLIP, dataset: ImageDataset, subsets: Sequence[Subset]
) -> Begun:
    """Compute it; what is learned gets its start values from images where the method has such."""
    counts = torch.tensor([subset.counts for subset in subsets], device=model.backbone.device)
    context = context_of(model, dataset, counts, specs[0].balance or Balance())
    supports = start_from_support(specs, model, dataset, subsets, context)
    return Begun(context, supports, prepare([spec.method for spec in specs], context), counts)


def context_of(
    model: PromptedCLIP, dataset: ImageDataset, class_counts: Tensor, balance: Balance
) -> Context:
    """The context of runs on a data set with class counts (R, K)."""
    backbone, names, new = model.backbone, dataset.class_names, model.new_names
    templates = model.method.anchor_templates or (dataset.template,)
    return Context(
        names,
        frozen_prototypes(backbone, names, templates),
        balance.drawn(class_counts),
        partial(frozen_texts, backbone),
        backbone.logit_scale,
        frozen_prototypes(backbone, new, templates) if new else None,
    )


def prepare(methods: Sequence[Method], context: Context) -> dict[str, Tensor]:
    """What the replicas' methods compute once, stacked to (R, ...)."""
    once = {method: method.prepare(context) for method in dict.fromkeys(methods)}
    return {
        name: torch.stack([once[method][name] for method in methods]) for name in once[methods[0]]
    }
