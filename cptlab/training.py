"""The training loop: one frozen CLIP, and the prompts of one run or of several side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from cptlab.clip import Backbone, init_prompts
from cptlab.cuda_graph import captured
from cptlab.data import ImageDataset, Subset
from cptlab.methods import Method, Setting, Step
from cptlab.model import PromptedCLIP, frozen_prototypes, pictures
from cptlab.seeds import torch_stream
from cptlab.spec import RunSpec, Schedule

Log = list[dict[str, float]]


class TrainingDiverged(RuntimeError):
    """The loss became NaN or infinite."""


@dataclass(frozen=True)
class Trained:
    """Finished runs, replica r being the r-th specification.

    model holds the prompts of all R replicas; prepared what their methods computed beforehand, each
    tensor (R, ...); logs one row per epoch and replica; errors what befell a replica, if anything.
    """

    model: PromptedCLIP
    setting: Setting
    prepared: dict[str, Tensor]
    logs: list[Log]
    errors: list[TrainingDiverged | None]


def train(
    specs: Sequence[RunSpec],
    backbone: Backbone,
    dataset: ImageDataset,
    subsets: Sequence[Subset],
    after_epoch: Callable[[PromptedCLIP], list[dict[str, float]]] | None = None,
    progress: bool = False,
) -> Trained:
    """Train prompts on subsets of a data set: R runs in one pass, each as if it were alone.

    The runs share everything but their seed and the hyper-parameters that their method names in
    `per_replica`. Learned tensors, batches and losses carry the leading replica dimension; no
    operation mixes replicas and SGD is element-wise, so each run gets the numbers that it would get
    by itself, to rounding. A log has a row per epoch: learning rate, mean of every loss term,
    training accuracy, and what `after_epoch` returned for the replica.

    A replica whose loss or prompts stop being finite gets an error, the others go on. Raises
    ValueError for prompts deeper than the backbone or classes that cannot be clustered.
    """
    first, methods = specs[0], [spec.method for spec in specs]
    method, schedule, device = first.method, first.schedule, backbone.device
    generators = [torch_stream("init", spec.seed) for spec in specs]
    prompts = init_prompts(backbone, method.prompt_shape(), generators)
    model = PromptedCLIP(backbone, prompts)
    setting = Setting(
        dataset.class_names,
        frozen_prototypes(backbone, dataset.class_names, method.anchor_templates),
        torch.tensor([subset.counts for subset in subsets], device=device),
    )
    prepared = prepare(methods, setting)
    logs: list[Log] = [[] for _ in specs]
    errors: list[TrainingDiverged | None] = [None for _ in specs]
    trained = Trained(model, setting, prepared, logs, errors)
    parameters = list(prompts.parameters())
    if not parameters:
        return trained

    weights = {
        name: parameters[0].new_tensor([m.weights()[name] for m in methods])
        for name in method.weights()
    }
    tower = model.text_tower(dataset.class_names)
    samples = list(dict.fromkeys(sample for subset in subsets for sample in subset.samples))
    encode = model.image_features
    if len(prompts.vision):
        pool = pictures(backbone, dataset, samples)
    else:  # a frozen image tower needs to see each picture only once
        pool, encode = model.encode_samples(dataset, samples)[0], torch.nn.Identity()
    place = {sample: row for row, sample in enumerate(samples)}
    rows = torch.tensor([[place[s] for s in subset.samples] for subset in subsets], device=device)
    labels = torch.tensor([[s.label for s in subset.samples] for subset in subsets], device=device)
    optimiser = sgd(parameters, schedule)

    def step(batch: Tensor) -> dict[str, Tensor]:
        """One update from the (R, B) positions of a batch; what to log, each (R,)."""
        features = encode(pool[rows.gather(1, batch)])
        prototypes = model.prototypes(tower)
        logits = model.logits(features, prototypes)
        state = Step(features, prototypes, logits, labels.gather(1, batch))
        terms = method.losses(state, setting, prepared)
        loss = sum(weight * terms[name] for name, weight in weights.items())
        optimiser.zero_grad(set_to_none=True)
        loss.sum().backward()
        optimiser.step()
        hits = (logits.argmax(-1) == state.labels).float().mean(-1)
        return {k: v.detach() for k, v in {**terms, "loss": loss}.items()} | {
            "train_accuracy": 100 * hits
        }

    n_samples = rows.shape[1]
    epochs = planned_epochs(first, len(dataset.class_names), n_samples)
    if device.type == "cuda":
        size = min(schedule.batch_size, n_samples)
        example = torch.zeros(len(specs), size, dtype=torch.long, device=device)
        start = [p.detach().clone() for p in parameters]
        step = captured(step, example)
        rewind(optimiser, start)
    title = first.run_id if len(specs) == 1 else f"{first.run_id} and {len(specs) - 1} more"
    for epoch in tqdm(range(epochs), desc=title, leave=False, disable=not progress):
        rate = schedule.learning_rate(epoch, epochs)
        set_rate(optimiser, rate)
        orders = [batches(n_samples, schedule.batch_size, spec.seed, epoch) for spec in specs]
        sums: dict[str, Tensor] = {}
        for batch in torch.stack([torch.stack(order) for order in orders], dim=1).to(device):
            sums = {name: value + sums.get(name, 0) for name, value in step(batch).items()}
        means = {name: (total / len(orders[0])).tolist() for name, total in sums.items()}
        # The last step of an epoch can spoil the prompts after its loss was still finite.
        sound = torch.stack([p.isfinite().flatten(1).all(1) for p in parameters]).all(0).tolist()
        extra = after_epoch(model) if after_epoch else [{} for _ in specs]
        for r in range(len(specs)):
            if errors[r] is not None:
                continue
            row = {"epoch": epoch + 1, "lr": rate} | {k: v[r] for k, v in means.items()}
            logs[r].append(row | extra[r])
            if not (math.isfinite(row["loss"]) and sound[r]):
                errors[r] = TrainingDiverged(
                    f"Run {specs[r].run_id}: the loss or the prompts became NaN or infinite in "
                    f"epoch {epoch + 1} ({', '.join(f'{k} {v:.3g}' for k, v in row.items())}). "
                    "Lower the learning rate or the loss weights; other runs are not affected."
                )
        if all(errors):
            break
    return trained


def prepare(methods: Sequence[Method], setting: Setting) -> dict[str, Tensor]:
    """What the replicas' methods compute once, stacked to (R, ...)."""
    once = {method: method.prepare(setting) for method in methods}
    return {
        name: torch.stack([once[method][name] for method in methods]) for name in once[methods[0]]
    }


