"""What stored passes of this machine took, beside what the arithmetic gives for them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cache
from pathlib import Path
from statistics import median

import torch

from cptlab.lab.bench.work import prompts_images
from cptlab.lab.runs.provenance import processor
from cptlab.lab.runs.stored import RESULT, read
from cptlab.methods import Method
from cptlab.training.spec import RunSpec, spec_from_dict

Form = tuple[str, bool]
"""Name of a method, and whether the image tower learns."""
LATEST = 9
"""Results of each kind that count."""
LOOKED_AT = 300
"""Results of a data set and method that are read at most: a store may hold thousands."""


def kind_of(spec: RunSpec) -> Hashable:
    """What runs have in common that should take as long as the arithmetic says, up to a factor."""
    machine = (spec.backbone, spec.device, spec.precision, spec.compile, spec.threads)
    return spec.dataset, spec.protocol, spec.curve, *form_of(spec.method), *machine


def form_of(method: Method) -> Form:
    """A method as far as its cost goes: DPC on CoOp and on MaPLe differ."""
    return method.name, prompts_images(method)


def measured_ratios(
    store: Path, specs: Iterable[RunSpec], seconds: Callable[[RunSpec, int], float]
) -> dict[Hashable, float]:
    """Measured over computed seconds by the kind of these runs, where some are in a store.

    The median of the latest passes that this machine did.

    Args:
        seconds: those of a pass, from one of its runs and their number.
    """
    wanted = {kind_of(spec): f"{Path(spec.dataset).stem}-{spec.method.name}-tau" for spec in specs}
    folders = [path.name for path in store.iterdir()] if store.is_dir() else []
    took_once, found = cache(_took), {}
    for kind, prefix in wanted.items():
        paths = [store / name / RESULT for name in folders if name.startswith(prefix)]
        took: list[float] = []
        for path in _latest_first(paths)[:LOOKED_AT]:
            read = took_once(path)
            if read is not None and kind_of(read[0]) == kind:
                spec, replicas, measured = read
                took.append(measured / seconds(spec, replicas))
                if len(took) == LATEST:
                    break
        if took:
            found[kind] = median(took)
    return found


def _latest_first(paths: Sequence[Path]) -> list[Path]:
    """Those that are there, by the time when they were written."""
    written = {path: path.stat().st_mtime for path in paths if path.is_file()}
    return sorted(written, key=lambda path: -written[path])


def _took(path: Path) -> tuple[RunSpec, int, float] | None:
    """Run, replicas and seconds of a stored pass; None if another machine did it."""
    try:
        values = read(path)
        spec, its = spec_from_dict(values["spec"]), values["environment"]
        device = torch.cuda.get_device_name() if spec.device == "cuda" else processor()
        if its["device" if spec.device == "cuda" else "processor"] != device:
            return None
        return spec, values["pass"]["replicas"], float(values["pass"]["seconds"])
    # damaged, of an older version that stored no processor, or of a method that is not here
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        return None
