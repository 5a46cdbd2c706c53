"""Parts that methods share: by hand, against torch's own, and what they refuse."""

import json
import math
import random

import pytest
import torch
import torch.nn.functional as F
from tiny_clip import tiny_clip

from cptlab.clip import IMAGENET_TEMPLATES
from cptlab.geometry.losses import class_wise_convergence
from cptlab.methods.base import BatchOutputs, cross_entropy
from cptlab.methods.parts.averaging import gaussian_weights
from cptlab.methods.parts.balance import Balance
from cptlab.methods.parts.bottleneck import (
    bottleneck,
    bottleneck_start,
    linear,
    linear_start,
    quick_gelu,
)
from cptlab.methods.parts.coupling import coupled, coupling_start
from cptlab.methods.parts.descriptions import descriptions_of
from cptlab.methods.parts.negatives import hard_negatives
from cptlab.methods.parts.views import augmented

COUNTS = torch.tensor([[16, 4, 1]])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def step(logits: torch.Tensor, labels: list[int], **balance: torch.Tensor) -> BatchOutputs:
    return BatchOutputs(
        torch.zeros(1), torch.zeros(1), logits, torch.tensor([labels]), None, **balance
    )


# ------------------------------------------------------------------------------ long-tail classics


def test_logit_adjustment_by_hand():
    offsets = Balance(logits="logit_adjustment", adjustment=2.0).logit_offsets(COUNTS)
    expected = [2 * math.log(n / 21) for n in (16, 4, 1)]
    assert offsets[0].tolist() == pytest.approx(expected)
    logits = torch.tensor([[[1.0, 0.5, -0.2]]])
    shifted = [value + offset for value, offset in zip((1.0, 0.5, -0.2), expected)]
    wanted = math.log(sum(map(math.exp, shifted))) - shifted[2]
    loss = cross_entropy(step(logits, [2], logit_offsets=offsets))
    assert loss.tolist() == pytest.approx([wanted])


def test_balanced_softmax_is_logit_adjustment_of_one():
    """Ren et al. (eq. 4) multiply exponentials by n_k; priors differ from counts by a factor."""
    logits = torch.randn(1, 5, 3, generator=generator())
    labels = [0, 0, 1, 2, 2]
    plain = torch.softmax(logits, -1) * COUNTS.unsqueeze(1)
    by_hand = -(plain / plain.sum(-1, keepdim=True))[0, range(5), labels].log().mean()
    for balance in (Balance(logits="balanced_softmax"), Balance(logits="logit_adjustment")):
        loss = cross_entropy(step(logits, labels, logit_offsets=balance.logit_offsets(COUNTS)))
        assert loss.item() == pytest.approx(by_hand.item(), rel=1e-5)
    assert Balance().logit_offsets(COUNTS) is None


def test_class_balanced_weights_by_hand():
    beta = 0.9
    effective = [(1 - beta**n) / (1 - beta) for n in (16, 4, 1)]
    mean = sum(1 / e for e in effective) / 3
    weights = Balance(class_weights=True, beta=beta).weights(COUNTS)
    assert weights[0].tolist() == pytest.approx([1 / e / mean for e in effective])
    logits = torch.randn(1, 2, 3, generator=generator())
    each = F.cross_entropy(logits[0], torch.tensor([2, 0]), reduction="none")
    wanted = (each[0] * weights[0, 2] + each[1] * weights[0, 0]) / 2
    loss = cross_entropy(step(logits, [2, 0], class_weights=weights))
    assert loss.item() == pytest.approx(wanted.item())
    assert Balance().weights(COUNTS) is None
    # beta = 0 leaves all classes alike.
    assert Balance(class_weights=True, beta=0.0).weights(COUNTS).tolist() == [[1, 1, 1]]


def test_class_balanced_sampling_gives_classes_equal_chances():
    labels = torch.tensor([0] * 16 + [1] * 4 + [2])
    chances = Balance(sampling="class_balanced").image_weights(labels)
    by_class = torch.zeros(3, dtype=chances.dtype).index_add(0, labels, chances)
    assert by_class.tolist() == pytest.approx([1, 1, 1])
    assert Balance().image_weights(labels) is None


@pytest.mark.parametrize("sampling", ["shuffled", "class_balanced"])
def test_convergence_averages_over_classes_however_they_are_drawn(sampling):
    labels, balance = torch.tensor([0] * 16 + [1] * 4 + [2]), Balance(sampling=sampling)
    features = torch.randn(21, 5, generator=generator())
    prototypes = torch.randn(3, 5, generator=generator())
    chances = balance.image_weights(labels)
    chances = torch.full((21,), 1 / 21) if chances is None else chances / chances.sum()
    counts = balance.drawn(COUNTS)[0]
    each = [
        class_wise_convergence(features[[i]], prototypes, labels[[i]], counts) for i in range(21)
    ]
    expected = (chances * torch.stack(each)).sum()
    apart = (
        (F.normalize(features, dim=-1) - F.normalize(prototypes, dim=-1)[labels]).square().sum(-1)
    )
    by_class = [apart[labels == c].mean() for c in range(3)]
    assert expected.item() == pytest.approx(sum(by_class).item() / 3, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 1.0}, r"Balance\.beta must lie in \[0, 1\), got 1"),
        ({"logits": "menon"}, r"Balance\.logits is 'menon', but must be one of plain"),
        ({"sampling": "tail"}, r"Balance\.sampling is 'tail'"),
        ({"adjustment": 2.0}, r"Balance\.adjustment does nothing without logits"),
        ({"beta": 0.5}, r"Balance\.beta does nothing without class_weights"),
    ],
)
def test_balance_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        Balance(**options)


