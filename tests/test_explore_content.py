"""The explorer's content: matrices and maps, and predictions of one's own images and names."""

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from tiny_explorer import PROFILE

from cptlab.geometry import cosine_matrix
from cptlab.lab.explore.choice import finished
from cptlab.lab.explore.content import classes_content, map_content, matrix_content, scale_start
from cptlab.lab.explore.prediction import predict, ranked, read_image, read_names
from cptlab.lab.explore.scene import IMAGE_SIZE, scene_of

pytest_plugins = ["explorer_store"]


def test_hover_content_holds_classes_images_and_cosines(store):
    runs, _ = finished(PROFILE, store)
    scene = scene_of(runs[0].spec)
    cosines = cosine_matrix(scene.texts_of(runs[0].result.model())).numpy()
    content = classes_content(scene) | matrix_content(
        scene, {"frozen": scene.cosines, "run": cosines}
    )
    assert sorted(content["names"]) == ["ant", "bee", "cat", "dog", "eel"]
    assert len(content["images"]) == len(content["clusters"]) == 5
    _, _, png = content["images"][0].partition("base64,")
    image = np.asarray(Image.open(BytesIO(base64.b64decode(png))))
    assert image.shape == (IMAGE_SIZE, IMAGE_SIZE, 3)
    label = scene.dataset.class_names.index(content["names"][0])
    key = next(s.key for s in scene.dataset.test if s.label == label)
    pixels = scene.dataset.read([key], IMAGE_SIZE)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(image / 255, pixels, atol=0.5 / 255 + 1e-6)
    sent = np.frombuffer(content["cosines"], "<f4").reshape(2, 5, 5)
    np.testing.assert_allclose(sent[1], cosines, atol=1e-6)
    np.testing.assert_allclose(sent[0].diagonal(), 1, atol=1e-5)
    low = content["scale"]["low"]
    assert low <= scene.cosines.min() and low == scale_start(scene)
    assert low == pytest.approx(np.floor(10 * (2 * scene.cosines.min() - 1)) / 10)
    wide = matrix_content(scene, {"frozen": scene.cosines, "run": 3 * cosines - 2})
    assert wide["panels"][0]["image"] == content["panels"][0]["image"]  # whatever stands beside it
    assert wide["scale"] == content["scale"]
    assert [panel["title"] for panel in content["panels"]] == ["frozen", "run"]


def test_maps_share_one_scale_and_name_neighbours_by_cosine(store):
    runs, _ = finished(PROFILE, store)
    scene = scene_of(runs[0].spec)
    start = np.array([[0, 0], [4, 0], [4, 2], [0, 2], [2, 1]], dtype=float)
    content = map_content(scene, {"a": (start, scene.cosines), "b": (start / 2, scene.cosines)})
    a, b = (np.array(layout["points"]) for layout in content["layouts"])
    assert a.min() >= 0 and a.max() <= 1
    assert a[1, 0] - a[0, 0] == pytest.approx(2 * (b[1, 0] - b[0, 0]))
    assert a[2, 1] < a[1, 1]  # what is above is drawn above
    near = content["layouts"][0]["near"][0]
    others = np.argsort(-scene.cosines[0])
    best = next(c for c in others if c != 0)
    assert near[0] == f"{scene.names[best]} {scene.cosines[0, best]:.2f}"
    assert len(near) == 3


def test_predictions_are_probabilities_under_ones_own_names(store):
    runs, _ = finished(PROFILE, store)
    tuned, plain = (
        next(r for r in runs if r.label == label) for label in ("CPT (pair mean)", "Zero-shot")
    )
    image = Image.new("RGB", (40, 30), "red")
    names = ["red square", "blue sky", "ant"]
    shares = predict({"a": tuned.result, "b": plain.result}, image, names)
    assert list(shares) == ["name", "Zero-shot", "a", "b"]
    assert shares["name"].tolist() == names
    assert shares[["Zero-shot", "a", "b"]].sum().tolist() == pytest.approx([100] * 3, abs=1e-3)
    assert not np.allclose(shares["Zero-shot"], shares["a"], atol=1e-3)
    np.testing.assert_allclose(shares["b"], shares["Zero-shot"], atol=1e-4)
    alone = predict({"a": tuned.result}, image, names)
    np.testing.assert_allclose(alone["a"], shares["a"], atol=1e-4)
    assert ranked(shares)["a"].is_monotonic_decreasing
    own = predict({"Zero-shot": plain.result}, image, names)
    assert list(own) == ["name", "Zero-shot"] and ranked(own)["Zero-shot"].is_monotonic_decreasing


def test_names_are_read_from_lines_and_commas():
    assert read_names(" red  apple, cat\n\nbox <i>,") == ("red apple", "cat", "box <i>")


@pytest.mark.parametrize("text", ["", " \n ,", "cat"])
def test_too_few_names_are_an_error_that_says_how(text):
    with pytest.raises(ValueError, match=r"at least two class names.*one a line"):
        read_names(text)


def test_a_name_may_stand_once():
    with pytest.raises(ValueError, match="'cat' and 'cat' are one name"):
        read_names("cat, dog, cat")


def test_transparent_images_stand_on_white():
    file = BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(file, "png")
    assert read_image(file.getvalue()).getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("cut", [0, 60])
def test_an_unreadable_image_is_named(cut):
    file = BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "png")
    with pytest.raises(ValueError, match=r"me\.png cannot be read: .* Choose another"):
        read_image(file.getvalue()[:cut], "me.png")
