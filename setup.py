"""A wheel also carries notebooks, stored measurements and documents that lie beside the package."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CARRIED = ("notebooks/*.ipynb", "figures/*.json", "docs/*", "README.md", "CITATION.cff")
"""What `cptlab/lab/workspace.py` looks for in `cptlab/carried/` if there is no checkout."""


class BuildWithCarried(build_py):
    """Copies them into the build; an editable install finds them where they are."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for path in (path for pattern in CARRIED for path in sorted(Path().glob(pattern))):
            target = Path(self.build_lib, "cptlab", "carried", path)
            self.mkpath(str(target.parent))
            self.copy_file(str(path), str(target))


setup(cmdclass={"build_py": BuildWithCarried})
