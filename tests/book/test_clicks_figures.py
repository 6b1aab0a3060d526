"""Pictures of clicks: which images a rule chooses, and which pairs lie in one picture."""

from types import SimpleNamespace

import clicks_figures
import pytest
import torch
from clicks_figures import clicked_batch, distances, pairs_figure, peaks, peaks_figure
from matplotlib.patches import Rectangle

from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """Eight toy pictures; the stored map of a class peaks in a corner, for the last on a click."""
    root = write_toy(tmp_path / "toy", train=8, val=2, progress=False)
    data = SegmentationFolder(root, "train")
    corner = torch.zeros(len(data.classes), 64, 64)
    corner[:, 0, 0] = 1
    last = torch.zeros_like(corner)
    monkeypatch.setattr(clicks_figures, "world", lambda: data)
    monkeypatch.setattr(
        clicks_figures, "shown_classes", lambda id: (data.tags(id).nonzero() + 1).flatten().tolist()
    )
    points = clicked_batch(data.ids[-1:]).points[0]
    for x, y, kind in points.tolist():
        last[kind - 1, y, x] = 1
    monkeypatch.setattr(
        clicks_figures, "gallery",
        lambda id: SimpleNamespace(
            common=tuple(data.ids), scores=lambda id, count: last if id == data.ids[-1] else corner
        ),
    )  # fmt: skip
    return data


def test_peaks_are_measured_from_the_object_and_from_the_click(shown):
    found = peaks()
    assert {one[0] for one in found} == set(shown.ids)
    for id, c, (x, y), away, apart in found:
        inside = shown.mask(id) == c
        assert (away == 0) == bool(inside[y, x])
        assert apart >= away, "clicks lie on the object"
        assert ((x, y) == (0, 0)) == (id != shown.ids[-1])
    figure = peaks_figure()
    assert [axis.get_title() for axis in figure.axes[:3]] == list(clicks_figures.PLACES)
    assert all(len(axis.lines) >= 2 for axis in figure.axes[:3]), "a cross and a dot"


def test_pairs_of_one_class_lie_between_pictures(shown):
    batch = clicked_batch(shown.ids)
    apart, kinds, owners = distances(batch)
    assert apart.shape == (len(kinds), len(kinds)) == (len(owners), len(owners))
    assert apart.diagonal().max() < 1e-4
    assert 0 <= apart.min() <= apart.max() <= 4
    pairs = (kinds[:, None] == kinds).triu(1)
    assert pairs.any()
    assert not (pairs & (owners[:, None] == owners)).any()
    frames = [one for one in pairs_figure().axes[0].patches if isinstance(one, Rectangle)]
    assert len(frames) == 2 * int(pairs.sum()) + len(shown.ids)
