"""The paper's claims as rules: what is compared, on which runs, and the threshold.

Written from the text of arXiv 2605.11939v1. First results of the demo profile were known by then;
none of them decided a rule, and a rule does not change once the study that it needs has run. Where
the text gives no number for "comparable" or "roughly", the number here is ours and a comment gives
its reason. A claim about several imbalance ratios is tested at each of them separately.
"""

from dataclasses import replace

from cptlab.lab.study.claims.claim import Claim
from cptlab.lab.study.claims.comparisons import Ahead, Change, Steadier
from cptlab.lab.study.claims.variants import (
    ALGORITHMS,
    BASELINES,
    CPT,
    DEFAULT_WEIGHTS,
    GLOBAL_ETF,
    PLAIN,
    SIZES,
    TETF_ONLY,
    WITHOUT_CC,
    WITHOUT_RS,
    WITHOUT_TETF,
    ZERO_SHOT,
    Variant,
    half_and_twice,
)

ALL_TAUS, IMBALANCED, BALANCED = (1.0, 0.25, 0.06), (0.25, 0.06), (1.0,)
SMALLEST = (0.06,)  # the tau of Fig. 4

MARGIN = 1.0
"""Points of accuracy within which methods are comparable: Sec. 4.2 calls the best of Table 2 at
tau = 1 comparable, which are within 0.7 points of one another, but not MaPLe and NPT, 2.0 below."""

ROUGHLY_HALF = 0.75
"""A ratio below is nearer to one half than to one."""

OTHER_ALGORITHMS, OTHER_SIZES = (
    tuple(variant for variant in family.values() if variant != CPT)
    for family in (ALGORITHMS, SIZES)
)

