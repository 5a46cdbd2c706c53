"""The command `cptlab`, also as `python -m cptlab`: it belongs to the lab, an extra of the core."""

import sys
from importlib.util import find_spec

LAB = ("click", "joblib", "matplotlib", "papermill")
"""Some packages of the extra: others of it may be there by chance, as packages of the core need
them, and a command would fail only halfway."""


def main() -> None:
    """Entry point; where the lab is not installed, one line says how to get it."""
    if missing := [name for name in LAB if find_spec(name) is None]:
        sys.exit(
            f"cptlab: The command is not installed here ({', '.join(missing)} missing), only the "
            "library is. Run: pip install 'cptlab[lab]'"
        )
    from cptlab.lab.cli.main import main as command_line

    command_line()


if __name__ == "__main__":
    main()
