"""What each method costs: measured on a backbone, stored, and as a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

import pandas as pd
import torch

from cptlab.clip import Precision, untrained
from cptlab.clip.loading import EMOJI_NAME
from cptlab.data import draw_long_tailed
from cptlab.lab.bench.methods import REFERENCE, method_rows, parameters_at
from cptlab.lab.bench.passes import noise
from cptlab.lab.bench.run import machine
from cptlab.lab.bench.table import Row, read_rows, write_rows
from cptlab.lab.bench.work import prompts_images
from cptlab.lab.runs import inputs
from cptlab.lab.runs.results import Result
from cptlab.lab.study import lineup
from cptlab.lab.study.profiles import FULL, PAPER
from cptlab.lab.workspace import stored
from cptlab.methods import Method
from cptlab.training.optimisation import planned_epochs, steps_per_epoch
from cptlab.training.spec import RunSpec

NAME = "cost"
BATCH, TESTED = 4, 16
"""Images of a step and of an evaluation where the backbone is not EmojiCLIP."""
ACCURACIES = ("H", "tail")
FIGURE = ("training a run (s)", "trained parameters on ViT-B/16")
"""Costs that accuracies are drawn against."""


def costs(
    backbone: str,
    classes: int = 50,
    device: str = "cpu",
    precision: Precision = "fp32",
    rounds: int = 3,
) -> list[Row]:
    """Rows of all methods (`method_rows`), with the machine.

    EmojiCLIP: runs as those of the profile full on activities (with as many classes as it has) at
    tau = 0.06, one thread. Others: untrained, the methods as published, on noise images of so
    many classes, in batches of 4 for every method.

    Raises:
        ValueError: for an unknown backbone or device, EmojiCLIP anywhere but on the CPU in fp32,
            or fewer classes than a method needs.
    """
    if backbone == EMOJI_NAME:
        if (device, precision) != ("cpu", "fp32"):
            raise ValueError(
                f"Runs on {EMOJI_NAME} are measured on the device cpu in fp32, not {device} in "
                f"{precision}: leave both out, or choose another backbone."
            )
        specs = {
            label: FULL.spec("activities", method, tau=0.06, seed=1)
            for label, method in lineup.methods(FULL).items()
        }
        spec = specs[REFERENCE]
        torch.set_num_threads(spec.threads)
        model, learned = inputs.backbone_of(spec), inputs.task_of(spec).learned
    else:
        model = untrained(backbone, device, precision)
        specs = {
            label: RunSpec(
                "noise", method, schedule=dataclasses.replace(method.schedule(), batch_size=BATCH)
            )
            for label, method in lineup.methods(PAPER).items()
        }
        spec, learned = specs[REFERENCE], noise(classes, per_class=1)
        learned = dataclasses.replace(learned, test=learned.train[:TESTED])
    subset = draw_long_tailed(learned, spec.tau, spec.seed)
    where = machine(device, precision, torch.get_num_threads())
    rows = method_rows(specs, model, learned, subset, rounds)
    return [row | {"machine": where} for row in rows]


def store_costs(rows: Sequence[Row], folder: Path) -> Path:
    """Write rows into a folder's `cost.json`, in place of those of the same backbone there."""
    path = folder / f"{NAME}.json"
    measured = {row["backbone"] for row in rows}
    before = read_rows(path) if path.is_file() else []
    write_rows([*(row for row in before if row["backbone"] not in measured), *rows], path)
    return path


def stored_costs(backbone: str) -> pd.DataFrame:
    """Costs on a backbone as measured for the repository, or by `cptlab bench --methods` since.

    Returns:
        The rows, with `parameters_vit_b_16`: trained parameters of the same methods as published,
        for as many classes.

    Raises:
        ValueError: if they were not measured on this backbone.
    """
    frame = pd.DataFrame([row for row in stored_rows() if row["backbone"] == backbone])
    if frame.empty:
        raise ValueError(
            f"What methods cost on {backbone} is not known: run `cptlab bench --methods --backbone "
            f"{backbone}`."
        )
    counts = parameters_at(lineup.methods(PAPER), int(frame["classes"].max()))
    return frame.assign(parameters_vit_b_16=frame["method"].map(counts))


def with_run_times(costs: pd.DataFrame, runs: Mapping[str, Sequence[Result]]) -> pd.DataFrame:
    """Costs of the methods that have runs, with the time that training one takes.

    Args:
        costs: rows of `stored_costs`.
        runs: finished runs by method; their mean number of steps is counted.

    Returns:
        Rows of methods that have both, with `seconds_run`, `seconds_run_min` and `seconds_run_max`:
        steps times the seconds of a step and their range, over both stages where there are two.
    """
    ends = ["seconds_step", "seconds_step_min", "seconds_step_max"]
    steps = costs.set_index("method")[ends]
    rows = []
    for label, finished in runs.items():
        if label not in steps.index:
            continue
        first, seconds = finished[0].spec.method.first_stage(), steps.loc[label]
        if first is not None:
            seconds = seconds + steps.loc[_steps_like(first, steps.index, label)]
        rows.append((label, *fmean(map(_steps, finished)) * seconds))
    columns = ["method", *(name.replace("step", "run") for name in ends)]
    return costs.merge(pd.DataFrame(rows, columns=columns), on="method")


