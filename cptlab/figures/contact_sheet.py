"""A page that shows every stored figure with its caption and its files."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

CAPTIONS = {
    "tour_drawings": "Training and test drawings of some classes, one row per vendor; the number "
    "of training pictures in brackets.",
    "tour_predictions": "Test drawings with the predictions of zero-shot and of CPT, changed ones "
    "first.",
    "tour_gain_by_shots": "Gain in class accuracy from zero-shot to CPT by the number of training "
    "pictures, means with 95 % intervals over classes.",
    "fig1_similarity": "Cosine similarity of the class prototypes, clusters side by side "
    "(Fig. 1 a-c).",
    "fig1d_training_curves": "H along training: mean over seeds, plus and minus one standard "
    "deviation (Fig. 1 d).",
    "fig3_sensitivity": "H against each loss weight, the default marked: mean over seeds with 95 % "
    "intervals (Fig. 3).",
    "fig3_weights_heatmap": "H on a grid of two loss weights, mean and standard deviation "
    "over seeds.",
    "tab1_ablation": "All combinations of the three losses, means with 95 % intervals over seeds "
    "(Table 1).",
    "tab2_base_to_new": "H, base, new and tail accuracy by method and imbalance ratio, means with "
    "95 % intervals over seeds (Table 2).",
    "fig4_seed_violins": "Distribution of H over seeds, with the mean and its 95 % interval "
    "(Fig. 4).",
    "tab2_ranks": "Mean ranks of the methods by H over data sets and seeds (Table 2).",
    "tail_accuracy": "Accuracy by thirds of the long tail, with 95 % intervals over seeds; gain "
    "over zero-shot by the number of training pictures, with 95 % intervals over classes.",
    "tab3_cross_dataset": "Accuracy on other data sets than the source: their mean and each, "
    "means with 95 % intervals over seeds (Table 3).",
    "tab3_cross_dataset_ranks": "Mean ranks of the methods over target data sets and seeds.",
    "tab4_domain_generalization": "Accuracy on other vendors' drawings: their mean and each, "
    "means with 95 % intervals over seeds (Table 4).",
    "tab4_domain_generalization_ranks": "Mean ranks of the methods over domains and seeds.",
    "claims_ledger": "Verdict on each claim of the paper under each reading of the losses.",
    "cluster_number": "Silhouette of the frozen class texts by the number of clusters.",
    "fig5_cluster_map": "UMAP of the class texts before and after tuning, with CPT's clusters "
    "outlined.",
    "fig5_cluster_map_drawings": "The same maps, zero-shot and CPT, with a test drawing of each "
    "class.",
    "tab5_algorithms": "H of CPT by clustering algorithm: seeds, means with 95 % intervals, and "
    "the standard deviation over seeds in points (Table 5).",
    "fig5_cluster_size": "H of CPT by the number of classes per cluster, means with 95 % intervals "
    "over seeds (Fig. 5).",
    "collapse_along_training": "Measures of neural collapse along training: mean over seeds, plus "
    "and minus one standard deviation.",
    "collapse_by_imbalance": "The same measures at the end of training, by imbalance ratio.",
    "few_shot": "Accuracy on all classes by the number of training pictures of each.",
    "long_tail_classics": "H and tail accuracy with long-tail classics added: seeds, means with "
    "95 % intervals, and the standard deviation over seeds in points.",
    "cost": "H and tail accuracy against the time to train a run, with its range, and the number "
    "of trained parameters, means with 95 % intervals over seeds.",
    "published_averages": "Averages that the paper prints, by method and imbalance ratio.",
    "throughput": "Time and memory saved against plain towers, and runs per hour by replicas in a "
    "pass.",
    "throughput_gpu": "The same on a GPU, ViT-B/16 in bf16.",
}
"""Figure -> its caption in one line, in the order in which the page shows them."""


VENDOR_ART = ("tour_drawings", "tour_predictions", "fig5_cluster_map_drawings")
"""Figures that show vendors' drawings, which the repository does not carry: linked, not shown."""


def figure_names(folder: str | os.PathLike, captions: Mapping[str, str] = CAPTIONS) -> list[str]:
    """Names without suffix of a folder's PNG files, in the order of `captions`, others behind.

    Raises ValueError if there is none.
    """
    found = {path.stem for path in Path(folder).glob("[!.]*.png")}
    if not found:
        raise ValueError(f"There are no figures (PNG files) in {folder}.")
    return [*(name for name in captions if name in found), *sorted(found - set(captions))]


def contact_sheet(folder: str | os.PathLike, captions: Mapping[str, str] = CAPTIONS) -> Path:
    """Write README.md into a folder of figures: each with caption, picture and links to its files.

    Figures are the folder's PNG files, in the order of `captions`, others behind; captions without
    a figure are left out. Tables without a picture of their own are linked below.

    Args:
        folder: where `cptlab.style.save` wrote the figures.
        captions: caption of each figure, by file name without suffix.

    Returns:
        Path of the page, replaced at once.

    Raises:
        ValueError: if there is no figure.
    """
    folder = Path(folder)
    parts = ["# Figures", "Every picture with the numbers behind it."]
    for name in figure_names(folder, captions):
        caption = captions.get(name, "")
        linked = ("csv",) if name in VENDOR_ART else ("png", "svg", "csv")
        kinds = [kind for kind in linked if (folder / f"{name}.{kind}").is_file()]
        links = " · ".join(f"[{kind.upper()}]({name}.{kind})" for kind in kinds)
        art = "It shows vendors' drawings, so it is drawn on your machine and not committed."
        shown = art if name in VENDOR_ART else f"![{caption}]({name}.png)"
        parts += filter(None, [f"## {name}", caption, shown, links])
    tables = sorted(
        path.name
        for path in folder.glob("[!.]*.*")
        if path.suffix in (".csv", ".md") and path.name != "README.md"
        if path.suffix == ".md" or not path.with_suffix(".png").is_file()
    )
    if tables:
        parts += ["## Tables", " · ".join(f"[{name}]({quote(name)})" for name in tables)]
    page, beside = folder / "README.md", folder / f".README.md.{os.getpid()}.tmp"
    try:
        beside.write_text("\n\n".join(parts) + "\n", encoding="utf-8", newline="\n")
        os.replace(beside, page)
    finally:
        beside.unlink(missing_ok=True)
    return page
