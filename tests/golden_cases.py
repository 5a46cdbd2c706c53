"""Golden cases: where they lie, what they hold, and the method that a case's setting stands for.

Every key of a case's `meta` is either told by `DESCRIPTION` to be no setting, or becomes an option
of the method, or is what the method always does; anything else is an error, so that no case passes
with another setting than its own.
"""

import json
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from tiny_clip import golden_clip

from cptlab.clip import CONTEXT_INIT, IMAGENET_TEMPLATES, fill_template
from cptlab.methods import (
    DPC,
    IVLP,
    TCP,
    Candle,
    CLIPLoRA,
    CoCoOp,
    CoOp,
    CoPrompt,
    DeKg,
    KgCoOp,
    LinearProbe,
    MaPLe,
    PromptSRC,
    TipAdapter,
)

FOLDER = Path(__file__).resolve().parent / "golden"
DTYPES = (torch.float64, torch.float32)
DESCRIPTION = {
    "case",
    "changed",
    "dataset",
    "descriptions_per_class",
    "fp32_max_abs_diff",
    "method",
    "n_trainable",
    "python_random_seed",
    "ran",
    "repo",
    "set",
    "vit_b_16",
}
"""Keys of `meta` that are no setting: where a case comes from, and what its arrays show as well."""
COUPLED = {
    "n_text": "tokens_per_layer",
    "n_vision": "tokens_per_layer",
    "text_depth": "depth",
    "vision_depth": "depth",
}
DEEP = {
    "n_text": "text_tokens",
    "n_vision": "vision_tokens",
    "text_depth": "text_depth",
    "vision_depth": "vision_depth",
}
SHALLOW = {"text_depth": 1, "n_vision": 0, "vision_depth": 0}
DEKG = {
    "n_text": "text_tokens",
    "random_context": "random_context",
    "anchors": "anchor_templates",
    "template": "template",
    "weight_kg": "weight_kg",
    "weight_kd": "weight_kd",
}
METHODS = {
    "Linear probe": (LinearProbe, {"class_adaptive": "class_adaptive"}, {}),
    "CLAP": (LinearProbe, {"class_adaptive": "class_adaptive"}, {}),
    "Tip-Adapter": (
        TipAdapter,
        {name: name for name in ("alpha", "beta", "largest_alpha", "largest_beta")},
        {"logit_scale": 100.0, "lr": 0.001, "epochs": 2},  # the latter two of the trace
    ),
    "CoOp": (
        CoOp,
        {"n_text": "text_tokens", "context_init": "context_init"},
        SHALLOW | {"class_token_position": "end"},
    ),
    "CoCoOp": (CoCoOp, {"n_text": "text_tokens", "context_init": "context_init"}, SHALLOW),
    "IVLP": (IVLP, DEEP, {}),
    "MaPLe": (MaPLe, COUPLED, {}),
    "CoPrompt": (
        CoPrompt,
        COUPLED
        | {
            "consistency": "consistency",
            "consistency_weight": "weight",
            "image_adapter_ratio": "image_mix",
            "text_adapter_ratio": "text_mix",
            "descriptions": "descriptions",
        },
        {},
    ),
    "PromptSRC": (
        PromptSRC,
        DEEP
        | {name: name for name in ("text_weight", "image_weight", "kl_weight")}
        | {"templates": "anchor_templates"},
        {},
    ),
    "KgCoOp": (
        KgCoOp,
        {"n_text": "text_tokens", "anchors": "anchor_templates", "weight": "weight"},
        SHALLOW,
    ),
    "TCP": (
        TCP,
        {
            "n_text": "text_tokens",
            "context_init": "context_init",
            "anchors": "anchor_templates",
            "template": "template",
            "weight": "weight",
            "injection_block": "block",
        },
        SHALLOW,
    ),
    "DeKg": (DeKg, DEKG | {"class_aware": "class_aware"}, SHALLOW),
    "DeKg with class-aware tokens": (DeKg, DEKG | {"injection_block": "block"}, SHALLOW),
    "Candle": (Candle, {"visual_scale": "visual_scale"}, {"mask": "none", "virtual_start": "text"}),
    "CLIP-LoRA": (
        CLIPLoRA,
        {name: name for name in ("rank", "alpha", "blocks")}
        | {"dropout_rate": "dropout", "encoder": "where"},
        {"n_text": 0},
    ),
    "DPC stage 2 on CoOp": (
        DPC,
        {"on": "on", "n_text": "tokens_per_layer", "mix_weight": "weight_base"},
        SHALLOW,
    ),
}
"""Method of a case -> our class, our option for each of its settings, and what it always has."""


ON_FEATURES = ("Linear probe", "CLAP", "Tip-Adapter")
"""Methods without tokens, whose steps are on frozen features."""


def paths() -> list[Path]:
    """Our cases, and those of the folder that CPTLAB_GOLDEN_DIR names."""
    found = sorted(FOLDER.glob("*.npz"))
    if more := os.environ.get("CPTLAB_GOLDEN_DIR"):
        added = sorted(Path(more).glob("*.npz"))
        if not added:
            raise ValueError(f"CPTLAB_GOLDEN_DIR is {more}: there are no cases (*.npz).")
        found += [path for path in added if path.parent.resolve() != FOLDER]
    return found


