"""Matrix and map on a page without a kernel: what one points at, the other marks."""

import json

import pytest
from explorer_lab import resize
from tiny_explorer import PROFILE

from cptlab.lab.explore import map_panel
from cptlab.lab.explore import page as page_module
from cptlab.lab.explore.choice import finished
from cptlab.lab.explore.page import page_html, page_of

pytest_plugins = ["browser", "explorer_store"]
CHOSEN = "return [...document.querySelectorAll('.cptlab-map .chosen')].map("
CHOSEN += "(p) => p.getAttribute('aria-label').split(',')[0])"
DIMMED = "return document.querySelectorAll('.cptlab-map .dimmed').length"
CROSS = "return document.querySelector('.cross').getAttribute('d')"


@pytest.fixture
def run(store, monkeypatch):
    """A finished run; its map shows the first two dimensions, which takes no time."""
    for module in (map_panel, page_module):
        monkeypatch.setattr(module, "plane", lambda texts, like=None: texts[:, :2].numpy())
    (found,) = [one for one in finished(PROFILE, store)[0] if one.label == "IVLP"]
    return found


def test_a_page_has_everything_in_it(run):
    html = page_of(run.result, "IVLP")
    assert html.count("<script>") == html.count("</script>") == 2
    assert html.count("data:image/png;base64,") == 2 * 5 + 2 + 1  # classes, matrices, the scale
    assert "src=" not in html.replace("image.src =", "") and "import " not in html


def test_a_name_cannot_end_a_script():
    name = "</script><b>"
    html = page_html({"map": {"names": [name]}})
    assert name not in html and json.dumps([name]).replace("<", "\\u003c") in html


@pytest.mark.slow
def test_what_one_points_at_the_other_marks(browser, run, tmp_path):
    from selenium.webdriver import ActionChains

    (tmp_path / "page.html").write_text(page_of(run.result, "IVLP"), encoding="utf-8")
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
