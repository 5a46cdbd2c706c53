"""The filter of the table of claims, as a reader uses it."""

import pandas as pd


def rows(browser) -> list[str]:
    """The claims of the rows that are shown."""
    script = "return [...document.querySelectorAll('.cptlab-ledger tbody tr')]"
    script += (
        ".filter((r) => r.checkVisibility()).map((r) => r.querySelector('summary').textContent)"
    )
    return browser.execute_script(script)


def check_filter(browser, ledger: pd.DataFrame) -> None:
    """Click on a verdict, then look for words: the table follows and tells its rows."""
    by_row = ledger.groupby(["claim", "tau"], sort=False)["verdict"]
    ran, everything = by_row.agg(lambda verdicts: (verdicts != "not run").any()), by_row.ngroups
    assert len(rows(browser)) == ran.sum()
    root = "document.querySelector('.cptlab-ledger')"

    def click(verdict: str) -> None:
        browser.execute_script(f"{root}.querySelector('button[value=\"{verdict}\"]').click()")

    for verdict in ledger["verdict"].unique():
        click(verdict)
        having = by_row.agg(lambda verdicts, one=verdict: (verdicts == one).any())
        assert len(rows(browser)) == having.sum() < everything
    click("")
    look = f"const i = {root}.querySelector('input'); i.value = 'TAIL acc'; "
    browser.execute_script(look + "i.dispatchEvent(new Event('input'))")
    assert set(rows(browser)) == {"Tail accuracy is up"}
    told = browser.execute_script(f"return {root}.querySelector('output').value")
    assert told == f"{len(rows(browser))} of {everything} rows"
