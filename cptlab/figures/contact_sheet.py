"""A page that shows every stored figure with its caption and its files."""

import os
from collections.abc import Mapping
from pathlib import Path

CAPTIONS = {
    "tour_drawings": "Training and test drawings of some classes, one row per vendor; the number "
    "of training pictures in brackets.",
    "tour_predictions": "Test drawings with the predictions of zero-shot and of CPT, changed ones "
    "first.",
    "tour_gain_by_shots": "Change of class accuracy from zero-shot to CPT against the number of "
    "training pictures.",
    "fig1_similarity": "Cosine similarity of the class prototypes, clusters side by side "
    "(Fig. 1 a-c).",
    "fig1d_training_curves": "H along training: mean over seeds, plus and minus one standard "
    "deviation (Fig. 1 d).",
    "tab2_base_to_new": "H and tail accuracy by method and imbalance ratio, means with 95 % "
    "intervals over seeds (Table 2).",
    "fig4_seed_violins": "Distribution of H over seeds, with the mean and its 95 % interval "
    "(Fig. 4).",
    "collapse_along_training": "Measures of neural collapse along training: mean over seeds, plus "
    "and minus one standard deviation.",
    "published_averages": "Averages that the paper prints, by method and imbalance ratio.",
    "throughput": "Time and memory saved against plain towers, and runs per hour by replicas in a "
    "pass.",
}
"""Figure -> its caption in one line, in the order in which the page shows them."""


def contact_sheet(folder: str | os.PathLike, captions: Mapping[str, str] = CAPTIONS) -> Path:
    """Write README.md into a folder of figures: each with caption, picture and links to its files.

    Figures are the folder's PNG files, in the order of `captions`; captions without a figure are
    left out.

    Args:
        folder: where `cptlab.style.save` wrote the figures.
        captions: caption of each figure, by file name without suffix.

    Returns:
        Path of the page, replaced at once.

    Raises:
        ValueError: if there is no figure, or if some lack a caption or their CSV; names them.
    """
    folder = Path(folder)
    found = {path.stem for path in folder.glob("[!.]*.png")}
    if not found:
        raise ValueError(f"There are no figures (PNG files) in {folder}.")
    if unknown := sorted(found - set(captions)):
        raise ValueError(f"Give these figures a caption: {', '.join(unknown)}.")
    if bare := sorted(name for name in found if not (folder / f"{name}.csv").is_file()):
        raise ValueError(f"These figures lack the CSV of their numbers: {', '.join(bare)}.")
    parts = ["# Figures", "Every picture with the numbers behind it."]
    for name in (name for name in captions if name in found):
        kinds = [kind for kind in ("png", "svg", "csv") if (folder / f"{name}.{kind}").is_file()]
        links = " · ".join(f"[{kind.upper()}]({name}.{kind})" for kind in kinds)
        parts += [f"## {name}", captions[name], f"![{captions[name]}]({name}.png)", links]
    page, beside = folder / "README.md", folder / f".README.md.{os.getpid()}.tmp"
    try:
        beside.write_text("\n\n".join(parts) + "\n", encoding="utf-8", newline="\n")
        os.replace(beside, page)
    finally:
        beside.unlink(missing_ok=True)
    return page
