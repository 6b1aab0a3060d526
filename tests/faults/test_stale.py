"""A stage never answers for data that have changed, however little."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import Pixels, plain_folder
from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.full import MaskScores
from wsss_lib.data.palette import write_labels
from wsss_lib.data.store import ScoreStore
from wsss_lib.data.view import WeakView
from wsss_lib.engine import run
from wsss_lib.engine.fingerprint import fingerprint, what_is_seen
from wsss_lib.methods.box.bbox_rect import BBoxRect


@pytest.fixture
def data(tmp_path):
    return plain_folder(tmp_path / "mine")


def name_of(data, *supervision, **how):
    return fingerprint(**what_is_seen(WeakView(SegmentationFolder(data), supervision, **how)))


def draw(path, value, size=(24, 32)):
    """A label image of one value with a corner of another, always the same number of bytes."""
    labels = np.full(size, value)
    labels[:4, :4] = 1
    write_labels(path, labels)


def test_boxes_follow_a_corrected_mask(data, tmp_path):
    """Also in a view that has drawn them before."""
    view = WeakView(SegmentationFolder(data), ("tags", "boxes"))

    def labels(where):
        return run([BBoxRect(2)], view, folder=where, cpu=True)[0].scores["im0"]

    before = labels(tmp_path / "out")
    draw(data / "masks" / "im0.png", 0)
    after, clean = labels(tmp_path / "out"), labels(tmp_path / "clean")
    assert torch.equal(after, clean)
    assert not torch.equal(before, after)
    assert after[0].nonzero().max() == 3


@pytest.mark.parametrize("kind", ["boxes", "points", "extremes", "scribble"])
def test_labels_made_from_masks_are_named_after_masks_and_objects(data, kind):
    names = [name_of(data, "tags", kind)]
    without = name_of(data, "tags")
    for folder in ("masks", "SegmentationObject"):
        draw(data / folder / "im0.png", 0)
        names.append(name_of(data, "tags", kind))
    assert len({*names}) == 3
    assert name_of(data, "tags") == without, "who sees no masks does not depend on them"


@pytest.mark.parametrize(
    ("kind", "file"), [("scribble", "Scribbles/im0.png"), ("saliency", "Saliency/im0.png")]
)
def test_drawings_of_equal_size_are_told_apart(data, kind, file):
    path = data / file
    path.parent.mkdir()
    names = []
    for value in (50, 60):
        Image.new("L", (32, 24), value).save(path, compress_level=0)
        os.utime(path, ns=(0, 0))
        names.append((path.stat().st_size, name_of(data, "tags", kind)))
    assert names[0][0] == names[1][0]
    assert names[0][1] != names[1][1]


def test_an_image_turned_in_place_is_another_image(data):
    before, path = name_of(data, "tags"), data / "images" / "im0.png"
    (data / "images" / "im0.jpg").write_bytes(b"")
    path.unlink()
    exif = Image.Exif()
    names = {before}
    for turn in (3, 1):
        exif[0x0112] = turn
        Image.new("RGB", (32, 24)).save(data / "images" / "im0.jpg", exif=exif)
        names.add(name_of(data, "tags"))
    assert len(names) == 3


def test_captions_and_the_smallest_area_of_a_class_are_seen(data):
    (data / "captions.csv").write_text("id,caption\n" + "".join(f"im{n},a\n" for n in range(6)))
    before = name_of(data, "captions")
    (data / "captions.csv").write_text("id,caption\n" + "".join(f"im{n},b\n" for n in range(6)))
    assert name_of(data, "captions") != before
    (data / "labels.csv").unlink()
    views = [
        WeakView(SegmentationFolder(data, classes=("cat", "dog"), min_area=least))
        for least in (1, 500)
    ]
    assert views[0].digest != views[1].digest


def test_scores_are_known_by_their_content(data, tmp_path):
    view = WeakView(SegmentationFolder(data))

    def of(scores):
        return what_is_seen(view.with_scores(scores))["scores"]

    half, full = ({id: torch.full((2, 24, 32), v) for id in view.ids} for v in (0.5, 1.0))
    assert of(half) != of(full)
    assert of(half) == of({**half})
    names = set()
    for value in (0.5, 0.75):
        store = ScoreStore(tmp_path / "scores", 2)
        for id in view.ids:
            store.put(id, torch.full((2, 24, 32), value))
        names.add(of(store))
    masks = of(MaskScores(view._dataset))
    draw(data / "masks" / "im0.png", 0)
    assert of(MaskScores(view._dataset)) != masks
    assert len(names) == 2
    with pytest.raises(InputError, match="lack image 'im5'"):
        of({id: half[id] for id in view.ids[:5]})
    with pytest.raises(InputError, match="are of 1 classes; mine/train has 2"):
        of({id: half[id][:1] for id in view.ids})


def test_labels_that_are_read_are_those_in_the_name(data):
    """A table that changes under an open data set is neither seen nor named."""
    view = WeakView(SegmentationFolder(data))
    before = view.digest
    (data / "labels.csv").write_text(
        (data / "labels.csv").read_text().replace("im0,1,0", "im0,1,1")
    )
    assert view[0].tags.tolist() == [[1, 0]]
    assert view.digest == before != WeakView(SegmentationFolder(data)).digest


def test_images_of_an_open_view_are_read_again(data, tmp_path):
    view = WeakView(SegmentationFolder(data))
    run([Pixels()], view, folder=tmp_path, cpu=True)
    Image.new("RGB", (32, 24), "white").save(data / "images" / "im0.png")
    assert view[0].image.max() < 1, "a view remembers, until a run looks"
    run([Pixels()], view, folder=tmp_path, cpu=True)
    assert view[0].image.min() == 1