# ----------------------------------------------------------------------------------- small layers


@pytest.mark.parametrize("bias", [True, False])
def test_linear_layers_of_replicas_equal_torch(bias):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [torch.nn.Linear(5, 3, bias=bias) for _ in range(2)]
    learned = {"a_weight": torch.stack([layer.weight for layer in layers])}
    if bias:
        learned["a_bias"] = torch.stack([layer.bias for layer in layers])
    for shape in ((2, 4, 5), (2, 4, 7, 5), (1, 4, 5)):
        x = torch.randn(shape, generator=generator())
        expected = torch.stack([layer(x[r % len(x)]) for r, layer in enumerate(layers)])
        torch.testing.assert_close(linear(x, learned, "a"), expected)


def test_linear_layers_start_like_torch():
    start = linear_start("a", 400, 30, generator())
    assert {name: tuple(v.shape) for name, v in start.items()} == {
        "a_weight": (30, 400),
        "a_bias": (30,),
    }
    assert start["a_weight"].abs().max() <= 0.05
    assert start["a_weight"].std().item() == pytest.approx(0.05 / 3**0.5, rel=0.03)
    assert linear_start("a", 4, 3, generator(), bias=False).keys() == {"a_weight"}


def test_bottleneck_by_hand():
    learned = {k: v[None] for k, v in bottleneck_start("m", (4, 2, 3), generator()).items()}
    x = torch.randn(1, 6, 4, generator=generator(1))
    hidden = x @ learned["m_1_weight"].mT + learned["m_1_bias"]
    for activation in (torch.relu, quick_gelu):
        expected = activation(hidden) @ learned["m_2_weight"].mT + learned["m_2_bias"]
        torch.testing.assert_close(bottleneck(x, learned, "m", activation), expected)
    assert quick_gelu(torch.tensor(1.0)).item() == pytest.approx(1 / (1 + math.exp(-1.702)))


def test_deeper_couplings_start_alike():
    backbone = tiny_clip()
    start = coupling_start(backbone, 3, generator())
    assert torch.equal(start["projection_1_weight"], start["projection_2_weight"])
    assert not torch.equal(start["projection_0_weight"], start["projection_1_weight"])
    text = [torch.randn(1, 2, backbone.text_width) for _ in range(3)]
    tokens = coupled(text, {name: value[None] for name, value in start.items()})
    assert [t.shape for t in tokens] == [(1, 2, backbone.vision_width)] * 3
    with pytest.raises(ValueError, match="depth is 4, but the vision tower of tiny has 3 layers"):
        coupling_start(backbone, 4, generator())


def test_gaussian_weights_by_hand():
    weights = gaussian_weights(3, 2.0, 1.0)
    side = math.exp(-0.5)
    expected = [side / (1 + 2 * side), 1 / (1 + 2 * side), side / (1 + 2 * side)]
    assert weights.tolist() == pytest.approx(expected)
    assert gaussian_weights(20, 15.0, 1.0).argmax() == 14


# ---------------------------------------------------------------------------------- views, batches


def test_views_are_seeded_and_leave_the_global_state_alone():
    images = torch.rand(3, 3, 16, 16, generator=generator())
    state = torch.get_rng_state()
    view, again, other = augmented(images, 1), augmented(images, 1), augmented(images, 2)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(view, again)
    assert not torch.equal(view, other)
    assert view.shape == images.shape and view.min() >= 0 and view.max() <= 1


def test_hard_negatives_join_once_and_are_topped_up():
    samples = [[10 * c, 10 * c + 1] for c in range(6)]
    labels, drawn = hard_negatives([2, 3], [[2, 3, 1], [3, 2, 1]], samples, random.Random(0))
    assert labels[0] == 2 and labels.count(3) == 1  # the batch's own class never joins again
    assert drawn[0] is None and drawn[labels.index(3)] is None
    assert len(set(labels)) == len(labels)
    for label, sample in zip(labels, drawn, strict=True):
        assert sample is None or sample in samples[label]
    assert labels[1] == 1 and not {0, 5} & set(labels)  # fillers: never the first or last class


# ------------------------------------------------------------------------------------ descriptions


def write(path, content) -> str:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_descriptions_from_a_file(tmp_path):
    path = write(tmp_path / "d.json", {"red_fox": ["a", "b"], "sea lion": ["c", "d"], "x": ["e"]})
    assert descriptions_of(["sea_lion", "red fox"], path) == [["c", "d"], ["a", "b"]]


def test_templates_take_the_place_of_descriptions():
    (rows,) = descriptions_of(["red_fox"])
    assert len(rows) == len(IMAGENET_TEMPLATES) == 80
    assert rows[0] == "a bad photo of a red fox."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a JSON object of lists of sentences"),
        (["fox"], "is not a JSON object of lists of sentences"),
        ({"fox": ["a", 3]}, "holds something else than sentences"),
        ({"fox": ["a"]}, r"describes no class 'red cat' \(1 are missing\)"),
        ({"fox": ["a"], "red cat": []}, "describes no class 'red cat'"),
        ({"fox": ["a"], "red cat": ["b", "c"]}, "has 1 sentences for 'fox' and 2 for 'red cat'"),
    ],
)
def test_unusable_descriptions(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        descriptions_of(["fox", "red_cat"], write(tmp_path / "d.json", content))


def test_absent_descriptions(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No class descriptions at .*none\.json"):
        descriptions_of(["fox"], str(tmp_path / "none.json"))