def read(path: Path) -> tuple[dict, dict]:
    """A case's setting and arrays."""
    with np.load(path) as file:
        arrays = {key: file[key] for key in file if key != "meta"}
        meta = json.loads(str(file["meta"])) if "meta" in file else {}
    return meta, arrays


def kind(path: Path) -> str:
    """Name of the method, or of what else a file holds."""
    meta, _ = read(path)
    return meta.get("method", meta.get("case", path.stem))


def cases(*kinds: str) -> list[Path]:
    return [path for path in paths() if kind(path) in kinds]


@lru_cache(maxsize=4)
def _clip(folder: Path, dtype: torch.dtype):
    return golden_clip(folder, dtype)


def clip_of(path: Path, dtype: torch.dtype):
    """The CLIP that lies beside a case, or ours."""
    beside = (path.parent / "clip_tiny.npz").is_file()
    return _clip(path.parent if beside else FOLDER, dtype)


def template_of(sentences: np.ndarray, names: np.ndarray) -> str:
    """The one template, "{}" for the class name, that makes these sentences."""
    sentences, names = sentences.tolist(), names.tolist()
    first, name = sentences[0], names[0].replace("_", " ")
    for at in range(len(first)):
        if first.startswith(name, at):
            template = first[:at] + "{}" + first[at + len(name) :]
            if fill_template(template, names) == sentences:
                return template
    raise ValueError(f"No template makes the sentences {sentences}.")


def settings(meta: dict, arrays: dict, folder: Path) -> dict:
    """What a case was computed with, by name; `folder` is for files that its method reads."""
    values = {key: value for key, value in meta.items() if key not in DESCRIPTION}
    words = values.pop("words_init", None)
    if words is not None:
        template = template_of(arrays["sentences"], arrays["class_names"])
        values["context_init"] = template.partition("{}")[0].strip() if words else None
    match meta["method"]:
        case "CoPrompt":
            path = folder / "descriptions.json"
            rows = arrays["class_names"].tolist(), arrays["description_sentences"].T.tolist()
            path.write_text(json.dumps(dict(zip(*rows, strict=True))))
            values["descriptions"] = str(path)
        case "PromptSRC":
            values["templates"] = IMAGENET_TEMPLATES[: values.pop("n_templates", 60)]
        case "CLIP-LoRA":
            values["blocks"] = tuple(values["blocks"])
        case "DPC stage 2 on CoOp":
            values["on"] = "coop"
        case "KgCoOp":
            anchor = template_of(arrays["anchor_sentences"], arrays["class_names"])
            values["anchors"] = (anchor,)
        case "TCP":
            names = arrays["class_names"]
            values["anchors"] = (template_of(arrays["anchor_sentences"], names),)
            values["template"] = template_of(arrays["sentences"], names)
            # the release knows no other words
            values["context_init"] = CONTEXT_INIT if words else None
        case "DeKg" | "DeKg with class-aware tokens":
            names = arrays["class_names"]
            values["anchors"] = (template_of(arrays["anchor_sentences"], names),)
            values["template"] = template_of(arrays["sentences"], names)
            if words is not None:  # the release knows no other words
                values["random_context"] = values.pop("context_init") is None
            if meta["method"] == "DeKg":
                values["class_aware"] = False
    return values


def method_of(meta: dict, arrays: dict, folder: Path):
    """The method with a case's setting.

    Raises ValueError, naming it, for a setting that no option of the method can express.
    """
    method, options, always = METHODS[meta["method"]]
    values = {}
    for key, value in settings(meta, arrays, folder).items():
        if key in options:
            same = values.setdefault(options[key], value) == value
        elif key == "context_init":  # without the option, as many tokens as words start from them
            given = meta["n_text"] <= len(CONTEXT_INIT.split())
            same = value == (CONTEXT_INIT if given else None)
        else:
            same = key in always and always[key] == value
        if not same:
            raise ValueError(
                f"{meta['case']}: {key} is {value!r}, and {method.__name__} has no option for it."
            )
    return method(**values)


def limit(kind: str, expected: torch.Tensor, dtype: torch.dtype) -> float:
    """Largest absolute difference allowed."""
    if dtype == torch.float64:
        return 1e-9
    largest = float(expected.abs().max())
    return {"features": 1e-5, "logits": 1e-4, "loss": 1e-4, "gradient": 5e-5 * largest}[kind]


def check(kind: str, actual: torch.Tensor, expected: np.ndarray) -> None:
    expected = torch.from_numpy(expected)
    assert actual.shape == expected.shape
    difference = (actual.detach().double() - expected).abs().max()
    assert difference < limit(kind, expected, actual.dtype)


def layers_of(arrays: dict, tower: str, dtype: torch.dtype) -> list[torch.Tensor]:
    """Learnable tokens of a case, layer by layer, as one replica."""
    names = [f"{tower}_tokens_layer_{i}" for i in range(99)]
    return [torch.from_numpy(arrays[name])[None].to(dtype) for name in names if name in arrays]
