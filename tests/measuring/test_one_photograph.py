"""Photographs in many ways: thresholds, ImageNet's rows, and what is stored."""

import numpy as np
import pytest
import torch

from experiments.imagenet import imagenet_cam
from experiments.one_photograph import IMAGENET_ROWS, Ways, best_without, seen
from wsss_lib.core import Batch
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.photographs import write_photographs
from wsss_lib.nets.backbones.efficientnet import imagenet_classes
from wsss_lib.results import read_result

CLASSES = tuple(IMAGENET_ROWS)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return SegmentationFolder(write_photographs(tmp_path_factory.mktemp("p") / "photographs"), None)


@pytest.fixture(scope="module")
def ways():
    return Ways(CLASSES)


def test_rows_of_imagenet_are_what_their_names_say(photographs):
    assert photographs.classes == CLASSES
    names = {c: [imagenet_classes()[row] for row in rows] for c, rows in IMAGENET_ROWS.items()}
    assert all("cat" in name or name == "tabby" for name in names["cat"])
    assert names["cup"] == ["coffee mug", "espresso", "cup"]
    assert names["person"] == ["military uniform"]
    assert names["rocket"] == ["missile", "projectile"]
    assert names["flower"] == ["daisy"]
    method = imagenet_cam(list(IMAGENET_ROWS.values()))
    rows = method.backbone.classifier.weight[[657, 744]]
    torch.testing.assert_close(method.classifier.weight[4], rows.mean(dim=0))


def test_the_threshold_of_a_photograph_is_chosen_on_the_others(photographs):
    """Objects score .6, grounds .5: whatever lies between is best, but for one photograph."""
    scores = {}
    for id in photographs.ids:
        inside = (photographs.mask(id) == int(photographs.tags(id).argmax()) + 1).float()
        scores[id] = photographs.tags(id)[:, None, None] * (0.5 + 0.1 * inside)
    low = photographs.tags("rocket")[:, None, None]
    scores["rocket"] = low * (scores["rocket"] - 0.4).clamp(min=0)
    for id in photographs.ids:
        assert 0.1 <= best_without(scores, photographs, id) < 0.6
    assert 0.5 <= best_without(scores, photographs, "rocket") < 0.6


def test_every_look_is_of_what_is_left(ways):
    """After the first look its hottest places are painted over; no score of it is lost."""
    torch.manual_seed(0)
    batch = Batch(("a",), image=torch.rand(1, 3, 96, 96), tags=torch.tensor([[1.0, 0, 0, 0, 0]]))
    with torch.inference_mode():
        once, thrice = ways.erased(batch, looks=1), ways.erased(batch)
        torch.testing.assert_close(once, ways.net.predict(batch))
    assert (thrice >= once).all()
    assert (thrice > once + 0.1).any()


def test_stored_masks_have_the_iou_that_is_stored(root, photographs):
    found = read_result(root / "results" / "photographs.json")
    with np.load(root / "results" / "maps" / "photographs.npz") as masks:
        for way in found["ways"]:
            assert way["iou"].keys() == set(photographs.ids)
            for id, iou in way["iou"].items():
                width = seen(photographs, id, found["longest"]).shape[3]
                region = np.unpackbits(masks[f"{way['way']}/{id}"], axis=1)[:, :width]
                label = int(photographs.tags(id).argmax()) + 1
                mask = photographs.mask(id)
                size = mask.shape
                full = torch.nn.functional.interpolate(
                    torch.from_numpy(region)[None, None].float(), size, mode="bilinear"
                )[0, 0]
                said, truth = (full > 0.5) & (mask != 255), mask == label
                again = float((said & truth).sum() / (said | truth).sum())
                assert again == pytest.approx(iou, abs=0.06), (way["way"], id)
