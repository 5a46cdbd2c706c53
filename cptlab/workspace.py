"""Where things are: the checkout, the notebooks, and the folders that runs and figures go to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
NOTEBOOKS = CHECKOUT / "notebooks"
DEFAULT_PROFILE = "demo"
COMMITTED_PROFILE = "full"
"""The profile whose figures are part of the repository."""
COMMITTED_RESULTS = CHECKOUT / "figures/results.tar.xz"
"""Its results, from which they can be redrawn (`cptlab.archive`)."""


@dataclass(frozen=True)
class Workspace:
    """Folders of one batch: figures and tables, run results, executed notebooks and pages.

    root: the folder that the user chose for all of them, absolute; empty for the checkout's own.
    """

    figures: Path
    runs: Path
    notebooks: Path
    root: str = ""


def workspace(profile: str, out: str | Path | None = None) -> Workspace:
    """Folders for a profile.

    With `out`, everything goes below it. Without, figures go to the checkout's `figures/` and the
    rest to its `runs/`, which git ignores. Only the profile of the committed pictures writes to
    `figures/` itself, the others to `figures/<profile>/`: a quick run must not replace them.
    """
    if out:
        root = Path(out).expanduser().resolve()
        return Workspace(root / "figures", root / "runs", root / "notebooks", str(root))
    figures = CHECKOUT / "figures"
    if profile != COMMITTED_PROFILE:
        figures = figures / profile
    return Workspace(figures, CHECKOUT / "runs/results", CHECKOUT / "runs/notebooks" / profile)
