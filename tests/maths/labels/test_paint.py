import pytest
import torch

from wsss_lib.blocks.labels.layers import masks_to_labels
from wsss_lib.blocks.labels.paint import (
    boxes_to_labels,
    fill_boxes,
    points_to_labels,
    present_in,
    shrink_boxes,
    shrink_labels,
    weak_labels,
)
from wsss_lib.core import IGNORE, Batch, InputError


def random_boxes(seed, n=6, h=20, w=25):
    torch.manual_seed(seed)
    low = torch.stack([torch.randint(0, w - 1, (n,)), torch.randint(0, h - 1, (n,))], dim=1)
    side = torch.stack([torch.randint(1, w, (n,)), torch.randint(1, h, (n,))], dim=1)
    high = torch.minimum(low + side, torch.tensor([w, h]))
    return torch.cat([low, high, torch.randint(1, 5, (n, 1))], dim=1)


def by_hand(boxes, h, w):
    """Each pixel takes the class of the smallest box that covers it, the last of equal ones."""
    labels = torch.zeros(h, w, dtype=torch.int64)
    for y in range(h):
        for x in range(w):
            least = float("inf")
            for x0, y0, x1, y1, kind in boxes.tolist():
                area = (x1 - x0) * (y1 - y0)
                if x0 <= x < x1 and y0 <= y < y1 and area <= least:
                    least, labels[y, x] = area, kind
    return labels


@pytest.mark.parametrize("seed", range(5))
def test_boxes_are_painted_pixel_by_pixel(seed):
    boxes = (random_boxes(seed), random_boxes(seed + 100, n=2))
    found = boxes_to_labels(boxes, (20, 25))
    assert found.dtype == torch.int64
    for labels, of_image in zip(found, boxes, strict=True):
        assert torch.equal(labels, by_hand(of_image, 20, 25))


def test_boxes_are_half_open_and_an_image_may_have_none():
    found = boxes_to_labels((torch.tensor([[1, 0, 3, 2, 4]]), torch.zeros(0, 5).long()), (3, 4))
    assert found[0].tolist() == [[0, 4, 4, 0], [0, 4, 4, 0], [0, 0, 0, 0]]
    assert not found[1].any()


def test_points_mark_one_pixel_each():
    points = (torch.tensor([[2, 1, 3], [0, 0, 0]]), torch.zeros(0, 3).long())
    found = points_to_labels(points, (2, 4))
    assert found[0].tolist() == [[0, IGNORE, IGNORE, IGNORE], [IGNORE, IGNORE, 3, IGNORE]]
    assert (found[1] == IGNORE).all()


def test_tags_that_labels_imply():
    kinds = (torch.tensor([2, 2, 4]), torch.tensor([[0, IGNORE], [1, 0]]), torch.zeros(0).long())
    assert present_in(kinds, 4).tolist() == [[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_masks_of_boxes_are_layered_like_the_boxes():
    boxes = random_boxes(7)
    y, x = torch.meshgrid(torch.arange(20), torch.arange(25), indexing="ij")
    masks = torch.stack(
        [(x >= x0) & (x < x1) & (y >= y0) & (y < y1) for x0, y0, x1, y1, _ in boxes.tolist()]
    )
    assert torch.equal(masks_to_labels(masks, boxes[:, 4]), by_hand(boxes, 20, 25))


def test_no_masks_are_background():
    none = torch.zeros(0, 3, 4, dtype=torch.bool)
    assert torch.equal(masks_to_labels(none, torch.zeros(0)), torch.zeros(3, 4).long())


@pytest.mark.parametrize(
    ("masks", "kinds"),
    [
        (torch.zeros(2, 3, 4), torch.ones(2)),
        (torch.zeros(2, 3, 4, dtype=torch.bool), torch.ones(3)),
        (torch.zeros(3, 4, dtype=torch.bool), torch.ones(3)),
    ],
)
def test_masks_without_a_class_each_are_refused(masks, kinds):
    with pytest.raises(InputError, match="one class each"):
        masks_to_labels(masks, kinds)


def test_boxes_of_two_classes_may_overlap():
    boxes = (
        torch.tensor([[0, 0, 3, 2, 1], [2, 1, 4, 3, 2], [1, 1, 2, 3, 1]]),
        torch.zeros(0, 5).long(),
    )
    filled = fill_boxes(boxes, 3, (3, 5))
    expected = torch.zeros(2, 3, 3, 5)
    for y, x in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 1)):
        expected[0, 0, y, x] = 1
    for y, x in ((1, 2), (1, 3), (2, 2), (2, 3)):
        expected[0, 1, y, x] = 1
    assert torch.equal(filled, expected)


