"""Text features that a user brings as a file: what is read, what is refused, and their geometry."""

import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cptlab.geometry import cluster_prototypes, cosine_matrix, textual_etf_separation
from cptlab.lab.study import own_texts
from cptlab.lab.study.settings import profile_with

NAMES = [f"class {i}" for i in range(40)]


@pytest.fixture
def features():
    """Two narrow bundles of directions around a common one."""
    rng = np.random.default_rng(0)
    common, ends = np.eye(8)[0] * 3, np.eye(8)[[1, 2]]
    rows = common + ends[np.arange(40) % 2] + 0.3 * rng.normal(size=(40, 8))
    return rows.astype(np.float32)


def npz(path, names, features, **more):
    np.savez(path, names=np.array(names), features=features, **more)
    return path


def test_both_formats_hold_the_same(tmp_path, features):
    one = own_texts.read(npz(tmp_path / "mine.npz", NAMES, features))
    tensor = torch.from_numpy(features)
    path = tmp_path / "mine.safetensors"
    save_file({"features": tensor}, path, metadata={"names": json.dumps(NAMES)})
    other = own_texts.read(str(path))
    assert one.names == other.names == tuple(NAMES) and one.title == other.title == "mine"
    assert one.features.dtype == torch.float64
    assert torch.equal(one.features, tensor.double()) and torch.equal(one.features, other.features)
    save_file({"features": tensor.bfloat16()}, path, metadata={"names": json.dumps(NAMES)})
    assert torch.equal(own_texts.read(path).features, tensor.bfloat16().double())


def spoiled(features, row, value):
    features = features.copy()
    features[row] = value
    return features


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n, f: (n[:-1], f), "there are 39 names, and features of 40 classes"),
        (lambda n, f: ([*n[:-1], n[0]], f), "occur twice: class 0"),
        (lambda n, f: ([*n[:-1], " "], f), "some names are empty"),
        (lambda n, f: (n, f[0]), r"\(classes, dimensions\), they are float32 of shape \(8,\)"),
        (lambda n, f: (n, (9 * f).astype(int)), "must be floating-point numbers"),
        (lambda n, f: (n[:3], f[:3]), "3 classes, and a map needs 4"),
        (lambda n, f: (list(range(40)), f), "no plain list of texts"),
        (lambda n, f: ([n], f), "no plain list of texts"),
        (lambda n, f: (n, spoiled(f, 7, np.nan)), "not all finite: class 7"),
        (lambda n, f: (n, spoiled(f, 7, np.inf)), "not all finite: class 7"),
        (lambda n, f: (n, spoiled(f, 7, 0)), "no direction: class 7"),
        (lambda n, f: (n, spoiled(f, 7, f[8])), "have the same features"),
    ],
)
def test_bad_content_is_named(tmp_path, features, change, message):
    file = npz(tmp_path / "bad.npz", *change(NAMES, features))
    with pytest.raises(ValueError, match=message) as found:
        own_texts.read(file)
    assert str(found.value).startswith(str(file))


