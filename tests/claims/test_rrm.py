"""Zhang et al. 2020, RRM: reliable labels teach, and colours carry them to all other pixels."""

from functools import partial

import pytest
import torch

from tests.branches import (
    Canvas,
    check_labels_follow_the_classifier,
    check_read_out,
    check_terms_of_both_branches,
    check_who_learns_what,
    known,
    network,
    taught,
)
from tests.loops import one_at_another_size
from tests.tiny import TWO_IMAGES, noise
from wsss_lib.blocks.refine.dense_crf import CRF
from wsss_lib.blocks.refine.lattice import Lattice, bilateral_features
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.image_level.online.rrm import RRM
from wsss_lib.nets.segmentation.branches import COLOURS, TOY_COLOURS, crf_at

SIDE = 16


def make(net=None, **settings):
    torch.manual_seed(1)
    settings = {"sxy": 8.0, "others": (), "refine": TOY_COLOURS, "weight": 3.0} | settings
    return RRM(net or network(), 3, **settings)


def batch_of_two(h=6, w=8):
    return Batch(("a", "b"), noise(2, 3, h, w), TWO_IMAGES)


def labels_of_two(h=6, w=8):
    labels = torch.randint(0, 3, (2, h, w), generator=torch.Generator().manual_seed(3))
    labels[:, :, 4:6] = 255
    labels[0, :3] = labels[1, 0] = 0
    return labels


def shown():
    """A red object on green ground; few pixels of either have a label."""
    truth = torch.zeros(SIDE, SIDE, dtype=torch.long)
    truth[4:12, 4:13] = 1
    red, green = torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.1, 0.6, 0.2])
    image = torch.where(truth[..., None] == 1, red, green).permute(2, 0, 1)
    labels = torch.full((1, SIDE, SIDE), 255)
    labels[0, 6:8, 5:7], labels[0, 13:15, 1:3] = 1, 0
    return Batch(("a",), image[None], torch.tensor([[1.0, 0.0, 0.0]])), labels, truth


def drawn(**settings):
    """The canvas after it has learned from the few labels."""
    batch, labels, _ = shown()
    method = known(make(Canvas(4, (SIDE, SIDE)), scale=1.0, **settings), labels)
    return taught(method, batch, steps=40, names={"seg", "energy"}).net.logits[0].detach()


def test_colours_carry_the_reliable_labels_to_all_other_pixels():
    _, _, truth = shown()
    assert (drawn().argmax(dim=0) == truth).float().mean() > 0.95


def test_without_the_energy_pixels_without_a_label_learn_nothing():
    _, labels, _ = shown()
    assert not drawn(weight=0.0)[:, labels[0] == 255].any()


def test_a_labelled_pixel_is_open_as_far_as_it_doubts():
    """It looks like the ground and is labelled as the object: its label must hold it."""
    batch, labels, _ = shown()
    slopes = []
    for label, logit in ((1, 3.0), (255, 3.0), (1, 9.0)):
        method = make(Canvas(4, (SIDE, SIDE)), scale=1.0)
        labels[0, 0, 8] = label
        with torch.no_grad():
            method.net.logits[:, 0] = 4.0
            method.net.logits[0, :, 0, 8] = torch.tensor([0.0, logit, 0.0, 0.0])
        method.energy(batch.image, method.net.logits, labels).backward()
        slopes.append(float(method.net.logits.grad[0, 1, 0, 8]))
    doubt = 1 - float(torch.tensor([0.0, 3.0, 0.0, 0.0]).softmax(dim=0)[1])
    assert slopes[1] > 0
    assert slopes[0] == pytest.approx(doubt * slopes[1], rel=1e-3)
    assert slopes[2] < 1e-3 * slopes[0]


def spilled():
    """A classifier of one class whose map is high on a red body and spills onto green ground."""
    image, truth = torch.zeros(1, 3, 24, 24), torch.zeros(24, 24, dtype=torch.bool)
    truth[6:18, 6:16] = True
    image[:, 0] = torch.where(truth, 0.9, 0.2)
    image[:, 1] = torch.where(truth, 0.2, 0.7)
    maps = torch.zeros(1, 3, 24, 24)
    maps[0, 0, truth] = 0.05
    maps[0, 0, 7:17, 7:15] = 0.7
    maps[0, 0, 9:13, 8:12] = 1.0
    maps[0, 0, 9:14, 15:20] = 0.45  # beyond the border
    maps[0, 1] = 2 * maps[0, 0].flip(-1)  # absent
    return image, maps, torch.tensor([[1.0, 0.0, 0.0]]), truth


def test_labels_are_few_and_reliable():
    """The colours take back what spilled, and what they are unsure of has no label."""
    image, maps, tags, truth = spilled()
    refine = partial(crf_at, settings=CRF(bilateral=10, sxy=12, srgb=13, gxy=0.5))
    labels = make(refine=refine).own_labels(image, maps, tags)[0][0]
    assert set(labels.unique().tolist()) == {0, 1, 255}
    assert (truth[labels == 1]).all()
    assert not truth[labels == 0].any()
    assert 5 < (labels == 1).sum() < 100
    assert (labels == 0).sum() > 200
    assert (labels[truth] == 255).any()


def test_labels_follow_the_classifier_as_it_is_now():
    check_labels_follow_the_classifier(make, batch_of_two())


def test_terms_of_both_branches_value_by_value():
    check_terms_of_both_branches(make(), batch_of_two(), labels_of_two())


def test_tags_teach_the_classifier_and_its_labels_the_other_branch():
    check_who_learns_what(make(), batch_of_two(), labels_of_two(), {"energy"})


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_energy_value_by_value(scale):
    """Every pixel and every other, in colours and places of the smaller image."""
    batch, labels = batch_of_two(), labels_of_two()
    method = known(make(scale=scale, srgb=40.0, weight=2.5), labels)
    found = method.loss(batch)["energy"]
    size = (int(6 * scale), int(8 * scale))
    scores, n = method.net(batch.image).detach().softmax(dim=1), size[0] * size[1]
    owed, total = 0.0, 0.0
    for b in range(2):
        small = one_at_another_size(batch.image[b], size)
        chances = one_at_another_size(scores[b], size).flatten(1)
        points = bilateral_features(small[None], 8.0 * scale, 40.0)
        kernel = Lattice(points).filter(torch.eye(n).view(1, n, *size)).flatten(2)[0]
        for i in range(n):
            y, x = divmod(i, size[1])
            label = int(labels[b, int(y / scale), int(x / scale)])
            gate = 1.0 if label == 255 else 1 - float(chances[:, i].max())
            for j in range(n):
                weight = float(kernel[j, i])
                total += weight
                owed += gate * weight * (1 - float(chances[:, i] @ chances[:, j]))
    assert found.item() == pytest.approx(2.5 * owed / total, rel=2e-3)


def test_at_the_size_of_the_paper_and_of_the_toy_world():
    method = RRM(network(), 3)
    assert (method.weight, method.sxy, method.srgb, method.scale) == (6.0, 100.0, 15.0, 0.5)
    assert method.others == (0.5, 1.5, 2.0)
    assert method.refine is COLOURS
    toy = RRM.toy(3)
    assert toy.refine is TOY_COLOURS
    assert toy.sxy == pytest.approx(100 * 64 / 448, abs=0.5)


@pytest.mark.parametrize("known_tags", [True, False])
def test_read_out_is_the_segmentation_branch_against_the_background(known_tags):
    check_read_out(make, known_tags)


def test_it_needs_tags():
    with pytest.raises(InputError, match="tags"):
        make().loss(Batch(("a",), noise(1, 3, 6, 8)))
