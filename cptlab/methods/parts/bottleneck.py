"""Two linear layers with a narrow middle, one set per replica: meta-nets and adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor, nn

Learned = Mapping[str, Tensor] | nn.ParameterDict
"""What a method learns beside tokens, by name, each (R, ...)."""


def linear_start(
    name: str, inputs: int, outputs: int, generator: Generator, bias: bool = True
) -> dict[str, Tensor]:
    """Start of a linear layer as `torch.nn.Linear` has it: uniform within 1 / sqrt(inputs)."""
    limit = inputs**-0.5
    shapes = {"weight": (outputs, inputs)} | ({"bias": (outputs,)} if bias else {})
    return {
        f"{name}_{part}": (2 * torch.rand(shape, generator=generator) - 1) * limit
        for part, shape in shapes.items()
    }


def linear(x: Tensor, learned: Learned, name: str) -> Tensor:
    """Apply layer `name` of every replica: (R or 1, ..., inputs) -> (R, ..., outputs)."""
    weight = learned[f"{name}_weight"]  # (R, outputs, inputs)
    y = x.flatten(1, -2) @ weight.mT
    if f"{name}_bias" in learned:
        y = y + learned[f"{name}_bias"].unsqueeze(-2)
    return y.unflatten(1, x.shape[1:-1])


def bottleneck_start(
    name: str, sizes: tuple[int, int, int], generator: Generator, bias: bool = True
) -> dict[str, Tensor]:
    """Start of two layers for sizes (inputs, hidden, outputs)."""
    inputs, hidden, outputs = sizes
    first = linear_start(f"{name}_1", inputs, hidden, generator, bias)
    return first | linear_start(f"{name}_2", hidden, outputs, generator, bias)


def bottleneck(
    x: Tensor,
    learned: Learned,
    name: str,
    activation: Callable[[Tensor], Tensor] = torch.relu,
) -> Tensor:
    """Linear, activation, linear: (R or 1, ..., inputs) -> (R, ..., outputs)."""
    return linear(activation(linear(x, learned, f"{name}_1")), learned, f"{name}_2")


def quick_gelu(x: Tensor) -> Tensor:
    """x sigmoid(1.702 x), the activation of OpenAI's CLIP."""
    return x * torch.sigmoid(1.702 * x)
