"""The judge of class names: what CLIP's tokenizer makes of them decides.

Names that become the same tokens are one name, whatever they look like to people: the second class
would never be predicted. Names that only look alike are two to CLIP, which is worth a remark.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from cptlab.clip.guard import open_clip
from cptlab.clip.sentences import prompt_template

SCRIPTS = ("LATIN", "CYRILLIC", "GREEK")
ALIKE = str.maketrans(
    "аеорсухіјѕԁһԛԝАВЕКМНОРСТУХІЈЅανορικτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdhqwABEKMHOPCTYXIJSavopiktuxABEZHIKMNOPTYX",
)
"""Cyrillic and Greek letters, and the Latin ones that they look like."""
ACCENTS = "".join(map(chr, range(0x300, 0x370)))
"""Marks that go with the letter before them."""
JOINER = "\u200d"
"""Cannot be seen either, but emoji are made with it."""


class Verdict(NamedTuple):
    """problems: names that cannot be used. repeated: names that are one name. remarks: what a
    person should look at. A sentence on each."""

    problems: list[str]
    repeated: list[str]
    remarks: list[str]


class Reads(NamedTuple):
    """A backbone's name, and the tokens that it reads, start and end included."""

    name: str
    context_length: int


def judge(names: Sequence[str], called: Sequence[str] | None = None) -> Verdict:
    """What is wrong with class names, whatever the sentence around them.

    Args:
        names: K names; underscores are spaces.
        called: what messages call each class, such as "folder ant/"; its name, if left out.
    """
    called = called or [repr(name) for name in names]
    verdict = Verdict([], [], [])
    ends = {_tokenizer().sot_token_id, _tokenizer().eot_token_id}
    first: dict[tuple[int, ...], str] = {}
    for name, what in zip(names, called, strict=True):
        if any(unicodedata.category(letter) == "Cs" for letter in name):
            verdict.problems.append(f"{what}: this name is no text in UTF-8. Rename it.")
        elif not (ids := _ids("{}", name)):
            verdict.problems.append(f"{what}: there is nothing in this name that CLIP reads.")
        elif ends & {*ids}:
            verdict.problems.append(f"{what}: this name holds a mark with which texts end.")
        elif (other := first.setdefault(_ids(prompt_template(0), name), what)) is not what:
            verdict.repeated.append(
                f"{other} and {what} are one name to CLIP: capitals, underscores, spaces and "
                "other ways to write the same letters do not count."
            )
    verdict.remarks.extend([*_unclear(names, called), *_alike(dict(zip(called, names)), first)])
    return verdict


def too_long(
    names: Sequence[str],
    sentences: Iterable[str],
    backbone: Reads,
    called: Sequence[str] | None = None,
) -> list[str]:
    """Names for which a backbone has no room in the longest of some sentences with "{}".

    names, called: as for `judge`, which has no problem with them.
    """
    longest = max(sentences, key=lambda sentence: len(_ids(sentence, "x")))
    found = []
    for name, what in zip(names, called or map(repr, names)):
        length, own = len(_ids(longest, name)) + 2, len(_ids("{}", name))
        if length > backbone.context_length:
            found.append(
                f"{what}: this name has {own} tokens, and {backbone.name} has room for "
                f"{backbone.context_length - (length - own)} in {longest!r}."
            )
    return found


def told(problems: Sequence[str]) -> str:
    """Some problems as one text: the first three, and how many more there are."""
    more = f" And {len(problems) - 3} more." if len(problems) > 3 else ""
    return " ".join(problems[:3]) + more


@lru_cache(maxsize=1)
def _tokenizer() -> open_clip.SimpleTokenizer:
    return open_clip.SimpleTokenizer()  # that of every backbone that can be used (`clip.checks`)


def _ids(sentence: str, name: str) -> tuple[int, ...]:
    """Tokens of a sentence with a name in it, without start and end."""
    return tuple(_tokenizer().encode(sentence.replace("{}", name.replace("_", " "))))


def _unclear(names: Sequence[str], called: Sequence[str]) -> list[str]:
    """Remarks on names with two scripts in one word, or with what cannot be seen."""
    found = []
    for name, what in zip(names, called, strict=True):
        for word in "".join(c if c.isalpha() else " " for c in name).split():
            scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in word}
            if len(mixed := [script for script in SCRIPTS if script in scripts]) > 1:
                found.append(
                    f"{what}: {word!r} mixes letters: {' and '.join(s.title() for s in mixed)}"
                )
        hidden = [c for c in name if unicodedata.category(c) in ("Cc", "Cf") and c != JOINER]
        if hidden:
            letter = unicodedata.name(hidden[0], f"U+{ord(hidden[0]):04X}")
            found.append(f"{what}: this name holds what cannot be seen ({letter})")
    return found


def _alike(names: Mapping[str, str], different: Mapping[tuple[int, ...], str]) -> list[str]:
    """Remarks on pairs of different names that people can hardly tell apart."""
    found, first = [], {}
    for what in different.values():
        parts = unicodedata.normalize("NFKD", names[what].replace("_", " ").translate(ALIKE))
        seen = [c for c in parts if unicodedata.category(c) not in ("Cc", "Cf")]
        looks = "".join(c for c in seen if c not in ACCENTS).casefold().split()
        if (other := first.setdefault(" ".join(looks), what)) is not what:
            found.append(f"{other} and {what} look alike, and are two names to CLIP")
    return found
