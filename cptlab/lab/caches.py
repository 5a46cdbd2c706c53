"""Places for what other packages keep: a temporary folder where their usual ones cannot be written.

In a container or as a service one may have no home, or one that is read-only. Numba, and so UMAP,
ends there with an error, Jupyter starts no kernel, Matplotlib and fontconfig complain.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def use_writable_caches() -> None:
    """Name a temporary folder in the environment for all that has no place that can be written.

    Worker processes and kernels inherit it, and it goes with this process. What is set stays.
    """
    home = Path("~").expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    usual = {
        "XDG_CACHE_HOME": [cache],
        "NUMBA_CACHE_DIR": [cache],
        "MPLCONFIGDIR": [config, cache],
        "IPYTHONDIR": [home / ".ipython"],
        "JUPYTER_RUNTIME_DIR": [data],
    }
    lacking = [
        name
        for name, folders in usual.items()
        if not os.environ.get(name) and not all(map(_can_be_written, folders))
    ]
    if not lacking:
        return
    folder = Path(tempfile.mkdtemp(prefix="cptlab-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if "XDG_CACHE_HOME" in lacking:  # weights that were fetched before can still be read
        os.environ.setdefault("HF_HOME", str(cache / "huggingface"))
    for name in lacking:
        os.environ[name] = str(folder / name.lower())
        (folder / name.lower()).mkdir()


def _can_be_written(folder: Path) -> bool:
    """Whether a folder, or the nearest one above it that exists, takes new files."""
    if not folder.is_absolute():  # the system knows no home
        return False
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
