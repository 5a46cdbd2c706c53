"""Backbones by name: the packaged EmojiCLIP, or any CLIP that open_clip can load."""

import difflib
import hashlib
import re
import warnings
from functools import lru_cache
from pathlib import Path
from textwrap import shorten

import torch
from torch import nn

from cptlab.clip.backbone import CHOOSE, Backbone, Precision, wrap
from cptlab.clip.checkpoint import NoCheckpoint, fit_positions, read_checkpoint
from cptlab.clip.checks import reason_against_name
from cptlab.clip.class_names import Reads
from cptlab.clip.guard import open_clip
from cptlab.clip.local_weights import CONFIG, NAMES, configuration, quick_gelu, weights_file
from cptlab.clip.weights import load_compact, require_finite

EMOJI_NAME = "EmojiCLIP"
EMOJI_CONFIG = Path(__file__).parents[1] / "emoji" / "EmojiCLIP.json"
EMOJI_WEIGHTS = EMOJI_CONFIG.with_suffix(".safetensors")
OTHER_SEEDS = Path(__file__).parents[2] / "dev/emojiclip"
"""EmojiCLIPs of other pretraining seeds, beside the recipe: in a checkout, not in the wheel."""


def load(
    name: str = EMOJI_NAME,
    pretrained: str | None = None,
    device: str | torch.device = "cpu",
    precision: Precision = "fp32",
) -> Backbone:
    """Load a pretrained CLIP, frozen. Never returns random weights.

    Args:
        name: "EmojiCLIP" (packaged with the project), or one of open_clip's model names.
        pretrained: open_clip's tag for the weights (from the Hugging Face cache, or downloaded
            into it), or the path of a checkpoint or of a folder with one. For EmojiCLIP "seed1" or
            "seed2", of other pretraining seeds, or the path of another compact weight file; None
            means the packaged one.
        device: where the model goes.
        precision: of the linear layers' weights and, under autocast, of the towers' arithmetic.

    Raises:
        FileNotFoundError: if EmojiCLIP's weight file is missing.
        ValueError: for unknown names or tags, unusable weights, weights that were trained with
            another activation, an unsupported architecture, or a GPU where torch sees none.

    Warns where a model's name leaves its activation open and nothing names that of a local file.
    """
    _check_name(name)
    _check_device(device)
    if name == EMOJI_NAME:
        model = _emoji_clip(_emoji_weights(pretrained))
    else:
        if reason := reason_against_name(open_clip.get_model_config(name)):
            raise ValueError(f"{name} cannot be used: {reason}. {CHOOSE}")
        _check_weights(name, pretrained)
        model = _open_clip_model(name, pretrained)
        require_finite(dict(model.named_parameters()), f'The weights "{pretrained}" are unusable')
    return wrap(model.to(device), _tokenizer(name), name, precision)


def reads(name: str = EMOJI_NAME) -> Reads:
    """How much text a backbone reads, by its name; no weights are needed.

    Raises ValueError for an unknown name or an unsupported architecture.
    """
    _check_name(name)
    config = open_clip.get_model_config(name)
    if reason := reason_against_name(config):
        raise ValueError(f"{name} cannot be used: {reason}. {CHOOSE}")
    return Reads(name, config["text_cfg"].get("context_length", 77))


def untrained(
    name: str, device: str | torch.device = "cpu", precision: Precision = "fp32", seed: int = 0
) -> Backbone:
    """A CLIP with random weights, for benchmarks and tests of code: its features mean nothing.

    Raises:
        ValueError: for unknown names or an unsupported architecture.
    """
    _check_name(name)
    _check_device(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _random_model(name)
    return wrap(model.to(device), _tokenizer(name), name, precision)


def _emoji_weights(pretrained: str | None) -> Path:
    if pretrained is None:
        return EMOJI_WEIGHTS
    if not re.fullmatch("seed[0-9]+", pretrained):
        return Path(pretrained)
    return OTHER_SEEDS / f"{EMOJI_NAME}-{pretrained}.safetensors"


def _emoji_clip(path: Path) -> nn.Module:
    if path.parent == OTHER_SEEDS and not path.is_file():
        there = [file.stem.split("-")[1] for file in sorted(path.parent.glob(f"{EMOJI_NAME}-*"))]
        raise ValueError(
            f"There is no {path.name}; weights of other pretraining seeds lie in dev/emojiclip of "
            f"a checkout: {', '.join(there) or 'none here'}."
        )
    state = load_compact(path)
    model = _random_model(EMOJI_NAME)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} does not hold weights of {EMOJI_NAME}: {error}") from error
    return model


def _random_model(name: str) -> open_clip.CLIP:
    """A plain CLIP with start values of its own, which leave the caller's random state alone."""
    try:
        with torch.random.fork_rng(devices=[]):
            return open_clip.CLIP(**open_clip.get_model_config(name))
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{name} cannot be used: it is no plain CLIP ({error}).") from error


