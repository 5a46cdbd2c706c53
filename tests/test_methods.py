"""Each method's loss terms against formulas written out."""

import math

import pytest
import torch

from cptlab.clip import PromptShape
from cptlab.methods import CPT, IVLP, METHODS, CoOp, GlobalETF, Setting, Step, ZeroShot

K, B, D, SCALE = 6, 5, 8, 30.0
CLUSTERS = torch.tensor([0, 0, 1, 0, 1, 1])
COUNTS = torch.tensor([[16, 9, 5, 3, 1, 1]])


def randn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def make_step(images: torch.Tensor, prototypes: torch.Tensor, labels: torch.Tensor) -> Step:
    return Step(images, prototypes, SCALE * unit(images) @ unit(prototypes).mT, labels)


@pytest.fixture
def setting():
    return Setting(tuple("abcdef"), randn(K, D, seed=3), COUNTS)


@pytest.fixture
def step():
    labels = torch.tensor([[0, 3, 3, 5, 1]])
    return make_step(randn(1, B, D, seed=1), randn(1, K, D, seed=2), labels)


def total(method, step, setting, prepared) -> torch.Tensor:
    terms = method.losses(step, setting, prepared)
    assert terms.keys() == method.weights().keys()
    return sum(weight * terms[name] for name, weight in method.weights().items())


def cross_entropy_by_loop(step: Step) -> float:
    losses = []
    for image, label in zip(step.image_features[0], step.labels[0].tolist(), strict=True):
        logits = [SCALE * torch.dot(unit(image), unit(g)).item() for g in step.prototypes[0]]
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
def test_cross_entropy_methods(method, step, setting):
    assert method.weights() == {"ce": 1.0}
    loss = total(method, step, setting, method.prepare(setting))
    assert loss.shape == (1,)
    assert loss.item() == pytest.approx(cross_entropy_by_loop(step))


def test_zero_shot_learns_nothing(setting):
    method = ZeroShot()
    assert method.prompt_shape() == PromptShape(0, 0, 0, 0)
    assert (method.weights(), method.losses(None, setting, {})) == ({}, {})


@pytest.mark.parametrize("reduction", ["sum", "pair_mean"])
def test_cpt_total_is_equation_12(step, setting, reduction):
    method = CPT(etf_reduction=reduction)
    terms = method.losses(step, setting, {"clusters": CLUSTERS})
    clip = cross_entropy_by_loop(step)
    tetf = etf_by_loop(step.prototypes[0], CLUSTERS.tolist(), mean=reduction == "pair_mean")
    cc = 0.0
    for image, y in zip(step.image_features[0], step.labels[0].tolist(), strict=True):
        gap = unit(image) - unit(step.prototypes[0, y])
        cc += gap.square().sum().item() * COUNTS.sum().item() / (K * COUNTS[0, y].item()) / B
    rs = sum(
        (unit(g) - unit(anchor)).abs().sum().item() / K
        for g, anchor in zip(step.prototypes[0], setting.frozen_prototypes, strict=True)
    )
    expected = {"clip": clip, "tetf": tetf, "cc": cc, "rs": rs}
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected)
    # Eq. (12) with the paper's weights.
    loss = total(method, step, setting, {"clusters": CLUSTERS})
    assert loss.item() == pytest.approx(clip + 0.25 * tetf + 0.15 * cc + 0.10 * rs)


def test_cpt_without_its_losses_is_ivlp(step, setting):
    off = CPT(lambda_tetf=0, lambda_cc=0, lambda_rs=0)
    loss = total(off, step, setting, {"clusters": CLUSTERS})
    assert torch.equal(loss, total(IVLP(), step, setting, {}))
    assert off.prompt_shape() == IVLP().prompt_shape()


@pytest.mark.parametrize("name", ["tetf", "cc", "rs"])
def test_an_ablation_switches_off_one_term(name, step, setting):
    prepared = {"clusters": CLUSTERS}
    full, without = CPT(), CPT(**{f"lambda_{name}": 0.0})
    term = full.weights()[name] * full.losses(step, setting, prepared)[name]
    assert term.item() > 0.01
    difference = total(full, step, setting, prepared) - total(without, step, setting, prepared)
    torch.testing.assert_close(difference, term)


