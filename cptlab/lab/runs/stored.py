"""Files of a finished run: the one place where they are read, and where damage is noticed.

`result.json` stands alone and is written last. It ends with a checksum of the text before it, and
`files` in it are the checksums of the files beside it. Results of older versions, and archives of
them, have none of these; their values are judged as those of all others.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cptlab.lab.runs.possible import check_result
from cptlab.training.spec import FORMAT

RESULT, PROMPTS = "result.json", "prompts.safetensors"
CHECKSUM = re.compile(rb',\s*"checksum": "([0-9a-f]{64})"\s*}\s*$')
"""The end of a result file."""
RUN_ID = re.compile(r"-([a-z0-9_]+)-tau[\d.]+(?:e-?\d+)?-seed-?\d+-[0-9a-f]{10}(?=/|$)")
"""The end of a run id, with the name of its method (`RunSpec.run_id`)."""
UNFIT = "its checksum does not fit"


class Damaged(ValueError):
    """A stored file is not what was written, or makes no sense."""


class OtherFormat(ValueError):
    """A result file of another version's format."""

    def __init__(self, version: int):
        super().__init__(f"it has format {version} and this version of cptlab reads {FORMAT}")


def checksum(content: bytes) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def text_of(values: Mapping[str, Any], indent: int | None = 1) -> str:
    """The text of a result file, with its checksum if it names those of the files beside it."""
    text = json.dumps(values, indent=indent)
    if not is_checked(values):
        return text
    covered = text[:-1].rstrip("\n")
    return f'{covered},\n "checksum": "{checksum(covered.encode())}"\n}}'


def read(file: Path) -> dict[str, Any]:
    """The values of a result file, without its checksum.

    Raises FileNotFoundError; `OtherFormat`; `Damaged` for what is no whole result, has another
    checksum, or holds values that no result has.
    """
    try:
        content = file.read_bytes()
        values = json.loads(content)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise Damaged(f"{type(error).__name__}: {error}") from error
    if not isinstance(values, dict):
        raise Damaged("it is no result")
    version = values.get("format")
    if type(version) is int and version != FORMAT:
        raise OtherFormat(version)
    stated = values.pop("checksum", None)
    if stated is not None or is_checked(values):
        end = CHECKSUM.search(content)
        if end is None or end[1].decode() != checksum(content[: end.start()]):
            raise Damaged(UNFIT)
    try:
        check_result(values)
    except ValueError as error:
        raise Damaged(str(error)) from error
    return values


def check_beside(folder: Path, name: str, values: Mapping[str, Any]) -> None:
    """Raise `Damaged` if a file beside a result is not the one that was stored with it.

    values: of the result; what they have no checksum of passes. Raises OSError if the file is gone
    or cannot be read.
    """
    wanted = values.get("files", {}).get(name)
    if wanted is not None and checksum((folder / name).read_bytes()) != wanted:
        raise Damaged(f"the checksum of {folder / name} does not fit")


def is_checked(values: Mapping[str, Any]) -> bool:
    """Whether a result came with checksums."""
    return "files" in values
