"""A JupyterLab of its own for tests: fresh settings, and gone when they end."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cptlab.lab.workspace import CHECKOUT

QUIET = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
START_SECONDS = 90
PATIENCE = 400  # seconds; other tests run beside


@contextmanager
def jupyter_lab(folder: Path) -> Iterator[str]:
    """Serve `folder`/work; yields the address of its Lab, with the token that opens it.

    Raises RuntimeError with the server's log if it does not start.
    """
    root, runtime = folder / "work", folder / "runtime"
    root.mkdir(exist_ok=True)
    settings = folder / "settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(QUIET))
    own = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    environment = {**os.environ, **{name: str(folder / part) for name, part in own.items()}}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.root_dir={root}", "--LabApp.expose_app_in_browser=True"]
    with (folder / "log.txt").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=root)
    try:
        yield _address(server, runtime, folder / "log.txt")
    finally:
        server.terminate()  # it ends its kernels first
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def run_all(browser, address: str) -> None:
    """Open a notebook in its Lab and start all its cells."""
    browser.get(address)
    wait(browser, "return document.querySelector('.jp-Notebook .jp-Cell')")
    ready = "const p = window.jupyterapp?.shell.currentWidget; "
    ready += "return p?.sessionContext?.session?.kernel?.status === 'idle'"
    wait(browser, ready)
    browser.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")


def wait(browser, script, errors=""):
    """What a script returns once it is true; fails with what the notebook says went wrong."""
    failed = "return document.querySelector('.jp-RenderedText[data-mime-type*=error]')?.innerText"
    end = time.time() + PATIENCE
    while not (value := browser.execute_script(script)):
        wrong = browser.execute_script(failed) if errors else None
        assert not wrong, wrong
        assert time.time() < end, f"Nothing came of {script}"
        time.sleep(0.1)
    return value


def _address(server: subprocess.Popen, runtime: Path, log: Path) -> str:
    for _ in range(10 * START_SECONDS):
        for path in runtime.glob("jpserver-*.json"):
            try:
                told = json.loads(path.read_text())
                return f"{told['url']}lab/tree/{{}}?reset&token={told['token']}"
            except ValueError:
                break  # half written
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")
