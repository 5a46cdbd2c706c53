"""Named random streams: every random decision has its own generator, derived by hashing.

Two streams never share numbers, so that adding a data set or a method shifts nobody else's draws.
"""

import hashlib

import numpy as np
import torch


def stream(purpose: str, *identity: object) -> int:
    """A 63-bit seed for one purpose ("draw", "batches", ...) of one identity."""
    text = "/".join([purpose, *map(str, identity)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def numpy_stream(purpose: str, *identity: object) -> np.random.Generator:
    """NumPy generator of the named stream."""
    return np.random.default_rng(stream(purpose, *identity))


def torch_stream(purpose: str, *identity: object) -> torch.Generator:
    """Torch CPU generator of the named stream."""
    return torch.Generator().manual_seed(stream(purpose, *identity))
