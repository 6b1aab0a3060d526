"""What marks already say about every pixel."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from wsss_lib.annotate import Annotator, Mark
from wsss_lib.annotate.preview import WAYS, completed, tinted
from wsss_lib.core import IGNORE, InputError
from wsss_lib.evaluate import confusion_of, ious

SIZE = (60, 80)


@pytest.fixture(scope="module")
def scene():
    """A red and a green square on noisy blue ground, and their mask."""
    torch.manual_seed(0)
    mask = torch.zeros(SIZE, dtype=torch.int64)
    mask[10:40, 8:30], mask[20:55, 45:75] = 1, 2
    colours = torch.tensor([[0.2, 0.2, 0.8], [0.9, 0.1, 0.1], [0.1, 0.8, 0.2]])
    image = colours[mask].permute(2, 0, 1) + 0.04 * torch.randn(3, *SIZE)
    return image.clamp(0, 1), mask


MARKS = {
    "points": [Mark(1, ((18, 25),)), Mark(2, ((60, 38),)), Mark(0, ((37, 50),))],
    "boxes": [Mark(1, ((6, 8), (31, 41))), Mark(2, ((43, 18), (76, 56)))],
    "extremes": [
        Mark(1, ((8, 25), (29, 25), (18, 10), (18, 39))),
        Mark(2, ((45, 38), (74, 38), (60, 20), (60, 54))),
    ],
    "scribble": [
        Mark(1, ((12, 14), (24, 36))), Mark(2, ((50, 24), (70, 50))), Mark(0, ((37, 4), (37, 56))),
    ],
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", MARKS)
def test_every_way_completes_every_kind(scene, way, kind):
    image, mask = scene
    found = completed(way, kind, image, SIZE, MARKS[kind])
    assert ious(confusion_of(mask, found, 2)).min() > 0.85


def test_marks_without_background_keep_to_the_frame(scene):
    image, _ = scene
    found = completed("walker", "points", image, SIZE, MARKS["points"][:2])
    for edge in (found[0], found[-1], found[:, 0], found[:, -1]):
        assert (edge == 0).all()
    assert found.unique().tolist() == [0, 1, 2]


def test_large_pictures_are_completed_small(scene):
    image, mask = scene
    large = torch.nn.functional.interpolate(image[None], (480, 640))[0]
    marks = [
        Mark(mark.label, tuple((16 * x, 16 * y) for x, y in mark.places))
        for mark in MARKS["scribble"]
    ]
    found = completed("walker", "scribble", large, (960, 1280), marks)
    assert tuple(found.shape) == (120, 160)
    assert ious(confusion_of(mask, found[::2, ::2], 2)).min() > 0.85


def test_the_overlay_is_clear_where_no_class_is():
    labels = np.array([[0, 1], [2, IGNORE]], dtype=np.uint8)
    colours = np.array([[1.0, 0, 0], [0, 0, 1.0]])
    address = tinted(labels, colours, 0.4)
    content = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(content)) as layer:
        pixels = np.asarray(layer).tolist()
    assert pixels == [
        [[0, 0, 0, 0], [255, 0, 0, 102]],
        [[0, 0, 255, 102], [0, 0, 0, 0]],
    ]


def test_the_preview_follows_each_mark(folder):
    annotator = Annotator(folder, ["cat", "dog"], "boxes", preview="grabcut")
    assert annotator.overlay == ""
    drawn = {"id": "a", "marks": [{"label": 1, "places": [[5, 5], [20, 20]]}], "seconds": 1.0}
    annotator.drawn = drawn
    assert annotator.overlay.startswith("data:image/png")
    annotator.place = 1
    assert annotator.overlay == ""
    annotator.place = 0
    assert annotator.overlay.startswith("data:image/png")


def test_a_preview_that_fails_says_so_and_keeps_the_label(folder):
    annotator = Annotator(folder, ["cat", "dog"], "boxes", preview="grabcut")
    whole = [{"label": 1, "places": [[0, 0], [39, 29]]}]
    annotator.drawn = {"id": "a", "marks": whole, "seconds": 1.0}
    assert "no background" in annotator.note
    assert (annotator.overlay, annotator.done) == ("", ("a",))
    annotator.place = 1
    assert annotator.note == ""
    for id in "bc":
        annotator.draw(id, [Mark(1, ((0, 0), (29, 29)))])
    again = Annotator(folder, ["cat", "dog"], "boxes", preview="grabcut")
    assert again.picture["id"] == "a", "a folder with such a label opens again"
    assert "no background" in again.note


def test_what_cannot_be_previewed_is_refused(folder):
    with pytest.raises(InputError, match="no preview by 'magic'"):
        Annotator(folder, ["cat"], "boxes", preview="magic")
    with pytest.raises(InputError, match="'tags' cannot be previewed"):
        Annotator(folder, ["cat"], "tags", preview="walker")
