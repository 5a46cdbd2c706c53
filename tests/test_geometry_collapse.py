"""Neural collapse: simplices, hand-computed cases, loop references, invariance and NaN."""

import math

import pytest
import torch

from cptlab.geometry import (
    class_means,
    collapse_measures,
    cosine_matrix,
    drift,
    effective_rank,
    equiangularity,
    nearest_prototype_agreement,
    scatter_ratio,
    self_duality,
    within_class_scatter,
)

NC2 = [
    f"nc2_{who}_{where}{what}"
    for who in ("prototypes", "means")
    for where in ("global", "within")
    for what in ("", "_std", "_norms")
]
ONE = {"nc1", "nc1_unbiased"}
THREE = {"nc3", "nc3_papyan"}
KEYS = {*ONE, *NC2, *THREE, "nc4", "effective_rank", "drift_cosine", "drift_degrees"}


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def simplex(k: int, d: int) -> torch.Tensor:
    """Simplex equiangular tight frame of k unit vectors in a random (k-1)-space of d dimensions."""
    rows = torch.eye(k, dtype=torch.float64) - 1 / k
    basis = torch.linalg.qr(randn(d, k, seed=k)).Q
    return torch.nn.functional.normalize(rows @ basis.T, dim=-1)


def at_angles(*degrees: float) -> torch.Tensor:
    radians = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([radians.cos(), radians.sin()], dim=1)


def random_case(k: int = 7, d: int = 5, seed: int = 3) -> dict[str, torch.Tensor]:
    """Long-tailed features; class k-1 has one sample; the classes form two clusters."""
    labels = torch.cat([torch.full((k - c,), c) for c in range(k)])
    return {
        "train_features": randn(len(labels), d, seed=seed) + 2 * randn(k, d, seed=seed + 4)[labels],
        "train_labels": labels,
        "prototypes": randn(k, d, seed=seed + 1),
        "frozen": randn(k, d, seed=seed + 2),
        "clusters": torch.arange(k) % 2,
        "test_features": randn(40, d, seed=seed + 3),
    }


@pytest.mark.parametrize("counts", [[4, 4, 4, 4], [9, 3, 2, 1]])
def test_complete_collapse_measures_zero_whatever_the_class_sizes(counts):
    prototypes = simplex(4, 10)
    labels = torch.arange(4).repeat_interleave(torch.tensor(counts))
    features = 3 * prototypes[labels]  # lengths do not count
    found = collapse_measures(
        features, labels, prototypes, prototypes, torch.zeros(4, dtype=torch.int64), features
    )
    assert found.keys() == KEYS
    for key in KEYS - {"nc4", "effective_rank"}:  # a simplex is centred: both NC3 are 0
        assert found[key] == pytest.approx(0, abs=1e-7), key
    assert found["nc4"] == 1
    assert found["effective_rank"] == pytest.approx(3)


def test_a_rotated_copy_measures_the_same():
    case = random_case()
    rotation = torch.linalg.qr(randn(5, 5)).Q
    turned = {
        name: value @ rotation if value.is_floating_point() else value
        for name, value in case.items()
    }
    expected = collapse_measures(**case)
    assert not any(math.isnan(value) for value in expected.values())
    assert collapse_measures(**turned) == pytest.approx(expected, abs=1e-12)


def test_names_of_clusters_and_order_of_classes_and_samples_do_not_matter():
    case = random_case()
    classes, samples = randn(7).argsort(), randn(28, seed=1).argsort()
    shuffled = {
        "train_features": case["train_features"][samples],
        "train_labels": classes.argsort()[case["train_labels"][samples]],
        "prototypes": case["prototypes"][classes],
        "frozen": case["frozen"][classes],
        "clusters": 9 - 4 * case["clusters"][classes],
        "test_features": case["test_features"],
    }
    assert collapse_measures(**shuffled) == pytest.approx(collapse_measures(**case), abs=1e-12)