def _steps_like(first: Method, measured: Iterable[str], second: str) -> str:
    """The label of the first measured method that learns what a first stage does, in one stage.

    Without one, that of the second stage, which learns the same from other batches.
    """
    named = lineup.methods(FULL)
    for label in (label for label in measured if label in named):
        method = named[label]
        if method.first_stage() is None and _learns(method) == _learns(first):
            return label
    return second


def _learns(method: Method) -> tuple[object, ...]:
    """What a step's time hangs on, whatever the depth that a profile gives all deep methods."""
    shape = method.prompt_shape()
    tokens = shape.text_tokens, shape.vision_tokens, prompts_images(method)
    return *tokens, method.per_image, method.views, method.frozen_images


def _steps(result: Result) -> int:
    """Steps that one stage of a run took."""
    spec, counts = result.spec, result.classes["n_k"].dropna().astype(int).tolist()
    return planned_epochs(spec, counts) * steps_per_epoch(sum(counts), spec.schedule.batch_size)


def measured_backbones() -> list[str]:
    """Backbones that `stored_costs` knows."""
    return list(dict.fromkeys(str(row["backbone"]) for row in stored_rows()))


def stored_rows() -> list[Row]:
    """All rows that were measured, of every backbone; none if nothing was."""
    path = stored(f"{NAME}.json")
    return read_rows(path) if path.is_file() else []


def other_costs(backbone: str) -> dict[str, str]:
    """The costs on all other backbones that were measured: a title, and a Markdown table."""
    tables = {}
    for name in measured_backbones():
        if name != backbone:
            costs = stored_costs(name)
            classes, where = costs[["classes", "machine"]].iloc[0]
            title = f"{name} with {classes} classes, methods as published, batches of 4 ({where})"
            tables[title] = cost_markdown(costs)
    return tables


def for_figure(costs: pd.DataFrame, accuracies: pd.DataFrame) -> pd.DataFrame:
    """Accuracies of the methods whose cost is known, with the columns `FIGURE` and their ranges."""
    columns = dict(zip(FIGURE, ("seconds_run", "parameters_vit_b_16"), strict=True))
    columns |= {f"{FIGURE[0]} {end}": f"seconds_run_{end}" for end in ("min", "max")}
    named = costs[["method", *columns.values()]]
    return accuracies.merge(named.rename(columns={b: a for a, b in columns.items()}), on="method")


def cost_markdown(costs: pd.DataFrame) -> str:
    """Costs as a Markdown table, a row for each method; ratios are to IVLP.

    costs: rows of `stored_costs`; times of runs (`with_run_times`) and the columns "H" and "tail"
    (accuracies in percent as text, `cptlab.lab.study.tables.cell`) join if present.
    """
    shown = pd.DataFrame({"method": costs["method"]})
    shown["trained parameters"] = costs["trained_parameters"].map("{:,}".format)
    shown["at ViT-B/16"] = costs["parameters_vit_b_16"].map("{:,.0f}".format)
    shown["step, ms"] = _range(costs, "step", 1000)
    if "seconds_run" in costs:
        shown["training a run, s"] = _range(costs, "run", 1)
    shown["step memory, MiB"] = (1024 * costs["gib_step"]).map("{:.1f}".format)
    shown["evaluation, ms an image"] = _range(costs, "evaluation", 1000 / costs["tested"])
    ratios = {"step": "seconds_step", "memory": "gib_step", "evaluation": "seconds_evaluation"}
    for name, what in ratios.items():
        shown[f"{name}, x"] = costs[f"ratio_{what}"].map("{:.2f}".format)
    shown["epochs"] = costs["epochs"].astype(str)
    for name in ACCURACIES:
        if name in costs:
            shown[f"{name}, %"] = costs[name]
    lines = [shown.columns, ["---"] + ["---:"] * (len(shown.columns) - 1), *shown.to_numpy()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _range(costs: pd.DataFrame, what: str, factor: float | pd.Series) -> pd.Series:
    """Median and range of times as text, "12.3 (11.9-14.0)"."""
    middle, low, high = (
        (factor * costs[f"seconds_{what}{end}"]).map("{:.1f}".format)
        for end in ("", "_min", "_max")
    )
    return middle + " (" + low + "-" + high + ")"
