"""What a method is: a frozen dataclass of hyper-parameters and a few short functions.

A method says what it learns (`prompt_shape`, `extra`, `start`), how that enters the two towers
(`tokens`, `class_tokens`, `low_rank`, `image_context`, `adapt_images`, `adapt_texts`) or what comes
after them (`classifier`, `adapt_logits`, `own_logits`), and what it minimises: `prepare` computes
once what stays fixed, `losses` returns the named terms of a step, each (R,), `weights` their
factors. Summing and logging belong to the training loop. Whatever a method leaves out is done as in
plain prompt tuning; nothing but `prompt_shape` and `losses` is required.

Replicas of one pass call these functions once, together: R is their number. They may differ in the
hyper-parameters that `per_replica` names: those that only `weights` and `prepare` read, which each
replica has its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar

import torch.nn.functional as F
from torch import Generator, Tensor

from cptlab.checks import check_values
from cptlab.clip import CONTEXT_INIT, Backbone, LowRank, Prompts, PromptShape, prompt_template
from cptlab.methods.inputs import BatchOutputs, Context, Support, Tokens, Tower, Use
from cptlab.methods.schedule import PUBLISHED, Schedule

PHOTO = ("a photo of a {}.",)
"""The sentence of frozen prototypes; only a method that uses them makes it an option."""
NO_PROMPTS = PromptShape(text_tokens=0, text_depth=0, vision_tokens=0, vision_depth=0)

PROTOCOLS = ("base_to_new", "few_shot", "transfer")
GREY = "#8C8C8C"
COLOR = re.compile("#[0-9A-Fa-f]{6}")


@dataclass(frozen=True)
class Row:
    """A row of tables and figures: a method under some hyper-parameters, and how it is drawn.

    label: unique among all rows. color: "#RRGGBB". marker: of Matplotlib, a filled one: a letter or
    (corners, 1 for a star, degrees). dashes: dashes and gaps in points, for lines that often lie on
    another. options: fields of the method and their values.
    """

    label: str
    color: str = GREY
    marker: str | tuple[int, int, int] = "h"
    dashes: tuple[float, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not COLOR.fullmatch(self.color):
            raise ValueError(f"Row {self.label!r}: the color is {self.color!r}, not like #C88300.")


@dataclass(frozen=True)
class Method:
    """Base of all methods, with plain prompt tuning as what is done if nothing else is said.

    rows: how tables and figures show it; without any, by its class name and in grey. protocols:
    where it takes part.
    per_replica: hyper-parameters that replicas of a pass may differ in; None: every run trains
    alone. per_image: text features depend on the image. views: augmented views of each image that a
    step needs (0: the image as it is); the first one is learned from. frozen_images: the frozen
    tower also encodes the image (its last view). support_views: views of each training image that
    `start` gets the frozen features of, where a run takes crops (0: it needs none).
    support_as_tested: that one view is the image as tests see it, also where a run takes crops.
    learns_from_support: steps draw from these features, so that no tower runs in them.
    published_for: protocol or data set -> fields of the method or its schedule that were published
    for it, where they differ from those for base to new (`published`).
    """

    name: ClassVar[str] = "plain"
    rows: ClassVar[tuple[Row, ...]] = ()
    protocols: ClassVar[tuple[str, ...]] = PROTOCOLS
    per_replica: ClassVar[tuple[str, ...] | None] = ()
    per_image: ClassVar[bool] = False
    views: ClassVar[int] = 0
    frozen_images: ClassVar[bool] = False
    support_views: ClassVar[int] = 0
    support_as_tested: ClassVar[bool] = False
    learns_from_support: ClassVar[bool] = False
    published_for: ClassVar[Mapping[str, Mapping[str, object]]] = {}

    def __post_init__(self) -> None:
        check_values(self)

    # Some methods make an option of these: a field of the same name.
    @property
    def anchor_templates(self) -> tuple[str, ...] | None:
        """Sentences behind the frozen prototypes; None: the data set's own (`RunSpec.template`, or
        its `ImageDataset.template`), which does not touch the others."""
        return PHOTO

    @property
    def context_init(self) -> str | None:
        """Words that the first text layer starts from; None: random.

        More tokens than these words start at random too, unless the words are a user's choice,
        which `check` then refuses.
        """
        return CONTEXT_INIT

    @property
    def hard_negatives(self) -> int:
        """Classes that each image draws into its batch (`parts.negatives`)."""
        return 0

    @property
    def knows_new_names(self) -> bool:
        """Whether training reads the names of classes that base to new tests later."""
        return False

    def published(self, where: str) -> Mapping[str, object]:
        """What was published for a protocol or data set, for this variant of the method."""
        return self.published_for.get(where, {})

    def searched(self) -> Mapping[str, tuple[object, ...]]:
        """Hyper-parameters that `cptlab tune` tries beside the rate, with their values: three
        combinations, or six of a method that trains nothing.
        """
        return {}

    def schedule(self) -> Schedule:
        """The published schedule (base to new); CPT's own where there is none."""
        return PUBLISHED

    def class_logits(self) -> bool:
        """Whether its cross-entropy is over classes and a run's `Balance` can act on it."""
        return True

    def files(self) -> tuple[str, ...]:
        """Paths of the user's own files that the method reads: results depend on their content."""
        return ()

    def substitutes(self) -> dict[str, str]:
        """What a run lacks -> what is used instead; stored with results."""
        return {}

    # ------------------------------------------------------------------ what is learned
    def prompt_shape(self) -> PromptShape:
        """Learnable tokens of both towers."""
        raise NotImplementedError

    def learns(self) -> bool:
        """Whether these hyper-parameters leave anything to learn."""
        return bool(self.prompt_shape())

    def check(self, backbone: Backbone, n_classes: int) -> None:
        """Raise ValueError if the method cannot learn so many classes on this backbone."""
        self.prompt_shape().check(backbone)
        if self.weights() and not self.learns():
            raise ValueError(
                f"Method {self.name} has nothing to learn: give it at least one token and a depth "
                "of 1."
            )
        words, tokens = self.context_init, self.prompt_shape().text_tokens
        chosen = any(f.name == "context_init" and f.default != words for f in fields(self))
        if chosen and words is not None and len(words.split()) < tokens:
            raise ValueError(
                f"context_init is {words!r}, {len(words.split())} words for {tokens} context "
                "tokens: give at least as many words as tokens, or a smaller text_tokens."
            )
        if self.hard_negatives > n_classes:
            raise ValueError(
                f"Method {self.name} draws {self.hard_negatives} hard negatives for each image, "
                f"but there are {n_classes} classes to learn: choose hard_negatives of at most "
                f"{n_classes}."
            )

    def extra(self, backbone: Backbone, generator: Generator) -> dict[str, Tensor]:
        """Start values of whatever else one replica learns, by name; they get the axis R."""
        return {}

    def start(self, context: Context, support: Support) -> dict[str, Tensor]:
        """The same for what starts from frozen texts and images, of methods with `support_views`.

        What `cptlab.clip.kept` marks, and whole numbers, are stored with it and never change.
        """
        return {}

    def first_stage(self) -> Method | None:
        """A method to train first, whose prompts then go through `second_stage`."""
        return None

    def second_stage(self, prompts: Prompts) -> Prompts:
        """Start of the second stage, from the prompts of the first."""
        return prompts

    # ------------------------------------------------------------------ how it enters the towers
    def prompt_template(self, n_tokens: int, own: str) -> str:
        """The sentence around a class name, "{}", whose first n tokens the context replaces.

        own: the data set's own sentence, which zero-shot classification uses.
        """
        return prompt_template(n_tokens, self.context_init)

    def sentences(self, own: str) -> tuple[str, ...]:
        """Every sentence around a class name that training reads, and the data set's own."""
        shape, first = self.prompt_shape(), self.first_stage()
        prompted = self.prompt_template(shape.text_tokens if shape.text_depth else 0, own)
        earlier = first.sentences(own) if first else ()
        return (prompted, own, *(self.anchor_templates or ()), *earlier)

    def tokens(self, prompts: Prompts, use: Use) -> Tokens:
        """Tokens for both towers out of what is learned."""
        return Tokens(list(prompts.text), list(prompts.vision))

    def class_tokens(self, prompts: Prompts, frozen: Tensor) -> dict[int, Tensor]:
        """Block -> tokens (R, K, n, w) of every class's own, from its frozen prototype (K, d)."""
        return {}

    def adapted_towers(self) -> tuple[Tower, ...]:
        """The towers that `low_rank` has updates for."""
        return ()

    def low_rank(
        self, prompts: Prompts, tower: Tower, uniform: Tensor | None = None
    ) -> dict[int, LowRank]:
        """Block of a tower -> what is added to its query, key and value projections.

        uniform: random numbers (R,) of a training step, for dropout; None where nothing is drawn.
        """
        return {}

    def image_context(self, prompts: Prompts, image_features: Tensor) -> Tensor:
        """First text layer (R, B, n, w) for each image, from features (R, B, d)."""
        raise NotImplementedError

    def adapt_images(self, prompts: Prompts, features: Tensor) -> Tensor:
        """Image features (R, B, d) as they are compared with texts."""
        return features

    def adapt_texts(self, prompts: Prompts, features: Tensor) -> Tensor:
        """Prototypes (R, K, d) as they are compared with images."""
        return features

    # ------------------------------------------------------------------ what comes after them
    def classifier(self, prompts: Prompts, use: Use) -> Tensor | None:
        """Weights (R, K, d) of the trained classes in place of their text features; None: these.

        Like what follows, it counts all trained classes in their order; of these, names that are
        asked otherwise get what stands under their name (`PromptedCLIP.bind`).
        """
        return None

    def adapt_logits(
        self, prompts: Prompts, logits: Tensor, image_features: Tensor, use: Use
    ) -> Tensor:
        """Logits (R, B, K) from scaled cosines (R, B, K) and raw image features (R or 1, B, d)."""
        return logits

    def own_logits(
        self,
        prompts: Prompts,
        image_features: Tensor,
        prototypes: Tensor,
        logit_scale: float,
        use: Use,
    ) -> Tensor | None:
        """Logits (R, B, K) that are not cosines of features (R, B, d) with prototypes (R, K, d),
        neither normalised; None: these, and `adapt_logits`."""
        return None

    # ------------------------------------------------------------------ what is minimised
    def weights(self) -> dict[str, float]:
        """Factor of each loss term."""
        return {"ce": 1.0}

    def prepare(self, context: Context) -> dict[str, Tensor]:
        """What is computed once before training, for one replica; `losses` gets it as (R, ...).

        `losses` may change these tensors in place to keep a state.
        """
        return {}

    def losses(
        self, outputs: BatchOutputs, context: Context, prepared: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Loss terms of a step, each (R,)."""
        return {"ce": cross_entropy(outputs)}

    def averaging(self, epochs: int) -> Tensor | None:
        """Weights (epochs,) with which end-of-epoch values make the final ones; None: the last."""
        return None


def rows_of(method: type[Method]) -> tuple[Row, ...]:
    """The rows that a method's own file gives it, none of the method that it builds on."""
    return vars(method).get("rows") or (Row(method.__name__),)


def cross_entropy(outputs: BatchOutputs) -> Tensor:
    """Image-to-class cross-entropy over all K training classes, mean over the batch: (R,).

    With the run's balance, if it has one: offsets are added to the logits, and an image weighs
    what its class weighs.
    """
    logits = outputs.logits
    if outputs.logit_offsets is not None:
        logits = logits + outputs.logit_offsets.unsqueeze(-2)
    per_image = F.cross_entropy(logits.flatten(0, 1), outputs.labels.flatten(), reduction="none")
    per_image = per_image.view(outputs.labels.shape)
    if outputs.class_weights is not None:
        per_image = per_image * outputs.class_weights.gather(-1, outputs.labels)
    return per_image.mean(-1)
