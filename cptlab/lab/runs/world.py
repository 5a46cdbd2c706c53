"""What a specification names, opened: its frozen backbone and the data sets that it meets."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from cptlab import clip
from cptlab.data import ImageDataset, content_id, open_roles
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


def roles_of(spec: RunSpec) -> dict[str, ImageDataset]:
    """The data sets of a run by role, the one that it learns from first (`open_roles`)."""
    return open_roles(spec.dataset, spec.protocol)


def content_of(spec: RunSpec) -> str | None:
    """Identity of the user's own files that a run reads; None if it reads published data alone."""
    found = [content_id(spec.dataset), *(_file_id(Path(path)) for path in spec.method.files())]
    return "-".join(part for part in found if part) or None


def _file_id(path: Path) -> str:
    file = path.expanduser()
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else "absent"
