"""The site: pages of notebooks, figures and documents that ask for nothing and fit their window."""

import base64
import re
from html import unescape
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest
from click.testing import CliRunner
from jupyter_lab import jupyter_lab, run_all, wait
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from cptlab.lab.cli.main import commands
from cptlab.lab.figures import ledger_table
from cptlab.lab.figures.style import save
from cptlab.lab.site import build, conf
from cptlab.lab.site.methods import methods_page
from cptlab.lab.study.profiles import SMOKE
from cptlab.lab.workspace import CHECKOUT, Workspace, workspace
from cptlab.methods.registry import BUILT_IN

FORMULA = "$$L = \\dfrac{1}{K}\n\\sum_k y_k$$"


def stored_ledger() -> pd.DataFrame:
    ledger = pd.read_csv(CHECKOUT / "figures/claims_ledger.csv")
    return ledger.fillna({"same_as": "", "missing": ""})


def notebook(*outputs: dict[str, str], code: str = "secret = 1", title: str) -> str:
    """An executed notebook: a text, then a cell that shows these outputs."""
    shown = [new_output("display_data", output) for output in outputs]
    text = new_markdown_cell(f"# {title}\n\nwith $x_1 < 2$:\n\n{FORMULA}\n")
    made = new_notebook(cells=[text, new_code_cell(code, outputs=shown)])
    made.metadata["language_info"] = {"name": "python"}
    return nbformat.writes(made)


