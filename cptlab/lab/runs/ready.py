"""Whether what runs read is there and sound, asked before any of them begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from cptlab import clip
from cptlab.checks import first_few
from cptlab.clip import Verdict
from cptlab.data import ImageDataset, check_name, is_path, open_dataset
from cptlab.data.doctor import require_sound
from cptlab.data.paper import ROWS
from cptlab.lab.runs import inputs
from cptlab.training.spec import RunSpec


def require_ready(specs: Iterable[RunSpec]) -> list[str]:
    """Look at all data sets, tasks and backbones of some runs; what should be known about them.

    What `cptlab doctor` calls broken is refused here, and what is fine here is fine there: both ask
    `cptlab.data.doctor.examine_own`.

    Raises ValueError with all data sets that are not there, before any other is read, which may
    warn; then with the problems of all data sets and tasks together, and only then those of
    backbones, which may need a download, and of methods that cannot learn such data.
    """
    specs = list(specs)
    _require_there(name for spec in specs for name in (spec.dataset, *spec.targets))
    problems, remarks, closed = {}, {}, set()
    tasks = {(s.dataset, s.protocol, s.template, s.targets): s for s in specs}
    for spec in tasks.values():
        try:
            inputs.task_of(spec)
        except (ValueError, OSError) as error:
            problems |= dict.fromkeys(str(error).splitlines())
            closed |= {spec.dataset, *spec.targets}
    for name, uses in _uses(specs).items():
        try:
            remarks |= dict.fromkeys(() if name in closed else _look(name, uses))
        except (ValueError, OSError) as error:
            problems[str(error)] = None
    if not problems:
        once = {(s.dataset, s.protocol, s.method, s.backbone, s.pretrained): s for s in specs}
        unfit: dict[str, dict[str, None]] = {}
        for spec in once.values():
            count = len(inputs.task_of(spec).learned.class_names)
            try:
                spec.method.check(inputs.backbone_of(spec), count)
            except ValueError as error:
                unfit.setdefault(str(error), {})[Path(spec.dataset).name] = None
        problems = {f"{first_few(list(names))}: {why}": None for why, names in unfit.items()}
    if problems:
        raise ValueError("\n".join(problems))
    return list(remarks)


def _require_there(names: Iterable[str]) -> None:
    problems = []
    for name in dict.fromkeys(names):
        try:
            check_name(name)
            if is_path(name) and not Path(name).exists():
                open_dataset(name)  # says so
        except (ValueError, OSError) as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))


Uses = list[tuple[RunSpec, bool]]
"""Runs that read a data set, and whether each only tests it."""


def _uses(specs: Iterable[RunSpec]) -> dict[str, Uses]:
    """Each data set that is named, and one run for each way to read its names."""
    found: dict[str, dict[object, tuple[RunSpec, bool]]] = {}
    for spec in specs:
        for name in (spec.dataset, *spec.targets):
            use = spec, name != spec.dataset
            way = type(spec.method), str(spec.method), spec.backbone, spec.template, use[1]
            found.setdefault(name, {}).setdefault(way, use)
    return {name: list(uses.values()) for name, uses in found.items()}


def _look(name: str, uses: Uses) -> list[str]:
    """Remarks on one data set; ValueError or OSError with what is wrong."""
    remarks = []
    for backbone in dict.fromkeys(spec.backbone for spec, _ in uses):
        reads = clip.reads(backbone)
        # prompts that leave no room for any name are the method's fault, not that of names
        room = reads.context_length - 3  # as `PromptShape.check` has it
        of_it = [use for use in uses if use[0].backbone == backbone]
        reading = [use for use in of_it if use[0].method.prompt_shape().text_tokens < room]

        def sentences(own: str, reading: Uses = reading) -> set[str]:
            templates = ((s, own if tested else s.template or own) for s, tested in reading)
            found = {text for spec, one in templates for text in spec.method.sentences(one)}
            return found | {own}

        if is_path(name):
            told = require_sound(Path(name), reads, sentences)
            remarks += [f"{Path(name).name}: {text}" for text in told]
            continue
        dataset = open_dataset(name)
        first = {s.key.rpartition("/")[0]: s.key for s in (*dataset.test, *dataset.train)}
        dataset.read(list(first.values()), 8)  # every drawing opens
        remarks += require_names({"all": dataset})
        names = dataset.class_names
        if long := clip.too_long(names, sentences(dataset.template), reads):
            raise ValueError(f"{name}: {clip.told(long)}")
    return remarks


def require_names(tests: Mapping[str, ImageDataset]) -> list[str]:
    """Judge the class names of data sets by role; remarks on those that repeat names on purpose.

    Of the paper's data sets, ImageNet has two classes of one name. Raises ValueError for any other
    whose names CLIP cannot read or tell apart.
    """
    remarks = {}
    for data in tests.values():
        problems, repeated, _ = _judged(data.class_names)
        if data.name in ROWS:
            remarks |= dict.fromkeys(f"{data.name}: {text}" for text in repeated)
            repeated = []
        if problems := problems + repeated:
            raise ValueError(f"{data.name}: {clip.told(problems)}")
    return list(remarks)


@lru_cache(maxsize=64)
def _judged(names: tuple[str, ...]) -> Verdict:
    return clip.judge(names)