def sgd(parameters: Iterable[Tensor], schedule: Schedule) -> torch.optim.SGD:
    """The optimiser of a schedule; `set_rate` sets the rate of an epoch."""
    parameters = list(parameters)
    on_gpu = parameters[0].is_cuda
    rate = schedule.warmup_lr
    return torch.optim.SGD(
        parameters,
        # A captured step reads its rate from the device.
        lr=torch.tensor(rate, device=parameters[0].device) if on_gpu else rate,
        momentum=schedule.momentum,
        weight_decay=schedule.weight_decay,
        fused=on_gpu,
    )


def set_rate(optimiser: torch.optim.SGD, rate: float) -> None:
    """Set the learning rate, in place where it is a tensor."""
    group = optimiser.param_groups[0]
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


@torch.no_grad()
def rewind(optimiser: torch.optim.SGD, start: Sequence[Tensor]) -> None:
    """Undo steps in place: parameters as at the start, no momentum."""
    for parameter, value in zip(optimiser.param_groups[0]["params"], start, strict=True):
        parameter.copy_(value)
        optimiser.state[parameter]["momentum_buffer"].zero_()


def planned_epochs(spec: RunSpec, n_classes: int, n_samples: int) -> int:
    """Epochs of a run, after `match_balanced_steps`."""
    epochs, batch_size = spec.schedule.epochs, spec.schedule.batch_size
    if not spec.schedule.match_balanced_steps:
        return epochs
    wanted = epochs * steps_per_epoch(n_classes * spec.n_max, batch_size)
    return round(wanted / steps_per_epoch(n_samples, batch_size))


def steps_per_epoch(n_samples: int, batch_size: int) -> int:
    """Full batches; an incomplete one counts only if it is alone."""
    return max(1, n_samples // batch_size)


def batches(n_samples: int, batch_size: int, seed: int, epoch: int) -> list[Tensor]:
    """Seeded shuffle cut into `steps_per_epoch` batches; what remains is left out this epoch."""
    order = torch.randperm(n_samples, generator=torch_stream("batches", seed, epoch))
    return list(order.split(batch_size))[: steps_per_epoch(n_samples, batch_size)]
