"""Each method's loss terms against formulas written out."""

import math

import pytest
import torch

from cptlab.clip import PromptShape
from cptlab.methods import CPT, IVLP, METHODS, BatchOutputs, Context, CoOp, GlobalETF, ZeroShot

K, B, D, SCALE = 6, 5, 8, 30.0
CLUSTERS = torch.tensor([0, 0, 1, 0, 1, 1])
COUNTS = torch.tensor([[16, 9, 5, 3, 1, 1]])


def randn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def make_step(images: torch.Tensor, prototypes: torch.Tensor, labels: torch.Tensor) -> BatchOutputs:
    return BatchOutputs(
        images, prototypes, SCALE * unit(images) @ unit(prototypes).mT, labels, uniform=None
    )


@pytest.fixture
def context():
    return Context(tuple("abcdef"), randn(K, D, seed=3), COUNTS, encode=None)


@pytest.fixture
def outputs():
    labels = torch.tensor([[0, 3, 3, 5, 1]])
    return make_step(randn(1, B, D, seed=1), randn(1, K, D, seed=2), labels)


def total(method, outputs, context, prepared) -> torch.Tensor:
    terms = method.losses(outputs, context, prepared)
    assert terms.keys() == method.weights().keys()
    return sum(weight * terms[name] for name, weight in method.weights().items())


def cross_entropy_by_loop(outputs: BatchOutputs) -> float:
    losses = []
    for image, label in zip(outputs.image_features[0], outputs.labels[0].tolist(), strict=True):
        logits = [SCALE * torch.dot(unit(image), unit(g)).item() for g in outputs.prototypes[0]]
        losses.append(math.log(sum(map(math.exp, logits))) - logits[label])
    return sum(losses) / len(losses)


def etf_by_loop(prototypes: torch.Tensor, clusters: list[int], mean: bool = False) -> float:
    loss = 0.0
    for m in set(clusters):
        members = [c for c, cluster in enumerate(clusters) if cluster == m]
        pairs = [(i, j) for i in members for j in members if i != j]
        target = -1 / (len(members) - 1)
        squares = [
            (torch.dot(unit(prototypes[i]), unit(prototypes[j])).item() - target) ** 2
            for i, j in pairs
        ]
        loss += sum(squares) / (len(squares) if mean else 1)
    return loss / len(set(clusters))


# ------------------------------------------------------------------------------------ loss terms


@pytest.mark.parametrize("method", [CoOp(), IVLP()])
def test_cross_entropy_methods(method, outputs, context):
    assert method.weights() == {"ce": 1.0}
    loss = total(method, outputs, context, method.prepare(context))
    assert loss.shape == (1,)
    assert loss.item() == pytest.approx(cross_entropy_by_loop(outputs))


def test_zero_shot_learns_nothing(context):
    method = ZeroShot()
    assert method.prompt_shape() == PromptShape(0, 0, 0, 0)
    assert (method.weights(), method.losses(None, context, {})) == ({}, {})


@pytest.mark.parametrize("reduction", ["sum", "pair_mean"])
def test_cpt_total_is_equation_12(outputs, context, reduction):
    method = CPT(etf_reduction=reduction)
    terms = method.losses(outputs, context, {"clusters": CLUSTERS})
    clip = cross_entropy_by_loop(outputs)
    tetf = etf_by_loop(outputs.prototypes[0], CLUSTERS.tolist(), mean=reduction == "pair_mean")
    cc = 0.0
    for image, y in zip(outputs.image_features[0], outputs.labels[0].tolist(), strict=True):
        gap = unit(image) - unit(outputs.prototypes[0, y])
        cc += gap.square().sum().item() * COUNTS.sum().item() / (K * COUNTS[0, y].item()) / B
    rs = sum(
        (unit(g) - unit(anchor)).abs().sum().item() / K
        for g, anchor in zip(outputs.prototypes[0], context.frozen_prototypes, strict=True)
    )
    expected = {"clip": clip, "tetf": tetf, "cc": cc, "rs": rs}
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected)
    # Eq. (12) with the paper's weights.
    loss = total(method, outputs, context, {"clusters": CLUSTERS})
    assert loss.item() == pytest.approx(clip + 0.25 * tetf + 0.15 * cc + 0.10 * rs)


