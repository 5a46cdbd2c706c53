"""Stage 2: an image tower trained from scratch against the locked text tower.

Locked-image-text tuning the other way round (the idea of Zhai et al. 2022, LiT): text features are
fixed, the image tower learns a softmax over all concepts' names.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from scipy.optimize import brentq
from tqdm.auto import tqdm

from cptlab.emoji import views
from cptlab.seeds import stream

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
MATCHED_COSINE = 0.36
"""Mean cosine of pretraining drawings with their class text; unseen ones then have about 0.3."""
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)


@dataclass(frozen=True)
class VisionSchedule:
    """Optimisation of the image tower; `batch` counts images over all workers."""

    steps: int = 5500
    batch: int = 128
    muon_lr: float = 2.5e-3
    adam_lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: int = 100
    decay: float = 0.7
    late_from: int = 3750
    soft_labels: float = 0.25
    checkpoint_every: int = 250
    seed: int = 0


def augment(layers: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """Random views of premultiplied RGBA layers (N, 4, S, S) in [0, 1]: (N, 3, size, size).

    Normalised. Stronger than the evaluation's views: wider placement, mirrors, colour shifts.
    """
    n = len(layers)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator)

    mirrored = torch.rand(n, generator=generator) < 0.15
    layers = torch.where(mirrored[:, None, None, None], layers.flip(-1), layers)
    white = torch.rand(n, 1, generator=generator) < 0.5
    backgrounds = torch.where(white, torch.ones(n, 3), uniform(0.3, 1.0, n, 3))
    images = views.composite(
        layers,
        uniform(-0.3, 0.3, n),
        uniform(0.7, 1.1, n),
        uniform(-0.1, 0.1, n, 2),
        backgrounds,
        size,
    )
    # A random colour matrix near identity: hue, saturation and contrast at once.
    matrix = torch.eye(3) + 0.12 * torch.randn(n, 3, 3, generator=generator)
    grey = torch.rand(n, 1, 1, generator=generator) < 0.05
    matrix = torch.where(grey, torch.full((3, 3), 1 / 3), matrix)
    images = torch.einsum("nij,njhw->nihw", matrix, images)
    images = images + 0.06 * torch.randn(n, 3, 1, 1, generator=generator)
    return (images.clamp(0, 1) - MEAN) / STD


def initialise(visual: torch.nn.Module, images: torch.Tensor) -> None:
    """Start the patch embedding from whitened principal components, damp the residuals.

    images: normalised (N, 3, size, size), some hundreds of augmented examples.
    """
    weight = visual.conv1.weight
    width, patch = weight.shape[0], weight.shape[-1]
    patches = F.unfold(images, patch, stride=patch).transpose(1, 2).reshape(-1, weight[0].numel())
    patches = patches - patches.mean(0)
    covariance = patches.T @ patches / len(patches)
    spread, axes = torch.linalg.eigh(covariance)
    top = axes[:, -width:] / (spread[-width:] + 0.05).sqrt()
    damping = (2 * len(visual.transformer.resblocks)) ** -0.5
    with torch.no_grad():
        weight.copy_((0.5 * top).T.reshape(weight.shape))
        for block in visual.transformer.resblocks:
            block.attn.out_proj.weight.mul_(damping)
            block.mlp.c_proj.weight.mul_(damping)


def train_image_tower(
    model: torch.nn.Module,
    bank: torch.Tensor,
    layers: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    schedule: VisionSchedule,
    checkpoint: Path,
    monitor: Callable[[int], None] | None = None,
) -> list[dict[str, float]]:
    """Train `model.visual` and the logit scale; returns the log.

    bank (T, C, d): unit-norm text features of C concepts in T templates, one template per step.
    layers (N, 4, S, S) uint8 premultiplied RGBA; labels (N,) in [0, C); weights (2, N): how often a
    drawing is shown before and from step `late_from`. Resumes from `checkpoint` if it exists. With
    torch.distributed initialised, workers split the batch and average gradients.
    """
    rank, workers = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    visual, size = model.visual, model.visual.image_size[0]
    generator = torch.Generator().manual_seed(schedule.seed)
    source = torch.from_numpy(layers)
    targets, chance = torch.from_numpy(labels), torch.from_numpy(weights).double()

    first = torch.multinomial(chance[0], 512, True, generator=generator)
    initialise(visual, augment(source[first].float() / 255, size, generator))
    parameters, optimisers = _optimisers(model, schedule)
    rates = [torch.optim.lr_scheduler.LambdaLR(o, lambda s: _rate(s, schedule)) for o in optimisers]
    start, log = 0, []
    with torch.no_grad():
        model.logit_scale.fill_(math.log(40))
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        for part, saved in zip([*optimisers, *rates], state["optimisation"], strict=True):
            part.load_state_dict(saved)
        start, log = state["step"], state["log"]

    concepts = bank.mean(0)
    similar = F.softmax(concepts @ concepts.T * 40, dim=-1)
    for step in (bar := tqdm(range(start, schedule.steps), desc="image tower", disable=rank > 0)):
        generator.manual_seed(stream("pretraining", schedule.seed, step, rank))
        shown = chance[int(step >= schedule.late_from)]
        rows = torch.multinomial(shown, schedule.batch // workers, True, generator=generator)
        template = torch.randint(len(bank), (1,), generator=generator).item()
        images = augment(source[rows].float() / 255, size, generator)
        with torch.autocast("cpu", torch.bfloat16):
            features = visual(images)
        features = F.normalize(features.float(), dim=-1)
        logits = model.logit_scale.exp() * features @ bank[template].T
        wanted = _wanted(similar, targets[rows], step, schedule)
        loss = F.cross_entropy(logits, wanted)
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        _average_gradients(parameters, workers)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for part in [*optimisers, *rates]:
            part.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=math.log(100))
        if step % 20 == 0 or step == schedule.steps - 1:
            hit = (logits.argmax(1) == targets[rows]).float().mean().item()
            scale = model.logit_scale.exp().item()
            log.append({"step": step, "loss": loss.item(), "accuracy": hit, "scale": scale})
            bar.set_postfix(loss=f"{loss.item():.2f}", accuracy=f"{hit:.2f}", scale=f"{scale:.0f}")
        done = step + 1
        if rank == 0 and (done % schedule.checkpoint_every == 0 or done == schedule.steps):
            _save(checkpoint, model, [*optimisers, *rates], done, log)
            if monitor:
                monitor(done)
    return log


@torch.no_grad()
def close_gap(
    visual: torch.nn.Module, prototypes: torch.Tensor, layers: np.ndarray, labels: np.ndarray
) -> float:
    """Shift all image features along the texts' common direction, to MATCHED_COSINE.

    The shift goes into the bias of `ln_post`. It adds nearly the same to every class's logit, so
    that predictions stay; only the distance between the modalities changes. prototypes (C, d) unit
    norm; layers (N, 4, S, S) uint8 with labels (N,): pretraining drawings. Returns the mean matched
    cosine reached on them.
    """
    size = visual.image_size[0]
    rendered = views.render(layers, [views.CANONICAL] * len(layers), size)
    features = visual((rendered - MEAN) / STD)
    common = F.normalize(prototypes.mean(0), dim=0)
    typical = features.norm(dim=1).mean()

    def matched(amount: float) -> float:
        shifted = F.normalize(features + amount * typical * common, dim=1)
        return (shifted * prototypes[labels]).sum(1).mean().item()

    amount = brentq(lambda a: matched(a) - MATCHED_COSINE, -1.0, 1.0)
    wanted = (amount * typical * common).unsqueeze(1)
    shift = torch.linalg.lstsq(visual.proj.T, wanted).solution.squeeze(1)
    visual.ln_post.bias.add_(shift)
    return matched(amount)


def _optimisers(
    model: torch.nn.Module, schedule: VisionSchedule
) -> tuple[list[torch.nn.Parameter], list[torch.optim.Optimizer]]:
    """What is trained: Muon for the matrices of the transformer, AdamW for everything else."""
    visual = model.visual
    matrices = [p for p in visual.transformer.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    others = [p for p in visual.parameters() if id(p) not in chosen] + [model.logit_scale]
    muon = torch.optim.Muon(
        matrices,
        lr=schedule.muon_lr,
        weight_decay=schedule.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adam = torch.optim.AdamW(others, lr=schedule.adam_lr, weight_decay=0.0)
    return matrices + others, [muon, adam]


def _wanted(
    similar: torch.Tensor, targets: torch.Tensor, step: int, schedule: VisionSchedule
) -> torch.Tensor:
    """Labels (N, C) that give some of their weight to similar concepts, less and less of it."""
    softness = schedule.soft_labels * max(0.0, 1 - step / (0.8 * schedule.steps))
    wanted = softness * similar[targets]
    wanted[torch.arange(len(targets)), targets] += 1 - softness
    return wanted


def _rate(step: int, schedule: VisionSchedule) -> float:
    """Warm-up, plateau, linear decay to zero."""
    warm = min(1.0, (step + 1) / schedule.warmup)
    return warm * min(1.0, (schedule.steps - step) / (schedule.decay * schedule.steps))


def _average_gradients(parameters: list[torch.nn.Parameter], workers: int) -> None:
    if workers == 1:
        return
    flat = torch.cat([p.grad.flatten() for p in parameters])
    dist.all_reduce(flat)
    parts = (flat / workers).split([p.numel() for p in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad.copy_(part.view_as(parameter))


def _save(path: Path, model: torch.nn.Module, parts: list, step: int, log: list) -> None:
    partial = path.with_suffix(".partial")
    state = {
        "model": model.state_dict(),
        "optimisation": [part.state_dict() for part in parts],
        "step": step,
        "log": log,
    }
    torch.save(state, partial)
    partial.replace(path)
