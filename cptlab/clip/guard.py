"""The only importer of open_clip and torchvision, also where compiled operators do not match torch.

A CUDA build of torchvision next to a CPU build of torch fails on import, because it annotates two
operators that were never registered (pytorch/vision#8985). open_clip needs the Python part of
torchvision only, so declaring the two schemas is enough.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import torch

MISSING_OPERATOR = "operator torchvision::nms does not exist"
# Declarations vanish with the object that made them, so it must live as long as the process.
_declared: list[torch.library.Library] = []


def import_open_clip() -> ModuleType:
    """Return the open_clip module; does nothing more where a plain import works.

    Raises:
        ImportError, RuntimeError: whatever else the import fails with, unchanged.
    """
    try:
        return importlib.import_module("open_clip")
    except RuntimeError as error:
        if MISSING_OPERATOR not in str(error):
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]  # half imported
    if not _declared:
        operators = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(operators)
    return importlib.import_module("open_clip")


if TYPE_CHECKING:  # the same modules, as a type checker finds them
    import open_clip.transformer
    from open_clip.model import resize_pos_embed, resize_text_pos_embed
    from torchvision import datasets
    from torchvision.transforms import v2 as transforms
else:
    open_clip = import_open_clip()
    resize_pos_embed = open_clip.model.resize_pos_embed
    resize_text_pos_embed = open_clip.model.resize_text_pos_embed
    datasets = importlib.import_module("torchvision.datasets")
    transforms = importlib.import_module("torchvision.transforms.v2")
