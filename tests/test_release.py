"""One version, said alike wherever it is said; how to cite is read from one file."""

import re

import pytest
import yaml
from click.testing import CliRunner

from cptlab import __version__
from cptlab.lab.cli import cite
from cptlab.lab.cli.main import commands
from cptlab.lab.workspace import CHECKOUT

CITATION = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text(encoding="utf-8"))
PERSON = {"given-names": "Ada", "family-names": "Lovelace"}


def test_changelog_and_citation_say_the_version_and_its_day():
    changelog = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    entries = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE)
    assert entries[0] == (__version__, str(CITATION["date-released"]))
    assert CITATION["version"] == __version__
    numbers = [tuple(map(int, version.split("."))) for version, _ in entries]
    assert numbers == sorted(set(numbers), reverse=True)


def test_paper_and_software_are_cited_from_the_one_file():
    done = CliRunner().invoke(commands, ["cite"])
    assert done.exit_code == 0
    message, paper, software, *entries = done.output.strip().split("\n\n")
    assert message == CITATION["message"]
    assert paper.startswith("Boyang Guo, Liang Li, Lin Peng, Yuhan Gao, Xichun Sheng and Chenggang")
    assert paper.endswith("Vision-Language Models. https://arxiv.org/abs/2605.11939")
    assert software.startswith("cptlab contributors (2026). cptlab: ")
    assert software.endswith(f" Version {__version__}.")
    assert [entry.split(",")[0] for entry in entries] == ["@misc{guo2026", "@misc{cptlab2026"]
    assert "  author = {Guo, Boyang and Li, Liang and " in entries[0]
    assert "  eprint = {2605.11939},\n  archiveprefix = {arXiv},\n" in entries[0]
    assert "  author = {{cptlab contributors}},\n" in entries[1]
    assert f"  note = {{Version {__version__}}},\n}}" in entries[1]
    for entry in entries:
        assert entry.count("{") == entry.count("}")
        assert not re.search(r"[\\%&$#~^_@]", entry.replace("@misc", ""))  # TeX's own signs


@pytest.mark.parametrize(
    ("authors", "text", "bibtex"),
    [
        ([PERSON], "Ada Lovelace", "Lovelace, Ada"),
        (
            [PERSON, {"name": "Some Lab"}],
            "Ada Lovelace and Some Lab",
            "Lovelace, Ada and {Some Lab}",
        ),
    ],
)
def test_few_authors_and_groups(authors, text, bibtex):
    work = {"authors": authors, "title": "Notes", "year": 1843, "version": "1.0"}
    assert cite.as_text(work) == f"{text} (1843). Notes. Version 1.0."
    assert cite.as_bibtex(work).startswith(f"@misc{{lovelace1843,\n  author = {{{bibtex}}},\n")
