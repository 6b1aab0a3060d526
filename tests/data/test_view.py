"""What a method sees, and that it cannot see more."""

import shutil

import numpy as np
import pytest
import torch

from tests.tiny import Pixels, plain_folder
from wsss_lib.core import Batch, InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import write_labels
from wsss_lib.data.toy import write_toy
from wsss_lib.data.view import WeakView, collate
from wsss_lib.data.weak import MADE, Annotator
from wsss_lib.engine import fit, infer


@pytest.fixture
def data(tmp_path):
    return SegmentationFolder(plain_folder(tmp_path / "mine"))


def test_a_view_shows_image_and_tags_and_nothing_else(data):
    batch = WeakView(data)[1]
    shown = {name for name in Batch.__dataclass_fields__ if getattr(batch, name) is not None}
    assert shown == {"ids", "image", "tags"}
    assert batch.ids == ("im1",)
    assert batch.image.shape == (1, 3, 24, 32)
    assert batch.tags.tolist() == [[0, 1]]
    assert WeakView(data, ())[1].tags is None


def test_a_missing_label_is_asked_for_as_it_can_be_typed(data):
    with pytest.raises(InputError, match=r"WeakView\(\.\.\., supervision=\('boxes',\)\)"):
        WeakView(data)[0].require("boxes", "BANA")


def test_nothing_public_leads_to_masks(data):
    view = WeakView(data)
    public = {name: getattr(view, name) for name in dir(view) if not name.startswith("_")}
    assert not [name for name, value in public.items() if isinstance(value, SegmentationFolder)]
    assert not [name for name in public if "mask" in name or "path" in name or "root" in name]


@pytest.mark.parametrize("folders", [("SegmentationClass", "SegmentationObject", "Parts", "Stuff")])
def test_training_and_prediction_work_where_masks_have_been_deleted(tmp_path, folders):
    root = write_toy(tmp_path / "toy", train=4, val=1, progress=False)
    for folder in folders:
        shutil.rmtree(root / folder)
    view = WeakView(SegmentationFolder(root))
    method = Pixels(num_classes=6)
    assert fit(method, view).steps == 40
    assert [*infer(method, view, tmp_path / "scores")] == [*view.ids]


def test_supervision_that_cannot_be_had(data):
    with pytest.raises(InputError, match=r"\['masks'\] is not available; choose from"):
        WeakView(data, ("tags", "masks"))
    with pytest.raises(InputError, match=r"write supervision=\('boxes',\)"):
        WeakView(data, "boxes")


def test_boxes_and_captions_of_the_toy_world(tmp_path):
    data = SegmentationFolder(write_toy(tmp_path / "toy", train=6, val=1, progress=False))
    view = WeakView(data, ("boxes", "captions"))
    for index, id in enumerate(view.ids):
        (boxes,), mask = view[index].boxes, data.mask(id)
        assert view[index].captions == (data.caption(id),)
        covered = torch.zeros_like(mask, dtype=torch.bool)
        for x0, y0, x1, y1, c in boxes.tolist():
            assert (mask[y0:y1, x0:x1] == c).any()
            covered[y0:y1, x0:x1] = True
        assert covered[(mask > 0) & (mask != 255)].all()


def test_every_kind_of_weak_label_of_the_toy_world(tmp_path):
    data = SegmentationFolder(write_toy(tmp_path / "toy", train=6, val=1, progress=False))
    view = WeakView(data, MADE)
    for index, id in enumerate(view.ids):
        batch, mask = view[index], data.mask(id)
        shown = {name for name in Batch.__dataclass_fields__ if getattr(batch, name) is not None}
        assert shown == {"ids", "image", *MADE}
        x, y, kinds = batch.points[0].T
        assert torch.equal(mask[y, x], kinds)
        assert len(batch.objects[0]) == len(batch.points[0])
        drawn = batch.scribble[0] != 255
        assert torch.equal(batch.scribble[0][drawn], mask[drawn])
        assert drawn.float().mean() < 0.1
        assert len(batch.extremes[0]) == len(batch.boxes[0]) == len(batch.points[0])
        for clicks, box in zip(batch.extremes[0], batch.boxes[0], strict=True):
            assert (mask[clicks[:, 1], clicks[:, 0]] == box[4]).all()
    assert torch.equal(view[0].scribble, WeakView(data, ("scribble",), cache_mb=0)[0].scribble)


def test_another_annotator_draws_otherwise_and_is_not_mistaken_for_the_first(data):
    first, second = WeakView(data, MADE), WeakView(data, MADE, annotator=Annotator(seed=1))
    assert not torch.equal(first[0].scribble, second[0].scribble)
    assert first.digest == WeakView(data, MADE).digest != second.digest
    assert second.with_scores(None).digest == second.digest
    assert WeakView(data, annotator=Annotator(seed=1)).digest == data.digest()


