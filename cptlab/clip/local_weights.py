"""Weights in local files and folders: which file it is, and what is known about it.

A checkpoint holds no trace of the activation that it was trained with, and the wrong one costs
accuracy without a word. The file beside it, or its name, often says which.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from cptlab.checks import read_text
from cptlab.clip.guard import open_clip

CONFIG = "open_clip_config.json"
NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
"""What open_clip calls weights in a folder, such as a repository in the Hugging Face cache."""


def weights_file(path: str | None) -> Path | None:
    """The checkpoint that a path means: the file itself, or the one in a folder; None if none."""
    if not path:
        return None
    if Path(path).is_file():
        return Path(path)
    found = (Path(path) / name for name in NAMES)
    return next((file for file in found if file.is_file()), None)


def configuration(file: Path) -> dict[str, Any]:
    """open_clip's configuration beside a checkpoint; empty without one.

    Raises:
        ValueError: if it cannot be read.
    """
    path = file.with_name(CONFIG)
    if not path.is_file():
        return {}
    try:
        values = json.loads(read_text(path))
        return {"model_cfg": dict(values["model_cfg"]), **values}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no configuration of open_clip: {error!r}.") from error


def quick_gelu(file: Path) -> bool | None:
    """Whether a checkpoint was trained with QuickGELU; None if it is unknown.

    Known from: the configuration beside it, else the tag of published weights in its name or in
    that of the Hugging Face repository that it lies in.
    """
    beside = configuration(file)
    if beside:
        return bool(beside["model_cfg"].get("quick_gelu", False))
    repository = next((part for part in file.parts if part.startswith("models--")), "")
    words = "_{}_".format(re.sub(r"[^a-z0-9]+", "_", f"{repository} {file.stem}".lower()))
    tags = {tag for _, tag in open_clip.list_pretrained() if f"_{tag}_" in words}
    if not tags:
        return None
    longest = max(tags, key=len)  # "laion2b" is also a part of longer tags
    found = {
        bool(open_clip.get_pretrained_cfg(model, tag).get("quick_gelu", False))
        for model, tag in open_clip.list_pretrained()
        if tag == longest
    }
    return found.pop() if len(found) == 1 else None
