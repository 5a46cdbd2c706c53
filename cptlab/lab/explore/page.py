"""Matrix and map on any page, without a kernel: each marks what the other points at."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from cptlab.lab.explore.hover import CSS, HERE, script


def page_html(contents: Mapping[str, Mapping[str, object]]) -> str:
    """HTML of widgets with their content, by the name of their script ("matrix", "map").

    Style, scripts, numbers and images are in it: it asks for nothing else.
    """
    parts = [f"<style>\n{CSS.read_text(encoding='utf-8')}</style>"]
    helper = (HERE / "page.js").read_text(encoding="utf-8")
    for name, content in contents.items():
        values = json.dumps(content, default=_text).replace("<", "\\u003c")  # a name ends no script
        call = f"render({{ model: fixed({values}), el: document.currentScript.parentElement }});"
        code = f"(() => {{\n{helper}\n{script(name)}\n{call}\n}})();"
        parts.append(f"<div>\n<script>\n{code}\n</script>\n</div>")
    return "\n".join(parts)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
