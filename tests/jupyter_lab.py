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
