"""Tip-Adapter (Zhang et al., ECCV 2022): a cache of training images beside the class texts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from cptlab.clip import Prompts, PromptShape, kept
from cptlab.methods.base import NO_PROMPTS, Context, Method, Row, Support, Use
from cptlab.methods.schedule import Schedule

KEYS, LABELS, ALPHA, BETA = "cache_keys", "cache_labels", "alpha", "beta"
BETAS, ALPHAS = 200, 20
"""Numbers of values that a search tries, as published."""
ONE_SHOT = (1.17, 1.0)
"""alpha and beta where no class has two images: the release's for most data sets."""
AT_ONCE = 1024
"""Images that are compared with the cache at once, to save memory."""


@dataclass(frozen=True)
class TipAdapter(Method):
    """Zero-shot logits plus votes of the training images that look alike.

    The cache holds the normalised features k_i of N training images and their classes y_i; class k
    of an image f gets

        s cos(f, t_k) + alpha sum over i with y_i = k of exp(-beta (1 - cos(f, k_i))).

    Nothing is trained ("Tip-Adapter"), or, with fine_tune, the keys are ("Tip-Adapter-F", which
    leaves them at the length that they get). A key is the feature of its image averaged over 10
    random crops; where a run takes no crops, of the image as it is.

    alpha, beta: None sets them by leave-one-out: of the release's grid (up to largest_alpha and
        largest_beta), the pair with which most training images are right, each asked of the cache
        of all others; of equal ones the first. A class of one image then has no other to vote for
        it; where all classes are such, there is nothing to choose by, and the pair is the usual
        published one, alpha 1.17 and beta 1. With one of them given, the other is searched.

    The release searches the same grid by accuracy on validation images, which on ImageNet are the
    test images, and fine-tunes with a pair that is set by hand before that search (beta 1; alpha 10
    on Flowers, 5 on Aircraft, 3 on Caltech, Cars and UCF, 2 on DTD and EuroSAT, else 1.17), keeping
    the epoch that is best on test images. Here no test data are seen: one pair serves training and
    tests, and the last epoch counts. In a long tail such hand-set pairs let frequent classes win:
    at beta 1 an image hardly looks whom it is like, and the votes count images.

    Trained classes have their votes in any order and number. In any other list of names, and so
    among new classes, the cache's term is zero: they are told by their frozen texts alone.

    Also unlike the release: it averages seven sentences on ImageNet, its crops show 50 to 100 % of
    an image (here 8 to 100 %, as for all methods), its last batch of an epoch may be smaller (here
    it is left out), and it computes in half precision.
    """

    name: ClassVar[str] = "tip_adapter"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("Tip-Adapter", "#1E0F78", (10, 1, 0)),
        Row("Tip-Adapter-F", "#395FC2", (12, 1, 0), options={"fine_tune": True}),
    )
    per_replica: ClassVar[tuple[str, ...] | None] = ("alpha", "beta")
    support_views: ClassVar[int] = 10
    published_for: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "caltech101": {"largest_alpha": 5.0},
        "dtd": {"largest_alpha": 13.0, "largest_beta": 13.0},
        "eurosat": {"epochs": 100},
        "fgvc_aircraft": {"largest_alpha": 30.0, "largest_beta": 30.0},
        "flowers102": {"largest_alpha": 50.0, "largest_beta": 50.0},
        "food101": {"largest_beta": 10.0},
        "imagenet": {"largest_alpha": 3.0, "largest_beta": 7.0},
        "oxford_pets": {"largest_alpha": 3.0, "largest_beta": 7.0},
        "stanford_cars": {"largest_beta": 20.0},
        "ucf101": {"largest_alpha": 3.0, "largest_beta": 7.0},
    }
    fine_tune: bool = False
    alpha: float | None = None
    beta: float | None = None
    largest_alpha: float = 10.0
    largest_beta: float = 12.0

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "largest_alpha", "largest_beta"):
            value = getattr(self, name)
            if isinstance(value, int | float) and not 0 <= value < math.inf:
                raise ValueError(f"{name} is {value}: give a number of at least 0, such as 1.")
        super().__post_init__()

    @property
    def anchor_templates(self) -> tuple[str, ...] | None:
        return None

    def searched(self) -> Mapping[str, tuple[object, ...]]:
        return {} if self.fine_tune else {"alpha": (1.17, 3.0, 9.0), "beta": (1.0, 5.5)}

    def schedule(self) -> Schedule:
        return Schedule(
            epochs=20,
            lr=0.001,
            batch_size=256,
            weight_decay=0.01,
            optimiser="adamw",
            eps=1e-4,
            annealing="steps",
        )

    def prompt_shape(self) -> PromptShape:
        return NO_PROMPTS

    def prompt_template(self, n_tokens: int, own: str) -> str:
        return own

    def learns(self) -> bool:
        return self.fine_tune

    def start(self, context: Context, support: Support) -> dict[str, Tensor]:
        keys = F.normalize(support.features.mean(1), dim=-1)
        alphas = grid(self.largest_alpha, ALPHAS) if self.alpha is None else [self.alpha]
        betas = grid(self.largest_beta, BETAS) if self.beta is None else [self.beta]
        row = column = 0
        if support.labels.bincount().max() < 2:  # every right vote is left out
            alphas = [ONE_SHOT[0] if self.alpha is None else self.alpha]
            betas = [ONE_SHOT[1] if self.beta is None else self.beta]
        if len(alphas) * len(betas) > 1:
            texts = F.normalize(context.frozen_prototypes, dim=-1)
            logits = context.logit_scale * keys @ texts.mT
            hits = leave_one_out(keys, support.labels, logits, betas, alphas)
            row, column = divmod(int(hits.argmax()), len(alphas))
        return {
            KEYS: keys if self.fine_tune else kept(keys),
            LABELS: support.labels,
            ALPHA: kept(keys.new_tensor(alphas[column])),
            BETA: kept(keys.new_tensor(betas[row])),
        }

    def adapt_logits(
        self, prompts: Prompts, logits: Tensor, image_features: Tensor, use: Use
    ) -> Tensor:
        if use == "new":
            return logits
        extra = prompts.extra
        members = one_hot(extra[LABELS], logits.shape[-1], logits)
        alpha, beta = (extra[name].view(-1, 1, 1) for name in (ALPHA, BETA))
        votes = [
            (beta * (part @ extra[KEYS].mT - 1)).exp() @ members
            for part in F.normalize(image_features, dim=-1).split(AT_ONCE, -2)
        ]
        return logits + alpha * torch.cat(votes, -2)

    def weights(self) -> dict[str, float]:
        return {"ce": 1.0} if self.fine_tune else {}


