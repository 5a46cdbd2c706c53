"""One notebook: executed by papermill in the interpreter that cptlab runs in."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError

from cptlab.lab.workspace import NOTEBOOKS

INLINE = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
"""Pictures go into the notebook, whatever the user's environment says."""


class OwnKernel(AsyncKernelManager):
    """Kernels of this interpreter: those that Jupyter finds by the name "python3" may be others."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(env=INLINE, **get_kernel_dict())


@cache
def declared(name: str) -> list[str]:
    """The parameters of a notebook."""
    return list(papermill.inspect_notebook(_verbatim(NOTEBOOKS / f"{name}.ipynb")))


def execute_notebook(name: str, parameters: dict[str, object], folder: Path) -> Path:
    """Execute one notebook with papermill; returns the executed notebook.

    Raises ValueError for a parameter that the notebook does not declare; RuntimeError naming the
    failed notebook, which is kept as `<name>.failed.ipynb`.
    """
    unknown = sorted(set(parameters) - set(declared(name)))
    if unknown:
        raise ValueError(
            f"Notebook {name} has no parameter {', '.join(unknown)}; it has "
            f"{', '.join(declared(name))}."
        )
    folder.mkdir(parents=True, exist_ok=True)
    partial, final = folder / f"{name}.failed.ipynb", folder / f"{name}.ipynb"
    started = time.time()
    try:
        # a profile of IPython's own: the user's may run code and change what cells show
        with TemporaryDirectory(prefix="cptlab-") as ipython:
            papermill.execute_notebook(
                _verbatim(NOTEBOOKS / f"{name}.ipynb"),
                _verbatim(partial),
                parameters,
                progress_bar=False,
                cwd=str(NOTEBOOKS),
                kernel_manager_class=OwnKernel,
                extra_arguments=["--IPKernelApp.log_level=50", f"--ipython-dir={ipython}"],
            )
    except papermill.PapermillExecutionError as error:
        raise RuntimeError(
            _failed(name, started, f"{error.ename}: {error.evalue}", partial)
        ) from error
    except DeadKernelError as error:
        reason = "its kernel died (out of memory?)"
        raise RuntimeError(_failed(name, started, reason, partial)) from error
    except RuntimeError as error:  # before its first answer
        reason = f"its kernel did not start ({error})"
        raise RuntimeError(_failed(name, started, reason, partial)) from error
    partial.replace(final)
    return final


def _failed(name: str, started: float, reason: str, kept: Path) -> str:
    where = f" See {kept};" if kept.is_file() else " The"
    return (
        f"Notebook {name} failed after {time.time() - started:.0f} s: {reason}.{where} finished "
        "runs are kept."
    )


def _verbatim(path: Path) -> str:
    """A path for papermill, which takes braces for places to fill in."""
    return str(path).replace("{", "{{").replace("}", "}}")
