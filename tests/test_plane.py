"""Maps of classes: what they may change and what not."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist

from cptlab.lab.study.plane import plane


@pytest.fixture(scope="module")
def features():
    generator = torch.Generator().manual_seed(0)
    centres = torch.eye(8)[:3].repeat_interleave(8, dim=0)
    return centres + 0.1 * torch.randn(24, 8, generator=generator)


def test_a_map_keeps_neighbours_and_repeats(features, recwarn):
    found = plane(features)
    np.testing.assert_array_equal(found, plane(features))
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    distances = np.linalg.norm(found[:, None] - found, axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (distances.argmin(1) // 8 == np.arange(24) // 8).all()
    assert [str(warning.message) for warning in recwarn] == []


def test_a_map_is_turned_towards_another_but_not_stretched(features):
    found = plane(features)
    angle = 0.7
    turn = np.array([[np.cos(angle), np.sin(angle)], [np.sin(angle), -np.cos(angle)]])
    wanted = 3 * found @ turn + 5  # mirrored, larger and elsewhere
    turned = plane(features, like=wanted)
    np.testing.assert_allclose(pdist(turned), pdist(found), rtol=1e-4)
    np.testing.assert_allclose(turned, found @ turn, atol=1e-4)


def test_a_map_of_few_classes(features):
    assert plane(features[[0, 1, 8, 9, 16]]).shape == (5, 2)


def test_what_cannot_be_mapped(features):
    with pytest.raises(ValueError, match="K >= 4"):
        plane(features[:3])
    with pytest.raises(ValueError, match="NaN"):
        plane(features / 0)
    with pytest.raises(ValueError, match=r"like must be \(24, 2\)"):
        plane(features, like=np.zeros((23, 2)))
