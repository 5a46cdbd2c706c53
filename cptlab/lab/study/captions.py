"""Captions of the figures: what each shows, and on which runs of a profile."""

from __future__ import annotations

from pathlib import Path

from cptlab.checks import counted
from cptlab.lab.study.design import Design
from cptlab.lab.study.lineup import compared
from cptlab.lab.study.profile import Profile
from cptlab.lab.study.studies import levels, long_tailed, most_imbalanced
from cptlab.lab.study.varied import Varied

INTERVAL = "means with 95 % intervals over data sets and seeds, or classes and seeds"
FOREST = (
    f"{INTERVAL}; filled: separable after correction among all of its table. Rows are sorted by "
    "the first panel; where an interval goes on, there is an arrow"
)
RANKS = (
    "Mean rank by {}, 1 is best, with 95 % intervals over {} and seeds, sorted by the smallest τ; "
    "dotted: zero-shot."
)

BAND = "means with 95 % intervals over seeds"
SHOWN = "CPT and its controls", "other methods beside IVLP"
CHOSEN = "the first of the chosen methods", "the others of the chosen methods"
"""Methods of the two figures of collapse."""

CAPTIONS = {
    "claims_confirmatory": "The eight claims of docs/plan.md: difference within a data set and "
    "seed (the last one a ratio of spreads) with its 95 % interval over data sets and seeds; "
    "shaded: the claimed side. A verdict takes the interval and Holm's correction among the "
    "eight. On {smallest}.",
    "tour_drawings": "Training and test drawings of some classes, one row per vendor; the number "
    "of training images in brackets. On {tour}.",
    "tour_predictions": "Test drawings with the predictions of zero-shot and of {tuned}, changed "
    "ones first. On {tour}.",
    "tour_gain_by_shots": "Gain in class accuracy from zero-shot to {tuned} by the number of "
    "training images: classes, and means over them. On {tour}.",
    "fig1_similarity": "Cosine similarity of the class texts, at most 96, clusters side by side "
    "(Fig. 1 a-c), and below it after their mean was subtracted. On {similarity}.",
    "fig1d_training_curves": "H by training steps, means with 95 % intervals over seeds; lines "
    "begin at zero-shot, dotted (Fig. 1 d). Differences at the end, in the title, are over classes "
    "and seeds. On {curves}.",
    "dose_response": "What the weight of L_TETF does: differences to runs without it, and "
    "how the class texts lie, with 95 % intervals; filled: separable among all that are compared "
    "with it; dotted: without the loss; diamonds: the sum over pairs, as printed, at the weight of "
    "the mean that it equals. On {imbalanced}, the smallest τ.",
    "dose_others": "What the weights of L_CC and L_RS do, as differences to runs without the "
    "loss, drawn like those of L_TETF. On {imbalanced}, the smallest τ.",
    "fig3_sensitivity": "H of CPT by each loss weight, as the change from the default run by run: "
    f"{INTERVAL}; shaded: what is claimed (Fig. 3). On {{imbalanced}}.",
    "fig3_weights_heatmap": "H of CPT on a grid of two loss weights, minus that of the default, "
    "framed. On {most_imbalanced}.",
    "tab1_ablation": f"{{combinations}} of the three losses{{beside}}, minus none of them run by "
    f"run: {INTERVAL}; dotted: without any loss (IVLP) and its mean, filled: separable from it "
    "(Table 1). Rows without TETF are the same runs in blocks of one schedule; every panel has "
    "its own axis. H: {imbalanced}; transfer: "
    "{ablation_transfer}.",
    "tab2_base_to_new": "H, new and tail accuracy minus those of zero-shot and of IVLP, "
    f"averaged over data sets (Table 2): {FOREST}. On {{comparison}}.",
    "fig4_seed_violins": "H of every run, those of a seed joined by a line (Fig. 4), and below it "
    "ratios of spreads over seeds with their 95 % intervals; dotted: zero-shot. On {strips}.",
    "backbones": "H, new and tail accuracy minus those of zero-shot and of IVLP, on EmojiCLIPs of "
    "several pretraining seeds, in the mean over data sets: means with 95 % intervals over "
    "backbones and seeds; filled: separable after correction; small marks: each backbone. On "
    "{backbones}.",
    "tab2_ranks": f"{RANKS.format('H', 'data sets')} On {{comparison}}.",
    "tail_accuracy": "Class accuracy minus zero-shot's, by thirds of the long tail and by the "
    f"number of training images: {FOREST}. On {{smallest}}.",
    "tab3_cross_dataset": "Mean accuracy on other data sets than the source, minus those of "
    f"zero-shot and of IVLP (Table 3): {FOREST}. Source: {{transfer}}.",
    "tab3_cross_dataset_ranks": RANKS.format("accuracy", "targets, or several sources,")
    + " Source: {transfer}.",
    "tab4_domain_generalization": "Mean accuracy on drawings of vendors, or in domains, that these "
    f"runs did not train on, minus those of zero-shot and of IVLP (Table 4): {FOREST}. Source: "
    "{transfer}.",
    "tab4_domain_generalization_ranks": RANKS.format("accuracy", "domains, or several sources,")
    + " Source: {transfer}.",
    "claims_ledger": "Verdict on each claim of the paper under each reading of the losses: "
    "a 95 % interval of paired differences against the claimed bound, over data sets or classes, "
    "and seeds. "
    "Against what, with how many pairs and how large: claims_ledger.csv.",
    "cluster_number": "Silhouette of the frozen class texts by the number of clusters; dotted: the "
    "number that runs use. On {maps}.",
    "fig5_cluster_map": "UMAP of the class texts before and after tuning, CPT's clusters outlined. "
    "Each cluster is named, in bold, for the class in its middle before tuning, which has a black "
    "rim. On {similarity}.",
    "fig5_cluster_map_drawings": "UMAP of the class texts, zero-shot and {tuned}, with a test "
    "drawing of each class. On {similarity}.",
    "other_measures": "Accuracy on concepts that pretraining saw often or seldom, on the worst "
    "quarter of the base classes, and among base and new names, minus zero-shot's: "
    f"{FOREST}. On {{smallest}}.",
    "own_texts_similarity": "Cosine similarity of the text features of a file, clusters side by "
    "side, and below it after their mean was subtracted.",
    "own_texts_map": "UMAP of the text features of a file, clusters outlined.",
    "tab5_algorithms": f"H of CPT by clustering algorithm: dots are seeds, {INTERVAL}, and the "
    "standard deviation over seeds in points (Table 5). On {imbalanced}.",
    "fig5_cluster_size": f"H of CPT by the number of classes per cluster, {INTERVAL} (Fig. 5). "
    "On {balanced}.",
    "collapse_along_training": f"Neural collapse along training, {{controls}}: {BAND}. On "
    "{curves}.",
    "collapse_along_training_rivals": f"Neural collapse along training, {{others}}: {BAND}. On "
    "{curves}.",
    "collapse_by_imbalance": f"Neural collapse at the end of training by imbalance ratio, "
    f"{{controls}}: {BAND}. On {{followed}}.",
    "collapse_by_imbalance_rivals": f"Neural collapse at the end of training by imbalance ratio, "
    f"{{others}}: {BAND}. On {{followed}}.",
    "few_shot": "Accuracy on all classes by the number of training images of each, a panel per "
    f"method: {INTERVAL}; grey: IVLP, dotted: zero-shot. On {{few_shot}}.",
    "long_tail_classics": f"H, head and tail accuracy with long-tail classics added: dots are "
    f"seeds, {INTERVAL}, and the standard deviation over seeds in points. On {{most_imbalanced}}.",
    "cost": f"H minus zero-shot's, which trains nothing, against the time to train a run, with its "
    f"range: {INTERVAL}; filled: separable after correction; line: the highest mean that a cost "
    "buys. On {smallest}.",
    "cost_tuning": "Methods as tuned minus themselves with published schedules, run by run: "
    f"{INTERVAL}; filled: separable after correction. On {{smallest}}.",
    "published_averages": "Averages that the paper prints, by method and imbalance ratio "
    "(published, ViT-B/16).",
    "throughput": "Time and memory of plain towers over those of ours, by the number of classes "
    "(ViT-B/16, IVLP, batch 4), and runs per hour by replicas in a pass (EmojiCLIP; dotted: in "
    "proportion), on a CPU.",
    "throughput_gpu": "Time and memory of plain towers over those of ours, by number of classes, "
    "and training of replicas in a pass (dotted: in proportion), on a GPU: ViT-B/16 in bf16.",
}
"""Figure -> what it shows, in the order of the site's gallery; braces hold names of `_designs`."""


