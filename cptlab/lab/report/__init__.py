"""A study as one page that stands alone: figures, claims, tables, formulas, origins.

`page` writes it; `pictures`, `comparisons`, `ledger` and `origin` read what the notebooks stored;
`captions` says what figures show, here and on the contact sheet; `report.html.j2` and the files
beside it say how the page looks. Nothing is fetched from a network.
"""

from cptlab.lab.report.captions import captions
from cptlab.lab.report.page import write_report

__all__ = ["captions", "write_report"]
