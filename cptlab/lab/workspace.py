"""Where things are: the notebooks, what is stored, and the folders that runs and figures go to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cptlab.checks import check_text

CHECKOUT = Path(__file__).parents[2]
IN_CHECKOUT = (CHECKOUT / "pyproject.toml").is_file()
"""Whether the package lies in its checkout; if not, it was installed from a wheel."""
CARRIED = CHECKOUT if IN_CHECKOUT else Path(__file__).parents[1] / "carried"
"""The folder of the notebooks and stored measurements; a wheel carries its own (`setup.py`)."""
NOTEBOOKS = CARRIED / "notebooks"
DEFAULT_OUT = "cptlab-out"
"""Below the current folder: where everything goes if the package lies in no checkout."""
DEFAULT_PROFILE = "demo"
COMMITTED_PROFILE = "full"
"""The profile whose figures are part of the repository."""

LONGEST = 100
"""Characters of a folder's name; a changed profile may have more (`cptlab.lab.study.settings`)."""

PARTS = ("figures", "runs", "notebooks", "site")


@dataclass(frozen=True)
class Workspace:
    """Folders of one batch: figures and tables, run results, executed notebooks, their site.

    root: the folder that the user chose for all of them, absolute; empty for the checkout's own.
    """

    figures: Path
    runs: Path
    notebooks: Path
    site: Path
    root: str = ""


def workspace(profile: str, out: str | Path | None = None) -> Workspace:
    """Folders for a profile.

    With `out`, everything goes below it. Without, figures go to the checkout's `figures/` and the
    rest to its `runs/`, which git ignores. Only the profile of the committed figures writes to
    `figures/` itself, the others to `figures/<profile>/`: a quick run must not replace them.
    Outside of a checkout, everything goes below `cptlab-out/<profile>/` in the current folder.

    Raises ValueError for what is no text, and for an `out` that holds runs itself: it is the `runs`
    of a workspace.
    """
    check_text("profile", profile)
    if out is not None and not isinstance(out, Path):
        check_text("out", out)
    profile = _folder(re.sub(r"also=([^,]+)", _short, profile))
    if not out and not IN_CHECKOUT:
        out = Path(DEFAULT_OUT, profile)
    if out:
        root = Path(out).expanduser().resolve()
        if next(root.glob("*/result.json"), None):
            raise ValueError(
                f"{out} holds runs itself, and --out names the folder around `runs`: give "
                f"{root.parent if root.name == 'runs' else 'another folder'}."
            )
        return Workspace(*(root / name for name in PARTS), str(root))
    figures = CHECKOUT / "figures"
    if profile != COMMITTED_PROFILE:
        figures = figures / profile
    own = CHECKOUT / "runs"
    return Workspace(figures, own / "results", own / "notebooks" / profile, own / "site" / profile)


def _short(also: re.Match[str]) -> str:
    """A method of one's own in a folder's name: its class, and a hash of where it lies."""
    reference = also[1]
    return f"also={reference.rpartition(':')[2]}-{sha256(reference.encode()).hexdigest()[:6]}"


def _folder(profile: str) -> str:
    """A profile with its changes as the name of a folder: without paths, and not too long."""
    short = re.sub(r"[^,+=]*/", "", profile)[:LONGEST]
    if short == profile:
        return profile
    return f"{short}-{sha256(profile.encode()).hexdigest()[:6]}"


def stored(name: str) -> Path:
    """A file beside the committed figures: the user's own, or else the one that cptlab carries."""
    own = workspace(COMMITTED_PROFILE).figures / name
    return own if own.is_file() else CARRIED / "figures" / name
