"""Pages of executed notebooks: they stand alone, keep scripts of their own, and are listed."""

import re
from html import unescape
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from jupyter_lab import jupyter_lab, run_all, wait
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from page_parts import asked_for

from cptlab.lab.cli.pages import html_page, index_page
from cptlab.lab.figures import ledger_table
from cptlab.lab.workspace import CHECKOUT


def stored_ledger() -> pd.DataFrame:
    ledger = pd.read_csv(CHECKOUT / "figures/claims_ledger.csv")
    return ledger.fillna({"same_as": "", "missing": ""})


def notebook(*outputs: str, text: str = "# Tails & heads\n\nprose") -> nbformat.NotebookNode:
    """An executed notebook: a text, then cells that show HTML."""
    shown = [new_output("display_data", {"text/html": html}) for html in outputs]
    cells = [new_markdown_cell(text), new_code_cell("secret = 1", outputs=shown)]
    return new_notebook(cells=cells)


def test_scripts_of_outputs_stay_and_nothing_is_fetched():
    page = html_page(notebook(ledger_table(stored_ledger())))
    assert page.count("<script") == 1 and "document.currentScript" in page
    assert asked_for(page) == []
    assert "default-src 'none'" in page
    assert "<title>Tails &amp; heads</title>" in page
    assert "secret" not in page


def test_what_a_page_would_fetch_is_found():
    for text in ('<script src="x.js">', "url(https://example.org/a)", "await import('y')"):
        assert asked_for(text), text
    assert asked_for('<img src="data:image/png;base64,AA"> url(data:font/woff2;base64,AA)') == []


def test_formulas_are_drawn():
    page = html_page(
        notebook(text="# A\n\nwith $x_1 < 2$:\n\n$$L = \\dfrac{1}{K}\n\\sum_k y_k$$\n")
    )
    assert "$" not in page.partition("<main>")[2]
    inline, alone = re.findall(r'<img[^>]+alt="([^"]+)"[^>]+src="data:image/svg', page)
    assert unescape(inline) == "x_1 < 2"
    assert alone == "L = \\dfrac{1}{K} \\sum_k y_k"


def test_executed_notebooks_are_listed(tmp_path):
    for name in ("01_b", "00_a"):
        made = notebook(text=f"# Title <{name}>\n")
        made.metadata["papermill"] = {"end_time": "2026-01-02T03:04:05"}
        nbformat.write(made, tmp_path / f"{name}.ipynb")
        (tmp_path / f"{name}.html").write_text("page")
    (tmp_path / "02_c.failed.ipynb").write_text("{}")
    for _ in range(2):  # the second time, with the index itself in the folder
        page = index_page(tmp_path).read_text(encoding="utf-8")
        assert asked_for(page) == []
        links = re.findall(r'href="([^"]+)"', page)
        assert links == ["00_a.html", "00_a.ipynb", "01_b.html", "01_b.ipynb"]
        assert "Title &lt;00_a&gt;" in page and "2026-01-02" in page


# -------------------------------------------------------------------------------------- the ledger


def test_the_table_has_every_verdict_in_its_place():
    ledger = stored_ledger()
    page = ledger_table(ledger)
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", page)
    readings = ledger["reading"].nunique()
    assert len(rows) * readings == len(ledger)
    assert re.findall(r'<td data-verdict="([^"]+)"', page) == ledger["verdict"].tolist()
    for row, (_, lines) in zip(rows, ledger.groupby(["claim", "tau"], sort=False), strict=True):
        assert unescape(row).count(lines["claim"].iloc[0]) >= 1
        cells = re.findall(r"<td data-verdict.*?</td>", row)
        for cell, line in zip(cells, lines.itertuples(), strict=True):
            said = f"as {line.same_as}" if line.same_as else f"{line.estimate:.2f}"
            assert said.replace("-", "−" if not line.same_as else "-") in cell
    counts = ledger[ledger["same_as"] == ""]["verdict"].value_counts()
    for verdict, number in counts.items():
        assert f"{verdict} ({number})</button>" in page


