"""Time and peak memory of variants of some work, timed in alternation."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from itertools import accumulate
from statistics import median
from typing import TypeVar

import psutil
import torch
from torch.profiler import ProfilerActivity, profile

T = TypeVar("T")
Work = Callable[[], T]
GIB = 2**30
os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler would print its start and end


def seconds(work: Work, device: torch.device) -> float:
    """Wall time of one call in seconds, until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def timed(
    variants: Mapping[str, Work], rounds: int, device: torch.device
) -> dict[str, list[float]]:
    """Wall times of each variant in seconds, every round timing each of them once.

    There is no warm-up here: run every variant once before.
    """
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, work in variants.items():
            times[name].append(seconds(work, device))
    return times


def alternating(
    variants: Mapping[str, Work], rounds: int, device: torch.device
) -> dict[str, float]:
    """Median wall time of each variant in seconds (see `timed`)."""
    times = timed(variants, rounds, device)
    return {name: median(values) for name, values in times.items()}


def peak_memory(work: Work[T], device: torch.device) -> tuple[float, T]:
    """Peak memory in GiB of tensors made by one call, and what the call returned.

    On a GPU from the caching allocator, on the CPU from all allocations in torch's profiler.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        result = work()
        torch.cuda.synchronize(device)
        return (torch.cuda.max_memory_allocated(device) - before) / GIB, result
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        result = work()
    events = recorded.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    return max(accumulate(change for _, change in changes), default=0) / GIB, result


def free_memory(device: torch.device) -> float:
    """Memory in GiB that is free for new tensors."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] / GIB
    return psutil.virtual_memory().available / GIB
