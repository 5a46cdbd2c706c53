"""The cost of runs before they start: steps, and hours by what was measured.

A pass takes the parts of a step (`speed`) as often as it has steps and runs, then its evaluations.
Beside this arithmetic stands what was measured: the time of stored passes of the same method and
data set on this machine (`evidence`), else, on EmojiCLIP, a step of the method (`cost`). Where
neither is there, the forecast is a guess.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from cptlab.clip.loading import EMOJI_NAME
from cptlab.data import Task
from cptlab.lab.bench.cost import stored_rows
from cptlab.lab.bench.evidence import Form, form_of, kind_of, measured_ratios
from cptlab.lab.bench.methods import REFERENCE
from cptlab.lab.bench.speed import StepTimes, is_timed, times_of
from cptlab.lab.bench.work import (
    Work,
    images_of_a_step,
    is_published,
    prompts_images,
    reads_texts,
    tasks_once,
    work_of,
)
from cptlab.lab.runs.passes import passes
from cptlab.lab.runs.queue import REPLICAS
from cptlab.lab.study import lineup
from cptlab.lab.study.profiles import FULL
from cptlab.methods import Method
from cptlab.training.spec import RunSpec

FORWARD = 1 / 3
"""Share of a step that a forward pass takes; the backward one takes about twice as long."""
BEGIN = 0.3
"""Seconds in which a pass opens its data set and backbone, prepares its losses and is stored."""
READ = 8
"""Images that are read to know how long one takes."""
GUESS = "~"


@dataclass(frozen=True)
class Forecast:
    """Runs with the columns spec, steps, seconds (of one worker) and guess, in the given order.

    seconds: until all are done with several workers.
    """

    runs: pd.DataFrame
    seconds: float


def forecast(specs: Sequence[RunSpec], store: Path | None = None, jobs: int = 1) -> Forecast:
    """The cost of runs on as many workers, grouped into passes as `cptlab.lab.runs.queue` does.

    store: whose results tell how long such runs took here.

    Raises ValueError as `cptlab.data.open_task`, where numbers of images are not published.
    """
    specs = list(dict.fromkeys(specs))
    task = tasks_once()
    works = {spec: work_of(spec, task) for spec in specs}
    read = {
        name: 0.0 if is_published(spec) else reading(task(spec))
        for name, spec in {spec.dataset: spec for spec in specs}.items()
    }

    def measured(spec: RunSpec) -> float | None:
        return factors(spec.backbone, spec.device).get(form_of(spec.method))

    def seconds(spec: RunSpec, replicas: int) -> float:
        times = times_of(spec.backbone, spec.device)
        work = works.get(spec) or work_of(spec, task)
        factor = measured(spec) or 1.0
        return pass_seconds(spec, work, replicas, times, read[spec.dataset], factor)

    ratios = measured_ratios(store, specs, seconds) if store else {}
    on_gpu = any(spec.device == "cuda" for spec in specs)
    jobs = 1 if on_gpu else jobs
    limit = min(REPLICAS["cuda" if on_gpu else "cpu"], max(1, math.ceil(len(specs) / jobs)))
    rows, each = {}, []
    for group in passes(specs, limit):
        spec = group[0]
        ratio = ratios.get(kind_of(spec))
        took = seconds(spec, len(group)) * (ratio or 1)
        each.append(took)
        guess = bool(works[spec].stages) and ratio is None and measured(spec) is None
        rows |= {s: (s, works[s].steps, took / len(group), guess) for s in group}
    columns = ["spec", "steps", "seconds", "guess"]
    table = pd.DataFrame([rows[spec] for spec in specs], columns=columns)
    return Forecast(table, max(sum(each) / jobs, max(each, default=0.0)))


def pass_seconds(
    spec: RunSpec,
    work: Work,
    replicas: int,
    times: StepTimes,
    read: float = 0.0,
    factor: float = 1.0,
) -> float:
    """Seconds of a pass of so many runs.

    Args:
        read: seconds in which an image is read.
        factor: a step of the method over the step that the arithmetic gives.
    """
    n, K, method, batch = replicas, work.n_classes, spec.method, spec.schedule.batch_size
    batch = min(batch, work.samples)
    prompted, learned = prompts_images(method), n * work.samples
    crop = spec.crop and not method.learns_from_support
    total = BEGIN
    for stage in work.stages:
        images = images_of_a_step(stage, batch, K)
        step = step_seconds(stage, K, images, times, n, crop)
        total += work.stage_steps * (factor * step + crop * n * images * read)
    if method.support_views:
        views = method.support_views if spec.crop else 1
        total += learned * views * (read + times.image * FORWARD)
    elif work.stages and not crop:  # then training images are read and, where frozen, encoded once
        frozen = not prompted or method.frozen_images
        total += learned * (read + frozen * times.image * FORWARD)
    evaluations = work.epochs if spec.curve and work.stages else 1
    shown = n * evaluations if prompted else 1  # frozen features are kept
    total += work.tested * (read * (evaluations if prompted else 1) + shown * times.image * FORWARD)
    text = (times.start + times.slope * K) * FORWARD
    total += n * evaluations * text * (work.tested if method.per_image else 1)
    if spec.curve:  # collapse is measured on the training images
        total += evaluations * learned * times.image * FORWARD
    return total


def step_seconds(
    method: Method,
    n_classes: int,
    images: float,
    times: StepTimes,
    replicas: int = 1,
    crop: bool = False,
) -> float:
    """Seconds of a step of so many runs by the arithmetic, each with a batch of so many images.

    crop: every step sees new crops. Without, a frozen image tower sees an image once, unless the
    method makes views of it.
    """
    new = crop or method.views > 0
    passes = 1.0 if prompts_images(method) else FORWARD * new
    passes += FORWARD * new * method.frozen_images
    text = (times.start + times.slope * n_classes) * reads_texts(method)
    text *= images if method.per_image else 1
    return times.fixed + replicas * (text + passes * images * times.image)


def summary(runs: pd.DataFrame, labels: Mapping[RunSpec, str]) -> pd.DataFrame:
    """Runs, steps and hours by data set and method, and whether they are a guess; and in total.

    runs: of a `Forecast`. labels: the method's label of each run.
    """
    frame = pd.DataFrame(
        {
            "data set": [Path(spec.dataset).stem for spec in runs["spec"]],
            "method": [labels[spec] for spec in runs["spec"]],
            "runs": 1,
            "steps": runs["steps"],
            "hours": runs["seconds"] / 3600,
            "guess": runs["guess"],
        }
    )
    summed = {"runs": "sum", "steps": "sum", "hours": "sum", "guess": "any"}
    table = frame.groupby(["data set", "method"], sort=False).agg(summed)
    table = table.loc[list(frame["data set"].unique())]  # a data set's rows side by side
    table.loc[("all", ""), :] = frame.agg(summed)
    return table.astype({"runs": int, "steps": int, "hours": float, "guess": bool})


def as_text(found: Forecast, labels: Mapping[RunSpec, str]) -> str:
    """The summary of a forecast as text, with what its times rest on."""
    table = summary(found.runs, labels)
    unit, per_hour = ("minutes", 60) if table["hours"].iloc[-1] < 2 else ("hours", 1)
    pairs = zip(table["hours"], table["guess"], strict=True)
    times = [GUESS * guess + f"{per_hour * hours:,.1f}" for hours, guess in pairs]
    shown = table.drop(columns=["guess", "hours"]).assign(**{unit: times})
    text = shown.to_string(formatters={"steps": "{:,}".format})
    specs = found.runs["spec"]
    machines = dict.fromkeys(times_of(spec.backbone, spec.device).machine for spec in specs)
    text += f"\n{unit.capitalize()} of one run after another, on: {'; '.join(machines)}."
    if table["guess"].any():
        text += f"\n{GUESS} is a guess from the sizes of both towers: such runs were not timed yet."
    return text


def factors(backbone: str, device: str) -> dict[Form, float]:
    """What a step of each method took, beside what the arithmetic gives for it.

    Both relative to IVLP: measured steps may be another machine's. Empty for a backbone that is not
    timed here.
    """
    return _factors(times_of(backbone, device)) if is_timed(backbone, device) else {}


@cache
def _factors(times: StepTimes) -> dict[Form, float]:
    rows = pd.DataFrame([row for row in stored_rows() if row["backbone"] == EMOJI_NAME])
    rows = rows.set_index("method")
    methods = {label: m for label, m in lineup.methods(FULL).items() if m.weights()}
    computed = {
        label: step_seconds(method, rows.at[label, "classes"], rows.at[label, "batch"], times)
        for label, method in methods.items()
        if label in rows.index
    }
    found: dict[Form, float] = {}
    for label, seconds in computed.items():
        ratio = rows.at[label, "ratio_seconds_step"] * computed[REFERENCE] / seconds
        found.setdefault(form_of(methods[label]), ratio)
    return found


def reading(task: Task) -> float:
    """Seconds in which an image of a task's data is read."""
    data = task.learned
    keys = [sample.key for sample in (*data.train, *data.test)[: READ + 1]]
    with suppress(OSError, ValueError):  # an image that cannot be read is the run's to report
        data.read(keys[:1], 64)  # what is opened once is not counted
        begun = time.perf_counter()
        data.read(keys[1:], 64)
        return (time.perf_counter() - begun) / max(1, len(keys) - 1)
    return 0.0
