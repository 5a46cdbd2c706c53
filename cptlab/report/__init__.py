"""A study as one page that stands alone: figures, claims, tables, formulas, origins.

`page` writes it; `pictures`, `comparisons`, `ledger` and `origin` read what the notebooks stored;
`report.html.j2` and the files beside it say how it looks. Nothing is fetched from a network.
"""

from cptlab.report.page import write_report

__all__ = ["write_report"]
