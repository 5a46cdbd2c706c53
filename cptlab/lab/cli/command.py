"""Commands that refuse an option given twice: click would keep the last one without a word."""

from __future__ import annotations

import re
from collections import Counter

import click

NAMED = re.compile(r"([\w.]+)=")
"""The start of name=value."""


class Command(click.Command):
    """A command that takes each option once, but those that are for several values."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:  # not while the shell completes
            values, _, given = self.make_parser(ctx).parse_args(list(args))
            for option, times in Counter(given).items():
                if isinstance(option, click.Option) and times > 1:
                    _refuse_twice(option, values[option.name], times, ctx)
        return super().parse_args(ctx, args)


def _refuse_twice(option: click.Option, values: object, times: int, ctx: click.Context) -> None:
    """Raise UsageError for an option that counts once, or a name that has two values."""
    flag = option.opts[0]
    if not option.multiple or not isinstance(values, list):
        raise click.UsageError(f"{flag} is given {times} times, and takes one value.", ctx)
    names = [found[1] if (found := NAMED.match(text)) else text for text in values]
    for name, often in Counter(names).items():
        if often > 1:
            raise click.UsageError(f"{flag} {name} is given {often} times: give it once.", ctx)


class Group(click.Group):
    """A command of such commands."""

    command_class = Command
