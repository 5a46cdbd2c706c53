"""Training images of a pass, and the batches that its runs draw from them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from cptlab.data import ImageDataset, Subset
from cptlab.methods.base import Support
from cptlab.methods.parts.balance import Balance
from cptlab.methods.parts.negatives import hard_negatives
from cptlab.methods.parts.views import augmented
from cptlab.seeds import stream, torch_stream
from cptlab.training.images import check_crops, normalised, pixels, read_crops, read_images
from cptlab.training.model import PromptedCLIP
from cptlab.training.optimisation import batches, steps_per_epoch
from cptlab.training.spec import RunSpec


class TrainingImages:
    """The replicas' subsets: positions (R, N) in one pool of the images that any of them has.

    The pool holds normalised images, the features of the frozen image tower, or both: what
    the steps of the model's method read; nothing where every step reads new crops. Of a method that
    `learns_from_support` it holds the replicas' support views, and positions (R, N V) are theirs.

    Raises ValueError if crops are asked for of a data set that has no image files.
    """

    def __init__(
        self,
        model: PromptedCLIP,
        dataset: ImageDataset,
        subsets: Sequence[Subset],
        crop: bool = False,
        supports: Sequence[Support] = (),
    ):
        if crop:
            check_crops(dataset)
        device, method = model.backbone.device, model.method
        samples = list(dict.fromkeys(sample for subset in subsets for sample in subset.samples))
        place = {sample: row for row, sample in enumerate(samples)}
        rows = [[place[sample] for sample in subset.samples] for subset in subsets]
        labels = [[sample.label for sample in subset.samples] for subset in subsets]
        self.model, self.dataset, self.count = model, dataset, len(rows[0])
        self.samples, self.own = samples, subsets[0].samples
        self.crop = crop and not method.views  # a method with views of its own takes no crops
        self.rows, self.labels = (torch.tensor(t, device=device) for t in (rows, labels))
        prompted = model.learns_in("vision", "training")
        self.images = self.frozen = torch.empty(0)
        self.views_each = 1
        if method.learns_from_support:
            features = torch.stack([support.features for support in supports])  # (R, N, V, d)
            labels, self.views_each, self.crop = self.labels, features.shape[2], False
            self.frozen = features.flatten(0, 2)
            self.rows = torch.arange(len(self.frozen), device=device).view(len(supports), -1)
            self.labels = labels.repeat_interleave(self.views_each, 1)
            return
        if (prompted or method.views) and not self.crop:
            self.images = read_images(model.backbone, dataset, samples)
        if not (method.views or self.crop) and (method.frozen_images or not prompted):
            # A frozen image tower needs to see each image only once.
            self.frozen = model.unprompted().encode_samples(dataset, samples)[0]

    def features(
        self, batch: Tensor, views: Sequence[Tensor] = (), uniform: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Image features (R, B, d), those of the frozen tower if there are any, labels (R, B).

        Of the images at the positions (R, B) of a batch, or of views of them, the first one for
        the learned features and the last one for the frozen ones. uniform (R,): of the step.
        """
        rows, labels = self.rows.gather(1, batch), self.labels.gather(1, batch)
        if views:
            needed = self.model.method.frozen_images
            frozen = self.model.frozen_features(views[-1]) if needed else None
            return self.model.image_features(views[0], "training", uniform), frozen, labels
        if not len(self.images):
            frozen = self.frozen[rows]
            return self.model.method.adapt_images(self.model.prompts, frozen), frozen, labels
        frozen = self.frozen[rows] if len(self.frozen) else None
        features = self.model.image_features(self.images[rows], "training", uniform)
        return features, frozen, labels

    def views(self, batch: Tensor, seeds: Sequence[int]) -> Tensor:
        """One augmented view (R, B, 3, H, W) of the images of a batch, replica r by seed r."""
        backbone, rows = self.model.backbone, self.rows.gather(1, batch)
        return torch.stack(
            [
                normalised(backbone, augmented(pixels(backbone, self.images[row]), seed))
                for row, seed in zip(rows, seeds, strict=True)
            ]
        )

    def crops(self, steps: Sequence[Tensor], seeds: Sequence[Sequence[int]]) -> Iterator[Tensor]:
        """For each step, new crops (R, B, 3, H, W) of the images at its positions (R, B).

        seeds: of each step, one for each replica.
        """
        keys = [
            [[self.samples[i].key for i in row] for row in self.rows.gather(1, batch).tolist()]
            for batch in steps
        ]
        return read_crops(self.model.backbone, self.dataset, keys, seeds)

    @torch.no_grad()
    def ranked(self, top: int) -> list[list[int]]:
        """For each image of the first replica, the classes that the model ranks first for it."""
        names = self.model.trained_on
        prototypes = self.model.prototypes(self.model.bind(names, "training"))
        features = self.model.encode_samples(self.dataset, self.own, "training")
        logits = self.model.logits(features, prototypes, "training")
        return logits[0].topk(top).indices.tolist()


class Batches:
    """The batches of a pass: what is drawn for every step, before the step is computed."""

    def __init__(self, specs: Sequence[RunSpec], images: TrainingImages):
        self.specs, self.images, self.method = specs, images, specs[0].method
        balance = specs[0].balance or Balance()
        self.batch_size = specs[0].schedule.batch_size
        self.per_epoch = steps_per_epoch(images.count, self.batch_size)
        self.weights = [balance.image_weights(labels.cpu()) for labels in images.labels]
        self.by_class: list[list[int]] = []
        if self.method.hard_negatives:
            self.ranked = images.ranked(self.method.hard_negatives)
            self.by_class = [[] for _ in images.model.trained_on]
            for position, label in enumerate(images.labels[0].tolist()):
                self.by_class[label].append(position)

    def of_epoch(self, epoch: int) -> Iterator[tuple[Tensor, ...]]:
        """For each step: positions (R, B), uniform numbers (R,), views (R, B, 3, H, W) if any."""
        device, seeds = self.images.rows.device, [spec.seed for spec in self.specs]
        views = self.images.rows.shape[1]
        orders = [
            batches(views, self.batch_size, seed, epoch, weights, self.images.views_each)
            for seed, weights in zip(seeds, self.weights, strict=True)
        ]
        count = len(orders[0])
        uniform = torch.stack(
            [torch.rand(count, generator=torch_stream("chance", seed, epoch)) for seed in seeds]
        )
        steps = [torch.stack(list(parts)).to(device) for parts in zip(*orders, strict=True)]
        if self.by_class:
            steps = [
                self._with_negatives(batch[0].tolist(), seeds[0], epoch, i)[None].to(device)
                for i, batch in enumerate(steps)
            ]
        if self.images.crop:
            drawn = [[stream("crop", seed, epoch, i) for seed in seeds] for i in range(count)]
            for i, view in enumerate(self.images.crops(steps, drawn)):
                yield steps[i], uniform[:, i].to(device), view
            return
        for i, batch in enumerate(steps):
            views = [
                self.images.views(batch, [stream("view", seed, epoch, i, v) for seed in seeds])
                for v in range(self.method.views)
            ]
            yield batch, uniform[:, i].to(device), *views

    def _with_negatives(self, positions: list[int], seed: int, epoch: int, step: int) -> Tensor:
        """The positions of one replica's batch, with a drawn one for every hard negative."""
        labels = self.images.labels[0, positions].tolist()
        ranked = [self.ranked[position] for position in positions]
        chance = random.Random(stream("negatives", seed, epoch, step))
        own = iter(positions)
        _, drawn = hard_negatives(labels, ranked, self.by_class, chance)
        return torch.tensor([next(own) if place is None else place for place in drawn])
