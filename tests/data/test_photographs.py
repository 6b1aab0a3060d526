"""Photographs that come with two packages, and what was drawn on them."""

import csv

import pytest

from wsss_lib.core import IGNORE
from wsss_lib.data.drawn import DrawnLabels, on_objects
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.photographs import drawn, write_photographs
from wsss_lib.data.view import WeakView


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return SegmentationFolder(write_photographs(tmp_path_factory.mktemp("p") / "photographs"), None)


def test_every_photograph_has_an_author_and_a_licence_that_lets_it_be_shown(photographs):
    with (photographs.root / "sources.csv").open(newline="") as file:
        sources = {row["id"]: row for row in csv.DictReader(file)}
    assert sources.keys() == set(photographs.ids)
    for row in sources.values():
        assert row["author"]
        assert row["licence"] in ("CC0", "public domain", "CC BY 2.0")


def test_labels_of_all_kinds_agree(photographs):
    """Every click, box and stroke is on its object, and no stroke of the ground is."""
    labels = DrawnLabels(photographs)
    for id, about in drawn().items():
        mask = photographs.mask(id)
        label = photographs.classes.index(about["class"]) + 1
        assert set(mask.unique().tolist()) <= {0, label, IGNORE}
        assert photographs.tags(id).nonzero().flatten().tolist() == [label - 1]
        for kind in ("boxes", "points", "scribble"):
            on, total = on_objects(kind, labels.label(kind, id, tuple(mask.shape)), mask)
            assert on == total > 0, (id, kind)
        scribble = labels.label("scribble", id, tuple(mask.shape))
        assert (mask[scribble == 0] == 0).all(), id
        assert (scribble == 0).sum() > 100


def test_boxes_are_tight(photographs):
    labels = DrawnLabels(photographs)
    for id in photographs.ids:
        inside = (photographs.mask(id) > 0) & (photographs.mask(id) != IGNORE)
        boxes = labels.label("boxes", id, tuple(inside.shape))
        for side, ends in ((0, inside.any(dim=0)), (1, inside.any(dim=1))):
            found = ends.nonzero().flatten()
            assert boxes[:, side].min() == found[0]
            assert boxes[:, side + 2].max() == pytest.approx(int(found[-1]) + 1, abs=2)


def test_systems_see_what_was_drawn(photographs):
    view = WeakView(photographs, ("tags", "points", "boxes", "scribble"))
    for number in range(len(view)):
        batch = view[number]
        assert len(batch.points[0]) == len(drawn()[view.ids[number]]["points"])


def test_a_folder_that_is_there_is_left_alone(photographs):
    before = photographs.image_path("coffee").stat().st_mtime_ns
    write_photographs(photographs.root)
    assert photographs.image_path("coffee").stat().st_mtime_ns == before
