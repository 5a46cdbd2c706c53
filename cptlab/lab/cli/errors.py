"""Errors of the command line in words."""

from __future__ import annotations

import errno

ADVICE = {
    errno.ENOENT: "Check the path.",
    errno.EACCES: "Make it accessible, or choose another place.",
    errno.EROFS: "Choose another place.",
    errno.ENOTDIR: "Choose another place.",
    errno.EISDIR: "Name a file, not a folder.",
    errno.ENOSPC: "Free some space and start again.",
}


def words(error: Exception) -> str:
    """What an expected error says; those of the system and of Python get a word on what to do."""
    if isinstance(error, ModuleNotFoundError):
        return (
            f"The package {error.name} is not installed here: run cptlab in the environment that "
            "`make env` or pip installed it into."
        )
    if isinstance(error, OSError) and error.strerror:  # ours have a sentence and nothing else
        where = f"{error.filename}: " if error.filename is not None else ""
        return f"{where}{error.strerror}. {ADVICE.get(error.errno, '')}".rstrip()
    return str(error)
