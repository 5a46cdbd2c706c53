"""What lies below a folder: every real file once, whatever links there are."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from cptlab.checks import counted, first_few


@dataclass
class Tree:
    """Paths below a folder, without hidden ones.

    folders: folder -> names of its sub-folders, sorted; the root is "". files: sorted.
    repeated: links to what is there already, or to a folder that holds the root.
    """

    folders: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)


def tree(root: Path) -> Tree:
    """What lies below a folder, links followed; what is there itself goes before links to it.

    Raises ValueError, naming them, for folders that may not be read: their images would be missing.
    """
    found, top = Tree(), os.path.realpath(root)
    links: list[tuple[str, str]] = []
    seen: set[str] = set()  # real paths, of folders and files
    unreadable = []

    def look(folder: str, where: str) -> None:
        """Folders and files below a folder that is no link; links are kept for later."""
        todo = [(folder, where)]
        while todo:
            folder, where = todo.pop()
            seen.add(where)
            inner = found.folders[folder] = []
            try:
                entries = [e for e in os.scandir(where) if not e.name.startswith(".")]
            except OSError:
                unreadable.append(folder or str(root))
                continue
            for entry in entries:
                key = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_symlink():
                    links.append((key, entry.path))
                elif entry.is_dir():
                    inner.append(entry.name)
                    todo.append((key, entry.path))
                else:
                    found.files.append(key)
                    seen.add(entry.path)

    look("", top)
    while links:
        links.sort(reverse=True)
        key, path = links.pop()
        target = os.path.realpath(path)
        known = target in seen or f"{top}{os.sep}".startswith(f"{target}{os.sep}")
        if known:
            found.repeated.append(key)
        if os.path.isdir(target):
            above, _, name = key.rpartition("/")
            found.folders[above].append(name)
            if known:
                found.folders[key] = []
            else:
                look(key, target)
        elif not known:
            seen.add(target)
            found.files.append(key)
    if unreadable:
        them = "it" if len(unreadable) == 1 else "them"
        raise ValueError(
            f"{root}: {counted(len(unreadable), 'folder')} may not be read: "
            f"{first_few(sorted(unreadable))}. Make {them} readable, or take {them} out."
        )
    for names in found.folders.values():
        names.sort()
    found.files.sort()
    found.repeated.sort()
    return found
