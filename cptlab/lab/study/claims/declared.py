"""The paper's claims, as rules: what is compared, where, and on which side of which number.

Written from the text of arXiv 2605.11939v1. First results of the demo profile were known by then;
none of them decided a rule, and a rule does not change once the study that it asks for has run.
Where the text names no number for "comparable" or "roughly", the number here is ours and a comment
gives its reason. Every imbalance ratio that a claim speaks of is tested apart.
"""

from dataclasses import replace

from cptlab.lab.study.claims.claim import Claim
from cptlab.lab.study.claims.comparisons import Ahead, Change, Steadier
from cptlab.lab.study.claims.variants import (
    BASELINES,
    CPT,
    DEFAULT_WEIGHTS,
    GLOBAL_ETF,
    OTHER_ALGORITHMS,
    OTHER_SIZES,
    PLAIN,
    TETF_ONLY,
    WITHOUT_CC,
    WITHOUT_RS,
    WITHOUT_TETF,
    ZERO_SHOT,
    CPTVariant,
    Variant,
    swept,
)

IMBALANCED = (0.25, 0.06)
ALL_TAUS = (1.0, 0.25, 0.06)
STABILITY_TAU = (0.06,)  # that of Fig. 4

MARGIN = 1.0
"""Points of accuracy within which methods are comparable: Sec. 4.2 calls the best of Table 2 at
tau = 1 so, which lie 0.7 apart, and MaPLe and NPT at 2.0 no longer belong to them."""

ROUGHLY_HALF = 0.75
"""A ratio below is nearer to one half than to one."""

GEOMETRY = (
    Claim(
        "Global ETF lowers effective rank",
        "Sec. 1, Fig. 1 (b)",
        "A frame over all classes compresses the effective rank of the similarity matrix of the "
        "class texts, compared with the frozen model.",
        "effective_rank",
        Ahead(GLOBAL_ETF, (ZERO_SHOT,)),
        "<",
        0.0,
        STABILITY_TAU,  # Fig. 1 (a-c) names no tau
    ),
    Claim(
        "CPT keeps a higher rank than global ETF",
        "Sec. 3.2, Fig. 1 (b, c)",
        "Frames inside clusters leave a similarity structure of higher rank than a global frame.",
        "effective_rank",
        Ahead(CPT, (GLOBAL_ETF,)),
        ">",
        0.0,
        STABILITY_TAU,
    ),
)

STABILITY = (
    Claim(
        "CPT varies less over seeds than global ETF",
        "Sec. 4.5, Fig. 1 (d), Fig. 4",
        "The standard deviation of H over seeds is lower with CPT than with a global frame.",
        "H",
        Steadier(CPT, (GLOBAL_ETF,)),
        "<",
        1.0,
        STABILITY_TAU,
    ),
    Claim(
        "CPT about halves the seed variance",
        "Sec. 4.5",
        "CPT's variance of H over seeds is roughly half of the global frame's, or less.",
        "H",
        Steadier(CPT, (GLOBAL_ETF,), power=2),
        "<",
        ROUGHLY_HALF,
        STABILITY_TAU,
    ),
    Claim(
        "L_RS is what steadies CPT",
        "Sec. 3.3, Sec. 4.5, Fig. 4",
        "Without the anchor CPT's standard deviation of H over seeds is higher.",
        "H",
        Steadier(CPT, (WITHOUT_RS,)),
        "<",
        1.0,
        STABILITY_TAU,
    ),
)


def gain(name: str, text: str, more: CPTVariant, less: CPTVariant | str) -> Claim:
    """A step of the ablation: `more` is ahead of `less` in H (Table 1, its first column)."""
    source = "Sec. 4.5, Table 1"
    return Claim(name, source, text, "H", Ahead(more, (less,)), ">", 0.0, IMBALANCED)


ABLATION = (
    gain("L_TETF adds", "L_TETF alone improves on plain prompts.", TETF_ONLY, PLAIN),
    gain("L_CC adds", "L_CC improves on L_TETF alone.", WITHOUT_RS, TETF_ONLY),
    gain("L_RS adds", "L_RS improves on L_TETF with L_CC.", CPT, WITHOUT_RS),
    gain(
        "L_TETF contributes to CPT",
        "Each of the three contributes, L_TETF in the company of the others too (a row that "
        "Table 1 lacks).",
        CPT,
        WITHOUT_TETF,
    ),
    Claim(
        "All three losses are best",
        "Sec. 4.5, Table 1",
        "The full CPT is ahead of plain prompts and of its own parts.",
        "H",
        Ahead(CPT, (PLAIN, TETF_ONLY, WITHOUT_RS, WITHOUT_CC)),
        ">",
        0.0,
        IMBALANCED,
    ),
)


