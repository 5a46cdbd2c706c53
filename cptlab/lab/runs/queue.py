"""Runs: do what is missing of a list of specifications, pass by pass, and keep what is done."""

from __future__ import annotations

import errno
import math
import traceback
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from tqdm.auto import tqdm

from cptlab.checks import first_few
from cptlab.lab.runs.engines import LOCAL, WorkerDied, engine
from cptlab.lab.runs.inputs import content_once
from cptlab.lab.runs.locks import claimed
from cptlab.lab.runs.one_pass import LOG, NO_ROOM, check_writable, execute
from cptlab.lab.runs.passes import begun, passes, unfinished
from cptlab.lab.runs.results import Result, look, missing, require_result
from cptlab.training.spec import RunSpec

REPLICAS = {"cpu": 8, "cuda": 16}
"""Most runs of one pass by device, if nothing else is said."""
FULL = (*NO_ROOM, errno.EROFS)
"""Errors of the system that no run is to blame for."""


class RunsFailed(RuntimeError):
    """Some runs of a batch failed; the others are finished and stored."""


def run(
    specs: Sequence[RunSpec],
    store: Path,
    jobs: int = 1,
    progress: bool = True,
    replicas: int | None = None,
    where: str = LOCAL,
) -> list[Result]:
    """Results of all specifications, in order; executes what is missing over `jobs` processes, or
    over the workers of a cluster (`cptlab.lab.runs.engines`).

    Runs that can train side by side do, up to `replicas` of them in one pass. What runs on a GPU of
    this machine does so in one process.

    Raises ValueError for fewer than one replica or process; the errors of
    `cptlab.lab.runs.engines.engine`; RunsFailed, naming each failed run and why, after all the
    others have finished.
    """
    if not isinstance(jobs, int) or isinstance(jobs, bool) or jobs < 1:
        raise ValueError(f"jobs is {jobs!r}, but must be a whole number from 1 on.")
    if replicas is not None and replicas < 1:
        raise ValueError(f"replicas must be at least 1, got {replicas}.")
    found = look(specs, store, progress=progress)
    if not (todo := found.todo):
        return found.results(specs)
    failures = _work(todo, store, jobs, progress, replicas, where)
    if failures:
        by_reason: dict[str, list[str]] = {}
        for run_id, reason in failures:
            by_reason.setdefault(reason.replace(run_id, "..."), []).append(run_id)
        lines = "\n".join(_told(store, ids, reason) for reason, ids in by_reason.items())
        done = len(todo) - len(failures)
        raise RunsFailed(
            f"{len(failures)} of {len(todo)} runs failed ({done} finished and are stored in "
            f"{store}):\n{lines}\nMend the cause and start again: only these are repeated."
        )
    content = content_once()  # as it is now: what changed meanwhile should be said
    return [require_result(store, spec, content) for spec in specs]


def _work(
    todo: Sequence[RunSpec],
    store: Path,
    jobs: int,
    progress: bool,
    replicas: int | None,
    where: str,
) -> list[tuple[str, str]]:
    """Have the workers of an engine execute what is missing: ids of failed runs, and why."""
    check_writable(store)
    on_gpu = any(spec.device == "cuda" for spec in todo)
    jobs = 1 if on_gpu and where == LOCAL else jobs
    threads = max(spec.threads for spec in todo)
    failures = []
    with (
        engine(where, store, jobs, threads) as workers,
        tqdm(total=len(todo), desc="runs", disable=not progress) as bar,
    ):
        limit = replicas or REPLICAS["cuda" if on_gpu else "cpu"]
        groups = _groups(todo, store, limit, workers.workers)
        # What another runner holds comes last: by then it is often finished.
        for wait in (False, True):
            done = workers.imap(partial(_claim, store=store.resolve(), wait=wait), groups)
            groups = []
            with closing(done) as outcomes:  # so that nothing goes on after an interrupt
                for group, failed in outcomes:
                    if failed is None:
                        groups.append(group)
                        continue
                    if isinstance(failed, WorkerDied):
                        failed = [(spec.run_id, str(failed)) for spec in missing(group, store)]
                    bar.update(len(set(group) & set(todo)))
                    failures += failed
    return failures


def _told(store: Path, ids: list[str], reason: str) -> str:
    """A line on runs that failed for one reason."""
    log = store / ids[0] / LOG
    where = f" (log: {log})" if log.is_file() and log.stat().st_size else ""  # the disk may be full
    return f"  {first_few(ids)}: {reason}{where}"


def _groups(
    todo: Sequence[RunSpec], store: Path, replicas: int, workers: int
) -> list[list[RunSpec]]:
    """Runs as passes, those first that were begun and not finished, with the same members."""
    fair_share = math.ceil(len(todo) / workers)  # a pass more rather than an idle process
    groups = [group for group in unfinished(store) if set(group) & set(todo)]
    again = {spec for group in groups for spec in group}
    groups += passes([spec for spec in todo if spec not in again], min(replicas, fair_share))
    # Long passes first, so that the last ones to finish are short.
    return sorted(groups, key=lambda group: -group[0].tau * len(group))


def _claim(group: list[RunSpec], store: Path, wait: bool) -> list[tuple[str, str]] | None:
    """Execute a pass in a worker, unless another runner has done so; its failures.

    None: another runner is at it.
    """
    with claimed(store, group, wait) as mine:
        if not mine:
            return None
        content = content_once()
        todo = missing(group, store, content)
        if not todo:
            return []
        # Others may have done some of them meanwhile, as members of passes of their own.
        return _attempt(group if begun(store, group, content(group[0])) else todo, store)


def _attempt(group: list[RunSpec], store: Path) -> list[tuple[str, str]]:
    """Execute a pass: ids and messages of the runs that failed.

    A pass that fails as a whole is done again run by run, so that one bad run spoils no other;
    unless nothing can be written, which is not the run's fault.
    """
    try:
        errors: dict[RunSpec, Exception] = dict(execute(group, store))
    except Exception as error:  # whatever it is, it must not take other runs down
        cause = error.__cause__ or error  # `check_writable` has said what to do
        unwritable = isinstance(cause, OSError) and cause.errno in FULL
        if len(group) > 1 and not unwritable:
            return [failure for spec in group for failure in _attempt([spec], store)]
        if unwritable and cause is error:
            advice = f"{store} takes no more results ({error}): free some space and start again"
            error = OSError(error.errno, advice).with_traceback(error.__traceback__)
        errors = dict.fromkeys(group, error)
    for spec, error in errors.items():
        with suppress(OSError):  # the disk may be full
            lines = traceback.format_exception(error)
            (store / spec.run_id / LOG).write_text("".join(lines), encoding="utf-8")
    return [(s.run_id, f"{type(e).__name__}: {e}") for s, e in errors.items()]
