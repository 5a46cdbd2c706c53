"""What users say of their own data: order, names and groups of classes, and the sentence."""

import pytest
from click.testing import CliRunner
from tiny_data_root import image, own_folder

from cptlab.data import content_id, open_dataset, open_task
from cptlab.data.own import HALVES, own_dataset
from cptlab.lab.cli.main import commands

BIRDS = ("jay", "owl_1", "owl_2", "tit")


@pytest.fixture(params=["folder", "table"])
def birds(request, tmp_path):
    """A data set with four classes, and a function that writes a file of facts beside it."""
    own_folder(tmp_path / "birds", BIRDS)
    path, prefix = tmp_path / "birds", ""
    if request.param == "table":
        files = sorted(path.rglob("*.png"))
        rows = [f"{f.relative_to(tmp_path).as_posix()},{f.parent.name}" for f in files]
        path, prefix = tmp_path / "birds.csv", "birds."
        path.write_text("\n".join(["path,label", *rows]))

    def write(name: str, *lines: str) -> None:
        folder = path if path.is_dir() else tmp_path
        (folder / f"{prefix}{name}").write_text("\n".join(lines), encoding="utf-8")

    return path, write


def test_order_names_and_groups(birds):
    path, write = birds
    plain = open_dataset(str(path))
    rows = ("tit,Great Tit,song", "owl_2,,night", "jay,,song", "owl_1,barn_owl,night")
    write("classes.csv", "\ufeff label , name, group", *rows)
    write("template.txt", "a drawing of a {}.", "")
    dataset, notes = own_dataset(path)
    assert dataset.class_names == ("Great Tit", "owl 2", "jay", "barn owl")
    assert dataset.groups == ("song", "night", "song", "night")
    assert dataset.template == "a drawing of a {}."
    for label, old in enumerate((3, 2, 0, 1)):  # the same images, by another number
        keys = [s.key for s in plain.test if s.label == old]
        assert [s.key for s in dataset.test if s.label == label] == keys
    base, new = open_task(str(path)).tests.values()
    assert base.class_names == ("Great Tit", "owl 2") and new.groups == ("song", "night")
    beside = "birds." if path.suffix else ""
    assert notes == [
        f"{beside}classes.csv gives classes their order, from 'Great Tit' (head) to "
        "'barn owl' (tail), and 2 of them another name",
        "2 groups of classes: song, night",
        f"{beside}template.txt gives the sentence 'a drawing of a {{}}.'",
        HALVES,
    ]
    assert open_task(str(path), template="{}!").learned.template == "{}!"  # a run's own is stronger


def test_the_order_alone(birds):
    path, write = birds
    write("classes.csv", "label", *BIRDS[::-1])
    dataset, _ = own_dataset(path)
    assert dataset.class_names == ("tit", "owl 2", "owl 1", "jay")
    assert dataset.groups is None and dataset.template == "a photo of a {}."


def test_what_decides_numbers_is_part_of_the_content(birds):
    path, write = birds
    ids = [content_id(str(path))]
    for name, *lines in (
        ("classes.csv", "label", *BIRDS[::-1]),
        ("classes.csv", "label,name", "jay,bird", *(f"{b}," for b in BIRDS[1:])),
        ("template.txt", "the {}."),
    ):
        write(name, *lines)
        ids.append(content_id(str(path)))
    assert len(set(ids)) == len(ids)
    write("classes.csv", "label,name,group", "jay,bird,a", *(f"{b},,b" for b in BIRDS[1:]))
    assert content_id(str(path)) == ids[-1]  # no method sees groups
    write("classes.csv", "label", *BIRDS)
    write("template.txt", "a photo of a {}.")
    assert content_id(str(path)) == ids[0]  # as without the files


def test_groups_in_the_table_itself(tmp_path):
    rows = [f"{i}.png,{'abcd'[i % 4]},{'xy'[i % 2]}" for i in range(8)]
    for i in range(8):
        image(tmp_path / f"{i}.png")
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["path,label,group", *rows]))
    assert open_dataset(str(path)).groups == ("x", "y", "x", "y")
    (tmp_path / "mine.classes.csv").write_text(
        "label,group\n" + "".join(f"{c},z\n" for c in "abcd")
    )
    with pytest.raises(ValueError, match=r"mine\.csv and .*mine\.classes\.csv name groups: take"):
        open_dataset(str(path))
    path.write_text("\n".join(["path,label,group", *rows[:-1], "7.png,d,x"]))
    with pytest.raises(ValueError, match="line 9: class 'd' is in the groups 'y' and 'x'"):
        open_dataset(str(path))


@pytest.mark.parametrize(
    ("name", "lines", "problem"),
    [
        ("classes.csv", ["label", *BIRDS, "robin"], r"line 6: .*birds.* has no class 'robin'\."),
        ("classes.csv", ["label", "tits"], r"has no class 'tits'\. Did you mean 'tit'\?"),
        (
            "classes.csv",
            ["label", *BIRDS[:2]],
            r"lacks 2 of 4 classes: owl_2, tit\. It takes a row",
        ),
        ("classes.csv", ["label", *BIRDS, "jay"], r"line 6: class 'jay' is there twice"),
        ("classes.csv", [], r"has the columns \(none\); it takes label and, if you like, name and"),
        ("classes.csv", ["label"], "lacks 4 of 4 classes: jay, owl_1, owl_2, ..."),
        ("classes.csv", ["label,color", "jay,blue"], "has the columns label, color; it takes"),
        ("classes.csv", ["label,group", "jay,"], "line 2: it takes one value for each column"),
        (
            "classes.csv",
            ["label,name", "jay,owl", "owl_1,owl", "owl_2,", "tit,"],
            r"'jay'.*, called 'owl' in .*classes\.csv and .*'owl_1'.* are one name",
        ),
        ("template.txt", [""], r"template\.txt is '': it takes one sentence with one {}"),
        ("template.txt", ["a {}.", "the {}."], "it takes one sentence"),
        ("template.txt", ["a photo."], "is 'a photo.': it takes one sentence with one {}"),
    ],
)
def test_facts_that_are_refused(birds, name, lines, problem):
    path, write = birds
    write(name, *lines)
    with pytest.raises(ValueError, match=problem):
        open_dataset(str(path))


def test_a_template_in_another_encoding(tmp_path):
    (own_folder(tmp_path, BIRDS) / "template.txt").write_bytes("für {}".encode("latin-1"))
    with pytest.raises(ValueError, match=r"template\.txt is no text in UTF-8"):
        open_dataset(str(tmp_path))


def test_doctor_tells_what_was_read_and_what_is_wrong(birds):
    path, write = birds
    write("template.txt", "a drawing of a {}.")
    done = CliRunner().invoke(commands, ["doctor", str(path)])
    assert done.exit_code == 0
    assert "template.txt gives the sentence 'a drawing of a {}.'" in done.output
    write("classes.csv", "label", "wren")
    done = CliRunner().invoke(commands, ["doctor", str(path)])
    assert done.exit_code == 1
    assert "has no class 'wren'" in done.output
