"""Sentences around class names, and the words that learnable context starts from."""

import itertools
from collections.abc import Sequence

from cptlab.clip.guard import open_clip

CONTEXT_INIT = "a photo of a"


def starts_from_words(n_tokens: int, context_init: str | None) -> bool:
    """Whether n context tokens start from these words: only if there are that many."""
    return context_init is not None and n_tokens <= len(context_init.split())


def prompt_template(n_tokens: int, context_init: str | None = CONTEXT_INIT) -> str:
    """The sentence around a class name, "{}", whose first n tokens prompts replace.

    "a photo of a {}." if the prompts start from these words; with fewer tokens than words the
    remaining words stay as fixed text. Otherwise n placeholders: "X X ... X {}.".
    """
    if starts_from_words(n_tokens, context_init):
        return f"{context_init} {{}}."
    return with_placeholders("{}.", n_tokens)


def with_placeholders(template: str, n_tokens: int) -> str:
    """A template with n words "X" before it, which prompts replace."""
    return "X " * n_tokens + template


def fill_template(template: str, class_names: Sequence[str]) -> list[str]:
    """One sentence per class: its name in place of "{}", underscores in it being spaces.

    Raises:
        ValueError: for an empty name, or one string in place of a list of names.
    """
    if isinstance(class_names, str):
        raise ValueError(f"Class names must be a list of names, got the string {class_names!r}.")
    if empty := [i for i, name in enumerate(class_names) if not name.strip()]:
        raise ValueError(f"Class {empty[0]} has an empty name: every class needs one.")
    return [template.replace("{}", name.replace("_", " ")) for name in class_names]


def class_sentences(
    class_names: Sequence[str], n_tokens: int, context_init: str | None = CONTEXT_INIT
) -> list[str]:
    """One sentence per class, its first n tokens being the ones that prompts replace.

    Raises ValueError as `fill_template` does.
    """
    return fill_template(prompt_template(n_tokens, context_init), class_names)


IMAGENET_TEMPLATES = tuple(template("{}") for template in open_clip.OPENAI_IMAGENET_TEMPLATES)
"""The 80 sentences of OpenAI's ImageNet ensemble."""


def imagenet_names(count: int) -> list[str]:
    """ImageNet's class names as open_clip has them; beyond a thousand, pairs of them."""
    names = open_clip.IMAGENET_CLASSNAMES
    pairs = (f"{first} {second}" for first in names for second in names)
    return [*names[:count], *itertools.islice(pairs, max(0, count - len(names)))]
