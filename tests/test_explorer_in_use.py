"""The explorer in JupyterLab where use is rough: stops, locks, large files, narrow windows."""

import numpy as np
import pytest
from explorer_lab import (
    choose,
    click,
    drag,
    explorer,
    menu,
    menus,
    press,
    resize,
    rows,
    said,
    unlocked,
    upload,
)
from jupyter_lab import wait
from PIL import Image

from cptlab.lab.explore.session import starters
from cptlab.lab.runs.queue import run
from cptlab.lab.study.lineup import BOTH, CPT
from cptlab.lab.study.profiles import SMOKE
from cptlab.lab.study.studies import grid

pytest_plugins = ["browser"]
pytestmark = pytest.mark.slow
TITLES = "[...document.querySelectorAll('.cptlab-panel b')].map((b) => b.textContent)"


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """The explorer on both readings of CPT; yields the browser and a folder."""
    folder = tmp_path_factory.mktemp("lab")
    design = SMOKE.comparison.first_seeds(1)
    run([*starters(SMOKE), *grid(SMOKE, design, (CPT,), BOTH)], folder / "out/runs")
    with explorer(browser, folder):
        yield browser, folder


def test_weights_that_pass_through_zero_keep_the_reading(lab):
    browser, _ = lab
    for label in ("CPT (sum)", "CPT (pair mean)"):
        choose(browser, label)
        for slider in range(3):
            drag(browser, slider, "HOME")
        said(browser, "Finished run: IVLP")
        drag(browser, 0, "END")
        said(browser, "Nearest finished run: CPT")
        assert list(rows(browser)) == ["Zero-shot", label]