# fmt: off
CLAIMS: tuple[Claim, ...] = (
    # name, source,
    # what the paper says,
    # quantity, comparison, side, threshold, taus[, protocol]

    # Fig. 1 (a-c) names no tau
    Claim("Global ETF lowers effective rank", "Sec. 1, Fig. 1 (b)",
          "A frame over all classes compresses the effective rank of the similarity matrix of the "
          "class texts, compared with the frozen model.",
          "effective_rank", Ahead(GLOBAL_ETF, (ZERO_SHOT,)), "<", 0.0, SMALLEST),
    Claim("CPT keeps a higher rank than global ETF", "Sec. 3.2, Fig. 1 (b, c)",
          "Frames inside clusters leave a similarity structure of higher rank than a global frame.",
          "effective_rank", Ahead(CPT, (GLOBAL_ETF,)), ">", 0.0, SMALLEST),

    # Spread over seeds
    Claim("CPT varies less over seeds than global ETF", "Sec. 4.5, Fig. 1 (d), Fig. 4",
          "The standard deviation of H over seeds is lower with CPT than with a global frame.",
          "H", Steadier(CPT, (GLOBAL_ETF,)), "<", 1.0, SMALLEST),
    Claim("CPT about halves the seed variance", "Sec. 4.5",
          "CPT's variance of H over seeds is roughly half of the global frame's, or less.",
          "H", Steadier(CPT, (GLOBAL_ETF,), power=2), "<", ROUGHLY_HALF, SMALLEST),
    Claim("L_RS is what steadies CPT", "Sec. 3.3, Sec. 4.5, Fig. 4",
          "Without the anchor CPT's standard deviation of H over seeds is higher.",
          "H", Steadier(CPT, (WITHOUT_RS,)), "<", 1.0, SMALLEST),

    # Ablation: the first column of Table 1
    Claim("L_TETF adds", "Sec. 4.5, Table 1",
          "L_TETF alone improves on plain prompts.",
          "H", Ahead(TETF_ONLY, (PLAIN,)), ">", 0.0, IMBALANCED),
    Claim("L_CC adds", "Sec. 4.5, Table 1",
          "L_CC improves on L_TETF alone.",
          "H", Ahead(WITHOUT_RS, (TETF_ONLY,)), ">", 0.0, IMBALANCED),
    Claim("L_RS adds", "Sec. 4.5, Table 1",
          "L_RS improves on L_TETF with L_CC.",
          "H", Ahead(CPT, (WITHOUT_RS,)), ">", 0.0, IMBALANCED),
    Claim("L_TETF contributes to CPT", "Sec. 4.5, Table 1",
          "Each of the three contributes, L_TETF in the company of the others too (a row that "
          "Table 1 lacks).",
          "H", Ahead(CPT, (WITHOUT_TETF,)), ">", 0.0, IMBALANCED),
    Claim("All three losses are best", "Sec. 4.5, Table 1",
          "The full CPT is ahead of plain prompts and of its own parts.",
          "H", Ahead(CPT, (PLAIN, TETF_ONLY, WITHOUT_RS, WITHOUT_CC)), ">", 0.0, IMBALANCED),

    # Weights of the losses
    Claim("Less than 3 % change: weight of L_TETF", "Sec. 4.5, Fig. 3",
          "Half or twice the default weight of a loss changes H by less than 3 %, at either end of "
          "its sweep.",
          "H", Change(CPT, half_and_twice("TETF")), "<", 3.0, IMBALANCED),
    Claim("Less than 3 % change: weight of L_CC", "Sec. 4.5, Fig. 3",
          "Half or twice the default weight of a loss changes H by less than 3 %, at either end of "
          "its sweep.",
          "H", Change(CPT, half_and_twice("CC")), "<", 3.0, IMBALANCED),
    Claim("Less than 3 % change: weight of L_RS", "Sec. 4.5, Fig. 3",
          "Half or twice the default weight of a loss changes H by less than 3 %, at either end of "
          "its sweep.",
          "H", Change(CPT, half_and_twice("RS")), "<", 3.0, IMBALANCED),
    Claim("Less than 3 % change: all weights", "Sec. 4.5, Fig. 3",
          "Half or twice the default weight of a loss changes H by less than 3 %, on average over "
          "the three sweeps.",
          "H", Change(CPT, half_and_twice(*DEFAULT_WEIGHTS), average=True), "<", 3.0, IMBALANCED),

    # Clusters
    Claim("Cosine k-means is best", "Sec. 4.5, Sec. 7.2, Table 5",
          "Clusters of cosine k-means give a higher H than those of three other algorithms.",
          "H", Ahead(CPT, OTHER_ALGORITHMS), ">", 0.0, IMBALANCED),
    Claim("Cosine k-means is steadiest", "Sec. 4.5, Sec. 7.2, Table 5",
          "Clusters of cosine k-means give the lowest standard deviation of H over seeds.",
          "H", Steadier(CPT, OTHER_ALGORITHMS), "<", 1.0, IMBALANCED),
    # at tau = 1: the 73.92 of Fig. 5 is the balanced entry of Table 2
    Claim("16 classes per cluster are best", "Sec. 7.1, Fig. 5",
          "Of 4, 8, 16, 32 and 64 classes per cluster 16 give the highest H.",
          "H", Ahead(CPT, OTHER_SIZES), ">", 0.0, BALANCED),

    # Accuracy, base to new
    Claim("CPT is first under imbalance", "Sec. 4.2, Table 2",
          "On long-tailed data CPT has the highest H of the prompt-tuning methods.",
          "H", Ahead(CPT, BASELINES), ">", 0.0, IMBALANCED),
    Claim("New classes gain", "Sec. 4.2",
          "On long-tailed data CPT improves the accuracy on new classes.",
          "new", Ahead(CPT, (PLAIN,)), ">", 0.0, IMBALANCED),
    Claim("Tail accuracy is up", "Abstract, Sec. 4.2",
          "On long-tailed data CPT improves the accuracy of tail classes.",
          "tail", Ahead(CPT, (PLAIN,)), ">", 0.0, IMBALANCED),
    Claim("No loss on balanced data", "Sec. 4.2, Table 2",
          "On balanced data CPT is comparable to the best of the other methods: at most 1 point of "
          "H behind.",
          "H", Ahead(CPT, BASELINES), ">", -MARGIN, BALANCED),
    Claim("New classes keep on balanced data", "Sec. 4.2",
          "On balanced data CPT sacrifices no generalization: at most 1 point on new classes.",
          "new", Ahead(CPT, (PLAIN,)), ">", -MARGIN, BALANCED),

    # Data that CPT was not trained for
    Claim("CPT is first in transfer", "Sec. 4.3, Table 3",
          "CPT has the highest average accuracy on other data sets than the source.",
          "targets", Ahead(CPT, BASELINES), ">", 0.0, ALL_TAUS, "transfer"),
    Claim("CPT keeps zero-shot accuracy in transfer", "Abstract, Sec. 4.3, Table 3",
          "CPT is at most 1 point behind the frozen model on other data sets than the source.",
          "targets", Ahead(CPT, (ZERO_SHOT,)), ">", -MARGIN, ALL_TAUS, "transfer"),
    Claim("CPT is first under domain shift", "Sec. 4.4, Table 4",
          "CPT has the highest average accuracy on shifts of the source.",
          "domains", Ahead(CPT, BASELINES), ">", 0.0, ALL_TAUS, "transfer"),
    Claim("CPT keeps zero-shot accuracy under domain shift", "Abstract, Sec. 4.4, Table 4",
          "CPT is at most 1 point behind the frozen model on shifts of the source.",
          "domains", Ahead(CPT, (ZERO_SHOT,)), ">", -MARGIN, ALL_TAUS, "transfer"),
)
# fmt: on


def against(baselines: tuple[Variant, ...]) -> tuple[Claim, ...]:
    """The claims with these methods, those of a study, in place of `BASELINES`."""
    return tuple(
        replace(claim, comparison=replace(claim.comparison, baselines=baselines))
        if isinstance(claim.comparison, Ahead) and claim.comparison.baselines == BASELINES
        else claim
        for claim in CLAIMS
    )