def test_cpt_passes_its_readings_on(step, setting):
    """Every option of CPT that changes a loss changes the one it names."""
    prepared = {"clusters": CLUSTERS}
    default = CPT().losses(step, setting, prepared)
    for options, changed in (
        ({"etf_reduction": "pair_mean"}, "tetf"),
        ({"etf_diagonal": "literal"}, "tetf"),
        ({"clip_loss": "batch_t2i"}, "clip"),
        ({"cc_weighting": "plain"}, "cc"),
        ({"cc_weighting": "batch_class"}, "cc"),
        ({"anchor_space": "raw"}, "rs"),
        ({"anchor_reduction": "mean"}, "rs"),
    ):
        terms = CPT(**options).losses(step, setting, prepared)
        assert {name for name in terms if not torch.equal(terms[name], default[name])} == {changed}
    alone = {"clusters": torch.tensor([0, 0, 1, 1, 1, 2])}  # class 5 is on its own
    zero, dropped = (
        CPT(etf_singletons=how).losses(step, setting, alone)["tetf"].item()
        for how in ("zero", "drop_from_M")
    )
    assert dropped == pytest.approx(1.5 * zero)


def test_batch_t2i_is_equation_1(step, setting):
    method = CPT(clip_loss="batch_t2i")
    expected = 0.0
    labels = step.labels[0].tolist()
    for i in range(B):
        text = unit(step.prototypes[0, labels[i]])
        similarities = [SCALE * torch.dot(text, unit(f)).item() for f in step.image_features[0]]
        expected -= similarities[i] - math.log(sum(map(math.exp, similarities)))
    actual = method.losses(step, setting, {"clusters": CLUSTERS})["clip"]
    assert actual.shape == (1,)
    assert actual.item() == pytest.approx(expected)


# ------------------------------------------------------------------------------------- clusters


def test_cpt_clusters_the_frozen_prototypes():
    directions = torch.eye(8, dtype=torch.float64)[:2].repeat_interleave(4, 0)
    prototypes = (directions + 0.1 * randn(8, 8, seed=0))[torch.tensor([0, 4, 1, 5, 2, 6, 3, 7])]
    setting = Setting(tuple("abcdefgh"), prototypes, torch.ones(1, 8))
    for method in (CPT(cluster_size=4), CPT(n_clusters=2), CPT(n_clusters=2, cluster_seed=7)):
        assert method.prepare(setting)["clusters"].tolist() == [0, 1] * 4
    assert CPT().prepare(setting)["clusters"].tolist() == [0] * 8  # round(8 / 16) -> at least 1
    with pytest.raises(ValueError, match="Cannot make 9 clusters of 8 classes"):
        CPT(n_clusters=9).prepare(setting)


# ---------------------------------------------------------------------------------- Global-ETF


def test_global_etf_pair_mean(step, setting):
    method = GlobalETF(reduction="pair_mean")
    expected = cross_entropy_by_loop(step) + 0.25 * etf_by_loop(
        step.prototypes[0], [0] * K, mean=True
    )
    assert total(method, step, setting, method.prepare(setting)).item() == pytest.approx(expected)


def test_global_etf_sum_factor_by_hand():
    # K = 48, size 16: M = 3 clusters of k = 16, so (k - 1) / (M (K - 1)) = 15 / (3 * 47).
    setting = Setting(tuple(map(str, range(48))), randn(48, 9, seed=0), torch.ones(1, 48))
    method = GlobalETF()
    assert method.prepare(setting)["factor"] == pytest.approx(15 / 141)
    assert method.prepare(setting)["clusters"].tolist() == [0] * 48
    prototypes = randn(1, 48, 9, seed=1)
    step = make_step(randn(1, 4, 9, seed=2), prototypes, torch.tensor([[0, 1, 2, 3]]))
    etf = method.losses(step, setting, method.prepare(setting))["etf"].item()
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
    setting = Setting(tuple(map(str, range(n))), prototypes[0].detach(), torch.ones(1, n))
    step = make_step(torch.ones(1, 2, n + 1).double(), prototypes, torch.tensor([[0, 1]]))
    method = GlobalETF()
    global_etf = method.losses(step, setting, method.prepare(setting))["etf"]
    clusters = torch.arange(m).repeat_interleave(size)
    cpt = CPT().losses(step, setting, {"clusters": clusters})["tetf"]
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
    assert len(METHODS) == 12
    for name, cls in METHODS.items():
        assert cls.name == name and cls() == cls()
        assert cls.anchor_templates is None or "{}" in cls.anchor_templates[0]


def test_sizes_of_the_paper():
    """Trained numbers at ViT-B/16 (text width 512, vision width 768)."""

    def size(shape: PromptShape) -> int:
        text = shape.text_tokens * shape.text_depth * 512
        return text + shape.vision_tokens * shape.vision_depth * 768

    assert size(CoOp().prompt_shape()) == 2048
    assert size(CPT().prompt_shape()) == size(IVLP().prompt_shape()) == 46080
    assert size(CPT(text_depth=3, vision_depth=3).prompt_shape()) == 15360
