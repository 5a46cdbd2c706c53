"""The scene of a run: class texts in their order, their cosines, and an image of each class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from cptlab.clip import Backbone
from cptlab.data import ImageDataset, Sample
from cptlab.geometry import cluster_prototypes, cosine_matrix, order_by_cluster
from cptlab.lab.runs import inputs
from cptlab.training.model import PromptedCLIP, frozen_prototypes
from cptlab.training.spec import RunSpec

IMAGE_SIZE = 56
"""Side of a class's image in pixels."""


@dataclass(frozen=True, eq=False)
class Scene:
    """The K training classes of a data set as the frozen backbone sees them.

    Classes are ordered by CPT's clusters, which follow from the frozen texts. clusters: (K,) int64;
    texts: (K, d), and cosines: (K, K), of the frozen texts; images: (K, IMAGE_SIZE, IMAGE_SIZE, 3)
    uint8, a test image of each class; order: (K,) labels in the data set; sample: a test image of
    `dataset` to predict.
    """

    dataset: ImageDataset
    names: tuple[str, ...]
    order: np.ndarray
    clusters: np.ndarray
    texts: Tensor
    cosines: np.ndarray
    images: np.ndarray
    sample: Sample

    def texts_of(self, model: PromptedCLIP) -> Tensor:
        """Class texts (K, d) of a prompted model (its first replica), in this order."""
        return model.class_texts(self.dataset.class_names)[0].cpu()[self.order]


def scene_of(spec: RunSpec) -> Scene:
    """The scene of a run, computed once for all runs on its data set and backbone."""
    return _scene(inputs.backbone_of(spec), inputs.task_of(spec).learned)


@lru_cache(maxsize=8)
def _scene(backbone: Backbone, dataset: ImageDataset) -> Scene:
    frozen = frozen_prototypes(backbone, dataset.class_names, (dataset.template,)).cpu()
    clusters = cluster_prototypes(frozen)
    order = order_by_cluster(frozen, clusters)
    first = {sample.label: sample for sample in reversed(dataset.test)}
    shown = [first[label] for label in order.tolist()]
    images = dataset.read([sample.key for sample in shown], IMAGE_SIZE)
    return Scene(
        dataset,
        tuple(dataset.class_names[label] for label in order.tolist()),
        order.numpy(),
        clusters[order].numpy(),
        frozen[order],
        cosine_matrix(frozen[order]).numpy(),
        (255 * images).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy(),
        shown[0],
    )
