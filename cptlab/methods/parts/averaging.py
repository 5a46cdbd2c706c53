"""Weights of an average over end-of-epoch prompts (PromptSRC, Khattak et al. 2023)."""

import torch
from torch import Tensor


def gaussian_weights(epochs: int, mean: float, std: float) -> Tensor:
    """Normal density at epochs 1 to E, normalised to sum to 1: (E,), float64.

    Args:
        mean, std: in epochs.
    """
    positions = torch.arange(1, epochs + 1, dtype=torch.float64)
    return torch.softmax(-0.5 * ((positions - mean) / std) ** 2, dim=0)
