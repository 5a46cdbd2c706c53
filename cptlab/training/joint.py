"""Test images among all class names at once: base and new together (generalised zero-shot)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cptlab.data import ImageDataset, labels_of
from cptlab.training.evaluation import Predictions, check_tested, predictions_from
from cptlab.training.model import PromptedCLIP

ByRole = dict[str, list[Predictions]]


@torch.no_grad()
def predict_both_ways(
    model: PromptedCLIP, tests: Mapping[str, ImageDataset]
) -> tuple[ByRole, ByRole]:
    """By role the predictions of each replica: among the role's own names, and among all names.

    The second are what generalised zero-shot learning asks (Chao et al. 2016; Xian et al. 2019):
    nobody says whether an image is of a base or of a new class. Names of all roles stand one after
    the other, and labels count through; each role's are bound as they are by themselves, learned
    ones as learned. An image is encoded once, unless the method encodes it in another way for new
    classes. The first are those of `evaluation.predict`.

    Raises ValueError for a class without images.
    """
    for data in tests.values():
        check_tested(data, data.test)
    bound = {
        role: model.bind(data.class_names, template=data.template) for role, data in tests.items()
    }
    per_image, alike = model.method.per_image, model.encodes_alike()
    texts = {role: None if per_image else model.prototypes(bound[role]) for role in tests}
    own, joint, before = {}, {}, 0
    for role, data in tests.items():
        features: dict[str, Tensor] = {}
        logits = {}
        for other, classes in bound.items():
            use = bound[role].use if alike else classes.use
            if use not in features:
                features[use] = model.encode_samples(data, data.test, use)
            logits[other] = model.compare(features[use], classes, texts[other])
        labels = torch.tensor(labels_of(data.test))
        own[role] = predictions_from(logits[role], labels)
        joint[role] = predictions_from(torch.cat(list(logits.values()), dim=-1), labels + before)
        before += len(data.class_names)
    return own, joint
