"""The table of claims: every verdict in its place, found by word or verdict, in any page."""

import re
from html import unescape

import nbformat
import pytest
from jupyter_lab import jupyter_lab, run_all, wait
from ledger_filter import check_filter
from nbformat.v4 import new_code_cell, new_notebook
from small_site import not_run, stored_ledger

from cptlab.lab.figures import ledger_table

pytest_plugins = ["browser"]


def test_the_table_has_every_verdict_in_its_place():
    ledger = stored_ledger()
    page = ledger_table(ledger)
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", page)
    readings = ledger["reading"].nunique()
    assert len(rows) * readings == len(ledger)
    assert re.findall(r'<td [^>]*data-verdict="([^"]+)"', page) == ledger["verdict"].tolist()
    for row, (_, lines) in zip(rows, ledger.groupby(["claim", "tau"], sort=False), strict=True):
        assert unescape(row).count(lines["claim"].iloc[0]) >= 1
        cells = re.findall(r"<td [^>]*data-verdict.*?</td>", row)
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


def test_rows_that_nothing_was_run_for_are_folded_away_at_the_end():
    page = ledger_table(not_run(stored_ledger(), 2))
    table, _, folded = page.partition("<details><summary>2 rows that nothing was run for</summary>")
    assert table.count('<th scope="row">') == stored_ledger().groupby(["claim", "tau"]).ngroups - 2
    assert folded.count('<th scope="row">') == 2
    assert "<summary>2 rows" not in ledger_table(stored_ledger())


SHOWN = """
import pandas as pd
from IPython.display import HTML
from cptlab.lab.figures import ledger_table
ledger = pd.read_csv({path!r}).fillna({{"same_as": "", "missing": ""}})
HTML(ledger_table(ledger))
"""


@pytest.mark.slow
def test_the_ledger_is_filtered_in_jupyterlab(browser, tmp_path):
    ledger, path = stored_ledger(), tmp_path / "work/claims_ledger.csv"
    path.parent.mkdir()
    ledger.to_csv(path, index=False)
    cell = new_code_cell(SHOWN.format(path=str(path)))
    kernel = {"name": "python3", "display_name": "Python 3"}  # else Lab asks which
    made = new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    nbformat.write(made, tmp_path / "work/ledger.ipynb")
    with jupyter_lab(tmp_path) as address:
        size = {"width": 1300, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        run_all(browser, address.format("ledger.ipynb"))
        wait(browser, "return document.querySelector('.cptlab-ledger output')?.value", "errors")
        check_filter(browser, ledger)