def test_class_means_by_hand():
    features = torch.tensor([[2.0, 0.0], [0.0, 5.0], [0.0, -1.0]], requires_grad=True)
    means = class_means(features, torch.tensor([2, 2, 0]), 3)
    assert means[[0, 2]].tolist() == [[0, -1], [0.5, 0.5]]
    assert means[1].isnan().all()
    for label in (-1, 3):
        with pytest.raises(ValueError, match=r"labels must lie in 0\.\.2"):
            class_means(features, torch.tensor([2, label, 0]), 3)


def test_scatter_by_hand():
    # Unit vectors at +-30 degrees around 0, and the opposite vector twice: the means are
    # (cos 30, 0) and (-1, 0), so S_W is sin^2(30)/2 across the line of means and nothing along it.
    features, labels = at_angles(30, -30, 180, 180), torch.tensor([0, 0, 1, 1])
    assert within_class_scatter(features, labels) == pytest.approx(0, abs=1e-12)
    # At 60 and 0 degrees the class is spread along the line: mean (3/4, a), a = sin(60)/2; the
    # two are +-(1/4, -a) around it, and the other class sits at (-1, 0).
    a = math.sin(math.radians(60)) / 2
    line = torch.tensor([1.75, a], dtype=torch.float64)
    along = (torch.tensor([0.25, -a], dtype=torch.float64) @ line) ** 2 / (line @ line)
    # Half of the samples are spread: S_W = along / 2; S_B is a quarter of the squared distance.
    expected = (along / 2) / (line @ line / 4) / 2
    found = within_class_scatter(at_angles(60, 0, 180, 180), labels)
    assert found == pytest.approx(expected.item())


@pytest.mark.parametrize("d", [3, 5, 40])  # fewer dimensions than classes, and more
def test_scatter_equals_the_matrices_of_its_definition(d):
    case = random_case(d=d)
    features, labels = case["train_features"], case["train_labels"]
    rows = [row / row.norm() for row in features]
    members = [[row for row, y in zip(rows, labels) if y == c] for c in range(7)]
    means = [sum(own) / len(own) for own in members]
    centre = sum(means) / 7
    s_w, s_b = torch.zeros(d, d).double(), torch.zeros(d, d).double()
    for row, y in zip(rows, labels):
        s_w += torch.outer(row - means[y], row - means[y]) / len(rows)
    for mean in means:
        s_b += torch.outer(mean - centre, mean - centre) / 7
    expected = torch.trace(s_w @ torch.linalg.pinv(s_b, rtol=1e-10, hermitian=True)) / 7
    assert within_class_scatter(features, labels) == pytest.approx(expected.item())


def test_ratio_by_hand():
    # Means (cos 30, 0) and (-1, 0); the first class has w = 2 sin^2(30) = 1/2, the second 0, so
    # tr(S_W) = 1/4. tr(S_B) is a quarter of the squared distance, less half the mean of 1/4 and 0.
    labels = torch.tensor([0, 0, 1, 1])
    between = (math.cos(math.radians(30)) + 1) ** 2 / 4 - 1 / 16
    assert scatter_ratio(at_angles(30, -30, 180, 180), labels) == pytest.approx(0.25 / between)
    # A class of one image has no part in tr(S_W), and its mean is off by all of it.
    between = (math.cos(math.radians(30)) + 1) ** 2 / 4 - (1 / 4 + 1 / 2) / 4
    found = scatter_ratio(at_angles(30, -30, 180), labels[:3])
    assert found == pytest.approx(0.5 / between)
    assert math.isnan(scatter_ratio(randn(6, 4), torch.arange(6)))  # nothing tells the spread
    # Where classes do not differ, the means are as far apart as their noise or less.
    assert math.isnan(scatter_ratio(at_angles(40, -40, 40, -40), labels))