def _open_clip_model(name: str, pretrained: str | None) -> nn.Module:
    file = weights_file(pretrained)
    try:
        if file:
            return _from_file(name, file)
        with torch.random.fork_rng(devices=[]):
            return open_clip.create_model(name, pretrained=pretrained, require_pretrained=True)
    except Exception as error:  # network, file, pickle or shapes: for the user it is one thing
        whole = file and not isinstance(error, NoCheckpoint)
        advice = f" Give a whole checkpoint of {name}, or its tag to fetch it." if whole else ""
        raise ValueError(
            f'The weights "{pretrained}" of {name} could not be loaded: {_reason(error)}.{advice}'
        ) from error


def _from_file(name: str, file: Path) -> open_clip.CLIP:
    """A model with the weights of a file, and the normalisation of images that belongs to them."""
    model, state = _random_model(name), read_checkpoint(file)
    if "logit_scale" in state:  # a number, or a list of one
        state["logit_scale"] = state["logit_scale"].reshape(model.logit_scale.shape)
    fit_positions(state, model, name, file)
    model.load_state_dict(state)
    images = configuration(file).get("preprocess_cfg", {})
    model.visual.image_mean = images.get("mean", open_clip.OPENAI_DATASET_MEAN)
    model.visual.image_std = images.get("std", open_clip.OPENAI_DATASET_STD)
    return model


def _reason(error: Exception) -> str:
    """Why weights could not be loaded, in part of a sentence."""
    if isinstance(error, NoCheckpoint):
        return str(error)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if "weights only load" in str(error).lower() or "weights_only" in str(error):
        # torch's advice would be to run whatever code is in it
        return "it is neither a safetensors file nor a plain checkpoint of tensors"
    if len(lines) > 1 and lines[0].startswith("Error(s) in loading state_dict"):
        return f"they belong to another model ({shorten(lines[1], 160, placeholder=' ...')})"
    reason = shorten(lines[0], 300, placeholder=" ...") if lines else "empty or damaged"
    return f"{reason.rstrip('.')} ({type(error).__name__})"


def _tokenizer(name: str) -> object:
    try:
        return open_clip.get_tokenizer(name)
    except ImportError as error:
        raise ValueError(f"{name} cannot be used: its tokenizer is not CLIP's own.") from error


def _check_device(device: str | torch.device) -> None:
    """Raise ValueError for a GPU where torch sees none; let float32 mean float32 on one."""
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"Device {device} was asked for, but torch {torch.__version__} sees no GPU: use the "
            'device "cpu", or install a CUDA build of torch.'
        )
    torch.backends.cudnn.allow_tf32 = False


def _check_name(name: str) -> None:
    """Raise ValueError unless open_clip, after EmojiCLIP was registered, knows the name."""
    if EMOJI_NAME not in open_clip.list_models():
        open_clip.add_model_config(EMOJI_CONFIG)
    names = open_clip.list_models()
    if name not in names:
        close = ", ".join(difflib.get_close_matches(name, names, cutoff=0.5)) or EMOJI_NAME
        raise ValueError(f'There is no model "{name}". Did you mean: {close}?')


def _check_weights(name: str, pretrained: str | None) -> None:
    """Raise ValueError unless the weights go with the model."""
    tag = open_clip.get_pretrained_cfg(name, pretrained or "")
    file = None if tag else weights_file(pretrained)
    if not tag and file is None:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        raise ValueError(
            f'{name} needs weights, and "{pretrained}" is neither a file, nor a folder with '
            f"{' or '.join(NAMES)}, nor one of its tags: {tags}."
        )
    quick = open_clip.get_model_config(name).get("quick_gelu", False)
    trained = quick_gelu(file) if file else tag.get("quick_gelu", False)
    other = name.removesuffix("-quickgelu") if quick else f"{name}-quickgelu"
    exists = other in open_clip.list_models()
    if trained is None and exists:
        warnings.warn(
            f"Nothing tells whether {file} was trained with QuickGELU, and the wrong activation "
            f"costs accuracy without a word: {name} computes {'QuickGELU' if quick else 'GELU'}, "
            f"{other} the other. Weights of OpenAI need QuickGELU. An {CONFIG} beside the file "
            "settles it.",
            stacklevel=3,
        )
    if trained not in (None, quick):
        advice = f'use the model name "{other}"' if exists else "open_clip has no model for that"
        raise ValueError(
            f'The weights "{pretrained}" were trained with {"GELU" if quick else "QuickGELU"}, '
            f"and {name} computes another activation: {advice}."
        )


def weights_id(name: str, pretrained: str | None = None) -> str:
    """Identity of a backbone's weights: a hash of their file, or "name/tag" for downloaded ones."""
    path = _emoji_weights(pretrained) if name == EMOJI_NAME else weights_file(pretrained)
    if path is None or not path.is_file():
        return f"{name}/{pretrained}"
    return _file_hash(path, path.stat().st_mtime_ns)


@lru_cache
def _file_hash(path: Path, changed: int) -> str:
    """`changed` is there so that a file that was replaced is read again."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