def test_cpt_without_its_losses_is_ivlp(outputs, context):
    off = CPT(lambda_tetf=0, lambda_cc=0, lambda_rs=0)
    loss = total(off, outputs, context, {"clusters": CLUSTERS})
    assert torch.equal(loss, total(IVLP(), outputs, context, {}))
    assert off.prompt_shape() == IVLP().prompt_shape()


@pytest.mark.parametrize("name", ["tetf", "cc", "rs"])
def test_an_ablation_switches_off_one_term(name, outputs, context):
    prepared = {"clusters": CLUSTERS}
    full, without = CPT(), CPT(**{f"lambda_{name}": 0.0})
    term = full.weights()[name] * full.losses(outputs, context, prepared)[name]
    assert term.item() > 0.01
    difference = total(full, outputs, context, prepared) - total(
        without, outputs, context, prepared
    )
    torch.testing.assert_close(difference, term)


def test_cpt_passes_its_readings_on(outputs, context):
    """Every option of CPT that changes a loss changes the one it names."""
    prepared = {"clusters": CLUSTERS}
    default = CPT().losses(outputs, context, prepared)
    for options, changed in (
        ({"etf_reduction": "pair_mean"}, "tetf"),
        ({"etf_diagonal": "literal"}, "tetf"),
        ({"clip_loss": "batch_t2i"}, "clip"),
        ({"cc_weighting": "plain"}, "cc"),
        ({"cc_weighting": "batch_class"}, "cc"),
        ({"anchor_space": "raw"}, "rs"),
        ({"anchor_reduction": "mean"}, "rs"),
    ):
        terms = CPT(**options).losses(outputs, context, prepared)
        assert {name for name in terms if not torch.equal(terms[name], default[name])} == {changed}
    alone = {"clusters": torch.tensor([0, 0, 1, 1, 1, 2])}  # class 5 is on its own
    zero, dropped = (
        CPT(etf_singletons=how).losses(outputs, context, alone)["tetf"].item()
        for how in ("zero", "drop_from_M")
    )
    assert dropped == pytest.approx(1.5 * zero)


def test_batch_t2i_is_equation_1(outputs, context):
    method = CPT(clip_loss="batch_t2i")
    expected = 0.0
    labels = outputs.labels[0].tolist()
    for i in range(B):
        text = unit(outputs.prototypes[0, labels[i]])
        similarities = [SCALE * torch.dot(text, unit(f)).item() for f in outputs.image_features[0]]
        expected -= similarities[i] - math.log(sum(map(math.exp, similarities)))
    actual = method.losses(outputs, context, {"clusters": CLUSTERS})["clip"]
    assert actual.shape == (1,)
    assert actual.item() == pytest.approx(expected)


# ------------------------------------------------------------------------------------- clusters


def test_cpt_clusters_the_frozen_prototypes():
    directions = torch.eye(8, dtype=torch.float64)[:2].repeat_interleave(4, 0)
    prototypes = (directions + 0.1 * randn(8, 8, seed=0))[torch.tensor([0, 4, 1, 5, 2, 6, 3, 7])]
    context = Context(tuple("abcdefgh"), prototypes, torch.ones(1, 8), encode=None)
    for method in (CPT(cluster_size=4), CPT(n_clusters=2), CPT(n_clusters=2, cluster_seed=7)):
        assert method.prepare(context)["clusters"].tolist() == [0, 1] * 4
    assert CPT().prepare(context)["clusters"].tolist() == [0] * 8  # round(8 / 16) -> at least 1
    with pytest.raises(ValueError, match="Cannot make 9 clusters of 8 classes"):
        CPT(n_clusters=9).prepare(context)


