"""Our panoptic quality against torchmetrics, where both compute the same thing."""

import numpy as np
import pytest
import torch
from scipy.ndimage import zoom

from wsss_lib.metrics import panoptic_quality

detection = pytest.importorskip(
    "torchmetrics.detection", reason="needs torchmetrics: uv pip install torchmetrics"
)


def scene(seed, classes):
    """(40, 48, 2) patches of classes, each of one of three objects."""
    coarse = np.random.default_rng(seed).integers(0, (classes, 3), (5, 6, 2))
    return torch.from_numpy(zoom(coarse, (8, 8, 1), order=0))


@pytest.mark.parametrize("things", [{1, 2, 3}, {2}])
def test_panoptic_quality_equals_torchmetrics(things):
    """Classes 0..3; they have no undecided class, but leave out true classes that they know not."""
    peer = detection.PanopticQuality(
        things=things,
        stuffs=set(range(4)) - things,
        return_sq_and_rq=True,
        return_per_class=True,
    )
    pairs = []
    for seed in range(4):
        truth = scene(seed, 5)
        labels = truth.roll((2, 1), dims=(0, 1)).clone()
        labels[..., 0] %= 4
        labels[10:20, 5:25] = scene(seed + 10, 4)[10:20, 5:25]
        peer.update(labels[None], truth[None])
        truth[truth[..., 0] == 4] = 255
        pairs.append((truth, labels))
    found = panoptic_quality(pairs, 3, things)
    order = [*sorted(things), *sorted(set(range(4)) - things)]
    expected = peer.compute().numpy()
    assert 0 < expected[:, 2].min() < expected[:, 2].max() < 1
    for ours, theirs in zip(found, expected.T, strict=True):
        assert np.allclose(ours[order], theirs, atol=1e-6)