def test_labels_follow_the_longest_side(data):
    batch = WeakView(data, MADE, longest=16)[0]
    assert batch.scribble.shape == (1, 12, 16)
    ((x0, y0, x1, y1, kind),) = batch.boxes[0].tolist()
    assert (x0, y0, x1, y1, kind) == (4, 3, 13, 9, 1)
    for x, y in [*batch.points[0][:, :2].tolist(), *batch.extremes[0][0].tolist()]:
        assert x0 <= x < x1
        assert y0 <= y < y1


def test_labels_cannot_be_made_without_masks_or_from_those_of_another_size(data):
    write_labels(data.root / "masks" / "im0.png", np.zeros((12, 16)))
    with pytest.raises(InputError, match=r"masks/im0\.png is 16 x 12 pixels, but its image"):
        WeakView(data, ("points",))[0]
    (data.root / "masks" / "im0.png").unlink()
    with pytest.raises(
        InputError, match=r"'points' is made from masks, and .* none of image 'im0'"
    ):
        WeakView(data, ("points",))[0]


def test_an_image_without_any_class_needs_permission(data):
    (data.root / "labels.csv").write_text("id,cat,red car\nim0,0,0\nim1,0,1\n")
    with pytest.raises(InputError, match=r"'im0' has no class .* \"allows_empty\": true"):
        WeakView(SegmentationFolder(data.root))[0]
    (data.root / "dataset.json").write_text('{"allows_empty": true}')
    assert WeakView(SegmentationFolder(data.root))[0].tags.tolist() == [[0, 0]]


@pytest.mark.parametrize("longest", [8, 64])
def test_longest_side(data, longest):
    scores = {id: torch.full((2, 6, 8), 0.25) for id in data.ids}
    batch = WeakView(data, scores=scores, longest=longest)[0]
    assert batch.image.shape == (1, 3, longest * 3 // 4, longest)
    assert batch.scores.shape == (1, 2, longest * 3 // 4, longest)
    assert torch.allclose(batch.scores, torch.tensor(0.25))


def test_the_cache_changes_nothing(data):
    with_cache, without = WeakView(data), WeakView(data, cache_mb=0)
    assert torch.equal(with_cache[0].image, without[0].image)
    assert with_cache[0] is with_cache[0]
    assert without[0] is not without[0]


def test_labels_are_drawn_once_where_images_are_read_again(data, monkeypatch):
    drawn, draw = [], Annotator.label
    monkeypatch.setattr(
        Annotator, "label", lambda who, kind, *rest: drawn.append(kind) or draw(who, kind, *rest)
    )
    view = WeakView(data, MADE, cache_mb=0)
    first, again = view[1], view[1]
    assert sorted(drawn) == sorted(MADE)
    assert torch.equal(first.scribble, again.scribble)
    assert torch.equal(first.boxes[0], again.boxes[0])
    again.scribble.zero_()
    assert torch.equal(first.scribble, view[1].scribble)


def test_scores_of_a_stage_do_not_leak_into_the_first_view(data):
    first = WeakView(data)
    assert first[0].scores is None
    second = first.with_scores({id: torch.ones(2, 3, 3) for id in data.ids})
    assert second[0].scores.shape == (1, 2, 24, 32)
    assert first[0].scores is None


def test_batches_hold_one_size(data):
    view = WeakView(data)
    both = collate([view[0], view[1]])
    assert both.ids == ("im0", "im1")
    assert both.image.shape == (2, 3, 24, 32)
    assert both.tags.tolist() == [[1, 0], [0, 1]]
    assert both.scores is None
    with pytest.raises(InputError, match="give the recipe a crop"):
        collate([view[0], WeakView(data, longest=8)[1]])


def test_a_very_large_image_is_made_smaller_without_moving_its_labels(tmp_path, monkeypatch):
    root = plain_folder(tmp_path / "mine", ((240, 321),))
    kinds = ("tags", *MADE)
    whole = WeakView(SegmentationFolder(root), kinds, longest=32)[0]
    monkeypatch.setattr("wsss_lib.data.files.pictures.LARGE", 1000)
    small = WeakView(SegmentationFolder(root), kinds, longest=32)[0]
    assert not torch.equal(small.image, whole.image), "it was read smaller"
    assert torch.allclose(small.image, whole.image, atol=0.1)
    for kind in ("boxes", "points", "extremes"):
        assert torch.equal(getattr(small, kind)[0], getattr(whole, kind)[0])
    assert torch.equal(small.scribble, whole.scribble)
