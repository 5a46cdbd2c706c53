"""A finished run, which stands alone: its numbers, and the prompts that it learned."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from cptlab import clip
from cptlab.data import ImageDataset, Protocol, sentence_of
from cptlab.lab.runs import inputs, predictions, stored
from cptlab.lab.runs.classify import Images, classify
from cptlab.lab.runs.collapsed import collapse_of
from cptlab.lab.runs.evaluate import evaluate, tests_of
from cptlab.lab.runs.export import export
from cptlab.lab.runs.stored import PROMPTS, RESULT, RUN_ID
from cptlab.methods.outside import source_id
from cptlab.methods.registry import UnknownMethod
from cptlab.training.images import CPU_BATCH
from cptlab.training.model import PromptedCLIP
from cptlab.training.spec import RunSpec, spec_from_dict


@dataclass(frozen=True)
class Result:
    """A finished run as read from its result file."""

    spec: RunSpec
    details: dict[str, Any] = field(repr=False)
    folder: Path

    @property
    def metrics(self) -> dict[str, float]:
        """Accuracies in percent, and the effective rank in dimensions."""
        return self.details["metrics"]

    @cached_property
    def classes(self) -> pd.DataFrame:
        """A row for each class that was tested."""
        return pd.DataFrame(self.details["classes"])

    @cached_property
    def log(self) -> pd.DataFrame:
        """A row for each epoch."""
        return pd.DataFrame(self.details["log"])

    @property
    def checked(self) -> bool:
        """Whether the result has checksums, so that damage would have been noticed; those of older
        versions, and archives of them, have none.
        """
        return stored.is_checked(self.details)

    @property
    def learned(self) -> tuple[str, ...]:
        """The class names that were learned, in the order of their labels."""
        return tuple(self.classes.loc[self.classes["n_k"].notna(), "name"])

    @property
    def template(self) -> str:
        """The own sentence of the data set that was learned, with {} for the class name."""
        stored = self.details.get("template") or self.spec.template
        return stored or sentence_of(self.spec.dataset)  # older results: the name tells

    def predictions(self) -> pd.DataFrame:
        """What was predicted for every test image of every role (`cptlab.lab.runs.predictions`).

        Columns: role, image, label, label_probability, then predicted and probability, predicted_2
        and probability_2, to the fifth.

        Raises FileNotFoundError for results that have none stored; ValueError if the file is
        damaged.
        """
        by_role = self.classes.groupby("role", sort=False)["name"]
        names = {str(role): list(group) for role, group in by_role}
        again = f"delete {self.folder} and train the run again to have them"
        file = self.folder / predictions.FILE
        try:
            stored.check_beside(self.folder, predictions.FILE, self.details)
            return predictions.read(file, names)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"Run {self.details['run_id']} has no predictions of single images stored, as "
                f"results of older versions and from archives have none: {again}."
            ) from None
        except (stored.Damaged, predictions.Unreadable) as error:
            raise ValueError(f"{file} is damaged ({error}): {again}.") from error

    def classify(
        self, images: Images, names: Sequence[str] | None = None, batch_size: int = CPU_BATCH
    ) -> pd.DataFrame:
        """Predicted names and probabilities of one's own images: files, folders, opened images or
        pixels; arguments, frame and errors as in `cptlab.lab.runs.classify`.

        names: any class names; left out, the classes that this run learned, which are one half of
        the data set's for base to new. Methods that use other prompts for new classes (DPC) do so
        for all names but exactly the learned ones. Errors of `model` too.
        """
        return classify(self.model(), images, names, batch_size)

    def export(self, path: str | Path, names: Sequence[str] | None = None) -> None:
        """Write class weights and what goes with them to a safetensors file that needs no cptlab;
        contents, warning and errors as in `cptlab.lab.runs.export`, and errors of `model`.
        """
        backbone = {
            "name": self.spec.backbone,
            "pretrained": self.spec.pretrained,
            "weights": self.details["weights"],
        }
        export(self.model(), path, names, backbone)

    def evaluate(
        self, dataset: str | ImageDataset, protocol: Protocol = "few_shot"
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Accuracies of this run's prompts, and zero-shot's, on any data set: by role, and by class
        (`cptlab.lab.runs.evaluate`). Errors of `model`, `open_dataset` and `open_task` too.

        dataset: a name, a path or a data set. protocol: of a name or path; "few_shot" means all
        classes.
        """
        return evaluate(self.model(), tests_of(dataset, protocol))

    def collapse(self) -> dict[str, float]:
        """Neural collapse of the learned prompts on the run's own training images, also of runs
        that did not follow their training (`cptlab.geometry.collapse_measures`).

        Reads the images. Raises ValueError if other images would be drawn now, and the errors of
        `model` and of opening the data set.
        """
        return collapse_of(self.spec, self.model(), self.details["subset"]["checksum"])

    def model(self) -> PromptedCLIP:
        """The prompted CLIP with this run's learned tokens, on the run's device, or on the CPU
        where there is no GPU. Needs no images.

        Raises ValueError if the result came from an archive that left the prompts out, if they are
        damaged, or if the backbone's weights are not those that they were trained with;
        FileNotFoundError if they are gone; the errors of `cptlab.clip.load`.
        """
        if self.details.get("archived"):
            raise ValueError(
                f"Run {self.details['run_id']} came from an archive without its prompts: delete "
                f"{self.folder} and start again, then it is trained again."
            )
        try:
            prompts = clip.load_prompts(self.folder / PROMPTS)
            stored.check_beside(self.folder, PROMPTS, self.details)
        except ValueError as error:
            raise _damaged(self.folder / PROMPTS, error) from error
        spec = self.spec
        weights = clip.weights_id(spec.backbone, spec.pretrained)
        if weights != self.details["weights"]:
            named = f"{spec.backbone} ({spec.pretrained})" if spec.pretrained else spec.backbone
            raise ValueError(
                f"Run {self.details['run_id']} was trained with other weights of {named} than "
                f"there are here ({self.details['weights']}, here {weights}): its prompts mean "
                "nothing to these. Put the weights back that it was trained with."
            )
        if spec.device == "cuda" and not torch.cuda.is_available():
            spec = dataclasses.replace(spec, device="cpu")
        backbone = inputs.backbone_of(spec)
        new = tuple(self.classes.loc[self.classes["role"] == "new", "name"])
        prompts = prompts.to(backbone.device)
        return PromptedCLIP(backbone, prompts, spec.method, self.learned, self.template, new)


