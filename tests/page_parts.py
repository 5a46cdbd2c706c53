"""What tests look for in a page of HTML."""

import re

ASKED = (
    r"""(?:\bsrc|<link\b[^>]*\bhref)\s*=\s*["']?(?!data:)[^"'>\s]+"""
    r"""|url\(\s*["']?(?!data:)[^)]+|@import[^;]+|\bimport\s*\(|\bfetch\s*\("""
)


def asked_for(page: str) -> list[str]:
    """Whatever a page would load beside itself."""
    return re.findall(ASKED, page)
