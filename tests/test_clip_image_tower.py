"""The prompted image tower against open_clip's own, and against a plain forward."""

import pytest
import torch
from naive_image import plain_forward
from tiny_clip import emoji_clip, largest_error, random_tokens, tiny_clip

from cptlab.clip import ImageTower

LIMITS = {torch.float64: 1e-12, torch.float32: 1e-6}


def random_images(backbone, *lead, dtype=torch.float64):
    generator = torch.Generator().manual_seed(2)
    size = backbone.image_size
    return torch.randn(*lead, 3, size, size, generator=generator, dtype=dtype)


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("build", [tiny_clip, emoji_clip])
def test_without_tokens_equals_encode_image(build, dtype):
    backbone = build(dtype)
    images = random_images(backbone, 2, 3, dtype=dtype)
    expected = backbone.model.encode_image(images.flatten(0, 1)).unflatten(0, (2, 3))
    actual = ImageTower(backbone)(images)
    assert actual.shape == (2, 3, backbone.embed_dim)
    assert largest_error(actual, expected) < LIMITS[dtype]


@pytest.mark.parametrize(
    ("depth", "m", "changes"),
    [
        (1, 4, {}),
        (2, 3, {"quick_gelu": True}),
        (3, 1, {}),
        (3, 4, {"quick_gelu": True, "vision_ls_init_value": 0.3}),
        (1, 2, {"vision_layers": 1}),
        (2, 2, {"vision_no_ln_pre": True, "vision_final_ln_after_pool": True}),
    ],
)
def test_features_and_gradients_equal_plain_forward(depth, m, changes):
    backbone = tiny_clip(**changes)
    images = random_images(backbone, 3)
    tokens = random_tokens(1, depth, m, backbone.vision_width)
    weights = torch.randn(
        3, backbone.embed_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )

    actual = ImageTower(backbone)(images[None], tokens)[0]
    expected = plain_forward(backbone, images, [t[0] for t in tokens])
    assert largest_error(actual, expected) < 1e-12
    grads = torch.autograd.grad((actual * weights).sum(), tokens)
    expected_grads = torch.autograd.grad((expected * weights).sum(), tokens)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert expected_grad.abs().max() > 1e-6
        assert largest_error(grad, expected_grad) < 1e-12


@pytest.mark.parametrize("shared_images", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_replicas_equal_single_runs(depth, shared_images):
    backbone = tiny_clip()
    tower = ImageTower(backbone)
    images = random_images(backbone, 1 if shared_images else 3, 2)
    tokens = random_tokens(3, depth, 4, backbone.vision_width)
    together = tower(images, tokens)
    assert together.shape == (3, 2, backbone.embed_dim)
    grads = torch.autograd.grad(together.square().sum(), tokens)
    for r in range(3):
        alone_tokens = [t[r : r + 1].detach().requires_grad_() for t in tokens]
        own = images if shared_images else images[r : r + 1]
        alone = tower(own, alone_tokens)
        assert largest_error(together[r : r + 1], alone) < 1e-13
        alone_grads = torch.autograd.grad(alone.square().sum(), alone_tokens)
        for grad, alone_grad in zip(grads, alone_grads, strict=True):
            assert largest_error(grad[r : r + 1], alone_grad) < 1e-12


@pytest.mark.parametrize(
    ("shape", "tokens", "message"),
    [
        ((2, 3, 16, 16), (1, 1, 4, 24), "add the replica axis"),
        ((1, 2, 3, 32, 32), (1, 1, 4, 24), "resize them"),
        ((2, 2, 3, 16, 16), (3, 1, 4, 24), "one batch per replica"),
        ((1, 2, 3, 16, 16), (1, 4, 4, 24), "tower has 3 layers"),
        ((1, 2, 3, 16, 16), (1, 1, 4, 20), "expected"),
    ],
)
def test_unusable_inputs(shape, tokens, message):
    with pytest.raises(ValueError, match=message):
        ImageTower(tiny_clip())(torch.zeros(shape).double(), random_tokens(*tokens))


def test_no_gradient_reaches_the_backbone():
    backbone = tiny_clip()
    tokens = random_tokens(2, 3, 4, backbone.vision_width)
    ImageTower(backbone)(random_images(backbone, 1, 2), tokens).sum().backward()
    assert all(t.grad.abs().max() > 0 for t in tokens)
    assert all(p.grad is None and not p.requires_grad for p in backbone.model.parameters())
