"""Our towers compared with plain ones: text side, image side and whole step, forward and backward.

Setting: IVLP, 4 + 4 tokens, both towers prompted up to depth 9, batch 4. Variants: "naive" computes
every sentence at full context length and every image token in every layer, as public code does;
"truncated" cuts all sentences to the length of the longest; "ours" shares the prefix and skips what
the next layer discards. Weights are random, which does not change the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from cptlab.clip import (
    Backbone,
    ImageTower,
    PlainTextTower,
    PromptShape,
    TextTower,
    class_sentences,
    imagenet_names,
    init_prompts,
)
from cptlab.lab.bench.measure import alternating, free_memory, peak_memory
from cptlab.lab.bench.plain_image import plain_image_features
from cptlab.lab.bench.table import Row
from cptlab.training.cuda_graph import captured

N_TOKENS, DEPTH, BATCH = 4, 9, 4
MEMORY_MARGIN = 0.8
Forward = Callable[[], Tensor]
Towers = dict[str, TextTower | PlainTextTower]


def tower_rows(backbone: Backbone, classes: Sequence[int], rounds: int = 3) -> Iterator[Row]:
    """One row for the image side, and one per number of classes K for text side and whole step.

    Seconds and GiB of every variant; `ratio_time_x` and `ratio_memory_x` are variant x over ours.
    `error_output` and `error_gradients` are the largest differences from the first variant that
    ran, relative to its largest entry. `left_out` names variants that did not run because they
    would need more memory than is free.
    """
    depth = min(DEPTH, backbone.text_layers), min(DEPTH, backbone.vision_layers)
    shape = PromptShape(N_TOKENS, depth[0], N_TOKENS, depth[1])
    prompts = init_prompts(backbone, shape, [torch.Generator().manual_seed(0)])
    text, vision = list(prompts.text), list(prompts.vision)
    side, device = backbone.image_size, backbone.device
    images = torch.randn(1, BATCH, 3, side, side, generator=torch.Generator().manual_seed(1))
    images = images.to(device)
    labels = torch.arange(BATCH, device=device)
    comparison = Comparison(backbone, rounds)

    our_image = ImageTower(backbone)
    image_sides: dict[str, Forward] = {
        "naive": lambda: plain_image_features(backbone, images, vision),
        "ours": lambda: our_image(images, vision),
    }
    yield comparison.row("image", 0, image_sides, vision)
    for n_classes in tqdm(classes, desc="numbers of classes"):
        sentences = class_sentences(imagenet_names(n_classes), N_TOKENS)
        towers: Towers = {
            "naive": PlainTextTower(backbone, sentences, N_TOKENS),
            "truncated": PlainTextTower(backbone, sentences, N_TOKENS, truncate=True),
            "ours": TextTower(backbone, sentences, N_TOKENS),
        }

        def step(name: str, towers: Towers = towers, n_classes: int = n_classes) -> Tensor:
            image_side = image_sides["ours" if name == "ours" else "naive"]
            image = F.normalize(image_side().float(), dim=-1)
            logits = 100 * image @ F.normalize(towers[name](text).float(), dim=-1).mT
            return F.cross_entropy(logits[0], labels % n_classes, reduction="none")

        text_sides: dict[str, Forward] = {
            name: lambda tower=tower: tower(text) for name, tower in towers.items()
        }
        steps: dict[str, Forward] = {name: lambda name=name: step(name) for name in towers}
        yield comparison.row("text", n_classes, text_sides, text)
        yield comparison.row("step", n_classes, steps, text + vision)


class Comparison:
    """Measures variants and remembers the memory that each takes per class."""

    def __init__(self, backbone: Backbone, rounds: int):
        self.backbone, self.rounds = backbone, rounds
        self.limit = MEMORY_MARGIN * free_memory(backbone.device)  # before anything is allocated
        self.per_class: dict[tuple[str, str], float] = {}

    def row(
        self, side: str, n_classes: int, variants: dict[str, Forward], tokens: list[Tensor]
    ) -> Row:
        device = self.backbone.device
        fitting = {
            name: _forward_backward(self.backbone, forward, tokens)
            for name, forward in variants.items()
            if name == "ours" or self.per_class.get((side, name), 0) * n_classes < self.limit
        }
        memory, errors, reference, result = {}, [], None, None
        for name, work in fitting.items():
            memory[name], result = peak_memory(work, device)
            self.per_class[side, name] = memory[name] / max(n_classes, 1)
            reference = reference or result
            errors = [_relative_error(a, b) for a, b in zip(result, reference, strict=True)]
        del reference, result
        if device.type == "cuda":  # as in training, so that kernel launches do not dominate
            fitting = {name: _graph(work) for name, work in fitting.items()}
        took = alternating(fitting, self.rounds, device)
        row: Row = {"part": "towers", "side": side, "classes": n_classes}
        for name in variants:
            row[f"seconds_{name}"] = took.get(name)
            row[f"gib_{name}"] = memory.get(name)
        for name in (name for name in fitting if name != "ours"):
            row[f"ratio_time_{name}"] = took[name] / took["ours"]
            row[f"ratio_memory_{name}"] = memory[name] / memory["ours"]
        row |= {"error_output": errors[0], "error_gradients": max(errors[1:])}
        row["left_out"] = ", ".join(name for name in variants if name not in fitting)
        return row


def _forward_backward(
    backbone: Backbone, forward: Forward, tokens: list[Tensor]
) -> Callable[[], tuple[Tensor, ...]]:
    """Output, and the gradients of a fixed linear function of it."""

    def work() -> tuple[Tensor, ...]:
        with backbone.autocast():
            output = forward().float()
        direction = torch.arange(output.numel(), device=output.device).cos().view_as(output)
        return output.detach(), *torch.autograd.grad((output * direction).sum(), tokens)

    return work


def _graph(work: Callable[[], tuple[Tensor, ...]]) -> Callable[[], object]:
    nothing = torch.zeros(1, device="cuda")
    replay = captured(lambda _: {"output": work()[0]}, nothing)
    return lambda: replay(nothing)


def _relative_error(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).abs().max() / expected.abs().max())
