"""The explorer's notebook in a JupyterLab of its own, and what a reader does there."""

from contextlib import contextmanager

import nbformat
from jupyter_lab import jupyter_lab, run_all, wait

from cptlab.lab.workspace import NOTEBOOKS


@contextmanager
def explorer(browser, folder):
    """The notebook in a Lab, all its cells run on the runs of the profile smoke in `folder`/out."""
    notebook = nbformat.read(NOTEBOOKS / "explore.ipynb", as_version=4)
    (cell,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    out = f"out: str = {str(folder / 'out')!r}"
    cell.source = cell.source.replace('"demo"', '"smoke"').replace('out: str = ""', out)
    (folder / "work").mkdir()
    nbformat.write(notebook, folder / "work/explore.ipynb")
    with jupyter_lab(folder) as address:
        resize(browser, 1500)
        run_all(browser, address.format("explore.ipynb"))
        wait(browser, "return document.querySelector('.cptlab-prediction')", "errors")
        yield


def resize(browser, width):
    """Make the window so many pixels wide."""
    size = {"width": width, "height": 1300, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def rows(browser):
    """The table of numbers: label -> cells."""
    script = "return [...document.querySelectorAll('.cptlab-metrics tbody tr')].map("
    script += "(r) => [...r.children].map((c) => c.textContent))"
    return {label: cells for label, *cells in browser.execute_script(script)}


def matrix(browser):
    """The image of the chosen run's matrix, as an address."""
    return browser.execute_script("return document.querySelectorAll('.cptlab-matrix img')[1].src")


def press(browser, element, *keys):
    """Focus an element of the page and press keys, named as selenium names them."""
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    browser.execute_script("arguments[0].focus()", element)
    ActionChains(browser).send_keys(*(getattr(Keys, key) for key in keys)).perform()


def drag(browser, slider, key):
    """Move one of the loss weights with a key: HOME, END or an arrow."""
    sliders = browser.execute_script("return document.querySelectorAll('.cptlab-sliders input')")
    press(browser, sliders[slider], key)


def click(browser, text):
    """Click the button that says so."""
    buttons = "[...document.querySelectorAll('button')]"
    found = f"{buttons}.find((b) => b.innerText.trim() === arguments[0])"
    browser.execute_script(f"{found}.click()", text)


def said(browser, pattern):
    """Wait until the page says what a pattern of JavaScript matches."""
    wait(browser, f"return /{pattern}/.test(document.body.innerText)", "errors")


def menu(browser, name):
    """The menu of that name."""
    every = browser.execute_script("return [...document.querySelectorAll('.cptlab-menu select')]")
    (found,) = [one for one in every if one.accessible_name == name]
    return found


def choose(browser, label):
    """Choose a method in the menu, and wait until its numbers are there."""
    from selenium.webdriver.support.ui import Select

    Select(menu(browser, "method")).select_by_visible_text(label)
    shown = "return document.querySelector('.cptlab-panel:nth-child(2) b').textContent"
    wait(browser, f"{shown} === {label!r}")


def menus(browser):
    """Whether each menu is locked, and what it shows."""
    script = "return [...document.querySelectorAll('.jp-OutputArea select:not([multiple])')].map("
    return browser.execute_script(script + "(s) => [s.disabled, s.selectedOptions[0].label])")


def unlocked(browser):
    """Wait until the menus can be moved."""
    wait(browser, "return !document.querySelector('.jp-OutputArea select:disabled')")


def upload(browser, path):
    """Choose an image of one's own."""
    browser.execute_script("return document.querySelector('.cptlab-upload input')").send_keys(
        str(path)
    )