def insensitive(to: str, settings: tuple[CPTVariant, ...], average: bool = False) -> Claim:
    """H changes by less than 3 % (Fig. 3)."""
    what = "on average over the three sweeps" if average else "at either end of its sweep"
    return Claim(
        f"Less than 3 % change: {to}",
        "Sec. 4.5, Fig. 3",
        f"Half or twice the default weight of a loss changes H by less than 3 %, {what}.",
        "H",
        Change(CPT, settings, average),
        "<",
        3.0,
        IMBALANCED,
    )


SENSITIVITY = (
    *(insensitive(f"weight of L_{loss}", swept(loss)) for loss in DEFAULT_WEIGHTS),
    insensitive("all weights", sum(map(swept, DEFAULT_WEIGHTS), ()), average=True),
)

CLUSTERS = (
    Claim(
        "Cosine k-means is best",
        "Sec. 4.5, Sec. 7.2, Table 5",
        "Clusters of cosine k-means give a higher H than those of three other algorithms.",
        "H",
        Ahead(CPT, OTHER_ALGORITHMS),
        ">",
        0.0,
        IMBALANCED,
    ),
    Claim(
        "Cosine k-means is steadiest",
        "Sec. 4.5, Sec. 7.2, Table 5",
        "Clusters of cosine k-means give the lowest standard deviation of H over seeds.",
        "H",
        Steadier(CPT, OTHER_ALGORITHMS),
        "<",
        1.0,
        IMBALANCED,
    ),
    Claim(
        "16 classes per cluster are best",
        "Sec. 7.1, Fig. 5",
        "Of 4, 8, 16, 32 and 64 classes per cluster 16 give the highest H.",
        "H",
        Ahead(CPT, OTHER_SIZES),
        ">",
        0.0,
        (1.0,),  # its 73.92 is the balanced entry of Table 2
    ),
)


def ahead(
    name: str,
    source: str,
    text: str,
    quantity: str,
    baselines: tuple[Variant, ...],
    taus: tuple[float, ...],
    margin: float = 0.0,
) -> Claim:
    """CPT is ahead of all baselines, or at most `margin` points behind (base-to-new)."""
    return Claim(name, source, text, quantity, Ahead(CPT, baselines), ">", 0.0 - margin, taus)


ACCURACY = (
    ahead(
        "CPT is first under imbalance",
        "Sec. 4.2, Table 2",
        "On long-tailed data CPT has the highest H of the prompt-tuning methods.",
        "H",
        BASELINES,
        IMBALANCED,
    ),
    ahead(
        "New classes gain",
        "Sec. 4.2",
        "On long-tailed data CPT improves the accuracy on new classes.",
        "new",
        (PLAIN,),
        IMBALANCED,
    ),
    ahead(
        "Tail accuracy is up",
        "Abstract, Sec. 4.2",
        "On long-tailed data CPT improves the accuracy of tail classes.",
        "tail",
        (PLAIN,),
        IMBALANCED,
    ),
    ahead(
        "No loss on balanced data",
        "Sec. 4.2, Table 2",
        "On balanced data CPT is comparable to the best of the other methods: at most 1 point of "
        "H behind.",
        "H",
        BASELINES,
        (1.0,),
        MARGIN,
    ),
    ahead(
        "New classes keep on balanced data",
        "Sec. 4.2",
        "On balanced data CPT sacrifices no generalization: at most 1 point on new classes.",
        "new",
        (PLAIN,),
        (1.0,),
        MARGIN,
    ),
)


def kept(what: str, source: str, where: str, quantity: str) -> tuple[Claim, Claim]:
    """CPT leads on what it was not trained for, and keeps what the frozen model can do there."""
    first = Claim(
        f"CPT is first {what}",
        source,
        f"CPT has the highest average accuracy {where}.",
        quantity,
        Ahead(CPT, BASELINES),
        ">",
        0.0,
        ALL_TAUS,
        "transfer",
    )
    level = Claim(
        f"CPT keeps zero-shot accuracy {what}",
        f"Abstract, {source}",
        f"CPT is at most 1 point behind the frozen model {where}.",
        quantity,
        Ahead(CPT, (ZERO_SHOT,)),
        ">",
        -MARGIN,
        ALL_TAUS,
        "transfer",
    )
    return first, level


TRANSFER = (
    *kept("in transfer", "Sec. 4.3, Table 3", "on other data sets than the source", "targets"),
    *kept("under domain shift", "Sec. 4.4, Table 4", "on shifts of the source", "domains"),
)

CLAIMS: tuple[Claim, ...] = (
    *GEOMETRY,
    *STABILITY,
    *ABLATION,
    *SENSITIVITY,
    *CLUSTERS,
    *ACCURACY,
    *TRANSFER,
)
"""Every claim that the ledger tests."""


def against(baselines: tuple[Variant, ...]) -> tuple[Claim, ...]:
    """The same claims where CPT has to be ahead of these methods: those that a study has run."""
    return tuple(
        replace(claim, comparison=replace(claim.comparison, baselines=baselines))
        if isinstance(claim.comparison, Ahead) and claim.comparison.baselines == BASELINES
        else claim
        for claim in CLAIMS
    )
