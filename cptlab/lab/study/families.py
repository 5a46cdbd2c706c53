"""The methods and runs of a profile that the confirmatory claims of docs/plan.md compare."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from cptlab.lab.study import planned
from cptlab.lab.study.claims import Reading
from cptlab.lab.study.claims.estimands import CONFIRMATORY, Family
from cptlab.lab.study.claims.variants import CPT, GLOBAL_ETF, PLAIN, WITHOUT_TETF, label
from cptlab.lab.study.lineup import BOTH, prompt_tuning
from cptlab.lab.study.planned import AS_PUBLISHED
from cptlab.lab.study.profile import Profile

PLANNED = "full"
"""The profile whose claims were declared before its runs."""
NOT_PLANNED = (
    f"The eight claims of docs/plan.md are about the profile {PLANNED!r}. Nothing was planned "
    "before the runs of this profile: all that follows is exploratory."
)


def is_planned(profile: Profile) -> bool:
    """Whether this profile's claims were declared before its runs; all of others is exploratory."""
    return profile.name == PLANNED


def claimed(gaps: pd.DataFrame) -> pd.Series:
    """Which differences have the verdict of a claim: CPT as tuned minus plain prompts, at the
    smallest imbalance ratio.

    gaps: of `cptlab.lab.study.comparison.gaps`.
    """
    pair = (gaps["method"] == label(CPT, BOTH[1])) & (gaps["reference"] == PLAIN)
    quantity = gaps["metric"].isin(claim.quantity for claim in CONFIRMATORY)
    return pair & quantity & (gaps["tau"] == gaps["tau"].min())


def with_planned(profile: Profile, gaps: pd.DataFrame) -> pd.DataFrame:
    """Differences with the column "planned" (`claimed`); without it for other profiles."""
    return gaps.assign(planned=claimed(gaps)) if is_planned(profile) else gaps


def families(profile: Profile) -> tuple[Family, Family]:
    """CPT as tuned among methods as tuned, and as printed among methods as published."""
    printed, tuned = BOTH
    own = {*planned.published(profile).values(), *planned.ablation(profile).values()}
    return _family(profile, "as tuned", tuned), _family(profile, "as printed", printed, own)


def _family(
    profile: Profile, name: str, reading: Reading, published: Collection[str] = ()
) -> Family:
    """published: labels, among them those of methods whose published schedule is another than the
    tuned one.
    """

    def named(usual: str) -> str:
        other = f"{usual}{AS_PUBLISHED}"
        return other if other in published else usual

    cpt, frame = label(CPT, reading), label(GLOBAL_ETF, reading)
    theirs = {label(variant, one) for variant in (CPT, GLOBAL_ETF) for one in BOTH} - {frame}
    return Family(
        name=name,
        cpt=cpt,
        plain=named(PLAIN),
        without_tetf=named(label(WITHOUT_TETF, reading)),
        one_cluster=f"{cpt}, n_clusters = 1",
        global_etf=frame,
        rivals=tuple(named(rival) for rival in prompt_tuning(profile) if rival not in theirs),
    )
