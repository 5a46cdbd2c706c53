"""The site of a study: its executed notebooks, figures, methods and documents, by Sphinx."""

from cptlab.lab.site.build import build_site

__all__ = ["build_site"]
