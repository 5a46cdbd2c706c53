"""What a data set is to the rest of the package: named classes, lists of samples, and a reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor


@dataclass(frozen=True)
class Sample:
    """One picture: a key that its data set can read (the same on any machine), and its class."""

    key: str
    label: int


@dataclass(frozen=True)
class ImageDataset:
    """Classes, samples and the function that turns sample keys into pictures.

    `read(keys, size)` returns float pictures (N, 3, size, size) in [0, 1]. `train` is the pool that
    few-shot subsets are drawn from; `test` holds pictures that no training sample shows. `groups`
    names the semantic group of each class where one is known beforehand; no method sees it.
    `template` is the sentence that zero-shot classification of this data set uses.
    """

    name: str
    class_names: tuple[str, ...]
    train: tuple[Sample, ...]
    test: tuple[Sample, ...]
    read: Callable[[Sequence[str], int], Tensor]
    groups: tuple[str, ...] | None = None
    template: str = "a photo of a {}."

    def select(self, classes: Sequence[int]) -> ImageDataset:
        """The same data set cut to some classes, relabelled 0, 1, ... in the order given."""
        position = {label: i for i, label in enumerate(classes)}

        def cut(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
            return tuple(Sample(s.key, position[s.label]) for s in samples if s.label in position)

        return replace(
            self,
            class_names=tuple(self.class_names[label] for label in classes),
            train=cut(self.train),
            test=cut(self.test),
            groups=self.groups and tuple(self.groups[label] for label in classes),
        )

    def halves(self) -> tuple[ImageDataset, ImageDataset]:
        """Base and new classes: the first ceil(K / 2) labels and the rest (CoOp protocol)."""
        count = len(self.class_names)
        middle = (count + 1) // 2
        return self.select(range(middle)), self.select(range(middle, count))


def labels_of(samples: Sequence[Sample]) -> list[int]:
    """The labels of some samples."""
    return [sample.label for sample in samples]
