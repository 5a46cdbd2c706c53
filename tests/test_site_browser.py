"""The site in a browser: pages fit their window, are read with ease, and ask for files alone."""

import re
from pathlib import Path

import pytest
from ledger_filter import check_filter
from small_site import not_run, stored_ledger

pytest_plugins = ["browser", "explorer_store", "small_site"]
CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
WITHOUT_ALT = "return [...document.images].filter((i) => !i.closest('.cptlab-hover') && !i.alt)"
WITHOUT_ALT += ".map((i) => i.src)"
WIDTH = "return document.documentElement.scrollWidth"


def look(browser, width: int, scheme: str) -> None:
    """Set the window's width and the reader's preference."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    preference = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [preference]})


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1140, "light"), (390, "dark")])
def test_pages_fit_their_window_can_be_read_and_ask_for_files_alone(browser, site, width, scheme):
    look(browser, width, scheme)
    browser.get_log("browser")  # forget what came before
    browser.get_log("performance")
    titles = set()
    for path in sorted(site.rglob("*.html")):
        browser.get(path.as_uri())
        assert browser.execute_script(WIDTH) <= width, path.name
        assert browser.execute_script(WITHOUT_ALT) == [], path.name
        assert browser.execute_script(CONTRAST) == [], path.name
        titles.add(browser.title)
    assert len(titles) == len([*site.rglob("*.html")])  # each page is told by its title
    assert browser.get_log("browser") == []  # no script failed, nothing was refused
    asked = re.findall(
        r'"url":"(\w+):', "".join(e["message"] for e in browser.get_log("performance"))
    )
    assert set(asked) <= {"file", "data", "chrome", "about"}


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_ledger_is_filtered_and_formulas_are_drawn(browser, site, scheme):
    look(browser, 1280, scheme)
    browser.get((site / "notebooks/12_claims.html").as_uri())
    for element, name, light in (("body", "backgroundColor", True), ("td", "color", False)):
        script = f"return getComputedStyle(document.querySelector('{element}')).{name}"
        red = int(re.search(r"\d+", browser.execute_script(script))[0])
        assert (red > 150) == (light == (scheme == "light"))
    formula = "return document.querySelector('math').getBoundingClientRect().width"
    assert browser.execute_script(formula) > 10
    check_filter(browser, not_run(stored_ledger(), 3))


@pytest.mark.slow
def test_matrix_and_map_are_side_by_side_and_mark_what_the_other_points_at(browser, site):
    look(browser, 1140, "light")
    browser.get((site / "explore.html").as_uri())
    tops = "return ['.cptlab-matrix', '.cptlab-map'].map((part) => "
    tops += "document.querySelector(part).getBoundingClientRect().top)"
    matrix, its_map = browser.execute_script(tops)
    assert abs(matrix - its_map) < 100
    point = "document.querySelectorAll('.cptlab-map .point')[3].focus(); "
    cross = "return document.querySelector('.cross').getAttribute('d')"
    assert browser.execute_script(point + cross) == "M0 3.5H5M3.5 0V5"
    key = "document.querySelector('.cptlab-matrix').dispatchEvent(new KeyboardEvent('keydown', "
    key += "{ key: 'ArrowRight' })); return document.querySelectorAll('.cptlab-map .chosen').length"
    assert browser.execute_script(key) == 2  # the first class and, after two steps, the third
