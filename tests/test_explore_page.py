"""Matrix and map on a page without a kernel: what one points at, the other marks."""

import json

import pytest
from explorer_lab import resize
from tiny_explorer import PROFILE

from cptlab.geometry import cosine_matrix
from cptlab.lab.explore.choice import finished
from cptlab.lab.explore.content import classes_content, map_content, matrix_content
from cptlab.lab.explore.page import page_html
from cptlab.lab.explore.scene import scene_of

pytest_plugins = ["browser", "explorer_store"]
CHOSEN = "return [...document.querySelectorAll('.cptlab-map .chosen')].map("
CHOSEN += "(p) => p.getAttribute('aria-label').split(',')[0])"
DIMMED = "return document.querySelectorAll('.cptlab-map .dimmed').length"
CROSS = "return document.querySelector('.cross').getAttribute('d')"


@pytest.fixture
def page(store):
    """Matrix and map of a finished run; the map shows the first two dimensions of its texts."""
    run = finished(PROFILE, store)[0][0]
    scene = scene_of(run.spec)
    texts = scene.texts_of(run.result.model())
    panels = {"frozen": scene.cosines, "run": cosine_matrix(texts).numpy()}
    classes = classes_content(scene)
    maps = {"run": (texts[:, :2].numpy(), panels["run"])}
    return page_html(
        {
            "matrix": classes | matrix_content(scene, panels),
            "map": classes | map_content(scene, maps),
        }
    )


def test_a_page_has_everything_in_it(page):
    assert page.count("<script>") == page.count("</script>") == 2
    assert page.count("data:image/png;base64,") == 2 * 5 + 2 + 1  # classes, matrices, the scale
    assert "src=" not in page.replace("image.src =", "") and "import " not in page


def test_a_name_cannot_end_a_script():
    name = "</script><b>"
    html = page_html({"map": {"names": [name]}})
    assert name not in html and json.dumps([name]).replace("<", "\\u003c") in html


@pytest.mark.slow
def test_what_one_points_at_the_other_marks(browser, page, tmp_path):
    from selenium.webdriver import ActionChains

    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    resize(browser, 1280)
    browser.get((tmp_path / "page.html").as_uri())
    frame = browser.execute_script("return document.querySelectorAll('.cptlab-matrix')[1]")
    side = frame.size["width"]
    ActionChains(browser).move_to_element_with_offset(frame, 0.4 * side, -0.4 * side).perform()
    first, *_, last = browser.execute_script(f"{CHOSEN}")  # row 0, column 4
    assert browser.execute_script(DIMMED) == 3
    named = "return [...document.querySelectorAll('.cptlab-details b')].map((b) => b.textContent)"
    assert {first, last} == set(browser.execute_script(named))
    beside = browser.execute_script("return document.querySelector('.cptlab-details')")
    ActionChains(browser).move_to_element(beside).perform()
    assert browser.execute_script(DIMMED) == 0
    assert browser.execute_script(CHOSEN) == [first, last]

    for act in ("this.focus()", "this.dispatchEvent(new PointerEvent('pointerenter'))"):
        for place in (3, 1):
            point = f"document.querySelectorAll('.cptlab-map .point')[{place}]"
            browser.execute_script(act.replace("this", point))
            middle = f"{place}.5"
            assert browser.execute_script(CROSS) == f"M0 {middle}H5M{middle} 0V5"
    told = "window.told = []; document.addEventListener('cptlab-hover', (e) => told.push(e.detail))"
    browser.execute_script(told)
    browser.execute_script("arguments[0].focus(); arguments[0].blur()", frame)
    browser.execute_script("document.querySelector('.cptlab-map .point').focus()")
    assert browser.execute_script("return told.at(-1).length") == 1
    assert None in browser.execute_script("return told")
    assert not browser.get_log("browser")  # no errors
