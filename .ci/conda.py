"""Write environment.yml for conda: the oldest Python that cptlab takes, and the pins of the lock.

    python .ci/conda.py

Versions are those of constraints.txt, which pip reads, so that conda and make users get the same.
"""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = """\
# Written by `make lock`. conda env create -f environment.yml && conda activate cptlab
name: cptlab
channels:
  - conda-forge
dependencies:
  - python={python}
  - pip
  - pip:
      - -c constraints.txt
      - -e .[test]
"""


def text() -> str:
    """Content of environment.yml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return TEXT.format(python=project["requires-python"].removeprefix(">="))


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(text(), encoding="utf-8")
