"""What a specification names, opened: its frozen backbone, its task and the user's own files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import cache, lru_cache, partial
from pathlib import Path

from cptlab import clip
from cptlab.data import Task, content_id, open_task, was_read_alike
from cptlab.data.own import READER
from cptlab.methods.outside import source_id
from cptlab.training.spec import RunSpec


@lru_cache(maxsize=2)
def cached_backbone(
    name: str, pretrained: str | None, device: str = "cpu", precision: clip.Precision = "fp32"
) -> clip.Backbone:
    """The frozen backbone, loaded once per process."""
    return clip.load(name, pretrained, device, precision)


def backbone_of(spec: RunSpec) -> clip.Backbone:
    """The backbone of a run; the errors of `cptlab.clip.load`."""
    return cached_backbone(spec.backbone, spec.pretrained, spec.device, spec.precision)


def task_of(spec: RunSpec) -> Task:
    """What a run learns from and is tested on (`cptlab.data.open_task`)."""
    return open_task(spec.dataset, spec.protocol, spec.template, spec.targets)


Content = Callable[[RunSpec], str | None]
"""Identity of the user's own files that a run rests on; `content_of` or one that knows more."""


def content_with(task: Task) -> Content:
    """`content_of` for runs whose task is open already."""
    return lambda spec: _together([task.content, *_of_method(spec)])


def content_once() -> Content:
    """`content_of` for many runs, which lists every data set of the user's own once."""
    return partial(content_of, of_dataset=cache(content_id))


def content_of(spec: RunSpec, of_dataset: Callable[[str], str | None] = content_id) -> str | None:
    """Identity of the user's own files that a run rests on: data, what its method reads, and the
    method's source if it is not the package's. None if there are none.

    of_dataset: the part of a data set by its name, where it is known already.
    """
    return _together([*map(of_dataset, (spec.dataset, *spec.targets)), *_of_method(spec)])


def is_older(stored: str | None, current: str | None) -> bool:
    """Whether an identity is the current one but for how images were read."""
    return current is not None and stored == current.replace(READER, "")


def was_alike(spec: RunSpec) -> bool:
    """Whether older versions read the images of a run as this one does; opens all of them."""
    return all(map(was_read_alike, (spec.dataset, *spec.targets)))


def _of_method(spec: RunSpec) -> list[str | None]:
    files = [_file_id(Path(path)) for path in spec.method.files()]
    return [*files, source_id(type(spec.method))]


def _together(parts: Iterable[str | None]) -> str | None:
    return "-".join(part for part in parts if part) or None


def _file_id(path: Path) -> str:
    file = path.expanduser()
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else "absent"