def test_ratio_does_not_depend_on_the_numbers_of_images_but_nc1_does():
    generator = torch.Generator().manual_seed(5)
    classes, d, draws = 12, 16, 100
    centres = torch.nn.functional.normalize(randn(classes, d, seed=7), dim=-1)

    def images(counts):
        labels = torch.arange(classes).repeat_interleave(counts)
        noise = torch.randn(len(labels), d, generator=generator, dtype=torch.float64)
        return centres[labels] + 0.15 * (1 + labels[:, None] % 3) / 2 * noise, labels

    population = scatter_ratio(*images(torch.full((classes,), 2000)))
    long_tail = torch.tensor([16, 13, 10, 8, 6, 5, 4, 3, 2, 2, 1, 1])
    found = {}
    for name, counts in {"balanced": torch.full((classes,), 16), "long tail": long_tail}.items():
        drawn = [images(counts[torch.randperm(classes, generator=generator)]) for _ in range(draws)]
        found[name] = [
            torch.tensor([measure(*case) for case in drawn], dtype=torch.float64)
            for measure in (scatter_ratio, within_class_scatter)
        ]
        ratio = found[name][0]
        # A ratio of two means is unbiased but for terms of the order of 1 / draws.
        assert ratio.mean() == pytest.approx(population, rel=0.03), name
    old = {name: values.mean() for name, (_, values) in found.items()}
    assert old["long tail"] < 0.93 * old["balanced"]


