"""Batches of hard negatives (DPC): images of the classes that an image is taken for."""

from __future__ import annotations

import random
from collections.abc import Sequence

FEWEST = 2
"""Negatives that every image gets at least, if there are classes left."""


def hard_negatives(
    labels: Sequence[int],
    ranked: Sequence[Sequence[int]],
    samples: Sequence[Sequence[int]],
    chance: random.Random,
) -> tuple[list[int], list[int | None]]:
    """Extend a batch: behind each image, one sample of each class that it is confused with.

    Args:
        labels: classes of the batch's images.
        ranked: for each image, the classes that the frozen prompts rank first.
        samples: samples of each of K classes, to draw from.
        chance: source of the draws; their order is that of the public code.

    A class joins once: not if an image of the batch or an earlier negative has it. If fewer than
    two classes remain, others are tried at random, as in the public code never the first or the
    last one.

    Returns:
        Labels of the extended batch, and for each place the drawn sample, or None for the batch's
        own images in their order.
    """
    n_classes, taken = len(samples), set(labels)
    new_labels: list[int] = []
    drawn: list[int | None] = []
    for label, candidates in zip(labels, ranked, strict=True):
        negatives = [c for c in candidates if c != label and c not in taken]
        if len(negatives) < FEWEST:
            for _ in range(n_classes - 2):
                other = chance.randint(1, n_classes - 2)
                if len(negatives) >= FEWEST:
                    break
                if other not in taken and other not in negatives:
                    negatives.append(other)
        taken.update(negatives)
        new_labels += [label, *negatives]
        drawn += [None, *(chance.choice(samples[c]) for c in negatives)]
    return new_labels, drawn
