"""A frozen CLIP with learnable prompts, bound to class names when it is asked for prototypes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from cptlab.clip import (
    Backbone,
    ImageTower,
    Prompts,
    TextTower,
    class_sentences,
)
from cptlab.data import ImageDataset, Sample


class PromptedCLIP:
    """Backbone and prompts together; class names may change at any time (`text_tower`)."""

    def __init__(self, backbone: Backbone, prompts: Prompts):
        self.backbone = backbone
        self.prompts = prompts
        self.image_tower = ImageTower(backbone)

    def text_tower(self, class_names: Sequence[str]) -> TextTower:
        """Text tower for these classes; reuse it while only the prompts change."""
        n_tokens = self.prompts.text[0].shape[-2] if len(self.prompts.text) else 0
        return TextTower(self.backbone, class_sentences(class_names, n_tokens), n_tokens)

    def prototypes(self, tower: TextTower) -> Tensor:
        """Raw text features (R, K, d) of the classes that the tower was built for."""
        return tower(tuple(self.prompts.text))

    def image_features(self, pictures: Tensor) -> Tensor:
        """Raw image features (R, B, d) of normalised pictures (R or 1, B, 3, H, W)."""
        return self.image_tower(pictures, tuple(self.prompts.vision))

    def logits(self, image_features: Tensor, prototypes: Tensor) -> Tensor:
        """Scaled cosines (R, B, K)."""
        unit = F.normalize(image_features, dim=-1)
        return self.backbone.logit_scale * unit @ F.normalize(prototypes, dim=-1).mT

    @torch.no_grad()
    def encode_samples(
        self, dataset: ImageDataset, samples: Sequence[Sample], batch_size: int = 128
    ) -> Tensor:
        """Raw features (R, N, d) of a data set's samples, with the current visual tokens."""
        starts = range(0, len(samples), batch_size)
        bar = tqdm(starts, desc="images", leave=False, disable=len(starts) < 50)
        return torch.cat(
            [
                self.image_features(
                    pictures(self.backbone, dataset, samples[i : i + batch_size])[None]
                )
                for i in bar
            ],
            dim=-2,
        )

    @torch.no_grad()
    def predict(self, dataset: ImageDataset, samples: Sequence[Sample]) -> list[str]:
        """Predicted class name of each sample, among the data set's class names (replica 0)."""
        prototypes = self.prototypes(self.text_tower(dataset.class_names))
        logits = self.logits(self.encode_samples(dataset, samples), prototypes)
        return [dataset.class_names[i] for i in logits[0].argmax(-1).tolist()]


def pictures(backbone: Backbone, dataset: ImageDataset, samples: Sequence[Sample]) -> Tensor:
    """Samples as the backbone wants them: normalised, (N, 3, H, W), on its device."""
    raw = dataset.read([sample.key for sample in samples], backbone.image_size)
    mean, std = (torch.tensor(c).view(3, 1, 1) for c in (backbone.mean, backbone.std))
    return ((raw - mean) / std).to(backbone.device)


@torch.no_grad()
def frozen_prototypes(
    backbone: Backbone, class_names: Sequence[str], templates: Sequence[str]
) -> Tensor:
    """Text features (K, d) of the frozen backbone, mean over templates, not normalised."""
    sentences = [
        [template.format(name.replace("_", " ")) for name in class_names] for template in templates
    ]
    return torch.stack([TextTower(backbone, s, n_tokens=0)()[0] for s in sentences]).mean(0)
