"""A function of a batch as a CUDA graph: thousands of small kernels, launched as one."""

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3
Work = Callable[..., dict[str, Tensor]]


def captured(work: Work, *example: Tensor) -> Work:
    """Record some work on the current CUDA device; the result replays it for other batches.

    The work is run a few times with the example before it is recorded, with all its effects.

    Args:
        work: from tensors of a batch to tensors; it must not wait for the device, nor read anything
            but its arguments, and tensors that are changed in place, that is another between calls.
        example: arguments of the shapes and dtypes of all batches.

    Returns:
        A function like `work`, whose results are overwritten by its next call.
    """
    static = [tensor.clone() for tensor in example]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            work(*static)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = work(*static)

    def replay(*batch: Tensor) -> dict[str, Tensor]:
        for place, tensor in zip(static, batch, strict=True):
            place.copy_(tensor)
        graph.replay()
        return results

    return replay