def test_the_middle_of_a_box_has_its_shape_its_centre_and_a_share_of_its_area():
    boxes = torch.tensor([[0, 0, 20, 10, 3], [7, 5, 8, 6, 1], [2, 3, 13, 8, 2]])
    assert shrink_boxes(boxes, 0.25).tolist() == [
        [5, 2, 15, 7, 3],  # half of each side, the odd pixel below
        [7, 5, 8, 6, 1],  # at least a pixel
        [4, 4, 10, 6, 2],  # 5.5 and 2.5, rounded to even
    ]
    assert torch.equal(shrink_boxes(boxes, 1.0), boxes)
    assert shrink_boxes(boxes[:0], 0.2).shape == (0, 5)


@pytest.mark.parametrize("share", [0.0, 1.2])
def test_a_share_of_an_area_is_a_share(share):
    with pytest.raises(InputError, match="must lie in"):
        shrink_boxes(random_boxes(0), share)


def test_a_cell_takes_the_class_of_most_of_its_labelled_pixels():
    labels = torch.full((2, 4, 6), IGNORE)
    labels[0, 0, 0], labels[0, 0, 1], labels[0, 1, 1] = 2, 1, 1
    labels[0, 2, 4], labels[0, 3, 5], labels[1, 3, 2] = 2, 0, 0
    found = shrink_labels(labels, (2, 3), 3)
    assert found.tolist() == [[[1, 255, 255], [255, 255, 0]], [[255, 255, 255], [255, 0, 255]]]
    assert torch.equal(shrink_labels(labels, (4, 6), 3), labels)


def test_weak_labels_of_every_kind_are_labels_and_tags():
    scores = torch.zeros(2, 2, 4, 5)
    scores[0, 0, 1, 1], scores[0, 1, 3, 4], scores[1, 1, 2] = 0.8, 0.9, 0.35
    scribble = torch.full((2, 4, 5), IGNORE)
    scribble[0, 1, :3], scribble[1, 0, 0] = 1, 0
    batch = Batch(
        ("a", "b"), torch.zeros(2, 3, 4, 5), torch.tensor([[1.0, 0.0], [0.0, 1.0]]), scores,
        boxes=(torch.tensor([[0, 0, 3, 3, 1]]), torch.tensor([[2, 1, 5, 4, 2], [0, 0, 1, 1, 1]])),
        points=(torch.tensor([[4, 2, 2]]), torch.tensor([[0, 3, 0]])), scribble=scribble,
    )  # fmt: skip
    labels, tags = weak_labels(batch, 2, "scribble", "it")
    assert torch.equal(labels, scribble)
    assert tags.tolist() == [[1, 0], [0, 0]]
    labels, tags = weak_labels(batch, 2, "points", "it")
    assert torch.equal(labels, points_to_labels(batch.points, (4, 5)))
    assert tags.tolist() == [[0, 1], [0, 0]]
    labels, tags = weak_labels(batch, 2, "tags", "it")
    assert tags.tolist() == batch.tags.tolist()
    assert labels[0, 1, 1] == 1
    assert labels[0, 3, 4] == 0  # that class is absent
    assert (labels[1, 2] == IGNORE).all()
    labels, tags = weak_labels(batch, 2, "boxes", "it")
    assert tags.tolist() == [[1, 0], [1, 1]]
    assert labels[0, 1, 1] == 1
    assert labels[0, 3, 4] == 0  # no box of that class
    assert labels[1, 2].tolist() == [0, 0, 255, 255, 255]
    strict = weak_labels(batch, 2, "tags", "it", (0.85, 0.4))[0]
    assert strict[0, 1, 1] == IGNORE
    assert (strict[1] == 0).all()
