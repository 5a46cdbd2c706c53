"""The report in a browser: fits desktop and phone, asks for nothing, and its ledger filters."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from cptlab.lab.report import write_report
from cptlab.lab.study.profiles import FULL
from cptlab.lab.workspace import CHECKOUT, Workspace

pytest_plugins = ["browser"]


@pytest.fixture(scope="module")
def committed(tmp_path_factory) -> Path:
    """The report of the committed figures."""
    root = tmp_path_factory.mktemp("committed")
    folders = Workspace(CHECKOUT / "figures", root / "runs", root / "notebooks", root / "report")
    return write_report(FULL, folders, ["00_tour"], pd.DataFrame(), [], 0)


def visit(browser, page: Path, width: int, scheme: str) -> None:
    """Open a page as a screen of this width with this preference of colours."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    preference = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [preference]})
    browser.get_log("browser"), browser.get_log("performance")  # forget what came before
    browser.get(page.as_uri())


def requests(browser) -> list[str]:
    """Addresses asked for since the last visit, but for embedded pictures."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event for event in events if event["method"] == "Network.requestWillBeSent"]
    asked = [event["params"]["request"]["url"] for event in sent]
    return [url for url in asked if not url.startswith("data:")]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_browsers_show_it_without_overflow_errors_or_requests(browser, committed, width, scheme):
    visit(browser, committed, width, scheme)
    unfold = "for (const part of document.querySelectorAll('details')) part.open = true;"
    sizes = "const page = document.documentElement; return [page.scrollWidth, page.clientWidth];"
    for script in (sizes, unfold + sizes):
        wide, screen = browser.execute_script(script)
        assert wide <= screen <= width
    widths = browser.execute_script("return [...document.images].map((i) => i.naturalWidth)")
    assert min(widths) > 100
    formulas = "return [...document.querySelectorAll('math[display]')].map((m) => m.clientHeight)"
    assert len(heights := browser.execute_script(formulas)) == 4
    assert min(heights) > 15 and max(heights) > 45  # a sum with its limits is tall
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (int(re.search(r"\d+", ground)[0]) > 200) == (scheme == "light")
    assert browser.get_log("browser") == []
    assert set(requests(browser)) == {committed.as_uri()}


def test_the_ledger_can_be_filtered(browser, committed):
    visit(browser, committed, 1280, "light")
    rows = "return [...document.querySelectorAll('.ledger tbody tr')].filter((r) => !r.hidden)"
    names = f"{rows}.map((r) => r.querySelector('summary').textContent)"
    everything = browser.execute_script(names)
    click = "document.querySelector('button[value=contradicted]').click();"
    contradicted = browser.execute_script(click + names)
    assert 0 < len(contradicted) < len(everything)
    search = "const i = document.querySelector('[data-ledger] input'); i.value = 'TAIL acc';"
    found = browser.execute_script(f"{search} i.dispatchEvent(new Event('input')); {names}")
    assert set(found) == {"Tail accuracy is up"}
    told = browser.execute_script("return document.querySelector('output').value")
    assert told == f"{len(found)} of {len(everything)} rows"
