"""Compact weight files: float16, and only those token embeddings that were ever trained.

The token embedding is most of a small CLIP, and most of its 49,408 rows belong to words that no
caption used. Such a row holds nothing learned, so the mean of the stored rows takes its place.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

EMBEDDING = "token_embedding.weight"
IDS, ROWS = "token_embedding.ids", "token_embedding.rows"


def save_compact(model: nn.Module, used_ids: Iterable[int], path: str | Path) -> None:
    """Write a CLIP's weights.

    Args:
        model: an open_clip CLIP.
        used_ids: token ids whose embeddings are worth keeping; start, end and padding included.
        path: a .safetensors file; the vocabulary's size goes into its metadata.

    Raises:
        ValueError: if a value does not fit float16 (or is no number at all), or no id is given.
    """
    state = {key: value.detach().cpu() for key, value in model.state_dict().items()}
    table = state.pop(EMBEDDING)
    ids = torch.tensor(sorted(set(used_ids)), dtype=torch.int32)
    if not len(ids) or ids[0] < 0 or ids[-1] >= len(table):
        raise ValueError(f"Token ids must be one or more numbers from 0 to {len(table) - 1}.")
    state = {key: value.half().contiguous() for key, value in state.items()}
    state[ROWS] = table[ids.long()].half()
    require_finite(state, "The model cannot be stored in float16")
    save_file(state | {IDS: ids}, path, metadata={"vocab_size": str(len(table))})


def load_compact(path: str | Path) -> dict[str, Tensor]:
    """Read a compact file as an open_clip state dict in float32.

    Returns:
        The state dict, with ``token_embedding.weight`` (vocabulary, text width) filled up.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, is not a compact file, or holds NaN or infinity.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"No weights at {path}: reinstall the package, or give the path of a weight file."
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged or no safetensors file ({error}): fetch it again."
        ) from error
    if not {IDS, ROWS} <= state.keys() or "vocab_size" not in metadata:
        raise ValueError(f"{path} is not a compact weight file: write it with save_compact().")

    ids, rows = state.pop(IDS).long(), state.pop(ROWS).float()
    vocabulary = int(metadata["vocab_size"])
    if len(ids) != len(rows) or not len(ids) or ids.min() < 0 or ids.max() >= vocabulary:
        raise ValueError(f"{path}: token ids and embedding rows do not match; fetch it again.")
    state = {key: value.float() for key, value in state.items()} | {EMBEDDING: rows}
    require_finite(state, f"{path} is unusable")
    table = rows.mean(0).repeat(vocabulary, 1)
    table[ids] = rows
    return state | {EMBEDDING: table}


def require_finite(state: Mapping[str, Tensor], problem: str) -> None:
    """Raise ValueError, beginning with the problem, if some tensor holds NaN or infinity."""
    for key, value in state.items():
        if not value.isfinite().all():
            raise ValueError(f"{problem}: {key} holds NaN or infinity.")