def test_scatter_of_single_samples_is_zero_and_of_one_mean_does_not_exist():
    assert within_class_scatter(randn(6, 4), torch.arange(6)) == pytest.approx(0, abs=1e-12)
    assert math.isnan(within_class_scatter(randn(6, 4), torch.zeros(6, dtype=torch.int64)))
    # Two classes of equal features, with rounding of float32 between their means.
    same = randn(5, 4).float()
    noisy = torch.cat([same, same * (1 + 1e-7)])
    assert math.isnan(within_class_scatter(noisy, torch.arange(10) // 5))


def test_equiangularity_by_hand():
    # Around their mean 0: lengths 1, 1, 2, 2; the cosines are -1, -1 and four times 0.
    cross = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
    found = equiangularity(cross + torch.tensor([5.0, 7.0]))
    assert found["gap"] == pytest.approx((2 * 2 / 3 + 4 * 1 / 3) / 6)
    assert found["std"] == pytest.approx(math.sqrt(2 / 6 - (2 / 6) ** 2))
    assert found["norms"] == pytest.approx(0.5 / 1.5)


def test_equiangularity_equals_loops_over_clusters_and_pairs():
    vectors, clusters = randn(9, 4), [0, 3, 0, 3, 3, 0, 7, 3, 0]
    gaps, spreads, variations = [], [], []
    for cluster in (0, 3):  # 7 is a singleton
        own = [v for v, c in zip(vectors, clusters) if c == cluster]
        own = [v - sum(own) / len(own) for v in own]
        lengths = [v.norm().item() for v in own]
        cosines = [
            (own[i] @ own[j] / lengths[i] / lengths[j]).item()
            for i in range(len(own))
            for j in range(len(own))
            if i != j
        ]
        mean, length = sum(cosines) / len(cosines), sum(lengths) / len(lengths)
        gaps.append(sum(abs(c + 1 / (len(own) - 1)) for c in cosines) / len(cosines))
        spreads.append(math.sqrt(sum((c - mean) ** 2 for c in cosines) / len(cosines)))
        squares = sum((x - length) ** 2 for x in lengths) / len(lengths)
        variations.append(math.sqrt(squares) / length)
    found = equiangularity(vectors, torch.tensor(clusters))
    assert found == pytest.approx(
        {"gap": sum(gaps) / 2, "std": sum(spreads) / 2, "norms": sum(variations) / 2}
    )


def test_simplices_inside_clusters_are_seen_only_within():
    vectors = torch.cat([simplex(3, 8) + 4 * randn(8), simplex(5, 8) + 4 * randn(8, seed=1)])
    clusters = torch.tensor([0] * 3 + [1] * 5)
    within = equiangularity(vectors, clusters)
    assert within == pytest.approx({"gap": 0, "std": 0, "norms": 0}, abs=1e-7)
    assert equiangularity(vectors)["gap"] > 0.5


def test_clusters_of_two_count_as_zero():
    vectors = randn(5, 4)
    found = equiangularity(vectors, torch.tensor([0, 0, 1, 1, 1]))
    three = equiangularity(vectors[2:])
    assert found == pytest.approx({name: value / 2 for name, value in three.items()})


def test_equiangularity_where_it_does_not_exist():
    def missing(found) -> list[str]:
        return [name for name, value in found.items() if math.isnan(value)]

    everything = ["gap", "std", "norms"]
    assert missing(equiangularity(randn(1, 4))) == everything
    assert missing(equiangularity(randn(3, 4), torch.arange(3))) == everything
    assert missing(equiangularity(torch.ones(3, 4))) == everything
    middle = torch.tensor([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])  # one vector is the mean
    assert missing(equiangularity(middle)) == ["gap", "std"]
    # Such a cluster is left out; the other counts alone.
    vectors = torch.cat([middle.double(), randn(4, 2)])
    found = equiangularity(vectors, torch.tensor([0] * 3 + [1] * 4))
    assert found["gap"] == pytest.approx(equiangularity(vectors[3:])["gap"])


def test_self_duality_by_hand():
    line = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert self_duality(0.3 * line, 8 * line) == pytest.approx(0, abs=1e-12)
    assert self_duality(0.3 * line, -line) == pytest.approx(2)
    assert self_duality(0.3 * line, line.flip(1)) == pytest.approx(math.sqrt(2))
    # Offsets of all means do not count.
    assert self_duality(0.3 * line + 1, line) == pytest.approx(0, abs=1e-12)
    assert math.isnan(self_duality(line, torch.ones(2, 2)))
    assert math.isnan(self_duality(line[:1], line[:1]))


def test_self_duality_as_papyan_et_al_does_not_centre_the_prototypes():
    # Prototypes (1, 0), (-1, 0) turned up by 60 degrees are (1/2, h), (-1/2, h) with h^2 = 3/4:
    # half their length is what means can match, so the distance is sqrt(2 - 2/2).
    line, cone = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), at_angles(60, 120)
    assert self_duality(line + 3, cone, both_centred=False) == pytest.approx(1)
    assert self_duality(line + 3, cone) == pytest.approx(0, abs=1e-12)
    assert self_duality(line, line, both_centred=False) == pytest.approx(0, abs=1e-12)
    assert math.isnan(self_duality(torch.ones(2, 2), line, both_centred=False))


def test_agreement_by_hand():
    prototypes = at_angles(0, 90, 180)
    means = at_angles(0, 60, 180)
    features = at_angles(10, 40, 50, 100, 170, 130)
    # Prototypes choose 0 0 1 1 2 1; nearest means (bounds at 30 and 120 degrees) 0 1 1 1 2 2.
    assert nearest_prototype_agreement(features, means, prototypes) == pytest.approx(4 / 6)
    # Without a mean of class 1 the bound is at 90 degrees: 0 0 0 2 2 2.
    means[1] = math.nan
    assert nearest_prototype_agreement(features, means, prototypes) == pytest.approx(3 / 6)


def test_nearest_mean_is_by_distance_not_by_cosine():
    # From (1, 0), a full mean at 60 degrees is at distance 1. That of a loose class, of length 0.1
    # at 70 degrees, is at sqrt(0.94): nearer, though its direction is not.
    means = at_angles(60, 70) * torch.tensor([[1.0], [0.1]])
    assert nearest_prototype_agreement(at_angles(0), means, at_angles(90, 0)) == 1
    assert nearest_prototype_agreement(at_angles(0), means, at_angles(0, 90)) == 0


def test_drift_by_hand():
    found = drift(7 * at_angles(0, 60, 200), at_angles(0, 0, 20))
    assert found["degrees"] == pytest.approx((0 + 60 + 180) / 3)
    assert found["cosine"] == pytest.approx((0 + 0.5 + 2) / 3)
    tiny = drift(at_angles(1e-7), at_angles(0))  # 1 - cos is below the float's resolution here
    assert tiny["degrees"] == pytest.approx(1e-7)
    assert tiny["cosine"] == pytest.approx(math.radians(1e-7) ** 2 / 2, abs=0)


def test_the_gathered_numbers_are_those_of_the_functions():
    case = random_case()
    found = collapse_measures(**case)
    unit = torch.nn.functional.normalize(case["prototypes"], dim=-1)
    means = class_means(case["train_features"], case["train_labels"], 7)
    test, clusters = case["test_features"], case["clusters"]
    assert found["nc1"] == within_class_scatter(case["train_features"], case["train_labels"])
    for who, vectors in {"prototypes": unit, "means": means}.items():
        for where, groups in {"global": None, "within": clusters}.items():
            key, values = f"nc2_{who}_{where}", equiangularity(vectors, groups)
            numbers = [found[key], found[f"{key}_std"], found[f"{key}_norms"]]
            assert numbers == pytest.approx([values["gap"], values["std"], values["norms"]])
    ratio = scatter_ratio(case["train_features"], case["train_labels"])
    assert found["nc1_unbiased"] == pytest.approx(ratio, nan_ok=True)
    assert found["nc3"] == pytest.approx(self_duality(means, unit))
    assert found["nc3_papyan"] == pytest.approx(self_duality(means, unit, both_centred=False))
    assert found["nc4"] == nearest_prototype_agreement(test, means, unit)
    assert found["effective_rank"] == pytest.approx(effective_rank(cosine_matrix(unit)).item())
    turned = drift(unit, case["frozen"])
    assert [found["drift_cosine"], found["drift_degrees"]] == pytest.approx([*turned.values()])


def nan_keys(**change) -> set[str]:
    found = collapse_measures(**random_case() | change)
    assert found.keys() == KEYS
    return {key for key, value in found.items() if math.isnan(value)}


def test_what_does_not_exist_is_nan_and_nothing_raises():
    within = {key for key in NC2 if "within" in key}
    means = {key for key in NC2 if "means" in key}
    none = torch.empty(0, 5)
    no_images = {"train_features": none, "train_labels": torch.empty(0, dtype=torch.int64)}
    assert nan_keys() == set()
    assert nan_keys(clusters=torch.zeros(7, dtype=torch.int64)) == set()
    assert nan_keys(clusters=torch.arange(7)) == within
    assert nan_keys(test_features=None) == {"nc4"}
    assert nan_keys(test_features=none) == {"nc4"}
    assert nan_keys(**no_images) == means | ONE | THREE | {"nc4"}
    assert nan_keys(train_labels=torch.full((28,), 4)) == means | ONE | THREE
    assert nan_keys(prototypes=torch.ones(7, 5)) == (set(NC2) - means) | {"nc3"}
    assert "effective_rank" in nan_keys(prototypes=torch.zeros(7, 5))
    alone = {key: value[:1] for key, value in random_case().items()}
    assert nan_keys(**alone) == set(NC2) | ONE | THREE


def test_classes_without_images_are_left_out():
    case = random_case()
    present = torch.tensor([0, 1, 2, 4, 6])
    seen = torch.isin(case["train_labels"], present)
    partial = case | {key: case[key][seen] for key in ("train_features", "train_labels")}
    fewer = partial | {key: case[key][present] for key in ("prototypes", "frozen", "clusters")}
    fewer["train_labels"] = torch.searchsorted(present, partial["train_labels"])
    found, expected = collapse_measures(**partial), collapse_measures(**fewer)
    for key in (*ONE, *THREE, *(key for key in NC2 if "means" in key)):
        assert found[key] == pytest.approx(expected[key]), key
    assert found["effective_rank"] != pytest.approx(expected["effective_rank"])


def test_float32_with_gradients_is_accepted_and_stays_untouched():
    case = random_case()
    single = {
        key: value.float().requires_grad_() if value.is_floating_point() else value
        for key, value in case.items()
    }
    assert collapse_measures(**single) == pytest.approx(collapse_measures(**case), rel=1e-4)
    assert single["prototypes"].grad is None
