"""A study's results in one small file: figures are redrawn from it, without training anything.

It holds every result file, and prompts and predictions of those runs alone that the explorer and
the notebooks show (`cptlab.lab.study.studies.with_prompts`): those of two thousand runs would weigh
many times as much.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import tarfile
import warnings
from collections.abc import Collection, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from cptlab.checks import first_few
from cptlab.clip import load_prompts
from cptlab.lab.runs import predictions
from cptlab.lab.runs.finished import Result
from cptlab.lab.runs.stored import PROMPTS, RESULT, RUN_ID, OtherFormat, check_beside, read, text_of
from cptlab.training.spec import RunSpec

BESIDE = (PROMPTS, predictions.FILE)
"""Files beside a result that it does without."""
MIB, MOST_TIMES = 2**20, 300
"""What an archive may unpack to: 100 MiB, and this many times its own size (results reach 30)."""
MEMBER = re.compile(
    rf"[^/\x00-\x1f]*{RUN_ID.pattern}/({'|'.join(map(re.escape, (RESULT, *BESIDE)))})"
)
"""A run's folder, by a name that runs can have, and one of its files."""


def pack(results: Iterable[Result], file: Path, with_prompts: Collection[RunSpec] = ()) -> None:
    """Write results to an archive (tar, xz), put into place at once; equal results, equal bytes.

    with_prompts: specifications whose learned tokens and predictions go in as well.

    Raises ValueError if there is no such folder, or learned tokens or predictions are damaged.
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
                if result.checked and not kept:
                    values["files"] = {}
                _add(archive, f"{result.folder.name}/{RESULT}", text_of(values, None).encode())
                for name in BESIDE if kept else ():
                    part = result.folder / name
                    if name == PROMPTS or part.is_file():  # older results have no predictions
                        check_beside(result.folder, name, result.details)
                        _add(archive, f"{result.folder.name}/{name}", part.read_bytes())
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def unpack(file: Path, store: Path) -> dict[str, bool]:
    """Put an archive's results into a store, but for runs that it has already.

    A damaged result of the store is replaced; one of the archive is left out, and a warning names
    it. Returns the ids of the archive's runs, and whether each was new.

    Raises ValueError for a file that is missing or no such archive, before anything is stored.
    """
    if not file.is_file():
        raise ValueError(f"There is no archive {file}.")
    store.parent.mkdir(parents=True, exist_ok=True)
    new: dict[str, bool] = {}
    with TemporaryDirectory(dir=store.parent, prefix=".unpacking-") as beside:
        damaged = []
        for run_id in _extracted(file, Path(beside)):
            if (reason := _damage(Path(beside) / run_id)) is not None:
                damaged.append(f"{run_id} ({reason})")
                continue
            new[run_id] = _damage(store / run_id) is not None
            if new[run_id]:
                _move(Path(beside) / run_id, store / run_id)
    if damaged and not new:
        raise ValueError(f"{file} is not an archive of results: {damaged[0]}.")
    if damaged:
        warnings.warn(
            f"{len(damaged)} results in {file} are damaged and left out: {first_few(damaged)}.",
            stacklevel=2,
        )
    return new


def _extracted(file: Path, folder: Path) -> list[str]:
    """Write an archive's files into a folder: the names of its runs.

    Raises ValueError for whatever is no archive of results.
    """
    seen: dict[str, None] = {}
    left = 100 * MIB + MOST_TIMES * file.stat().st_size
    try:
        with tarfile.open(file, "r:xz") as archive:
            for member in archive:
                fits = MEMBER.fullmatch(member.name) and member.isreg() and not member.issparse()
                content = archive.extractfile(member) if fits else None
                if content is None or member.name in seen:
                    raise tarfile.TarError(
                        f"it holds {member.name!r}{' twice' if member.name in seen else ''}; "
                        "`cptlab results pack` makes such archives"
                    )
                left -= member.size
                if left < 0:
                    raise tarfile.TarError(f"it unpacks to more than {MOST_TIMES} times its size")
                seen[member.name] = None
                path = folder / member.name
                path.parent.mkdir(exist_ok=True)
                with path.open("wb") as copy:  # nothing but the bytes: no times, owners or modes
                    shutil.copyfileobj(content, copy)
    except OSError:  # the disk may be full
        raise
    except Exception as error:  # tarfile lets through whatever an odd header leads to
        raise ValueError(f"{file} is not an archive of results: {error}.") from error
    if not seen:
        raise ValueError(f"{file} is not an archive of results: it is empty.")
    runs = list(dict.fromkeys(name.partition("/")[0] for name in seen))
    if without := [run_id for run_id in runs if f"{run_id}/{RESULT}" not in seen]:
        raise ValueError(f"{file} is not an archive of results: it has none of {without[0]}.")
    return runs


def _damage(folder: Path) -> str | None:
    """What is wrong with the files of a run, or None; another version's format is not."""
    try:
        values = read(folder / RESULT)
        if values["run_id"] != folder.name:
            return "it is another run's"
        for name in BESIDE:
            if name == PROMPTS and not values.get("archived"):
                load_prompts(folder / name)
            if (folder / name).exists():
                check_beside(folder, name, values)
    except OtherFormat:
        return None
    except (OSError, ValueError) as error:
        return str(error)
    return None


def _move(source: Path, target: Path) -> None:
    """Put the files of a run into place, each in one step, and the result last: it says "done"."""
    target.mkdir(parents=True, exist_ok=True)
    for name in (*BESIDE, RESULT):
        if (source / name).exists():
            (source / name).replace(target / name)
        else:
            (target / name).unlink(missing_ok=True)  # of the result that is replaced


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
