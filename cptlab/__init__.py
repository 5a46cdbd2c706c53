"""cptlab: the study of CPT (cluster-aware neural collapse prompt tuning) in your hands.

Towers and prompts are in `cptlab.clip`, data sets in `cptlab.data`, methods in `cptlab.methods`,
losses and measures in `cptlab.geometry`, the training loop in `cptlab.training`; `cptlab.lab` holds
the study on top of them.

What a script starts from, here by the shorter names:

    CPT             the method (its `help` explains the losses); the others: `cptlab.methods`
    RunSpec         everything that decides a run's numbers; `cptlab.lab.runs` trains and stores it
    Schedule        epochs, learning rate, batch size
    load            a frozen CLIP by name: load("EmojiCLIP")
    load_run        a finished run by its folder: its numbers, and its prompts for use
    open_dataset    a data set by name, or by the path of a folder or CSV file

    >>> from cptlab import CPT, load, open_dataset
    >>> base, new = open_dataset("food").halves()
    >>> backbone = load("EmojiCLIP")
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
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


def __getattr__(name: str) -> Any:
    """Import the public names on first use: `import cptlab` stays quick, figures need no torch."""
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'cptlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names too, though they are not imported yet."""
    return sorted({*globals(), *_PUBLIC})
