"""A frozen CLIP with learnable prompts, bound to class names when it is asked for prototypes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from cptlab.clip import (
    Backbone,
    ImageTower,
    PlainTextTower,
    Prompts,
    TextTower,
    build_text_tower,
    class_sentences,
)
from cptlab.data import ImageDataset, Sample

CPU_BATCH, GPU_BATCH = 128, 2048
"""Pictures times replicas that are encoded at once when nothing is learned."""
READERS = 8
"""Processes that read pictures ahead of a GPU."""


class PromptedCLIP:
    """Backbone and prompts together; class names may change at any time (`text_tower`).

    Towers run in the backbone's precision; features, logits and prompts are float32 (float64 for a
    backbone of that type).
    """

    def __init__(self, backbone: Backbone, prompts: Prompts):
        self.backbone = backbone
        self.prompts = prompts
        self.image_tower = ImageTower(backbone)

    def text_tower(self, class_names: Sequence[str]) -> TextTower | PlainTextTower:
        """Text tower for these classes; reuse it while only the prompts change."""
        n_tokens = self.prompts.text[0].shape[-2] if len(self.prompts.text) else 0
        return build_text_tower(self.backbone, class_sentences(class_names, n_tokens), n_tokens)

    def prototypes(self, tower: TextTower | PlainTextTower) -> Tensor:
        """Raw text features (R, K, d) of the classes that the tower was built for."""
        return _encode(self.backbone, tower, tuple(self.prompts.text))

    @torch.no_grad()
    def class_texts(self, class_names: Sequence[str]) -> Tensor:
        """Raw text features (R, K, d) of these classes, once and without gradients."""
        return self.prototypes(self.text_tower(class_names))

    def image_features(self, pictures: Tensor) -> Tensor:
        """Raw image features (R, B, d) of normalised pictures (R or 1, B, 3, H, W)."""
        return _encode(self.backbone, self.image_tower, pictures, tuple(self.prompts.vision))

    def logits(self, image_features: Tensor, prototypes: Tensor) -> Tensor:
        """Scaled cosines (R, B, K)."""
        unit = F.normalize(image_features, dim=-1)
        return self.backbone.logit_scale * unit @ F.normalize(prototypes, dim=-1).mT

    @torch.no_grad()
    def encode_samples(self, dataset: ImageDataset, samples: Sequence[Sample]) -> Tensor:
        """Raw features (R, N, d) of a data set's samples, with the current visual tokens."""
        replicas = len(self.prompts.vision[0]) if len(self.prompts.vision) else 1
        limit = GPU_BATCH if self.backbone.device.type == "cuda" else CPU_BATCH
        parts = _read_in_batches(self.backbone, dataset, samples, max(1, limit // replicas))
        return torch.cat([self.image_features(part[None]) for part in parts], dim=-2)

    @torch.no_grad()
    def predict(self, dataset: ImageDataset, samples: Sequence[Sample]) -> list[str]:
        """Predicted class name of each sample, among the data set's class names (replica 0)."""
        prototypes = self.class_texts(dataset.class_names)
        logits = self.logits(self.encode_samples(dataset, samples), prototypes)
        return [dataset.class_names[i] for i in logits[0].argmax(-1).tolist()]


def pictures(backbone: Backbone, dataset: ImageDataset, samples: Sequence[Sample]) -> Tensor:
    """Samples as the backbone wants them: normalised, (N, 3, H, W), on its device."""
    return torch.cat(list(_read_in_batches(backbone, dataset, samples, CPU_BATCH)))


def _read_in_batches(
    backbone: Backbone, dataset: ImageDataset, samples: Sequence[Sample], batch_size: int
) -> Iterator[Tensor]:
    """Normalised pictures, batch by batch; read ahead in other processes where a GPU waits."""
    on_gpu = backbone.device.type == "cuda"
    mean, std = (
        torch.tensor(c, device=backbone.device).view(3, 1, 1) for c in (backbone.mean, backbone.std)
    )
    keys = [sample.key for sample in samples]
    loader = DataLoader(
        _Pictures(dataset, keys, backbone.image_size),
        batch_size,
        collate_fn=lambda batch: batch,
        num_workers=min(READERS, len(keys) // batch_size) if on_gpu else 0,
        pin_memory=on_gpu,
        generator=torch.Generator(),  # it would draw from the global one
    )
    for part in tqdm(loader, desc="images", leave=False, disable=len(loader) < 50):
        yield (part.to(backbone.device, non_blocking=True) - mean) / std


class _Pictures(Dataset):
    """Pictures of a data set as torch's loader wants them: whole batches by position."""

    def __init__(self, dataset: ImageDataset, keys: Sequence[str], size: int):
        self.dataset, self.keys, self.size = dataset, keys, size

    def __len__(self) -> int:
        return len(self.keys)

    def __getitems__(self, rows: Sequence[int]) -> Tensor:
        return self.dataset.read([self.keys[row] for row in rows], self.size)


def _encode(backbone: Backbone, tower: Callable[..., Tensor], *inputs: object) -> Tensor:
    """Run a tower in the backbone's precision; features are float32 after low precision."""
    with backbone.autocast():
        features = tower(*inputs)
    return features.float() if backbone.precision == "bf16" else features


@torch.no_grad()
def frozen_prototypes(
    backbone: Backbone, class_names: Sequence[str], templates: Sequence[str]
) -> Tensor:
    """Text features (K, d) of the frozen backbone, mean over templates, not normalised."""
    sentences = [
        [template.format(name.replace("_", " ")) for name in class_names] for template in templates
    ]
    towers = [build_text_tower(backbone, part, n_tokens=0) for part in sentences]
    return torch.stack([_encode(backbone, tower)[0] for tower in towers]).mean(0)
