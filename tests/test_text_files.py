"""Text files that users write are read in one way, with or without a byte order mark."""

import json

import pytest
from tiny_data_root import own_folder, publish, tiny_root

from cptlab.checks import read_text
from cptlab.clip.local_weights import CONFIG, configuration
from cptlab.data import doctor, open_dataset
from cptlab.data.few_shot import read_subset
from cptlab.data.long_tail import checksum
from cptlab.data.paper import ROWS, read_lists
from cptlab.lab.cli.use import listed
from cptlab.lab.workspace import CHECKOUT
from cptlab.methods.parts.descriptions import descriptions_of


def paper_list(name):
    def prepare(root):
        tiny_root(root, [name])
        return root / ROWS[name].folder / ROWS[name].lists, lambda: read_lists(name, root)

    return prepare


def facts(name, text):
    def prepare(root):
        own_folder(root, ("ant", "bee"))
        (root / name).write_text(text, encoding="utf-8")
        return root / name, lambda: open_dataset(str(root)).class_names

    return prepare


def table(root):
    own_folder(root, ("ant", "bee"))
    rows = [f"{file.relative_to(root)},{file.parent.name}é" for file in root.rglob("*.png")]
    (root / "mine.csv").write_text("\n".join(["path,label", *rows]), encoding="utf-8")
    return root / "mine.csv", lambda: open_dataset(str(root / "mine.csv")).class_names


def written(name, text, read):
    def prepare(root):
        (root / name).write_text(text, encoding="utf-8")
        return root / name, lambda: read(root / name)

    return prepare


SUBSET = {"train": [["a", 0]], "checksum": checksum([("a", 0)])}
FILES = {
    "split JSON": paper_list("dtd"),
    "classnames.txt": paper_list("imagenet"),
    "variants.txt": paper_list("fgvc_aircraft"),
    "CSV": table,
    "classes.csv": facts("classes.csv", "label,name\nbee,Biené\nant,\n"),
    "template.txt": facts("template.txt", "une photo d'été de {}."),
    "names": written("names.txt", "ant\nbée\n", lambda path: listed(str(path))),
    "names.list": written("names.list", "ant\nbée\n", lambda path: listed(str(path))),
    "descriptions": written(
        "d.json", json.dumps({"ant": ["an ant"]}), lambda path: descriptions_of(["ant"], str(path))
    ),
    "subset": written("subset.json", json.dumps(SUBSET), read_subset),
    "weights": written(CONFIG, json.dumps({"model_cfg": {}}), lambda p: configuration(p)),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_byte_order_mark_changes_nothing(kind, tmp_path, monkeypatch):
    publish(monkeypatch)
    path, read = FILES[kind](tmp_path)
    plain = read()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read() == plain


@pytest.mark.parametrize("kind", FILES)
def test_another_encoding_is_refused_with_the_file(kind, tmp_path, monkeypatch):
    publish(monkeypatch)
    path, read = FILES[kind](tmp_path)
    path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16"))
    with pytest.raises(ValueError, match=str(path)):
        read()


def test_doctor_reads_the_papers_lists_with_a_mark(tmp_path, monkeypatch):
    publish(monkeypatch)
    tiny_root(tmp_path, ["imagenet"])
    names = tmp_path / "imagenet/classnames.txt"
    names.write_bytes(b"\xef\xbb\xbf" + names.read_bytes())
    (checkup,) = [c for c in doctor.examine_root(tmp_path) if c.there]
    assert checkup.problems == []


def test_read_text_keeps_line_ends_and_says_what_to_do(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb")
    assert read_text(path) == "a\r\nb"
    path.write_bytes("Küche".encode("latin-1"))
    with pytest.raises(ValueError, match=r"a\.txt is no text in UTF-8 .*Save it as UTF-8\."):
        read_text(path)


def test_nobody_reads_users_files_in_another_way():
    sources = (CHECKOUT / "cptlab").rglob("*.py")
    others = [p.name for p in sources if "utf-8-sig" in p.read_text(encoding="utf-8")]
    assert others == ["checks.py"]
