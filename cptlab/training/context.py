"""What the losses of a run may know beside its batch, computed once before training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from cptlab.data import ImageDataset
from cptlab.methods.base import Context, Method
from cptlab.methods.parts.balance import Balance
from cptlab.training.model import PromptedCLIP, frozen_prototypes, frozen_texts


def context_of(
    model: PromptedCLIP, dataset: ImageDataset, class_counts: Tensor, balance: Balance
) -> Context:
    """The context of runs on a data set with class counts (R, K)."""
    backbone, names = model.backbone, dataset.class_names
    return Context(
        names,
        frozen_prototypes(backbone, names, model.method.anchor_templates or (dataset.template,)),
        balance.drawn(class_counts),
        partial(frozen_texts, backbone),
        backbone.logit_scale,
    )


def prepare(methods: Sequence[Method], context: Context) -> dict[str, Tensor]:
    """What the replicas' methods compute once, stacked to (R, ...)."""
    once = {method: method.prepare(context) for method in dict.fromkeys(methods)}
    return {
        name: torch.stack([once[method][name] for method in methods]) for name in once[methods[0]]
    }
