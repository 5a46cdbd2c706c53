"""The explorer in JupyterLab, as a reader meets it: cells run, widgets answer, images change."""

import json
import re

import pytest
from explorer_lab import click, drag, explorer, matrix, rows, said, upload
from jupyter_lab import wait
from PIL import Image, ImageDraw

pytest_plugins = ["browser"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """The explorer, started from nothing; yields the browser and a folder."""
    folder = tmp_path_factory.mktemp("lab")
    with explorer(browser, folder):
        yield browser, folder


def test_pointing_at_the_matrix_shows_both_classes(lab):
    from selenium.webdriver import ActionChains

    browser, _ = lab
    (_, panel) = browser.execute_script("return document.querySelectorAll('.cptlab-matrix')")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", panel)
    ActionChains(browser).move_to_element_with_offset(panel, -100, 60).perform()
    details = "return [...document.querySelectorAll('.cptlab-details .cptlab-class')]"
    first, second = wait(browser, f"{details}.map((c) => c.querySelector('b').textContent)")
    assert first != second
    marked = "return [...document.querySelectorAll('.cptlab-map .chosen')].map("
    marked += "(p) => p.getAttribute('aria-label').split(',')[0])"
    assert sorted(browser.execute_script(marked)) == sorted([first, second])  # on the map, too
    widths = browser.execute_script(f"{details}.map((c) => c.querySelector('img').naturalWidth)")
    assert widths == [56, 56]
    numbers = browser.execute_script("return document.querySelector('.cptlab-numbers').innerText")
    assert re.fullmatch(
        r"Zero-shot \(frozen\)\s+0\.\d{3}\s+CPT \(pair mean\)\s+0\.\d{3}", numbers.strip()
    )


def test_weights_lead_to_the_nearest_run_and_then_to_a_new_one(lab):
    browser, folder = lab
    before = matrix(browser)
    assert list(rows(browser)) == ["Zero-shot", "CPT (pair mean)"]
    for slider in range(3):
        drag(browser, slider, "HOME")  # to zero
    said(browser, "Finished run: IVLP")
    assert list(rows(browser)) == ["Zero-shot", "IVLP"]
    assert matrix(browser) != before

    drag(browser, 0, "END")
    said(browser, "Nearest finished run: CPT")
    runs = len(list((folder / "out/runs").glob("*/result.json")))
    old = rows(browser)
    click(browser, "Train with these")
    said(browser, "Finished and stored")
    assert len(list((folder / "out/runs").glob("*/result.json"))) == runs + 1
    (_, label) = new = rows(browser)
    assert "lambda_tetf = 1" in label
    assert len(new[label]) == len(old["CPT (pair mean)"])
    title = "return document.querySelectorAll('.cptlab-panel b')[1].textContent"
    assert browser.execute_script(title) == label
    wait(browser, "return document.querySelectorAll('.cptlab-sliders input').length === 4")
    places = "return [...document.querySelectorAll('.cptlab-map .point')].map("
    places += "(p) => p.style.transform).join()"
    pressed = "return document.querySelectorAll('.cptlab-map button')[1].textContent"
    wait(browser, f"{pressed} === {label!r}")
    at_the_end = browser.execute_script(places)
    drag(browser, 3, "HOME")  # the epochs
    wait(browser, f"{title} === {label + ', epoch 1 of 2'!r}")
    said(browser, "H by epoch: ")
    wait(browser, f"{pressed} === {label + ', epoch 1 of 2'!r}")
    assert browser.execute_script(places) != at_the_end


def test_a_map_glides_and_names_what_is_pointed_at(lab):
    browser, _ = lab
    places = "return [...document.querySelectorAll('.cptlab-map .point')].map("
    places += "(p) => p.style.transform)"
    before = wait(browser, places)
    browser.execute_script("document.querySelector('.cptlab-map button').click()")
    after = browser.execute_script(places)
    assert len(before) == len(after) == 40 and before != after
    point = browser.execute_script("return document.querySelectorAll('.cptlab-map .point')[3]")
    browser.execute_script("arguments[0].dispatchEvent(new PointerEvent('pointerenter'))", point)
    cross = browser.execute_script("return document.querySelector('.cross').getAttribute('d')")
    assert cross == "M0 3.5H40M3.5 0V40"  # its row and column
    details = "return document.querySelector('.cptlab-map').parentElement.innerText"
    name = point.get_attribute("aria-label").split(",")[0]
    assert name in browser.execute_script(details)
    assert len(re.findall(r" 0\.\d\d\b", browser.execute_script(details))) == 3


def test_an_image_of_ones_own_is_predicted(lab):
    browser, folder = lab
    image = Image.new("RGBA", (300, 200))
    ImageDraw.Draw(image).ellipse((90, 40, 210, 160), fill="red")
    image.save(folder / "disc.png")
    (folder / "torn.png").write_bytes((folder / "disc.png").read_bytes()[:60])
    upload(browser, folder / "torn.png")
    said(browser, "torn.png cannot be read")
    upload(browser, folder / "disc.png")
    area = browser.execute_script("return document.querySelector('.widget-textarea textarea')")
    area.clear()
    area.send_keys("balloon\nbox <i>\n")
    browser.execute_script("arguments[0].dispatchEvent(new Event('change', {bubbles: true}))", area)
    script = "return document.querySelectorAll('.cptlab-prediction tbody tr').length === 2"
    wait(browser, script)
    table = browser.execute_script("return document.querySelector('.cptlab-prediction').innerText")
    assert "balloon" in table and "box <i>" in table
    assert len(re.findall(r"\d+\.\d %", table)) == 4


def test_nothing_comes_from_a_network(lab):
    browser, _ = lab
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event for event in events if event["method"] == "Network.requestWillBeSent"]
    asked = {event["params"]["request"]["url"] for event in sent}
    asked = {url for url in asked if url.startswith("http")}  # not the browser's own pages
    assert len(asked) > 10
    here = re.compile(r"http://(localhost|127\.0\.0\.1):")
    assert [url for url in asked if not here.match(url)] == []
