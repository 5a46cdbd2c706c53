"""Figures as committed: `make figures` may redraw them on a machine that rounds otherwise."""

import subprocess

from cptlab.lab.workspace import CHECKOUT


def committed(name: str) -> str:
    """The text of a file in figures/, in git where there is git."""
    if not (CHECKOUT / ".git").exists():
        return (CHECKOUT / "figures" / name).read_text(encoding="utf-8")
    command = ["git", "show", f"HEAD:figures/{name}"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True, encoding="utf-8")
    return done.stdout
