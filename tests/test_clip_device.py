"""What accelerators ask of the towers: low precision under autocast, and no wait for the device."""

import copy

import pytest
import torch
import torch.nn.functional as F
from tiny_clip import TOKENIZER, largest_error, random_tokens, tiny_clip
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from cptlab.clip import ImageTower, PlainTextTower, TextTower, class_sentences, wrap
from cptlab.clip.guard import open_clip

NAMES = [
    "cat",
    "red velvet",
    "jack-o'-lantern",
    "sea",
    "Boeing 737-800",
    "great white shark",
    "dog",
]
SENTENCES = class_sentences(NAMES, 4)


def random(*shape, dtype=torch.float64, seed=3):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# -- low precision


def half_and_full(**changes):
    """The same CLIP in float32, and with linear weights in bfloat16."""
    full = tiny_clip(torch.float32, **changes)
    model = copy.deepcopy(full.model)
    open_clip.model.convert_weights_to_lp(model, dtype=torch.bfloat16)
    half = wrap(model, TOKENIZER, "half")
    assert half.text_blocks[0].mlp.c_fc.weight.dtype == torch.bfloat16
    assert half.text_positions.dtype == half.text_blocks[0].ln_1.weight.dtype == torch.float32
    return full, half


class NoMixedCat(TorchFunctionMode):
    """Fails where tensors of several dtypes are joined."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in (torch.cat, torch.stack):
            assert len({tensor.dtype for tensor in args[0]}) == 1, "mixed dtypes are joined"
        return function(*args, **(kwargs or {}))


def check_half(towers, inputs):
    """bfloat16 features and gradients stay near float32 ones; gradients are float32."""
    expected = towers[0]()
    with torch.autocast("cpu", dtype=torch.bfloat16), NoMixedCat():
        actual = towers[1]()
    grads, expected_grads = (
        torch.autograd.grad(out.float().square().sum(), inputs) for out in (actual, expected)
    )
    assert largest_error(actual.float(), expected) < 2e-2
    assert F.cosine_similarity(actual.float(), expected, dim=-1).min() > 0.999
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert grad.dtype == torch.float32
        assert F.cosine_similarity(grad.flatten(), expected_grad.flatten(), dim=0) > 0.99


@pytest.mark.parametrize("build", [TextTower, PlainTextTower])
def test_text_tower_under_autocast(build):
    tokens = random_tokens(2, 2, 4, 20, dtype=torch.float32)
    net, seeds = random(20, 6, dtype=torch.float32).requires_grad_(), random(7, 4, 6).float()
    check_half(
        [
            lambda b=backbone: build(b, SENTENCES, 4)(tokens, {1: F.linear(seeds, net)})
            for backbone in half_and_full()
        ],
        [tokens[0], net],
    )


def test_image_tower_under_autocast():
    images = random(1, 2, 3, 16, 16, dtype=torch.float32)
    (shallow,) = random_tokens(2, 1, 4, 24, dtype=torch.float32)
    net, seeds = random(24, 6, dtype=torch.float32).requires_grad_(), random(2, 4, 6).float()
    check_half(
        [
            lambda b=backbone: ImageTower(b)(images, [shallow, F.linear(seeds, net)])
            for backbone in half_and_full()
        ],
        [shallow, net],
    )


# -- no wait for the device


class NoFetching(TorchFunctionMode):
    """Fails where values are asked for; on the CPU some of these need no operator."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        assert name not in ("tolist", "cpu", "numpy", "__array__"), f"{name} waits for the device"
        return function(*args, **(kwargs or {}))


class NoWaiting(TorchDispatchMode):
    """Fails where an operator needs a value from the device, or sends it one; backward included."""

    FORBIDDEN = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "unique", "lift_fresh")

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__.removesuffix("_copy")
        assert not name.startswith(self.FORBIDDEN), f"{name} waits for the device"
        if name.startswith(("index", "_index")):
            indices = [i for i in args[1] if i is not None] if isinstance(args[1], list) else []
            assert all(i.dtype == torch.int64 for i in indices), "a mask picks rows"
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "waits",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.any()),
        lambda x: x[x > 0],
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: x + torch.tensor(1.0),
    ],
)
def test_waiting_is_noticed(waits):
    with NoWaiting(), NoFetching(), pytest.raises(AssertionError, match=r"waits|mask"):
        waits(torch.ones(3))


def test_towers_never_wait_for_the_device():
    backbone = tiny_clip()
    text = random_tokens(2, 2, 4, backbone.text_width)
    own = random(2, 7, 4, backbone.text_width).requires_grad_()
    vision = random_tokens(2, 2, 3, backbone.vision_width)
    images = random(1, 2, 3, 16, 16)
    calls = [
        (TextTower(backbone, SENTENCES, 4), text, {1: own}),
        (PlainTextTower(backbone, SENTENCES, 4), text, {1: own}),
        (ImageTower(backbone), images, vision),
    ]
    for tower, *inputs in calls:
        with NoWaiting(), NoFetching():
            tower(*inputs).sum().backward()
