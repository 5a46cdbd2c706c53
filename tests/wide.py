"""A profile as wide as the study, with every method as published: all ratios, on EmojiCLIP."""

from cptlab.emoji.catalog import CATEGORIES
from cptlab.lab.study.design import Design
from cptlab.lab.study.profile import TAUS, Profile

WIDE = Profile(
    "wide",
    comparison=Design(tuple(CATEGORIES), TAUS, (1, 2, 3)),
    details=Design(("activities",), TAUS, (1, 2, 3)),
    transfer=Design(("activities",), TAUS, (1, 2, 3)),
    few_shot=Design(("activities",), (1.0,), (1, 2, 3)),
    similarity_dataset="travel",
)