def captions(profile: Profile) -> dict[str, str]:
    """Caption of each figure, with the data sets, imbalance ratios and seeds behind it."""
    runs = {name: as_text(design) for name, design in _designs(profile).items()}
    runs["maps"] = f"the base classes of {Path(profile.similarity_dataset).stem}"
    runs["few_shot"] = runs["few_shot"].replace("τ = 1", "no long tail")
    runs |= dict(zip(("controls", "others"), CHOSEN if profile.methods else SHOWN))
    runs["tuned"] = str(compared(profile)[-1]) if profile.methods else "CPT"
    runs["beside"] = ", other methods beside it" if levels(profile) else ""
    all_losses = profile.varied.losses == Varied().losses
    runs["combinations"] = "All combinations" if all_losses else "Combinations"
    return {name: text.format(**runs) for name, text in CAPTIONS.items()}


def as_text(design: Design) -> str:
    """Data sets, imbalance ratios and number of seeds: "food; τ = 1, 0.06 (5 seeds)"."""
    sets = design.names or "no data set"
    if len(design.datasets) > 3:
        sets = f"{len(design.datasets)} data sets"
    taus, seeds = ", ".join(f"{tau:g}" for tau in design.taus), counted(len(design.seeds), "seed")
    return f"{sets}; τ = {taus} ({seeds})" if taus else sets


def _designs(profile: Profile) -> dict[str, Design]:
    """The designs of the figures, as in `cptlab.lab.study.studies`."""
    main, transfer = profile.comparison, profile.transfer
    smallest = main.at(main.smallest_tau)
    curves = smallest.on(profile.followed_dataset)
    return {
        "comparison": main,
        "smallest": smallest,
        "backbones": smallest.first_seeds(3),
        "strips": smallest.on(*main.datasets[:1]),
        "curves": curves,
        "followed": main.on(profile.followed_dataset).at(*profile.curve_taus),
        "tour": curves.first_seeds(1),
        "similarity": smallest.on(profile.similarity_dataset).first_seeds(1),
        "imbalanced": long_tailed(profile),
        "most_imbalanced": most_imbalanced(profile),
        "balanced": profile.details.at(max(profile.details.taus)),
        "transfer": transfer,
        "ablation_transfer": transfer.at(transfer.smallest_tau),
        "few_shot": profile.few_shot,
    }
