"""Real photographs: rows of ImageNet's classifier, and thresholds that never saw their own mask."""

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.horses import SORREL
from experiments.pets import IMAGENET_ROWS as PETS
from experiments.pets import class_maps, labelled, loudest, thresholds
from experiments.voc_photographs import IMAGENET_ROWS as VOC
from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import Batch
from wsss_lib.data.folder import VOC_CLASSES, SegmentationFolder
from wsss_lib.data.palette import write_labels
from wsss_lib.nets.backbones.efficientnet import EfficientNetLite0, imagenet_classes


def names(rows):
    return [imagenet_classes()[row] for row in rows]


def test_rows_of_imagenet_are_what_their_names_say():
    assert tuple(VOC) == VOC_CLASSES
    assert names(SORREL) == ["sorrel"]
    assert names(VOC["cat"]) == ["tabby", "Persian cat", "Siamese cat", "Egyptian cat"]
    assert names(VOC["tvmonitor"]) == ["monitor", "screen", "television"]
    assert names(VOC["person"]) == ["ballplayer", "groom", "scuba diver"]
    assert (names(PETS["cat"])[0], names(PETS["cat"])[-1]) == ("tabby", "Egyptian cat")
    assert (names(PETS["dog"])[0], names(PETS["dog"])[-1]) == ("Chihuahua", "Mexican hairless")


def test_the_loudest_kind_is_taken_and_no_other():
    logits = torch.zeros(1000)
    logits[[150, 200, 283]] = torch.tensor([9.0, 2.0, 1.0])
    assert loudest(logits, PETS["dog"]) == 200, "150 is no dog"
    assert loudest(logits, PETS["cat"]) == 283


def test_class_maps_are_those_of_the_loudest_kind():
    """The biases shout, so the kinds are known; the maps do not hear them."""
    torch.manual_seed(0)
    net = EfficientNetLite0(16).eval()
    net.classifier.bias.data[[282, 160]] = torch.tensor([50.0, 60.0])
    batch = Batch(("a",), torch.rand(1, 3, 64, 64), tags=torch.tensor([[1.0, 0.0]]))
    with torch.inference_mode():
        maps, name = class_maps(net, batch, ("cat", "dog"))
        both = net(torch.cat([batch.image, batch.image.flip(-1)]))[-1]
        raw = (both * net.classifier.weight[282]).sum(dim=1).relu()
    assert name == "dog"
    assert not maps[0, 1].any(), "no dog was tagged"
    expected = resize((raw[0] + raw[1].flip(-1))[None, None], (64, 64))
    torch.testing.assert_close(maps[:, :1], expected / expected.max())


@pytest.fixture
def data(tmp_path):
    """Three pictures whose left half is the object."""
    mask = np.zeros((4, 8), dtype=np.uint8)
    mask[:, :4] = 1
    (tmp_path / "images").mkdir()
    for id in "abc":
        Image.fromarray(np.zeros((4, 8, 3), dtype=np.uint8)).save(tmp_path / f"images/{id}.png")
        write_labels(tmp_path / f"masks/{id}.png", mask)
    return SegmentationFolder(tmp_path, None, classes=["thing"], min_area=1)


def test_the_threshold_of_a_photograph_is_chosen_on_the_others(data):
    """Objects of a and b score .605 on a ground of .505; c the other way round."""
    score = torch.full((1, 4, 8), 0.505)
    score[..., :4] = 0.605
    scores = {"a": score, "b": score, "c": score.flip(-1)}
    cuts = thresholds(scores, data)
    assert 0.5 < cuts["c"] <= 0.6, "a and b agree"
    labels = labelled(scores, cuts, data)
    assert (labels["c"][:, 4:] == 1).all(), "so c is cut where it is wrong"
    assert not labels["c"][:, :4].any()
    assert cuts["a"] == cuts["b"]
