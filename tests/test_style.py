"""Looks of methods, the style's scope, and the files that `save` leaves."""

import html

import matplotlib as mpl
import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from scipy.spatial.distance import pdist

from cptlab.lab.figures import (
    class_map,
    drawing_sheet,
    image_grid,
    method_intervals,
    similarity_panels,
    style,
    weight_heatmap,
)
from cptlab.lab.figures.map import Room
from cptlab.lab.figures.style import (
    method_look,
    method_looks,
    method_order,
    save,
    use_style,
)
from cptlab.lab.study.summary import summarise


@pytest.fixture
def ax():
    with use_style():
        yield Figure().subplots()


def test_every_method_has_its_own_colour_and_marker():
    looks = list(method_looks().values())
    assert len({look.color for look in looks}) == len(looks)
    assert len({look.marker for look in looks}) == len(looks)


EYES = {
    "normal": np.eye(3),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""What is seen of linear RGB: Machado, Oliveira and Fernandes (2009), severity 1."""
TO_XYZ = ((0.4339, 0.3762, 0.1899), (0.2127, 0.7152, 0.0722), (0.0178, 0.1095, 0.8727))
"""Linear sRGB to XYZ, each as a share of white's."""


def lab(linear):
    """CIE Lab of linear RGB colours (n, 3)."""
    xyz = linear.clip(0, 1) @ np.transpose(TO_XYZ)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def linear_rgb(colors):
    values = np.array([to_rgb(color) for color in colors])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


COLORS = {
    "methods": [look.color for look in method_looks().values()],
    "palette": list(style.PALETTE),
}


@pytest.mark.parametrize("colors", COLORS.values(), ids=COLORS)
@pytest.mark.parametrize("eye", EYES)
def test_colours_are_told_apart_whatever_cones_an_eye_lacks(eye, colors):
    assert pdist(lab(linear_rgb(colors) @ np.transpose(EYES[eye]))).min() >= 8


@pytest.mark.parametrize("colors", COLORS.values(), ids=COLORS)
def test_colours_stand_out_from_white(colors):
    """WCAG 2.2, success criterion 1.4.11."""
    luminance = linear_rgb(colors) @ [0.2126, 0.7152, 0.0722]
    assert (1.05 / (luminance + 0.05)).min() >= 3


def test_words_can_be_read_on_white():
    """WCAG 2.2, success criterion 1.4.3."""
    luminance = linear_rgb([style.DARK]) @ [0.2126, 0.7152, 0.0722]
    assert 1.05 / (luminance + 0.05) >= 4.5


def test_unknown_methods_have_a_look_of_no_other_method_and_come_last():
    looks = [method_look(f"CPT (sum), lambda_rs = {weight}") for weight in range(30)]
    assert looks[0] == method_look("CPT (sum), lambda_rs = 0")
    assert len(set(looks)) > 15
    assert not {look[:2] for look in looks} & {look[:2] for look in method_looks().values()}
    order = method_order(["Mystery", "CPT (sum)", "Zero-shot", "CPT (sum)", "Another"])
    assert order == ["Zero-shot", "CPT (sum)", "Mystery", "Another"]


def test_use_style_ends_with_its_block():
    before = mpl.rcParams["font.size"], mpl.rcParams["axes.grid"]
    with use_style():
        assert mpl.rcParams["axes.grid"]
    assert (mpl.rcParams["font.size"], mpl.rcParams["axes.grid"]) == before


def test_save_writes_figure_and_numbers(tmp_path, ax):
    ax.plot([0, 1])
    frame = pd.DataFrame({"method": ["CoOp"], "H": [71.23456], "n": [5]})
    png, csv = save(ax.figure, frame, tmp_path / "new" / "folder", "fig1")
    assert (png.name, csv.name) == ("fig1.png", "fig1.csv")
    assert csv.read_bytes() == b"method,H,n\nCoOp,71.2346,5\n"
    height, width = mpl.image.imread(png).shape[:2]
    assert (height, width) == (540, 900)
    names = sorted(path.name for path in png.parent.iterdir())
    assert names == ["fig1.csv", "fig1.png", "fig1.svg"]


def test_save_repeats_its_bytes_and_replaces_old_files(tmp_path, ax):
    frame = pd.DataFrame({"x": [1.0]})
    first = save(ax.figure, frame, tmp_path, "fig")[0].read_bytes()
    assert save(ax.figure, frame, tmp_path, "fig")[0].read_bytes() == first
    ax.plot([0, 1])
    assert save(ax.figure, frame, tmp_path, "fig")[0].read_bytes() != first


def test_save_leaves_the_old_files_if_writing_fails(tmp_path, ax):
    png, csv = save(ax.figure, pd.DataFrame({"x": [1.0]}), tmp_path, "fig")
    paths = png, png.with_suffix(".svg"), csv
    old = [path.read_bytes() for path in paths]
    ax.plot([0, 1])
    with pytest.raises(AttributeError):
        save(ax.figure, "not a frame", tmp_path, "fig")
    assert [path.read_bytes() for path in paths] == old
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(ValueError, match="plain file name"):
        save(ax.figure, pd.DataFrame(), tmp_path, "sub/fig")


ODD = ("$5 and $6", "$$", r"\frac{1}{2", "a_b^c", "<b>&amp;", "$n_k$")
"""Names that are mathematics or marks elsewhere."""


def words(fig) -> list[str]:
    """What is written in a figure, after it was drawn; names must not be read as formulas."""
    fig.canvas.draw()
    texts = [text for text in fig.findobj(Text) if text.get_text()]
    return [text.get_text() for text in texts if not text.get_parse_math()]


def odd_map(fig):
    places = np.random.default_rng(0).normal(size=(len(ODD), 2))
    frame = pd.DataFrame(places, columns=["x", "y"]).assign(cluster=range(len(ODD)), name=ODD)
    class_map(frame, fig.subplots())


def odd_images(fig):
    image_grid([np.zeros((4, 4, 3))] * len(ODD), ODD, ODD, ODD, fig, columns=3)


def odd_sheet(fig):
    drawing_sheet([[np.zeros((4, 4, 3))] * len(ODD)] * len(ODD), ODD, ODD, fig.subplots())


def odd_titles(fig):
    matrices = {name: np.eye(2) for name in ODD}
    similarity_panels(matrices, matrices, [0, 1], fig)


def odd_methods(fig):
    rows = [(name, seed, 50.0 + seed) for name in ODD for seed in range(3)]
    frame = pd.DataFrame(rows, columns=["method", "seed", "H"]).assign(tau=1.0, dataset="food")
    table = summarise(frame, ["H"])
    method_intervals(table, metric="H", ax=fig.subplots())


@pytest.mark.parametrize(
    "draw", [odd_map, odd_images, odd_sheet, odd_titles, odd_methods], ids=lambda f: f.__name__
)
def test_names_are_drawn_as_they_are(draw, tmp_path):
    with use_style():
        fig = Figure(figsize=(8, 8))
        draw(fig)
        written = words(fig)
        save(fig, pd.DataFrame({"name": ODD}), tmp_path, "odd")
    assert set(ODD) <= set(written)
    kept = html.unescape((tmp_path / "odd.svg").read_text(encoding="utf-8"))
    assert all(name in kept for name in ODD)
    assert tuple(pd.read_csv(tmp_path / "odd.csv")["name"]) == ODD


def test_words_of_our_own_with_formulas_are_drawn_as_such():
    with use_style():
        fig = Figure()
        row = {"mean": 1.0, "lower": 0.0, "upper": 2.0, "least": 0.0, "most": 2.0, "adjusted": 1.0}
        table = pd.DataFrame([{"lambda_cc": 1.0, "lambda_rs": 1.0, "n": 5, **row}])
        ax = fig.subplots()
        names = {"x": "lambda_cc", "y": "lambda_rs"}
        weight_heatmap(table, **names, default=(1.0, 0.0), end=1.0, ax=ax)
        assert "$" in ax.get_xlabel() and ax.xaxis.label.get_parse_math()
        fig.canvas.draw()


def test_a_figure_is_stored_when_it_was_filled(tmp_path, monkeypatch):
    """In the house style, which ends with it; nothing is stored of one that fails."""
    shown = []
    monkeypatch.setattr(style.plt, "show", lambda: shown.append(plt.rcParams["axes.spines.top"]))
    frame = pd.DataFrame({"x": [1.0]})
    before = plt.rcParams["axes.spines.top"]
    with style.stored_figure(tmp_path, "a", frame) as fig:
        fig.set_figheight(2)
        fig.subplots()
    assert shown == [False] and plt.rcParams["axes.spines.top"] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.png", "a.svg"]
    assert fig.get_size_inches().tolist() == [style.WIDEST, 2]
    with pytest.raises(RuntimeError), style.stored_figure(tmp_path, "b", frame):
        raise RuntimeError
    assert not list(tmp_path.glob("b*"))
    plt.close("all")


def test_a_place_is_free_that_touches_no_other_and_lies_inside():
    """As matplotlib counts overlaps, one box at a time."""
    draws = np.random.default_rng(0).integers(0, 12, size=(200, 2, 2))
    boxes = [Bbox(np.sort(corners, axis=0)) for corners in draws.astype(float)]
    area = Bbox([[1, 1], [11, 11]])
    room = Room(area, np.array([box.extents for box in boxes[:3]]))
    taken = boxes[:3]
    for box in boxes[3:]:
        inside = area.contains(*box.p0) and area.contains(*box.p1)
        assert room.is_free(box) == (inside and not box.count_overlaps(taken))
        if len(taken) < 6:
            room.take(box)
            taken.append(box)


def test_tables_in_notebooks_are_not_typeset():
    """ "$5 and $6" is a name, not a formula; JupyterLab leaves alone what has this class."""
    table = pd.DataFrame({"class": ["$5 and $6"]})
    for text in (table._repr_html_(), table.style._repr_html_()):
        assert "tex2jax_ignore" in text and "$5 and $6" in text


def test_a_stored_figure_tells_its_message(tmp_path, ax):
    assert style.message(ax.figure) == ""
    ax.set_title("Costs $5 and a\nhalf")  # a name of somebody's own, and no formula
    assert style.message(ax.figure) == "Costs $5 and a half"
    beside = ax.figure.add_subplot()
    beside.set_title("a panel")
    assert style.message(ax.figure) == ""  # what panels are called says nothing
    ax.figure.suptitle(r"$L_\mathrm{TETF}$ lowers H at $n_k$ = 1, τ = .06", **style.MATH)
    style.save(ax.figure, pd.DataFrame({"x": [1]}), tmp_path, "told")
    assert style.stored_message(tmp_path / "told.png") == "L_TETF lowers H at n_k = 1, τ = .06"
    assert "L_TETF lowers H" in (tmp_path / "told.svg").read_text(encoding="utf-8")