def test_what_was_not_run_is_told_and_names_are_escaped():
    line = stored_ledger().iloc[:1].copy()
    numbers = ["estimate", "lower", "upper", "effect"]
    line[[*numbers, "pairs"]] = [float("nan")] * 4 + [0]
    line[["verdict", "missing"]] = ["not run", "At tau = 0.06: no runs of <b>."]
    line[["claim", "text", "reading"]] = "<script>alert('&')</script>"
    page = ledger_table(line)
    assert page.count("<script>") == 1
    assert "no runs of &lt;b&gt;." in page
    assert "<small>not run</small>" in page


# ------------------------------------------------------------------------------------ in a browser

pytest_plugins = ["browser"]


@pytest.fixture
def page(tmp_path) -> Path:
    """A page with the ledger and a formula."""
    path = tmp_path / "page.html"
    shown = notebook(ledger_table(stored_ledger()), text="# Ledger\n\n$$x^2$$\n")
    path.write_text(html_page(shown), encoding="utf-8")
    return path


def rows(browser) -> list[str]:
    """The claims of the rows that are shown."""
    script = "return [...document.querySelectorAll('.cptlab-ledger tbody tr')]"
    script += ".filter((r) => r.offsetParent).map((r) => r.querySelector('summary').textContent)"
    return browser.execute_script(script)


def check_filter(browser) -> None:
    """Click on a verdict, then look for words: the table follows and tells its rows."""
    everything = rows(browser)
    assert len(everything) == stored_ledger().groupby(["claim", "tau"]).ngroups
    root = "document.querySelector('.cptlab-ledger')"
    browser.execute_script(f"{root}.querySelector('button[value=contradicted]').click()")
    contradicted = stored_ledger().query("verdict == 'contradicted'")
    assert len(rows(browser)) == contradicted.groupby(["claim", "tau"]).ngroups < len(everything)
    look = f"const i = {root}.querySelector('input'); i.value = 'TAIL acc'; "
    browser.execute_script(look + "i.dispatchEvent(new Event('input'))")
    assert set(rows(browser)) == {"Tail accuracy is up"}
    told = browser.execute_script(f"return {root}.querySelector('output').value")
    assert told == f"{len(rows(browser))} of {len(everything)} rows"


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1140, "light"), (390, "dark")])
def test_the_ledger_is_filtered_on_its_page(browser, page, width, scheme):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    preference = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [preference]})
    browser.get_log("browser")  # forget what came before
    browser.get(page.as_uri())
    assert browser.get_log("browser") == []  # no script failed, nothing was refused
    wide = "return document.documentElement.scrollWidth"
    assert browser.execute_script(wide) <= width
    for element, name, light in (("body", "backgroundColor", True), ("td", "color", False)):
        script = f"return getComputedStyle(document.querySelector('{element}')).{name}"
        red = int(re.search(r"\d+", browser.execute_script(script))[0])
        assert (red > 150) == (light == (scheme == "light"))
    formula = "return document.querySelector('.formula').naturalWidth"
    assert browser.execute_script(formula) > 10
    check_filter(browser)


SHOWN = """
import pandas as pd
from IPython.display import HTML
from cptlab.lab.figures import ledger_table
ledger = pd.read_csv({path!r}).fillna({{"same_as": "", "missing": ""}})
HTML(ledger_table(ledger))
"""


@pytest.mark.slow
def test_the_ledger_is_filtered_in_jupyterlab(browser, tmp_path):
    cell = new_code_cell(SHOWN.format(path=str(CHECKOUT / "figures/claims_ledger.csv")))
    (tmp_path / "work").mkdir()
    kernel = {"name": "python3", "display_name": "Python 3"}  # else Lab asks which
    made = new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    nbformat.write(made, tmp_path / "work/ledger.ipynb")
    with jupyter_lab(tmp_path) as address:
        size = {"width": 1300, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        run_all(browser, address.format("ledger.ipynb"))
        wait(browser, "return document.querySelector('.cptlab-ledger output')?.value", "errors")
        check_filter(browser)
