"""What the shell offers on TAB, and the names in `--help`: written out, so that no torch is loaded.

A test compares them with the methods, profiles and data sets that there are.
"""

from __future__ import annotations

from collections.abc import Callable

import click
from click.shell_completion import CompletionItem

from cptlab import methods
from cptlab.lab import workspace

METHODS = tuple(methods.METHODS)
PROFILES = ("smoke", "demo", "full", "paper")
EMBEDDED = ("activities", "animals", "food", "objects", "smileys", "travel")
PAPER = (
    "imagenet",
    "caltech101",
    "oxford_pets",
    "stanford_cars",
    "flowers102",
    "food101",
    "fgvc_aircraft",
    "sun397",
    "dtd",
    "eurosat",
    "ucf101",
    "imagenet_v2",
    "imagenet_sketch",
    "imagenet_a",
    "imagenet_r",
)
NOTEBOOKS = tuple(sorted(path.stem for path in workspace.NOTEBOOKS.glob("[0-9]*.ipynb")))
ENGINES = ("loky", "slurm")

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def one_of(names: tuple[str, ...], or_path: bool = False) -> Complete:
    """A click `shell_complete` that offers the names that begin as the word does.

    Any other word stays valid: what is wrong with it is told by the command, which knows more.
    or_path: files and folders as well.
    """

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        items = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return [*items, CompletionItem(incomplete, type="file")] if or_path else items

    return complete