def load_run(folder: str | Path) -> Result:
    """The finished run in a folder (or of a `result.json`), without its specification or images.

    What needs its prompts, such as `Result.model`, says so if they cannot be used. Warns if the run
    is of a method from outside the package whose source has changed.

    Raises:
        FileNotFoundError: if there is no such folder, or no finished run in it.
        ValueError: for a damaged result, one of another version's format, or one that was copied
            from another run's folder. (A run's whole folder may be called as one likes.)
        UnknownMethod: (a ValueError) if its method is not here.
    """
    folder = Path(folder).expanduser()
    folder = folder.parent if folder.name == RESULT else folder
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}: give that of a finished run.")
    file = folder / RESULT
    if not file.is_file():
        hint = "the run is not finished, or this is no run's folder"
        if inside := next(folder.glob(f"*/{RESULT}"), None):
            hint = f"it holds runs, such as {inside.parent.name}: give the folder of one"
        raise FileNotFoundError(f"{folder} has no {RESULT}: {hint}.")
    try:
        values = stored.read(file)
    except stored.OtherFormat as error:
        raise ValueError(
            f"{file} cannot be used: {error}. Read it with the version that wrote it, or train the "
            "run again."
        ) from error
    except stored.Damaged as error:
        raise _damaged(file, error) from error
    _require_own(folder, values)
    try:
        spec = spec_from_dict(values["spec"])
    except UnknownMethod:
        raise
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} has a specification that cannot be used: {error}") from error
    source = source_id(type(spec.method))
    if source and source not in str(values.get("data")).split("-"):
        warnings.warn(
            f"The source of method {spec.method.name!r} has changed since {folder.name} was "
            "trained, so its prompts may now be used in another way.",
            stacklevel=2,
        )
    return Result(spec, values, folder)


def _require_own(folder: Path, values: Mapping[str, Any]) -> None:
    """Raise ValueError for the result of another run than the folder's: by its name, if that is a
    run's, else by the checksums of what lies beside it.
    """
    name, run_id = Path(os.path.abspath(folder)).name, str(values.get("run_id"))
    if name == run_id:
        return
    if RUN_ID.search(name):
        other = "which is not the run that the folder is named for"
    else:
        for file in (PROMPTS, predictions.FILE):
            try:
                stored.check_beside(folder, file, values)
            except stored.Damaged:
                other = f"but {file} beside it is not of this run, or damaged"
                break
            except OSError:  # said where it is needed
                continue
        else:
            return
    raise ValueError(
        f"{folder / RESULT} is the result of {run_id}, {other}: copy whole folders of runs, or "
        f"delete {folder} and train the run again."
    )


def _damaged(file: Path, error: Exception) -> ValueError:
    return ValueError(f"{file} is damaged ({error}): delete {file.parent} and train the run again.")