def small_workspace(folder: Path) -> Workspace:
    """One with two notebooks and a figure, and what another command left unfinished."""
    folders = workspace("smoke", folder)
    folders.notebooks.mkdir()
    fig, ax = plt.subplots()
    ax.plot([1, 2])
    save(fig, pd.DataFrame({"x": [1]}), folders.figures, "tab1_ablation")
    plt.close(fig)
    table = "| a | b |\n| --- | --- |\n| 1 | 2 |"
    wide = "<table class='dataframe'><tr>" + "<td>wide_number</td>" * 40 + "</tr></table>"
    pixel = base64.b64encode((folders.figures / "tab1_ablation.png").read_bytes()).decode()
    outputs = {"text/markdown": table}, {"text/html": wide}, {"image/png": pixel}
    texts = {
        "04_ablation": notebook(*outputs, code='save(fig, "tab1_ablation")', title="Tails & heads"),
        "12_claims": notebook({"text/html": ledger_table(stored_ledger())}, title="Claims"),
        "05_c.failed": "{}",
    }
    for name, text in texts.items():
        (folders.notebooks / f"{name}.ipynb").write_text(text, encoding="utf-8")
    return folders


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site of a small workspace, without the long reference."""
    folders = small_workspace(tmp_path_factory.mktemp("study"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "API", ["", "methods"])
        first = build.build_site(SMOKE, folders)
    assert first == folders.site / "index.html"
    assert [path.name for path in folders.site.parent.glob(".smoke*")] == []
    return folders.site


def text_of(site: Path, name: str) -> str:
    return (site / f"{name}.html").read_text(encoding="utf-8")


def test_nothing_is_fetched_and_every_link_inside_leads_somewhere(site):
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    assert len(pages) > 10
    for path, page in pages.items():
        for target in re.findall(r"""(?:src|href)=["']([^"'#?]*)[#?"']""", page):
            if not target or re.match(r"https?:|mailto:|data:", target):
                continue
            assert (path.parent / target).exists(), (path.name, target)
        fetched = r"""(?:\bsrc|<link\b[^>]*\bhref)\s*=\s*["']?(?:https?:)?//[^"'>]+|@import"""
        assert re.findall(fetched, page) == []
    for path in site.rglob("*.css"):
        assert not re.findall(
            r"url\(\s*[\"']?(?:https?:)?//|@import", path.read_text(encoding="utf-8")
        )


def test_a_notebook_is_a_page_with_folded_code_formulas_and_alternative_texts(site):
    page = text_of(site, "notebooks/04_ablation")
    assert "<title>Tails &amp; heads - cptlab</title>" in page
    folded = re.search(r"<details.*?</details>", page, re.DOTALL)
    assert folded and "tab1_ablation" in unescape(re.sub("<[^>]*>", "", folded[0]))
    assert len(re.findall("<math", page)) == 2 and "$" not in re.sub(
        "<script.*?</script>", "", page
    )
    assert re.search(r"<td[^>]*><p>1</p></td>", page)  # a Markdown table is a table
    alts = re.findall(r'<img alt="([^"]*)"', page)
    assert alts and all("three losses" in alt for alt in alts)
    assert 'rel="next"' in page or 'class="next-page"' in page
    claims = text_of(site, "notebooks/12_claims")
    assert "document.currentScript" in claims


def test_the_first_page_tells_findings_and_whose_they_are(site):
    page = text_of(site, "index")
    assert "profile <code" in page and "smoke" in page
    told = unescape(" ".join(re.sub("<[^>]*>", " ", page).split()))
    messages = re.findall(r"^\*\*(.+?)\*\*", build.findings(), re.MULTILINE)
    assert messages and all(message in told for message in messages)
    for name in ("figures", "methods", "provenance", "docs/own-questions", "docs/log", "README"):
        assert f'href="{name}.html"' in page, name


def test_the_gallery_has_caption_files_and_notebook_of_each_figure(site):
    page = text_of(site, "figures")
    figure = re.search(r"<figure.*?</figure>", page, re.DOTALL)[0]
    assert "of the three losses" in figure and 'href="notebooks/04_ablation.html"' in figure
    for kind in ("png", "svg", "csv"):
        assert re.search(rf'href="_downloads/\w+/tab1_ablation.{kind}"', figure)


def test_methods_name_their_sources_and_what_they_were_compared_with(monkeypatch, tmp_path):
    page = methods_page()
    rows = [line for line in page.splitlines() if line.startswith("| [")]
    assert len(rows) == len(BUILT_IN)
    by_name = dict(zip(BUILT_IN, rows, strict=True))
    assert "KaiyangZhou/CoOp@ff61507: 6 cases" in by_name["coop"]
    assert by_name["cpt"].endswith("| – |") and "arXiv 2605.11939" in by_name["cpt"]
    monkeypatch.setattr("cptlab.lab.site.methods.GOLDEN", tmp_path / "none")
    assert "which a wheel does not carry" in methods_page()


def test_docstrings_are_shown_as_they_are():
    lines = [
        "A sum |x|, a_ and `b_`:",
        "",
        "    L = |x|_1",
        "",
        "alpha: one",
        "    or none.",
        "- a",
        "  b",
    ]
    conf.plain(None, "class", "C", None, None, lines)
    assert lines == [
        "A sum \\|x\\|, a\\_ and `b_`:",
        "",
        "::",
        "",
        "    L = |x|_1",
        "",
        "alpha: one",
        "or none.",
        "",
        "- a",
        "  b",
    ]


def test_without_executed_notebooks_it_is_said_what_makes_them(tmp_path):
    done = CliRunner().invoke(commands, ["site", "--profile", "smoke", "--out", str(tmp_path)])
    assert "`cptlab figures --profile smoke` executes them" in str(done.exception)
    assert not (tmp_path / "site").exists()


def test_what_a_document_links_to_comes_along_or_is_text(tmp_path):
    names: list[str] = []
    text = "[a](../figures/runs.csv) [b](../notebooks) ![c](no.png) [d](plan.md#x) [e](#f)"
    kept = build.LINK.sub(lambda link: build._kept(tmp_path, "docs", names, link), text)
    assert kept == "[a](../figures/runs.csv) b c [d](plan.md#x) [e](#f)"
    assert names == ["figures/runs.csv", "docs/plan.md"]


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
def test_pages_fit_their_window_and_ask_for_files_alone(browser, site, width, scheme):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    preference = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [preference]})
    browser.get_log("browser")  # forget what came before
    browser.get_log("performance")
    for path in sorted(site.rglob("*.html")):
        browser.get(path.as_uri())
        shown = browser.execute_script("return document.documentElement.scrollWidth")
        assert shown <= width, path.name
    assert browser.get_log("browser") == []  # no script failed, nothing was refused
    asked = re.findall(
        r'"url":"(\w+):', "".join(e["message"] for e in browser.get_log("performance"))
    )
    assert set(asked) <= {"file", "data", "chrome", "about"}
    browser.get((site / "notebooks/12_claims.html").as_uri())
    for element, name, light in (("body", "backgroundColor", True), ("td", "color", False)):
        script = f"return getComputedStyle(document.querySelector('{element}')).{name}"
        red = int(re.search(r"\d+", browser.execute_script(script))[0])
        assert (red > 150) == (light == (scheme == "light"))
    formula = "return document.querySelector('math').getBoundingClientRect().width"
    assert browser.execute_script(formula) > 10
    check_filter(browser)


@pytest.mark.slow
def test_the_whole_reference_is_built_without_a_warning(tmp_path, capfd):
    folders = small_workspace(tmp_path)
    build.build_site(SMOKE, folders)
    assert capfd.readouterr().err == ""
    page = text_of(folders.site, "api/methods")
    assert 'id="cptlab.methods.cpt.CPT"' in page


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
