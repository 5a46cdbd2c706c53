"""Whether what runs read is there and sound, asked before any of them begins."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from cptlab import clip
from cptlab.clip import Verdict
from cptlab.data import ImageDataset
from cptlab.data.paper import ROWS


def require_names(tests: Mapping[str, ImageDataset]) -> list[str]:
    """Judge the class names of data sets by role; remarks on those that repeat names on purpose.

    Of the paper's data sets, ImageNet has two classes of one name. Raises ValueError for any other
    whose names CLIP cannot read or tell apart.
    """
    remarks = {}
    for data in tests.values():
        problems, repeated, _ = _judged(data.class_names)
        if data.name in ROWS:
            remarks |= dict.fromkeys(f"{data.name}: {text}" for text in repeated)
            repeated = []
        if problems := problems + repeated:
            raise ValueError(f"{data.name}: {clip.told(problems)}")
    return list(remarks)


@lru_cache(maxsize=64)
def _judged(names: tuple[str, ...]) -> Verdict:
    return clip.judge(names)
