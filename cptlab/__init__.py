"""cptlab: the study of CPT (cluster-aware neural collapse prompt tuning) in your hands.

Towers and prompts are in `cptlab.clip`, data sets in `cptlab.data`, methods in `cptlab.methods`,
losses and measures in `cptlab.geometry`, the training loop in `cptlab.training`; `cptlab.lab` holds
the study on top of them.

What a script starts from, here by the shorter names:

    compare         methods side by side on data sets: table, figures, all runs as a frame
    fit             one method trained once; the run classifies images and exports its weights
    load_run        a run that is stored; read_results: all runs of a store as a frame
    CPT             the method (its `help` explains the losses); the others: `cptlab.methods`
    RunSpec         everything that decides a run's numbers, nothing left to a profile
    Schedule        epochs, learning rate, batch size
    load            a frozen CLIP by name: load("EmojiCLIP")
    open_dataset    a data set by name, or by the path of a folder or CSV file

    >>> import cptlab
    >>> study = cptlab.compare("food", ["coop", "cpt"], taus=[0.06], seeds="1-3")
    >>> study.table(), study.plot(), study.frame
"""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"
"""The one place of it: packaging and stored results read it here, CITATION.cff repeats it."""

PUBLIC = {
    "CPT": "cptlab.methods",
    "compare": "cptlab.lab.compare",
    "fit": "cptlab.lab.compare",
    "read_results": "cptlab.lab.runs.frame",
    "RunSpec": "cptlab.training.spec",
    "Schedule": "cptlab.training.spec",
    "load": "cptlab.clip",
    "load_run": "cptlab.lab.runs.finished",
    "open_dataset": "cptlab.data",
}
"""Name -> module that it is imported from."""


def __getattr__(name: str) -> Any:
    """Import the public names on first use: `import cptlab` stays quick, figures need no torch."""
    if name in PUBLIC:
        try:
            return getattr(import_module(PUBLIC[name]), name)
        except ModuleNotFoundError as error:
            if PUBLIC[name].startswith("cptlab.lab"):
                error.msg = (
                    f"cptlab.{name} needs more than the core ({error.name} is missing): "
                    "pip install 'cptlab[lab]'"
                )
            raise
    raise AttributeError(f"module 'cptlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names too, though they are not imported yet."""
    return sorted({*globals(), *PUBLIC})
