"""A page that shows every stored figure with its caption and its files."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

DRAWN = ("png", "svg", "csv")
"""What `cptlab.lab.figures.style.save` writes of a figure."""

VENDOR_ART = ("tour_drawings", "tour_predictions", "fig5_cluster_map_drawings")
"""Figures that show vendors' drawings, which the repository does not carry: linked, not shown."""


def contact_sheet(folder: str | os.PathLike[str], captions: Mapping[str, str]) -> Path:
    """Write README.md into a folder of figures: each with caption, image and links to its files.

    Figures are the folder's PNG files, in the order of `captions`, then others; captions without a
    figure are left out. Figures of vendors' drawings need only their CSV. Tables without an image,
    and other files, are linked below.

    Args:
        folder: where `cptlab.lab.figures.style.save` wrote the figures.
        captions: caption of each figure, by file name without suffix.

    Returns:
        Path of the page, which is replaced atomically.

    Raises:
        ValueError: if there is no figure.
    """
    folder = Path(folder)
    parts = ["# Figures", "Every figure with the numbers behind it."]
    drawn = {path.stem for path in folder.glob("[!.]*.png")}
    if not drawn:
        raise ValueError(f"There are no figures (PNG files) in {folder}.")
    drawn |= {name for name in VENDOR_ART if (folder / f"{name}.csv").is_file()}
    figures = sorted(drawn, key=[*captions, *sorted(drawn)].index)
    for name in figures:
        caption = captions.get(name, "")
        linked = ("csv",) if name in VENDOR_ART else DRAWN
        kinds = [kind for kind in linked if (folder / f"{name}.{kind}").is_file()]
        links = " · ".join(f"[{kind.upper()}]({name}.{kind})" for kind in kinds)
        art = "It shows vendors' drawings, so it is drawn on your machine and not committed."
        shown = art if name in VENDOR_ART else f"![{caption}]({name}.png)"
        parts += filter(None, [f"## {name}", caption, shown, links])
    imaged = {f"{name}.{kind}" for name in figures for kind in DRAWN}
    others = sorted({path.name for path in folder.glob("[!.]*.*")} - imaged - {"README.md"})
    tables = [name for name in others if name.endswith((".csv", ".md"))]
    for title, names in {"Tables": tables, "Other files": sorted({*others} - {*tables})}.items():
        if names:
            parts += [f"## {title}", " · ".join(f"[{name}]({quote(name)})" for name in names)]
    page, temporary = folder / "README.md", folder / f".README.md.{os.getpid()}.tmp"
    try:
        temporary.write_text("\n\n".join(parts) + "\n", encoding="utf-8", newline="\n")
        os.replace(temporary, page)
    finally:
        temporary.unlink(missing_ok=True)
    return page
