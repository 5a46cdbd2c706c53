"""A frozen CLIP with learnable prompts, bound to class names when it is asked for prototypes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from cptlab.clip import (
    Backbone,
    ImageTower,
    Prompts,
    build_text_tower,
    fill_template,
)
from cptlab.data import ImageDataset, Sample
from cptlab.methods.base import PHOTO, Method, Tower, Use
from cptlab.training.images import CPU_BATCH, GPU_BATCH, read_in_batches

PLAIN = Method()


@dataclass(frozen=True)
class Classes:
    """K class names that a prompted CLIP was bound to: what it needs to make their prototypes.

    tower: of their texts; where nothing learned enters it, a function that only returns its
    features, or the classifier that takes their place. frozen: their frozen prototypes (K, d), not
    normalised, for methods that use them. among: all learned classes, where these are some of them
    or stand in another order and the method has something of each; places: theirs in that list.
    """

    names: tuple[str, ...]
    use: Use
    tower: Callable[..., Tensor]
    frozen: Tensor | None = None
    among: Classes | None = None
    places: tuple[int, ...] = ()


class PromptedCLIP:
    """Backbone, prompts and the method that says how they enter it.

    Class names may change at any time (`bind`). trained_on: the class names that were learned;
    only methods that treat them differently need to know. new_names: others that training knew by
    name, for methods that read them. Towers run in the backbone's precision;
    features, logits and prompts are float32 (float64 for a backbone of that type).
    """

    def __init__(
        self,
        backbone: Backbone,
        prompts: Prompts,
        method: Method = PLAIN,
        trained_on: Sequence[str] = (),
        template: str = PHOTO[0],
        new_names: Sequence[str] = (),
    ):
        self.backbone = backbone
        self.prompts = prompts
        self.method = method
        self.trained_on = tuple(trained_on)
        self.template = template
        self.new_names = tuple(new_names) if method.knows_new_names else ()
        self.image_tower = ImageTower(backbone)

    def replica(self, r: int) -> PromptedCLIP:
        """One of several replicas, alone."""
        prompts = self.prompts.replica(r)
        return PromptedCLIP(
            self.backbone, prompts, self.method, self.trained_on, self.template, self.new_names
        )

    def unprompted(self) -> PromptedCLIP:
        """The frozen backbone alone."""
        return PromptedCLIP(self.backbone, Prompts([], []))

    def use(self, class_names: Sequence[str]) -> Use:
        """Whether these classes count as trained ones at test time: if all of them were learned,
        in any order.
        """
        names = set(class_names)
        if names and names <= set(self.trained_on):
            return "base"
        return "named" if names and names <= set(self.new_names) else "new"

    def learns_in(self, tower: Tower, use: Use) -> bool:
        """Whether anything learned enters a tower; if not, its features are the frozen ones."""
        if tower == "text" and type(self.method).class_tokens is not Method.class_tokens:
            return True
        tokens = getattr(self.method.tokens(self.prompts, use), tower)
        return len(tokens) > 0 or tower in self.method.adapted_towers()

    def encodes_alike(self) -> bool:
        """Whether images are encoded in the same way for trained and for other classes."""
        one, other = (self.method.tokens(self.prompts, use).vision for use in ("base", "new"))
        return len(one) == len(other) and all(map(torch.equal, one, other))

    def bind(
        self, class_names: Sequence[str], use: Use | None = None, template: str | None = None
    ) -> Classes:
        """Prepare class names; reuse the result while only the prompts change.

        What a method has of each learned class is found by its name, whatever the order and the
        number of the names. template: the own sentence of their data set, if it is not the one
        that was learned.
        """
        use, method, own = use or self.use(class_names), self.method, template or self.template
        names, prompts = tuple(class_names), self.prompts
        known = {"base": self.trained_on, "named": self.new_names}.get(use, names)
        if names != known and set(names) <= set(known) and _counts_classes(method):
            every, places = self.bind(known, use, template), tuple(map(known.index, names))
            return Classes(names, use, every.tower, among=every, places=places)
        if method.classifier(prompts, use) is not None:
            return Classes(names, use, lambda *_: method.classifier(prompts, use))  # ty: ignore[invalid-argument-type]
        text = method.tokens(prompts, use).text
        n_tokens = text[0].shape[-2] if len(text) else 0
        sentences = fill_template(method.prompt_template(n_tokens, own), class_names)
        if not self.learns_in("text", use):
            features = frozen_texts(self.backbone, sentences).expand(prompts.replicas, -1, -1)
            return Classes(names, use, lambda *_: features)
        frozen = None
        if type(method).class_tokens is not Method.class_tokens:
            templates = method.anchor_templates or (own,)
            frozen = frozen_prototypes(self.backbone, class_names, templates)
        tower = build_text_tower(self.backbone, sentences, n_tokens)
        return Classes(names, use, tower, frozen)

    def prototypes(
        self,
        classes: Classes,
        image_features: Tensor | None = None,
        uniform: Tensor | None = None,
    ) -> Tensor:
        """Raw text features (R, K, d) of bound classes; uniform (R,) as in `BatchOutputs`.

        Where they depend on the image, (R, B, K, d) for features (R, B, d); without features, the
        prototypes (R, K, d) that a feature of zeros gives.
        """
        if classes.among is not None:
            return self.prototypes(classes.among, image_features, uniform)[..., classes.places, :]
        method, prompts = self.method, self.prompts
        text = list(method.tokens(prompts, classes.use).text)
        updates = method.low_rank(prompts, "text", uniform)
        if not method.per_image:
            class_tokens = {}
            if classes.frozen is not None:
                class_tokens = method.class_tokens(prompts, classes.frozen)
            features = self._encode(classes.tower, text, class_tokens, updates)
            return method.adapt_texts(prompts, features)
        conditioned = image_features is not None
        if not conditioned:
            image_features = text[0].new_zeros(1, 1, self.backbone.embed_dim)
        text[0] = method.image_context(prompts, image_features)
        text[1:] = [layer.unsqueeze(-3) for layer in text[1:]]
        features = method.adapt_texts(prompts, self._encode(classes.tower, text, {}, updates))
        return features if conditioned else features.squeeze(-3)

    @torch.no_grad()
    def class_texts(self, class_names: Sequence[str]) -> Tensor:
        """Raw text features (R, K, d) of these classes, once and without gradients."""
        return self.prototypes(self.bind(class_names))

    def image_features(
        self, images: Tensor, use: Use = "base", uniform: Tensor | None = None
    ) -> Tensor:
        """Raw image features (R, B, d) of normalised images (R or 1, B, 3, H, W)."""
        vision = list(self.method.tokens(self.prompts, use).vision)
        updates = self.method.low_rank(self.prompts, "vision", uniform)
        features = self._encode(self.image_tower, images, vision, updates)
        return self.method.adapt_images(self.prompts, features)

    @torch.no_grad()
    def frozen_features(self, images: Tensor) -> Tensor:
        """Raw features (R, B, d) of normalised images (R, B, 3, H, W) by the frozen tower."""
        return self._encode(self.image_tower, images)

    def logits(self, image_features: Tensor, prototypes: Tensor, use: Use = "base") -> Tensor:
        """Logits (R, B, K) with prototypes (R, K, d), or (R, B, K, d) by image: scaled cosines,
        unless the method says otherwise.
        """
        method, scale = self.method, self.backbone.logit_scale
        own = method.own_logits(self.prompts, image_features, prototypes, scale, use)
        if own is not None:
            return own
        unit, prototypes = F.normalize(image_features, dim=-1), F.normalize(prototypes, dim=-1)
        if prototypes.ndim > unit.ndim:
            cosines = scale * (prototypes @ unit.unsqueeze(-1)).squeeze(-1)
        else:
            cosines = scale * unit @ prototypes.mT
        return method.adapt_logits(self.prompts, cosines, image_features, use)

    @torch.no_grad()
    def encode_samples(
        self, dataset: ImageDataset, samples: Sequence[Sample], use: Use | None = None
    ) -> Tensor:
        """Raw features (R, N, d) of a data set's samples, with the current prompts."""
        use = use or self.use(dataset.class_names)
        if not self.learns_in("vision", use):
            frozen = _frozen_samples(self.backbone, dataset, tuple(samples))
            return self.method.adapt_images(self.prompts, frozen)
        parts = read_in_batches(self.backbone, dataset, samples, self._at_once())
        return torch.cat([self.image_features(part[None], use) for part in parts], dim=-2)

    @torch.no_grad()
    def classify(self, dataset: ImageDataset, samples: Sequence[Sample]) -> Tensor:
        """Logits (R, N, K) of samples among the data set's class names."""
        features = self.encode_samples(dataset, samples)
        return self.compare(features, self.bind(dataset.class_names, template=dataset.template))

    @torch.no_grad()
    def compare(
        self, features: Tensor, classes: Classes, prototypes: Tensor | None = None
    ) -> Tensor:
        """Logits (R, N, K) of raw image features (R, N, d) among bound classes.

        prototypes: theirs, if they are at hand and do not depend on the image.
        """
        if classes.among is not None:  # the method counts all that it learned
            return self.compare(features, classes.among)[..., classes.places]
        if not self.method.per_image:
            texts = self.prototypes(classes) if prototypes is None else prototypes
            return self.logits(features, texts, classes.use)
        # a text tower for each image
        parts = features.split(max(1, self._at_once() // 8), dim=-2)
        logits = [self.logits(f, self.prototypes(classes, f), classes.use) for f in parts]
        return torch.cat(logits, dim=-2)

    def predict(self, dataset: ImageDataset, samples: Sequence[Sample]) -> list[str]:
        """Predicted class name of each sample, among the data set's class names (replica 0)."""
        logits = self.classify(dataset, samples)
        return [dataset.class_names[i] for i in logits[0].argmax(-1).tolist()]

    def _at_once(self) -> int:
        """Images that are encoded at once when nothing is learned."""
        limit = GPU_BATCH if self.backbone.device.type == "cuda" else CPU_BATCH
        return max(1, limit // self.prompts.replicas)

    def _encode(self, tower: Callable[..., Tensor], *inputs: object) -> Tensor:
        return _encode(self.backbone, tower, *inputs)


def _counts_classes(method: Method) -> bool:
    """Whether a method has something of each learned class, in their order."""
    hooks = ("classifier", "adapt_logits", "own_logits")
    return any(getattr(type(method), name) is not getattr(Method, name) for name in hooks)


@lru_cache(maxsize=32)
def _frozen_samples(
    backbone: Backbone, dataset: ImageDataset, samples: tuple[Sample, ...]
) -> Tensor:
    """Features (1, N, d) by the frozen image tower, the same for all methods that leave it so."""
    limit = GPU_BATCH if backbone.device.type == "cuda" else CPU_BATCH
    parts = read_in_batches(backbone, dataset, samples, limit)
    tower = ImageTower(backbone)
    return torch.cat([_encode(backbone, tower, part[None]) for part in parts], dim=-2)


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
    sentences = [fill_template(template, class_names) for template in templates]
    return torch.stack([frozen_texts(backbone, part) for part in sentences]).mean(0)


@torch.no_grad()
def frozen_texts(backbone: Backbone, sentences: Sequence[str]) -> Tensor:
    """Text features (N, d) of sentences as the frozen backbone sees them, not normalised."""
    return _encode(backbone, build_text_tower(backbone, list(sentences), n_tokens=0))[0]
