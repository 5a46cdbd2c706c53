"""The gallery: each stored figure under what it says, with its caption, its files and notebook."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

from cptlab.lab.figures.style import stored_message
from cptlab.lab.study.summary import TOO_FEW

DRAWN = ("png", "svg", "csv")
"""What `cptlab.lab.figures.style.save` writes of a figure."""
SHOWN_BY = {"comparison": "study.plot()", "tail": "study.plot_tail()"}
"""Figure -> code that shows it in a notebook without its name."""
FIGURE = """<figure>
<a href="drawn/{large}"><img src="drawn/{name}.png" alt="{alt}"></a>
<figcaption>{caption} {links}</figcaption>
</figure>"""
SIGNS = re.compile(r"([\\`*_{}\[\]<>$#|~])")


def gallery(folder: Path, texts: Mapping[str, str], notebooks: Iterable[Path]) -> str:
    """Markdown: a section for each figure of a folder, then the tables without one.

    texts: caption of each figure, in the order of the page. Pictures and files are those of the
    folder `drawn` beside the page.
    """
    parts = [
        "# Figures",
        "This page has all figures: what each says, and the numbers behind it as files.",
    ]
    code = {path.stem: path.read_text(encoding="utf-8").replace('\\"', '"') for path in notebooks}
    drawn = figures_of(folder, texts)
    for name in drawn:
        files = [kind for kind in DRAWN if (folder / f"{name}.{kind}").is_file()]
        links = [_file(name, kind, kind.upper()) for kind in files]
        shown = [stem for stem, text in code.items() if _shows(text, name)]
        links += [f'<a href="notebooks/{stem}.html">Notebook</a>' for stem in shown[:1]]
        parts += [
            f"(figure-{name})=\n## {plain(title(folder, name, texts))}",
            FIGURE.format(
                large=f"{name}.{'svg' if 'svg' in files else 'png'}",
                name=name,
                alt=escape(alternative(folder, name, texts)),
                caption=escape(texts.get(name, "")),
                links=" · ".join(links),
            ),
        ]
    tables = sorted({path.stem for path in folder.glob("[!.]*.csv")} - {*drawn})
    if tables:
        links = (_file(name, "csv", f"{name}.csv") for name in tables)
        parts += ["## Tables without a figure", f"<p>{', '.join(links)}</p>"]
    return "\n\n".join(parts)


def _file(name: str, kind: str, text: str) -> str:
    return f'<a href="drawn/{name}.{kind}" download>{text}</a>'


def messages(folder: Path, texts: Mapping[str, str]) -> str:
    """Markdown: what the figures of a folder say, a line each that leads to the figure; those with
    too few runs for a statement are counted. "" if they were drawn before figures carried
    messages.
    """
    told = {name: stored_message(folder / f"{name}.png") for name in figures_of(folder, texts)}
    few = [name for name, text in told.items() if text and _has_no_verdict(text)]
    lines = [
        f"- [{plain(text)}](#figure-{name})"
        for name, text in told.items()
        if text and name not in few
    ]
    if few:
        number = f"{len(few)}{' more' * bool(lines)} figure{'s have' if len(few) > 1 else ' has'}"
        lines.append(f"- [{number}](figures.md) too few runs for a statement")
    return "\n".join(lines)


def _has_no_verdict(message: str) -> bool:
    """Whether every sentence of a message says that runs are too few."""
    return all(TOO_FEW in sentence.lower() for sentence in message.split(". "))


def figures_of(folder: Path, texts: Mapping[str, str]) -> list[str]:
    """Names of the figures in a folder, in the order of the captions."""
    drawn = sorted(path.stem for path in folder.glob("[!.]*.png"))
    return sorted(drawn, key=[*texts, *drawn].index)


def title(folder: Path, name: str, texts: Mapping[str, str]) -> str:
    """What a figure says; of one without a message, what it shows."""
    return stored_message(folder / f"{name}.png") or _first_sentence(texts.get(name, name)).rstrip(
        "."
    )


def alternative(folder: Path, name: str, texts: Mapping[str, str]) -> str:
    """Text in place of a figure: what it says, and what it shows."""
    said, caption = stored_message(folder / f"{name}.png"), texts.get(name, "")
    if said and caption:
        return f"{said.rstrip('.')}. {_first_sentence(caption)}"
    return said or caption or name


def alternative_of_cell(code: str, folder: Path, texts: Mapping[str, str]) -> str:
    """Text in place of the pictures of a cell: of the figures that it names."""
    drawn = figures_of(folder, texts)
    shown = [alternative(folder, name, texts) for name in drawn if _shows(code, name)]
    return " ".join(shown) or "Figure of this cell."


def _shows(code: str, name: str) -> bool:
    return f'"{name}"' in code or SHOWN_BY.get(name, f'"{name}"') in code


def plain(text: str) -> str:
    """A text as Markdown that shows it letter by letter."""
    return SIGNS.sub(r"\\\1", text)


def _first_sentence(caption: str) -> str:
    return re.split(r"(?<=\.) (?=[A-Z])", caption, maxsplit=1)[0]
