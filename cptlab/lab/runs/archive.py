"""A study's results in one small file: figures are redrawn from it, without training anything.

It holds every result file, and prompts and predictions of those runs alone that the explorer and
the notebooks show (`cptlab.lab.study.studies.with_prompts`): those of two thousand runs would weigh
many times as much.
"""

from __future__ import annotations

import io
import json
import lzma
import os
import re
import tarfile
from collections.abc import Collection, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from cptlab.lab.runs import predictions
from cptlab.lab.runs.finished import PROMPTS, RESULT, Result
from cptlab.training.spec import RunSpec

BESIDE = (PROMPTS, predictions.FILE)
"""Files beside a result that it does without."""
MEMBER = re.compile(rf"[\w.-]*\w/({'|'.join(map(re.escape, (RESULT, *BESIDE)))})")
"""A run's folder and one of its files; no folder is "..", and none is hidden."""


def pack(results: Iterable[Result], file: Path, with_prompts: Collection[RunSpec] = ()) -> None:
    """Write results to an archive (tar, xz), put into place at once; equal results, equal bytes.

    with_prompts: specifications whose learned tokens and predictions go in as well.

    Raises ValueError if there is no such folder.
    """
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    if not file.parent.is_dir():
        raise ValueError(f"There is no folder {file.parent}: make it, or choose another one.")
    try:
        with tarfile.open(beside, "w:xz", preset=9) as archive:
            # Of one data set and method side by side: what is alike is near, which packs better.
            for result in sorted(results, key=lambda result: result.folder.name):
                kept = result.spec in with_prompts and not result.details.get("archived")
                values = {**result.details, "archived": not kept}
                _add(archive, f"{result.folder.name}/{RESULT}", json.dumps(values).encode())
                for name in BESIDE if kept else ():
                    part = result.folder / name
                    if name == PROMPTS or part.is_file():  # older results have no predictions
                        _add(archive, f"{result.folder.name}/{name}", part.read_bytes())
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def unpack(file: Path, store: Path) -> dict[str, bool]:
    """Put an archive's results into a store, but for runs that it has already.

    A damaged result of the store is replaced. Returns the ids of the archive's runs, and whether
    each was new.

    Raises ValueError for a file that is missing or no such archive, before anything is stored.
    """
    if not file.is_file():
        raise ValueError(f"There is no archive {file}.")
    store.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(file, "r:xz") as archive:
            for member in archive.getmembers():
                if not (member.isfile() and MEMBER.fullmatch(member.name)):
                    raise ValueError(
                        f"{file} holds {member.name!r}, which is no result: `cptlab results pack` "
                        "makes such archives."
                    )
            held = [Path(m.name) for m in archive.getmembers()]
            members = [m for m in archive.getmembers() if not _is_whole(store / m.name)]
            # What lies beside a result before it, which says that the run is done.
            members.sort(key=lambda member: member.name.endswith(RESULT))
            with TemporaryDirectory(dir=store.parent, prefix=".unpacking-") as beside:
                archive.extractall(beside, members, filter="data")
                for member in members:  # moved into place in one step, or not at all
                    target = store / member.name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    (Path(beside) / member.name).replace(target)
    except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise ValueError(f"{file} is not a whole archive of results: {error}") from error
    new = {Path(member.name) for member in members}
    return {path.parent.name: path in new for path in held if path.name == RESULT}


def _is_whole(path: Path) -> bool:
    """Whether a file is there and, if it is a result, can be read."""
    if path.name != RESULT:
        return path.exists()
    try:
        json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