# ---------------------------------------------------------------------------------- Global-ETF


def test_global_etf_pair_mean(outputs, context):
    method = GlobalETF(reduction="pair_mean")
    expected = cross_entropy_by_loop(outputs) + 0.25 * etf_by_loop(
        outputs.prototypes[0], [0] * K, mean=True
    )
    assert total(method, outputs, context, method.prepare(context)).item() == pytest.approx(
        expected
    )


def test_global_etf_sum_factor_by_hand():
    # K = 48, size 16: M = 3 clusters of k = 16, so (k - 1) / (M (K - 1)) = 15 / (3 * 47).
    context = Context(
        tuple(map(str, range(48))), randn(48, 9, seed=0), torch.ones(1, 48), encode=None
    )
    method = GlobalETF()
    assert method.prepare(context)["factor"] == pytest.approx(15 / 141)
    assert method.prepare(context)["clusters"].tolist() == [0] * 48
    prototypes = randn(1, 48, 9, seed=1)
    outputs = make_step(randn(1, 4, 9, seed=2), prototypes, torch.tensor([[0, 1, 2, 3]]))
    etf = method.losses(outputs, context, method.prepare(context))["etf"].item()
    assert etf == pytest.approx(15 / 141 * etf_by_loop(prototypes[0], [0] * 48))


def test_global_etf_sum_pulls_at_a_class_as_hard_as_cpt():
    """In a narrow cone with equal clusters, the pull at each class is nearly the same."""
    n, m, size, cosine = 48, 3, 16, 0.75
    # All pairs at the same cosine: a shared axis and one axis per class.
    shared, own = math.sqrt(cosine), math.sqrt(1 - cosine)
    prototypes = (
        torch.cat([torch.full((n, 1), shared), own * torch.eye(n)], dim=1)
        .double()[None]
        .requires_grad_()
    )
    context = Context(
        tuple(map(str, range(n))), prototypes[0].detach(), torch.ones(1, n), encode=None
    )
    outputs = make_step(torch.ones(1, 2, n + 1).double(), prototypes, torch.tensor([[0, 1]]))
    method = GlobalETF()
    global_etf = method.losses(outputs, context, method.prepare(context))["etf"]
    clusters = torch.arange(m).repeat_interleave(size)
    cpt = CPT().losses(outputs, context, {"clusters": clusters})["tetf"]
    pull = [
        torch.autograd.grad(loss.sum(), prototypes, retain_graph=True)[0][0, :, 0]
        for loss in (global_etf, cpt)
    ]
    # Along the shared axis a pair gives 4 (c + t) dc/dx, and the pairs of a class have the same
    # weight together; only the targets t = 1/(K-1) and 1/(k-1) differ.
    ratio = (cosine + 1 / (n - 1)) / (cosine + 1 / (size - 1))
    torch.testing.assert_close(pull[0], ratio * pull[1])
    assert pull[1].abs().min() > 0.1
    assert 0.9 < ratio < 1


# ------------------------------------------------------------------------------ names and sizes


def test_every_method_is_known_by_its_name():
    assert len(METHODS) == 18
    for name, cls in METHODS.items():
        assert cls.name == name and cls() == cls()
        templates = cls().anchor_templates
        assert templates is None or "{}" in templates[0]


def test_sizes_of_the_paper():
    """Trained numbers at ViT-B/16 (text width 512, vision width 768)."""

    def size(shape: PromptShape) -> int:
        text = shape.text_tokens * shape.text_depth * 512
        return text + shape.vision_tokens * shape.vision_depth * 768

    assert size(CoOp().prompt_shape()) == 2048
    assert size(CPT().prompt_shape()) == size(IVLP().prompt_shape()) == 46080
    assert size(CPT(text_depth=3, vision_depth=3).prompt_shape()) == 15360