def test_a_training_stops_at_the_button_and_at_an_interrupt(lab):
    browser, folder = lab
    choose(browser, "CPT (pair mean)")
    before = [title for _, title in menus(browser)]
    drag(browser, 2, "END")
    said(browser, "Nearest finished run: CPT")
    runs = len(list((folder / "out/runs").glob("*/result.json")))
    click(browser, "Train with these")
    wait(browser, f"return /epoch 1 of 2/.test({TITLES}[1])", "errors")
    assert all(locked for locked, _ in menus(browser))
    click(browser, "Stop")
    said(browser, "Stopped; started again")
    wait(browser, f"return {TITLES}[1] === 'CPT (pair mean)'")
    unlocked(browser)
    assert [title for _, title in menus(browser)] == before

    click(browser, "Train with these")
    said(browser, "Training CPT")
    browser.execute_script("window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    said(browser, "Stopped; started again")
    unlocked(browser)
    assert len(list((folder / "out/runs").glob("*/result.json"))) == runs
    choose(browser, "Zero-shot")  # no weights to show, and no old message
    old = "Stopped; started again|earest finished run: "
    wait(browser, f"return !/{old}/.test(document.body.innerText)")


def test_colours_mean_the_same_in_every_run(lab):
    browser, _ = lab
    frozen = "return document.querySelector('.cptlab-matrix img').src"
    seen = set()
    for label in ("Zero-shot", "CPT (sum)", "CPT (pair mean)", "IVLP"):
        choose(browser, label)
        seen.add(browser.execute_script(frozen))
    assert len(seen) == 1


def test_large_images_arrive_and_too_large_ones_are_refused(lab):
    browser, folder = lab
    pixels = np.random.default_rng(0).integers(0, 255, (2500, 3000, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photo.jpg", quality=99)
    assert (folder / "photo.jpg").stat().st_size > 12e6
    with (folder / "huge.tif").open("wb") as file:
        file.truncate(101 * 2**20)
    for _ in range(2):  # a refused file and a large one leave the next one alone
        upload(browser, folder / "huge.tif")
        said(browser, "huge.tif has 101 MiB, and an image may have 100")
        upload(browser, folder / "photo.jpg")
        wait(browser, "return document.querySelector('.cptlab-prediction')")
        assert not browser.execute_script("return /huge.tif has/.test(document.body.innerText)")


def test_a_narrow_window_shows_everything(lab):
    browser, _ = lab
    resize(browser, 480)
    browser.execute_script("window.jupyterapp.commands.execute('application:toggle-left-area')")
    try:
        wait(browser, "return document.querySelector('.jp-Notebook').clientWidth > 350")
        box = "document.querySelector(arguments[0]).getBoundingClientRect()"
        around = "document.querySelector(arguments[0]).closest('.jp-OutputArea-output')"
        for part in (
            "menu",
            "metrics",
            "command",
            "panels",
            "sliders",
            "training",
            "map",
            "confusions",
            "upload",
            "choices",
            "prediction",
        ):
            inside = f"return {box}.right <= {around}.getBoundingClientRect().right"
            assert browser.execute_script(inside, f".cptlab-{part}"), part
        frame = browser.execute_script("return document.querySelectorAll('.cptlab-matrix')[1]")
        press(browser, frame, "ARROW_RIGHT")
        wait(browser, "return document.querySelector('.cptlab-numbers')")
        bottom = browser.execute_script(f"return {box}.bottom", ".cptlab-matrix")
        assert browser.execute_script(f"return {box}.top", ".cptlab-details") - bottom < 50
    finally:
        browser.execute_script("window.jupyterapp.commands.execute('application:toggle-left-area')")
        resize(browser, 1500)


def test_everything_works_by_keyboard_and_has_a_name(lab):
    browser, _ = lab
    here = "return document.activeElement"
    button = wait(browser, "return document.querySelector('.cptlab-map button')")
    press(browser, button, "ENTER")
    assert browser.execute_script(here) == button
    assert button.get_attribute("aria-pressed") == "true"
    stops = "return document.querySelectorAll('.cptlab-map [tabindex=\"0\"]')"
    (point,) = browser.execute_script(stops)
    press(browser, point, "ARROW_RIGHT", "ARROW_DOWN", "ARROW_LEFT", "ARROW_UP")
    last = browser.execute_script(here)
    assert browser.execute_script(stops) == [last]
    name = last.get_attribute("aria-label").split(",")[0]
    details = "return document.querySelector('.cptlab-map').parentElement.innerText"
    assert name in browser.execute_script(details)
    choose(browser, "CPT (pair mean)")  # whatever the tests before this one chose
    before = list(rows(browser))
    press(browser, menu(browser, "method"), "ARROW_DOWN")
    assert browser.execute_script(here).accessible_name == "method"
    wait(browser, f"return {TITLES}[1] !== {before[1]!r}")
    boxes = "[...document.querySelectorAll('.cptlab-choices input')]"
    # the one that was chosen before is offered beside the other
    box = wait(browser, f"return {boxes}.find(one => one.value === {before[1]!r})")
    press(browser, box, "SPACE")
    wait(browser, "return document.querySelectorAll('.cptlab-prediction th').length === 4")
    weights = "return document.querySelector('.cptlab-sliders').querySelectorAll('input')"
    sliders = browser.execute_script(weights)
    assert [one.accessible_name for one in sliders] == ["lambda_tetf", "lambda_cc", "lambda_rs"]
    file = browser.execute_script("return document.querySelector('.cptlab-upload input')")
    assert file.accessible_name == "Your image"

    drag(browser, 1, "END")  # weights that were not trained yet
    train, stop = browser.execute_script(
        "return document.querySelectorAll('.cptlab-training button')"
    )
    press(browser, train, "SPACE")
    wait(browser, f"return /epoch 1 of 2/.test({TITLES}[1])", "errors")
    assert browser.execute_script(here) == stop  # the focus goes to what can be pressed
    press(browser, stop, "ENTER")
    wait(browser, "return document.activeElement.textContent === 'Train with these'")
    said(browser, "Stopped; started again")
