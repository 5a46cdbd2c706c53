"""Random resized crops: seeded views of image files, drawn again in every step of a training."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_clip import tiny_clip
from tiny_world import tiny_dataset

from cptlab.data import draw_long_tailed, open_dataset
from cptlab.data.images import clip_view, crop_view
from cptlab.methods import (
    CPT,
    DPC,
    CoCoOp,
    CoOp,
    CoPrompt,
    MaPLe,
    PromptSRC,
    TipAdapter,
)
from cptlab.methods.schedule import Schedule
from cptlab.training.loop import train
from cptlab.training.spec import RunSpec

SHORT = Schedule(epochs=3, lr=0.05, batch_size=4)
METHODS = [
    TipAdapter(fine_tune=True),
    CoOp(),
    CoCoOp(),
    CPT(text_depth=2, vision_depth=2),
    PromptSRC(text_depth=2, vision_depth=2),
    MaPLe(depth=2),
    DPC(on="coop", hard_negatives=3),
]


@pytest.fixture(scope="module")
def backbone():
    return tiny_clip(torch.float32)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, noise = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    for name in ("ant", "bee", "cat", "dog"):
        (folder / name).mkdir()
        for i in range(8):
            pixels = noise.integers(0, 256, (24, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return open_dataset(str(folder))


def learned(backbone, dataset, method, crop, seeds=(1,), folder=None, after=None):
    specs = [
        RunSpec("tiny", method, 0.5, seed, SHORT, backbone="tiny", crop=crop) for seed in seeds
    ]
    subsets = [draw_long_tailed(dataset, 0.5, 1, 4) for _ in specs]
    trained = train(specs, backbone, dataset, subsets, after, folder=folder)
    return trained.model.prompts.learned(), trained.logs


def test_crops_are_seeded_parts_of_the_image():
    red, green = torch.zeros(2, 3, 40, 60)
    red[0, :, :30], green[1, :, 30:] = 1, 1
    pixels = (255 * (red + green)).permute(1, 2, 0).byte().numpy()
    image = Image.fromarray(pixels)  # red on the left, green on the right
    before = torch.random.get_rng_state()
    views = [crop_view(image, 16, seed) for seed in range(60)]
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(view.shape == (3, 16, 16) for view in views)
    assert torch.equal(views[7], crop_view(image, 16, 7))
    # Both colours in their places, exchanged, or one of them alone: flips and small crops happen.
    sides = {
        (view[0, :, 0].mean() > 0.5, view[0, :, -1].mean() > 0.5) for view in torch.stack(views)
    }
    assert {tuple(map(bool, pair)) for pair in sides} == {
        (True, False),
        (False, True),
        (True, True),
        (False, False),
    }
    centre = clip_view(image, 16)
    assert not any(torch.equal(view, centre) for view in views)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_training_on_crops_is_reproducible_and_differs(backbone, files, method):
    first, logs = learned(backbone, files, method, crop=True)
    again, _ = learned(backbone, files, method, crop=True)
    plain, _ = learned(backbone, files, method, crop=False)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first, plain, strict=True))
    assert len(logs[0]) == SHORT.epochs


def test_replicas_get_the_crops_that_they_would_get_alone(backbone, files):
    method = CPT(text_depth=2, vision_depth=2)
    together, _ = learned(backbone, files, method, crop=True, seeds=(1, 2))
    for r, seed in enumerate((1, 2)):
        alone, _ = learned(backbone, files, method, crop=True, seeds=(seed,))
        for a, b in zip(alone, together, strict=True):
            torch.testing.assert_close(a[0], b[r], rtol=1e-4, atol=1e-6)


def test_a_resumed_training_draws_the_same_crops(backbone, files, tmp_path):
    def stop(state):
        if len(state.logs[0]) == 1:
            raise KeyboardInterrupt
        return [{} for _ in state.logs]

    method = CPT(text_depth=2, vision_depth=2)
    with pytest.raises(KeyboardInterrupt):
        learned(backbone, files, method, crop=True, folder=tmp_path, after=stop)
    resumed, _ = learned(backbone, files, method, crop=True, folder=tmp_path)
    whole, _ = learned(backbone, files, method, crop=True)
    assert all(torch.equal(a, b) for a, b in zip(resumed, whole, strict=True))


def test_a_method_with_views_of_its_own_takes_no_crops(backbone, files):
    method = CoPrompt(depth=2)
    cropped, _ = learned(backbone, files, method, crop=True)
    plain, _ = learned(backbone, files, method, crop=False)
    assert all(torch.equal(a, b) for a, b in zip(cropped, plain, strict=True))


def test_images_that_are_no_files_cannot_be_cropped(backbone):
    with pytest.raises(ValueError, match=r"'tiny' has no image files to crop.*crop=False"):
        learned(backbone, tiny_dataset(4), CoOp(), crop=True)


def test_halves_keep_their_crops(files):
    assert all(half.crops is files.crops for half in files.halves())
    assert dataclasses.replace(files, crops=None) == files  # what is read decides, not how