def one_hot(labels: Tensor, n_classes: int, like: Tensor) -> Tensor:
    """Labels (..., N) as (..., N, K) of 0 and 1, in the type of a tensor."""
    classes = torch.arange(n_classes, device=labels.device)
    return (labels.unsqueeze(-1) == classes).to(like.dtype)


def grid(largest: float, count: int) -> list[float]:
    """The release's values: evenly from .1, up to but without the largest."""
    return [i * (largest - 0.1) / count + 0.1 for i in range(count)]


def leave_one_out(
    keys: Tensor, labels: Tensor, logits: Tensor, betas: list[float], alphas: list[float]
) -> Tensor:
    """Number of cached images that are right without their own vote, (betas, alphas).

    Args:
        keys: (N, d), of length 1. labels: (N,). logits: (N, K), zero-shot.
    """
    members, weights = one_hot(labels, logits.shape[-1], logits), keys.new_tensor(alphas)
    hits = torch.zeros(len(betas), len(alphas), dtype=torch.long, device=keys.device)
    for rows in torch.arange(len(keys), device=keys.device).split(AT_ONCE):
        away = 1 - keys[rows] @ keys.mT
        away[torch.arange(len(rows), device=rows.device), rows] = (
            torch.inf
        )  # its own vote is exp(-inf)
        for i, beta in enumerate(betas):
            votes = (-beta * away).exp() @ members
            guesses = (logits[rows, None] + weights[:, None] * votes[:, None]).argmax(-1)
            hits[i] += (guesses == labels[rows, None]).sum(0)
    return hits
