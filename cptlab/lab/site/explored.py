"""The page of matrices and map of class texts, with the explorer's scripts and without a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np

from cptlab.geometry import cosine_matrix
from cptlab.lab.explore.content import classes_content, map_content, matrix_content
from cptlab.lab.explore.page import page_html
from cptlab.lab.explore.scene import scene_of
from cptlab.lab.runs.results import Result, load_result
from cptlab.lab.site.gallery import plain
from cptlab.lab.study import studies
from cptlab.lab.study.claims.variants import ZERO_SHOT
from cptlab.lab.study.plane import plane
from cptlab.lab.study.profile import Profile
from cptlab.methods import CPT

PANELS = 4
"""Matrices beside the map: as many as are as high as it."""
PAGE = """---
hide-toc: true
---
% {key}
# Explore the class texts of {dataset}

This page shows how close the class texts are to each other, before and after tuning. Point at a
cell of a matrix: the map marks its two classes. Point at a class of the map: the
matrices mark its row and column. Arrow keys do the same; buttons switch the map between methods.

````{{raw}} html
<div class="cptlab-explore">
{widgets}
</div>
<script>
// begin with two classes in the matrices and one on the map, so that their panels are not empty
for (let key = 0; key < 2; key += 1) {{
  document.querySelector(".cptlab-matrix").dispatchEvent(
    new KeyboardEvent("keydown", {{ key: "ArrowRight" }}),
  );
}}
document.querySelector(".cptlab-map .point").dispatchEvent(new Event("pointerenter"));
</script>
<noscript>This needs JavaScript; figures show matrices and maps without it.</noscript>
````

One run of each method on the {number} training classes (seed {seed}, tau = {tau:g}). Matrices
hold cosines of class texts in the order of CPT's clusters, white lines between them, on one colour
scale. The map is UMAP of the same texts: it preserves neighbours and little else, so the nearest
classes by cosine stand below it. Neither says anything about accuracy. In JupyterLab, the notebook
*explore* shows every finished run like this, and trains others.
"""


def shown(profile: Profile, store: Path) -> dict[str, Result]:
    """Runs with prompts, one of each method: zero-shot, CPT, others, as far as there is room.

    They are those of notebook 01; empty where it was not executed.
    """
    found: dict[str, Result] = {}
    for spec, label in studies.similarity(profile).items():
        result = load_result(store, spec)
        if result is not None and not result.details.get("archived"):
            found.setdefault(label, result)
    if ZERO_SHOT not in found or len(found) == 1:
        return {}

    def place(label: str) -> tuple[bool, bool]:
        return label != ZERO_SHOT, not isinstance(found[label].spec.method, CPT)

    return {label: found[label] for label in sorted(found, key=place)[:PANELS]}


def explore_page(runs: Mapping[str, Result], before: Path) -> str:
    """Markdown with everything that the scripts show.

    before: the page of the last time, which is taken if nothing has changed: maps take a while.

    Raises OSError or ValueError if data or weights of the runs are not here; ValueError for fewer
    than 4 classes, which have no map.
    """
    made_of = [page_html({"matrix": {}, "map": {}}), PAGE, *(run.details for run in runs.values())]
    key = sha256(repr(made_of).encode()).hexdigest()
    if before.is_file() and f"% {key}\n" in (page := before.read_text(encoding="utf-8")):
        return page
    spec = runs[ZERO_SHOT].spec
    scene = scene_of(spec)
    texts = {label: scene.texts_of(result.model()) for label, result in runs.items()}
    cosines = {label: cosine_matrix(found).numpy() for label, found in texts.items()}
    start = plane(scene.texts)
    maps = {label: _in_a_square(plane(found, like=start)) for label, found in texts.items()}
    layouts = {label: (maps[label], cosines[label]) for label in runs}
    classes = classes_content(scene)
    contents = {
        "matrix": classes | matrix_content(scene, cosines),
        "map": classes | map_content(scene, layouts),
    }
    return PAGE.format(
        key=key,
        dataset=plain(scene.dataset.name),
        number=len(scene.names),
        seed=spec.seed,
        tau=spec.tau,
        widgets=page_html(contents),
    )


def _in_a_square(places: np.ndarray) -> np.ndarray:
    """Positions (K, 2) that just fit into a square of side 1 around (0, 0): maps have no unit."""
    low, high = places.min(axis=0), places.max(axis=0)
    return (places - (low + high) / 2) / ((high - low).max() or 1.0)
