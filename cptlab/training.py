"""The training loop: one frozen CLIP, and the prompts of one run or of several side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from cptlab.clip import Backbone, init_prompts
from cptlab.cuda_graph import captured
from cptlab.data import ImageDataset, Subset
from cptlab.methods import Method, Setting, Step
from cptlab.model import PromptedCLIP, frozen_prototypes, pictures
from cptlab.optimisation import batches, planned_epochs, rewind, set_rate, sgd
from cptlab.seeds import torch_stream
from cptlab.spec import RunSpec

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
    after_epoch: Callable[[Trained], list[dict[str, float]]] | None = None,
    progress: bool = False,
) -> Trained:
    """Train prompts on subsets of a data set: R runs in one pass, each as if it were alone.

    The runs share everything but their seed and the hyper-parameters that their method names in
    `per_replica`. Learned tensors, batches and losses carry the leading replica dimension; no
    operation mixes replicas and SGD is element-wise, so each run gets the numbers that it would get
    by itself, to rounding. A log has a row per epoch: learning rate, mean of every loss term,
    training accuracy, and what `after_epoch`, given the state so far, returned for the replica.

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
    learned = TrainingSet(model, dataset, subsets)
    optimiser = sgd(parameters, schedule)

    def step(batch: Tensor) -> dict[str, Tensor]:
        """One update from the (R, B) positions of a batch; what to log, each (R,)."""
        features, labels = learned.features(batch)
        prototypes = model.prototypes(tower)
        logits = model.logits(features, prototypes)
        state = Step(features, prototypes, logits, labels)
        terms = method.losses(state, setting, prepared)
        loss = sum(weight * terms[name] for name, weight in weights.items())
        optimiser.zero_grad(set_to_none=True)
        loss.sum().backward()
        optimiser.step()
        hits = 100 * (logits.argmax(-1) == labels).float().mean(-1)
        logged = {**terms, "loss": loss, "train_accuracy": hits}
        return {name: value.detach() for name, value in logged.items()}

    epochs = planned_epochs(first, len(dataset.class_names), learned.size)
    if device.type == "cuda":
        size = min(schedule.batch_size, learned.size)
        example = torch.zeros(len(specs), size, dtype=torch.long, device=device)
        start = [p.detach().clone() for p in parameters]
        step = captured(step, example)
        rewind(optimiser, start)
    title = first.run_id if len(specs) == 1 else f"{first.run_id} and {len(specs) - 1} more"
    for epoch in tqdm(range(epochs), desc=title, leave=False, disable=not progress):
        rate = schedule.learning_rate(epoch, epochs)
        set_rate(optimiser, rate)
        orders = [batches(learned.size, schedule.batch_size, spec.seed, epoch) for spec in specs]
        sums: dict[str, Tensor] = {}
        for batch in torch.stack([torch.stack(order) for order in orders], dim=1).to(device):
            sums = {name: value + sums.get(name, 0) for name, value in step(batch).items()}
        means = {name: (total / len(orders[0])).tolist() for name, total in sums.items()}
        # The last step of an epoch can spoil the prompts after its loss was still finite.
        sound = torch.stack([p.isfinite().flatten(1).all(1) for p in parameters]).all(0).tolist()
        extra = after_epoch(trained) if after_epoch else [{} for _ in specs]
        for r in (r for r, error in enumerate(errors) if error is None):
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


class TrainingSet:
    """The replicas' subsets: positions (R, N) in one pool of the pictures that any of them has."""

    def __init__(self, model: PromptedCLIP, dataset: ImageDataset, subsets: Sequence[Subset]):
        device = model.backbone.device
        samples = list(dict.fromkeys(sample for subset in subsets for sample in subset.samples))
        place = {sample: row for row, sample in enumerate(samples)}
        rows = [[place[sample] for sample in subset.samples] for subset in subsets]
        labels = [[sample.label for sample in subset.samples] for subset in subsets]
        self.size = len(rows[0])
        self.rows, self.labels = (torch.tensor(t, device=device) for t in (rows, labels))
        if len(model.prompts.vision):
            self.pool, self.encode = (
                pictures(model.backbone, dataset, samples),
                model.image_features,
            )
        else:  # a frozen image tower needs to see each picture only once
            self.pool = model.encode_samples(dataset, samples)[0]
            self.encode = torch.nn.Identity()

    def features(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Image features (R, B, d) and labels (R, B) at the positions (R, B) of a batch."""
        return self.encode(self.pool[self.rows.gather(1, batch)]), self.labels.gather(1, batch)


def prepare(methods: Sequence[Method], setting: Setting) -> dict[str, Tensor]:
    """What the replicas' methods compute once, stacked to (R, ...)."""
    once = {method: method.prepare(setting) for method in methods}
    return {
        name: torch.stack([once[method][name] for method in methods]) for name in once[methods[0]]
    }
