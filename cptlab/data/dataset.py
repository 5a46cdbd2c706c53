"""What a data set is to the rest of the package: named classes, lists of samples, and a reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sample:
    """One image: a key that its data set can read (the same on any machine), and its class."""

    key: str
    label: int


Samples = tuple[Sample, ...]
Draw = Callable[[int, int], tuple[Samples, Samples]]
"""(seed, shots) -> training and validation samples, up to `shots` and min(shots, 4) of a class."""

Crops = Callable[[Sequence[str], int, Sequence[int]], Tensor]
"""(keys, size, a seed for each) -> random views (N, 3, size, size) in [0, 1]."""


@dataclass(frozen=True)
class ImageDataset:
    """Classes, samples and the function that turns sample keys into images.

    `read(keys, size)` returns float images (N, 3, size, size) in [0, 1]. `train` is the pool that
    few-shot subsets are drawn from; `test` holds images that no training sample shows; `val`,
    where there is one, is for choosing. `groups` names the semantic group of each class where one
    is known beforehand; no method sees it. `template` is the sentence that zero-shot classification
    of this data set uses. `crops` reads random views of image files. `draw` gives
    a seed's few-shot subset where public code defines it; otherwise the package's own random
    streams do.
    """

    name: str
    class_names: tuple[str, ...]
    train: Samples
    test: Samples
    read: Callable[[Sequence[str], int], Tensor]
    groups: tuple[str, ...] | None = None
    template: str = "a photo of a {}."
    val: Samples = ()
    crops: Crops | None = field(default=None, compare=False)
    draw: Draw | None = field(default=None, compare=False)

    def select(self, classes: Sequence[int]) -> ImageDataset:
        """The same data set cut to some classes, relabelled 0, 1, ... in the order given.

        Published subsets are drawn from all classes and cut afterwards, as in public code.
        """
        position = {label: i for i, label in enumerate(classes)}
        return replace(
            self,
            class_names=tuple(self.class_names[label] for label in classes),
            train=_cut(position, self.train),
            test=_cut(position, self.test),
            val=_cut(position, self.val),
            groups=self.groups and tuple(self.groups[label] for label in classes),
            draw=self.draw and partial(_draw_and_cut, position, self.draw),
        )

    def halves(self) -> tuple[ImageDataset, ImageDataset]:
        """Base and new classes: the first ceil(K / 2) labels and the rest (CoOp protocol)."""
        count = len(self.class_names)
        middle = (count + 1) // 2
        return self.select(range(middle)), self.select(range(middle, count))


def labels_of(samples: Sequence[Sample]) -> list[int]:
    """The labels of some samples."""
    return [sample.label for sample in samples]


def by_label(samples: Sequence[Sample]) -> dict[int, list[Sample]]:
    """Samples of each label, labels in order of first appearance."""
    groups: dict[int, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.label, []).append(sample)
    return groups


def _cut(position: Mapping[int, int], samples: Samples) -> Samples:
    return tuple(Sample(s.key, position[s.label]) for s in samples if s.label in position)


def _draw_and_cut(
    position: Mapping[int, int], draw: Draw, seed: int, shots: int
) -> tuple[Samples, Samples]:
    train, val = draw(seed, shots)
    return _cut(position, train), _cut(position, val)