def test_bad_files_are_named(tmp_path, features):
    with pytest.raises(ValueError, match=r"There is no file .*gone\.npz"):
        own_texts.read(tmp_path / "gone.npz")
    np.save(tmp_path / "a.npy", features)
    with pytest.raises(ValueError, match=r"\.npz or \.safetensors file, not a\.npy: np\.savez"):
        own_texts.read(tmp_path / "a.npy")
    np.savez(tmp_path / "b.npz", texts=features)
    with pytest.raises(ValueError, match="no array 'names', but texts"):
        own_texts.read(tmp_path / "b.npz")
    for name in ("c.npz", "c.safetensors"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 cut")
        with pytest.raises(ValueError, match=r"c\.\w+ cannot be used"):
            own_texts.read(tmp_path / name)
    save_file({"features": torch.from_numpy(features)}, tmp_path / "d.safetensors")
    with pytest.raises(ValueError, match="'names' as a JSON list"):
        own_texts.read(tmp_path / "d.safetensors")


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a file was unpickled",))


def test_nothing_is_unpickled(tmp_path, features):
    trapped = np.array([Trap()] * len(NAMES), dtype=object)
    np.savez(tmp_path / "names.npz", names=trapped, features=features)
    (tmp_path / "whole.npz").write_bytes(pickle.dumps(Trap()))
    for name in ("names.npz", "whole.npz"):
        with pytest.raises(ValueError, match=r"pickled Python objects.*np\.savez"):
            own_texts.read(tmp_path / name)


def test_geometry_is_that_of_its_definitions(tmp_path, features):
    own = own_texts.read(npz(tmp_path / "mine.npz", NAMES, features))
    row = own_texts.geometry([own]).loc["mine"]
    cosine = cosine_matrix(own.features)
    pairs = cosine[~torch.eye(40, dtype=torch.bool)]
    clusters = cluster_prototypes(own.features)
    assert row["classes"] == 40 and row["clusters"] == 2
    assert row["mean"] == pytest.approx(pairs.mean().item())
    assert row["std"] == pytest.approx(pairs.std(correction=0).item())
    assert row["nearest"] == pytest.approx(pairs.view(40, 39).max(1).values.mean().item())
    values = torch.linalg.eigvalsh(cosine).clamp(min=0) / 40
    assert row["rank"] == pytest.approx(torch.special.entr(values).sum().exp().item())
    same = clusters[:, None] == clusters
    between = cosine[~same].mean().item()
    assert row["between"] == pytest.approx(between)
    assert row["gap"] == pytest.approx((row["within"] - between) / row["std"]) and row["gap"] > 0.5
    for name, reduction in {"sum": "sum", "pair mean": "pair_mean"}.items():
        loss = 0.25 * textual_etf_separation(own.features, clusters, reduction)
        assert row[name] == pytest.approx(loss.item())
    # Each cluster of k classes has k (k - 1) ordered pairs: so much more the sum weighs.
    k = clusters.bincount()
    assert k.min() < k.max() or row["sum"] == pytest.approx(k[0].item() * (k[0] - 1) * row[name])
    assert row["sum gradient"] > 100 * row["pair mean gradient"] > 0

    # A few classes make a single cluster, between which and another there is nothing.
    few = own_texts.TextFeatures(own.names[:9], own.features[:9], "few")
    alone = own_texts.geometry([few]).loc["few"]
    assert alone["clusters"] == 1 and alone[["silhouette", "between", "gap"]].isna().all()


def test_a_matrix_has_every_class_once(tmp_path, features):
    own = own_texts.read(npz(tmp_path / "mine.npz", NAMES, features))
    found = own.similarities
    assert sorted(found.names) == sorted(NAMES)
    first, second = (own.names.index(name) for name in found.names[:2])
    expected = cosine_matrix(own.features)[first, second]
    assert found.matrices["mine"][0, 1] == pytest.approx(expected)
    assert (np.diff(found.clusters) != 0).sum() == 1  # clusters lie side by side


@pytest.mark.slow
def test_a_map_has_every_class_once(tmp_path, features):
    own = own_texts.read(npz(tmp_path / "mine.npz", NAMES, features))
    assert own.map["name"].tolist() == NAMES and own.map["cluster"].tolist() == [*own.clusters]


def test_the_parameter_is_one_file_and_joins_the_name_of_the_study(tmp_path, features):
    file = npz(tmp_path / "a, b.npz", NAMES, features)
    for given in (str(file), file, [str(file)]):
        named = f"smoke,text_features={file}".replace(", ", ";")  # as other parameters
        assert profile_with("smoke", text_features=given).name == named
        assert [own.title for own in own_texts.brought(given)] == ["a, b"]
    for empty in ("", None, []):
        assert profile_with("smoke", text_features=empty).name == "smoke"
        assert own_texts.brought(empty) == []
    with pytest.raises(ValueError, match="the path of one file"):
        profile_with("smoke", text_features=[str(file), str(file)])
    with pytest.raises(ValueError, match="There is no file"):
        profile_with("smoke", text_features="gone.npz")
