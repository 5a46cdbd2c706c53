"""Neural collapse of a finished run, from its prompts and its training images."""

from __future__ import annotations

from cptlab.data import draw_long_tailed
from cptlab.lab.runs import inputs
from cptlab.training.evaluation import collapse
from cptlab.training.model import PromptedCLIP, frozen_prototypes
from cptlab.training.spec import RunSpec


def collapse_of(spec: RunSpec, model: PromptedCLIP, checksum: str) -> dict[str, float]:
    """Measures of `evaluation.collapse` after training.

    checksum: of the training images that the run drew.

    Raises ValueError if other images would be drawn now.
    """
    learned = inputs.task_of(spec).learned
    subset = draw_long_tailed(learned, spec.tau, spec.seed, spec.n_max, spec.class_order)
    if subset.checksum != checksum:
        raise ValueError(
            f"The training images of run {spec.run_id} are not those that it learned from: images "
            "of its data set were added, removed or renamed. Put them back, or train the run again."
        )
    templates = spec.method.anchor_templates or (learned.template,)
    frozen = frozen_prototypes(model.backbone, learned.class_names, templates)  # as `context_of`
    return collapse(model, learned, [subset], frozen)[0]
