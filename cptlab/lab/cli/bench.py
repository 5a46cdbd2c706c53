"""The command that measures: `cptlab bench`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cptlab.lab.cli.command import Command

if TYPE_CHECKING:
    from cptlab.clip.backbone import Precision


@click.command(cls=Command)
@click.argument("more", nargs=-1, type=click.IntRange(min=4))
@click.option(
    "--classes",
    multiple=True,
    type=click.IntRange(min=4),
    help="Numbers of classes, as in --classes 50 100; 50 100 200 500 1000 if left out.",
)
@click.option(
    "--methods",
    is_flag=True,
    help="Measure what each method costs instead: with the backbone EmojiCLIP in the study's own "
    "runs, with another one on the first of --classes.",
)
@click.option("--backbone", default="ViT-B-16-quickgelu", show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Timings of each; the median counts.",
)
@click.option(
    "--replicas",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Most runs of one pass; 1 leaves them out.",
)
@click.option("--out", help="Write everything below this folder.")
def bench(
    more: tuple[int, ...],
    classes: tuple[int, ...],
    methods: bool,
    backbone: str,
    device: str,
    precision: Precision,
    rounds: int,
    replicas: int,
    out: str | None,
) -> None:
    """Time and memory of the towers and of passes, as ratios to the plain implementation.

    Writes throughput.json and throughput.png (throughput_gpu on a GPU); with --methods it writes
    cost.json, the methods as ratios to IVLP.

    Example: cptlab bench --classes 50 100
    """
    from cptlab.lab import bench as benchmark
    from cptlab.lab.workspace import COMMITTED_PROFILE, workspace

    folder = workspace(COMMITTED_PROFILE, out).figures
    folder.mkdir(parents=True, exist_ok=True)  # a bad folder should fail now, not after measuring
    numbers, rows = [*classes, *more] or benchmark.CLASSES, []
    name = benchmark.NAMES[device]
    if methods:
        rows = benchmark.costs(backbone, numbers[0], device, precision, rounds)
        click.echo(f"{benchmark.table(rows, 'methods').round(2).to_string(index=False)}\n")
        click.echo(f"Rows: {benchmark.store_costs(rows, folder)}")
        return
    for row in benchmark.run(backbone, numbers, device, precision, rounds, replicas):
        rows.append(row)
        benchmark.write_rows(rows, folder / f"{name}.partial.json")  # rows may take an hour
    benchmark.write(rows, folder, name)
    (folder / f"{name}.partial.json").unlink()
    for part in dict.fromkeys(row["part"] for row in rows):
        click.echo(f"{benchmark.table(rows, part).round(2).to_string(index=False)}\n")
    click.echo(f"Rows and figure: {folder}/{name}.json, {folder}/{name}.png")
