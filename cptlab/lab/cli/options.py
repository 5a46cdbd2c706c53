"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from cptlab.lab.cli.names import ENGINES, PROFILES, one_of
from cptlab.lab.cores import cores
from cptlab.lab.workspace import DEFAULT_PROFILE
from cptlab.methods.outside import full_reference

ALSO = ",also="
Command = TypeVar("Command", bound=Callable[..., Any])


def profile_option(command: Command) -> Command:
    """Option --profile, whose methods of one's own hold in any folder."""

    def in_any_folder(context: click.Context, parameter: click.Parameter, value: str) -> str:
        name, *own = value.split(ALSO)
        return ALSO.join([name, *map(full_reference, own)])

    return click.option(
        "--profile",
        default=DEFAULT_PROFILE,
        show_default=True,
        callback=in_any_folder,
        help=f"Size of the study, schedule and depths: {', '.join(PROFILES)}. Behind a comma, what "
        "is changed: full,tau=0.06 or paper,device=cpu (also backbone, pretrained, precision, "
        "compile, threads), and also=path/to/file.py:Class, a method of one's own.",
        shell_complete=one_of(PROFILES),
    )(command)


PARAMETERS = {
    "datasets": "Data sets in place of the profile's, by comma: names, or paths of your own.",
    "methods": "Methods in place of the profile's, zero-shot beside them: coop,ivlp; labels such "
    "as 'CPT (pair mean)'; your own as path/to/file.py:Class.",
    "taus": "Imbalance ratios, as 0.06,1.",
    "seeds": "Seeds, as 1-3 or 1,2,5.",
    "backbone": "Another model: its name, or name,weights.",
    "weights": "Weights of CPT's losses (notebook 03): 0,0.1,1 for each, or TETF=0,0.25;RS=0.1.",
    "losses": "Combinations of CPT's losses (04), as none,TETF,TETF+CC,all.",
    "algorithms": "Clustering algorithms (05), as spherical,spectral.",
    "sizes": "Classes per cluster (05), as 4,16,64.",
    "text_features": "A file of text features of your own (05): an .npz or .safetensors with names "
    "and features.",
    "shots": "Training images of every class (13), as 1,4,16.",
    "balances": "Long-tail classics (14), as balanced softmax,class-balanced weights.",
}
"""Options that change what notebooks show: their parameters (`cptlab.lab.study.settings`)."""


def parameter_options(command: Command) -> Command:
    """Options of the same names as the notebooks' parameters, with what each is."""
    for name, text in reversed(PARAMETERS.items()):
        command = click.option(f"--{name.replace('_', '-')}", help=text)(command)
    return command


def _known_engine(_: click.Context, __: click.Parameter, where: str) -> str:
    """An unknown engine should fail now, not when the first run starts."""
    if where not in ENGINES:
        from cptlab.lab.runs.engines import check_engine

        check_engine(where)
    return where


engine_option = click.option(
    "--engine",
    default="loky",
    show_default=True,
    shell_complete=one_of(ENGINES),
    callback=_known_engine,
    help="Where runs are done: loky (this machine), slurm, or the address of a Dask scheduler "
    "(tcp://host:8786), which has its own number of workers; --jobs is for the others, and for "
    "notebooks.",
)
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=cores(),
    show_default=True,
    help="Parallel runs.",
)


protocol_option = click.option(
    "--protocol",
    type=click.Choice(["base_to_new", "few_shot", "transfer"]),
    default="base_to_new",
    show_default=True,
    help="What is learned and tested.",
)
class_order_option = click.option(
    "--class-order",
    type=click.Choice(["name", "permuted", "count"]),
    help="Classes from head to tail: as the data set has them, permuted by the seed, or those with "
    "most training images first; the profile's, if left out.",
)
shots_option = click.option(
    "--shots", default=16, show_default=True, help="Most training images of a class (n_max)."
)


def with_methods(profile: str, references: Sequence[str]) -> str:
    """A profile with methods of one's own beside the others; ValueError for a comma in a path."""
    for reference in references:
        if "," in full_reference(reference):
            raise ValueError(
                f"{reference} lies at a path with a comma, which separates the changes of a "
                "profile: move it to another folder."
            )
    return ALSO.join([profile, *map(full_reference, references)])


def data_root_option(command: Command) -> Command:
    """Option --data-root: where the paper's data sets are, for this and all worker processes."""

    def remember(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
        if value is not None and not context.resilient_parsing:  # not while the shell completes
            from cptlab.data.root import set_data_root

            set_data_root(value)

    return click.option(
        "--data-root",
        type=click.Path(path_type=Path),
        envvar="CPTLAB_DATA",
        show_envvar=True,
        callback=remember,
        expose_value=False,
        help="Folder of the paper's data sets.",
    )(command)
