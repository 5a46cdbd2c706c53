"""Matrix and map of a run on any page, without a kernel: each marks what the other points at."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from cptlab.geometry import cosine_matrix
from cptlab.lab.explore.content import FROZEN, classes_content, map_content, matrix_content
from cptlab.lab.explore.hover import CSS, HERE, script
from cptlab.lab.explore.map_panel import layouts
from cptlab.lab.explore.scene import scene_of
from cptlab.lab.runs.results import Result
from cptlab.lab.study.plane import plane


def page_of(result: Result, label: str) -> str:
    """HTML of a run's cosine matrix and map beside those of the frozen texts, in some seconds.

    Style, scripts, numbers and images are in it: it asks for nothing else. Raises ValueError on
    fewer than 4 classes, and the errors of `Result.model`.
    """
    scene = scene_of(result.spec)
    texts = scene.texts_of(result.model())
    cosines = {FROZEN: scene.cosines, label: cosine_matrix(texts).numpy()}
    places = layouts(scene, label, texts, plane(scene.texts))
    classes = classes_content(scene)
    return page_html(
        {
            "matrix": classes | matrix_content(scene, cosines),
            "map": classes | map_content(scene, places),
        }
    )


def page_html(contents: Mapping[str, Mapping[str, object]]) -> str:
    """HTML of widgets with their content, by the name of their script."""
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
