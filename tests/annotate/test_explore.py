"""Scores under a threshold, without a browser."""

import base64

import pytest
import torch

from wsss_lib.annotate import explore
from wsss_lib.core import IGNORE, InputError
from wsss_lib.evaluate import confusion_of, ious


@pytest.fixture
def made():
    torch.manual_seed(0)
    images = {id: torch.rand(3, 12, 16) for id in "ab"}
    scores = {id: torch.rand(2, 12, 16) for id in "ab"}
    mask = torch.randint(0, 3, (12, 16))
    mask[:2] = IGNORE
    return images, scores, {"a": mask}


def test_the_controls_say_the_iou_of_what_they_cut(made):
    images, scores, masks = made
    picture, label, threshold, shown, said = explore(images, scores, masks, ["cat", "d&g"]).children
    for number, cut in ((0, 0.5), (1, 0.3)):
        label.value, threshold.value = number, cut
        region = scores["a"][number] > cut
        truth = torch.where(masks["a"] == IGNORE, IGNORE, (masks["a"] == number + 1).long())
        iou = ious(confusion_of(truth, region.long(), 1))[1]
        assert f"IoU {iou:.3f}" in said.value
        assert f"{region.float().mean():.0%}" in said.value
    assert "d&amp;g" in said.value
    before = shown.value
    threshold.value = 0.9
    assert shown.value != before
    assert bytes(shown.value).startswith(b"\x89PNG")
    picture.value = "b"
    assert "IoU" not in said.value


def test_names_and_ids_must_fit(made):
    images, scores, masks = made
    with pytest.raises(InputError, match="no image has scores"):
        explore(images, {"z": scores["a"]}, masks)
    with pytest.raises(InputError, match="1 names for scores of 2"):
        explore(images, scores, None, ["cat"])


def test_a_page_without_python_shows_what_is_shown_first(made):
    """It is the class that is there; the first of the list may not be in the first picture."""
    images, scores, masks = made
    scores["a"][0] = 0
    widget = explore(images, scores, masks, ["cat", "dog"])
    data, about = widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert base64.b64decode(data["image/png"]) == bytes(widget.children[3].value)
    assert about["image/png"]["width"] > 0
    assert widget.still.axes[0].get_title() == "dog above 0.50"
