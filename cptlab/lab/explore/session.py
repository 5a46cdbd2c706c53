"""A session of the explorer: the runs of a store, the chosen one, and whether widgets work."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from IPython import get_ipython
from torch import Tensor

from cptlab.geometry import cosine_matrix
from cptlab.lab.explore.choice import Finished, finished, first_choice, label_of
from cptlab.lab.explore.scene import Scene, scene_of
from cptlab.lab.runs.queue import run
from cptlab.lab.runs.results import Result
from cptlab.lab.study.claims.variants import CPT, PLAIN, ZERO_SHOT
from cptlab.lab.study.lineup import BOTH
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.profiles import PROFILES
from cptlab.lab.study.studies import Study, grid
from cptlab.training.spec import RunSpec

WIDGETS = ("auto", "on", "off")


@dataclass(frozen=True, eq=False)
class State:
    """A run after an epoch of its training.

    texts: (K, d) class texts in the scene's order. metrics: accuracies in percent, and the
    effective rank.
    """

    spec: RunSpec
    label: str
    texts: Tensor
    metrics: dict[str, float]


class Session(traitlets.HasTraits):
    """Finished runs of a profile in a store; `chosen` is one of them, and `shown` what matrix and
    map show: it, or another state of its training, or of one that is going on.

    Panels observe `chosen`, `shown`, `runs` and `training` (traitlets). While a run is in training,
    another one cannot be chosen: the page shows one run at a time; `stopped` ends the training.
    live: show widgets, not static images.
    """

    runs = traitlets.List()
    chosen = traitlets.Instance(Finished)
    shown = traitlets.Union([traitlets.Instance(Finished), traitlets.Instance(State)])
    training = traitlets.Bool(False)

    def __init__(self, profile: Profile, store: Path, runs: list[Finished], live: bool):
        self.profile, self.store, self.live = profile, store, live
        self.stopped = threading.Event()
        chosen = first_choice(runs)
        super().__init__(runs=runs, chosen=chosen, shown=chosen)

    @traitlets.validate("chosen")
    def _one_at_a_time(self, proposal: dict[str, Any]) -> Finished:
        if self.training:
            raise traitlets.TraitError("A run is in training: wait for it, or stop it.")
        return proposal["value"]

    @traitlets.observe("chosen", "training")
    def _show_chosen(self, change: object) -> None:
        self.shown = self.chosen  # also after a training: it may have been stopped, or have failed

    def scene(self) -> Scene:
        """The classes of the chosen run."""
        return scene_of(self.chosen.spec)

    def texts(self) -> tuple[Tensor, np.ndarray]:
        """Class texts (K, d) of what is shown in the scene's order, and their cosines (K, K)."""
        if isinstance(self.shown, State):
            texts = self.shown.texts
        else:
            texts = self.scene().texts_of(self.shown.result.model())
        return texts, cosine_matrix(texts).numpy()

    def add(self, result: Result) -> None:
        """Add a run, and choose it."""
        new = Finished(result, label_of(result.spec, self.profile))
        others = [run for run in self.runs if run.key != new.key]
        self.runs = sorted([*others, new], key=lambda run: run.key)
        self.chosen = new


def begin(profile: Profile, store: Path, widgets: str = "auto") -> Session:
    """Open the finished runs of a profile; if there are none, the profile smoke trains a few.

    Remarks on results that are left out are printed. widgets: "on", "off" for static images, or
    "auto" for widgets in an interactive notebook.

    Raises ValueError for another value, or if there are no runs, with the command to train some.
    """
    if widgets not in WIDGETS:
        raise ValueError(f"widgets is {widgets!r}, but must be one of {', '.join(WIDGETS)}.")
    runs, remarks = finished(profile, store)
    if not runs and profile.name == "smoke":
        run(list(starters(profile)), store)
        runs, remarks = finished(profile, store)
    for remark in remarks:
        print(remark)
    if not runs:
        raise ValueError(
            f"There are no finished base-to-new runs of profile {profile.name} in {store}. "
            f"{there_are(store)}`cptlab figures 00 --profile {profile.name}` trains a few, "
            f"`cptlab run --profile {profile.name}` one; the profile smoke trains three tiny ones "
            "here. With --out, give the notebook the same folder as out."
        )
    return Session(profile, store, runs, is_interactive() if widgets == "auto" else widgets == "on")


def there_are(store: Path) -> str:
    """A sentence on the profiles that have runs to show in a store; empty if none has."""
    counts = {name: len(finished(profile, store)[0]) for name, profile in PROFILES.items()}
    listed = [f"{name} ({count} runs)" for name, count in counts.items() if count]
    return f"There are some of {', '.join(listed)}: give that as profile. " if listed else ""


def starters(profile: Profile) -> Study:
    """Two short runs, CPT and the prompts without its losses, and zero-shot beside them."""
    main = profile.comparison
    design = main.at(main.smallest_tau).on(main.datasets[0]).first_seeds(1)
    return grid(profile, design, (ZERO_SHOT, PLAIN, CPT), BOTH[1:])


def is_interactive() -> bool:
    """Whether this runs in a notebook that a person uses.

    Papermill, nbval and nbconvert run the kernel without standard input.
    """
    shell = get_ipython()
    kernel = getattr(shell, "kernel", None)
    return kernel is not None and getattr(kernel, "_allow_stdin", True)
