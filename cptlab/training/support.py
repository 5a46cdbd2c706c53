"""What methods that start from frozen features of their training images get."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import torch
from torch import Tensor

from cptlab.clip import stacked
from cptlab.data import ImageDataset, Sample, Subset, labels_of
from cptlab.methods.base import Context, Support
from cptlab.seeds import stream
from cptlab.training.images import read_crops
from cptlab.training.model import PromptedCLIP
from cptlab.training.spec import RunSpec

GIB = 2**30
AT_ONCE = 128
"""Crops that are encoded at once. Which ones are drawn hangs on it, so it is fixed."""


def start_from_support(
    specs: Sequence[RunSpec],
    model: PromptedCLIP,
    dataset: ImageDataset,
    subsets: Sequence[Subset],
    context: Context,
) -> list[Support]:
    """Put what each replica starts from its training images beside its prompts.

    Returns the frozen features of these images by replica; nothing for methods that need none.
    Where runs take crops, they are of `support_views` random crops of each image, drawn by the
    replica's seed.

    Raises ValueError for a run without training images, or more of them than memory holds.
    """
    if not model.method.support_views:
        return []
    _check_sizes(specs, model, dataset, subsets)
    supports = [
        _support(model, dataset, subset.samples, spec)
        for spec, subset in zip(specs, subsets, strict=True)
    ]
    starts = [
        spec.method.start(context, support) for spec, support in zip(specs, supports, strict=True)
    ]
    model.prompts.extra.update(stacked(starts, model.backbone.device))
    return supports


def _check_sizes(
    specs: Sequence[RunSpec], model: PromptedCLIP, dataset: ImageDataset, subsets: Sequence[Subset]
) -> None:
    method, backbone = model.method, model.backbone
    if empty := next((s for s, subset in zip(specs, subsets) if not subset.samples), None):
        raise ValueError(
            f"Run {empty.run_id} has no training images, which {method.name} starts from: give "
            f"{dataset.name} at least one of each class."
        )
    images = sum(len(subset.samples) for subset in subsets)
    views = method.support_views if specs[0].crop else 1
    # their features, twice as start values, and what class each image is of
    needed = 4 * images * (3 * views * backbone.embed_dim + len(dataset.class_names))
    if needed > (there := _memory(backbone.device)):
        raise ValueError(
            f"{images:,} training images of {len(dataset.class_names):,} classes need some "
            f"{needed / GIB:.1f} GiB for {method.name}, and this machine has {there / GIB:.1f}: "
            "take fewer shots or a smaller tau."
        )


def _memory(device: torch.device) -> float:
    """Bytes of memory that a device has."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system tells
        return math.inf


def _support(
    model: PromptedCLIP, dataset: ImageDataset, samples: Sequence[Sample], spec: RunSpec
) -> Support:
    frozen = model.unprompted()
    if spec.crop and not spec.method.support_as_tested:
        views = range(model.method.support_views)
        drawn = [_crops(frozen, dataset, samples, spec.seed, view) for view in views]
    else:
        drawn = [frozen.encode_samples(dataset, samples)[0]]
    labels = torch.tensor(labels_of(samples), device=model.backbone.device)
    return Support(torch.stack(drawn, 1), labels)


def _crops(
    frozen: PromptedCLIP, dataset: ImageDataset, samples: Sequence[Sample], seed: int, view: int
) -> Tensor:
    """Features (N, d) of one random crop of each image."""
    starts = range(0, len(samples), AT_ONCE)
    keys = [[[sample.key for sample in samples[i : i + AT_ONCE]]] for i in starts]
    seeds = [[stream("support", seed, view, i)] for i in starts]
    crops = read_crops(frozen.backbone, dataset, keys, seeds)
    return torch.cat([frozen.frozen_features(part)[0] for part in crops])
