"""Pasting: every pixel is the object's or the image's, and nothing goes where it must not."""

import pytest
import torch

from wsss_lib.blocks.augment.paste import choose_donors, clean_objects, paste, random_places

STAY = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])


def block(y, x, size=4, h=12, w=16):
    mask = torch.zeros(1, h, w, dtype=torch.bool)
    mask[0, y : y + size, x : x + size] = True
    return mask


@pytest.fixture
def pair():
    torch.manual_seed(0)
    return torch.rand(1, 3, 12, 16), torch.rand(1, 3, 12, 16)


def test_pixels_are_the_objects_inside_and_the_images_outside(pair):
    image, donor = pair
    mask = block(2, 5)
    pasted, covered = paste(image, donor, mask, STAY)
    assert torch.equal(covered, mask)
    for y in range(12):
        for x in range(16):
            source = donor if mask[0, y, x] else image
            assert torch.equal(pasted[0, :, y, x], source[0, :, y, x])


def test_a_moved_object_is_the_same_object(pair):
    """Four pixels to the right of 16 is half of the side from -1 to 1."""
    image, donor = pair
    places = STAY.clone()
    places[0, 0, 2] = -0.5
    pasted, covered = paste(image, donor, block(2, 5), places)
    assert torch.equal(covered, block(2, 9))
    assert torch.equal(pasted[0, :, 2:6, 9:13], donor[0, :, 2:6, 5:9])


def test_an_empty_mask_pastes_nothing(pair):
    image, donor = pair
    nothing = torch.zeros(1, 12, 16, dtype=torch.bool)
    pasted, covered = paste(image, donor, nothing, random_places(nothing))
    assert torch.equal(pasted, image)
    assert not covered.any()


def extent(covered):
    """Height and width of what is covered, in pixels."""
    rows, columns = covered.any(dim=1).nonzero(), covered.any(dim=0).nonzero()
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


def pasted_at(mask, **settings):
    blank = torch.zeros(len(mask), 3, *mask.shape[1:])
    return paste(blank, blank + 1, mask, random_places(mask, **settings))[1]


def test_small_objects_are_neither_enlarged_nor_shrunk_however_they_turn():
    torch.manual_seed(0)
    mask = block(20, 50, size=20, h=60, w=120).expand(20, -1, -1)
    areas = pasted_at(mask).sum(dim=(1, 2)).float()
    assert areas.tolist() == [pytest.approx(400, rel=0.1)] * 20


def test_large_objects_are_shrunk_to_the_largest_share_of_either_side():
    torch.manual_seed(0)
    wide, tall = torch.zeros(2, 1, 40, 80, dtype=torch.bool)
    wide[0, 10:20], tall[0, :, 30:40] = True, True  # 10 x 80, and 40 x 10
    assert extent(pasted_at(wide, angle=0.0)[0]) == (7, 56)
    assert extent(pasted_at(tall, angle=0.0)[0]) == (28, 7)
    for mask in (wide, tall):
        turned = pasted_at(mask.expand(20, -1, -1))
        for one in turned:
            height, width = extent(one)
            assert height <= 29
            assert width <= 57
            whole = int(one.sum()) >= 0.9 * int(mask.sum())
            assert whole or height >= 27 or width >= 55, "no more than need be"


def test_turns_reach_a_right_angle_either_way():
    torch.manual_seed(0)
    mask = torch.zeros(1, 40, 40, dtype=torch.bool)
    mask[0, 19:21, 10:30] = True  # lies flat
    turned = [extent(one) for one in pasted_at(mask.expand(40, -1, -1))]
    assert max(height for height, _ in turned) >= 19
    assert any(width <= 5 for _, width in turned)
    assert all(extent(one) == (2, 20) for one in pasted_at(mask.expand(9, -1, -1), angle=0.0))


def test_objects_land_anywhere_and_wholly_inside():
    torch.manual_seed(0)
    mask = block(0, 0, size=4, h=20, w=40).expand(300, -1, -1)
    covered = pasted_at(mask, angle=0.0)
    assert (covered.sum(dim=(1, 2)) == 16).all()
    rows = [int(one.any(dim=1).nonzero()[0]) for one in covered]
    columns = [int(one.any(dim=0).nonzero()[0]) for one in covered]
    assert {*rows} == {*range(17)}
    assert {*columns} == {*range(37)}


def test_clean_objects_are_alone_in_the_labels_and_have_the_right_size():
    labels = torch.zeros(5, 10, 10, dtype=torch.long)
    labels[0, :5] = 2  # half of the image
    labels[1, 0, :5] = 2  # one in twenty
    labels[2, :8] = 2  # four in five
    labels[3, :5], labels[3, 9] = 2, 3  # half, but another class is there
    labels[4, :5], labels[4, 9] = 3, 255  # half, and an unknown rest
    clean, kind = clean_objects(labels, 3)
    assert clean.tolist() == [True, False, False, False, True]
    assert kind.tolist() == [1, 1, 1, 1, 2]
    assert clean_objects(labels, 3, low=0.05)[0].tolist() == [True, True, False, False, True]


def test_donors_give_what_is_lacking():
    torch.manual_seed(0)
    clean = torch.tensor([True, True, True, False])
    kind = torch.tensor([0, 0, 1, 2])
    tags = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [1.0, 1.0, 0]])
    drawn = torch.stack([choose_donors(clean, kind, tags) for _ in range(40)])
    assert set(drawn[:, 0].tolist()) == {2}
    assert set(drawn[:, 1].tolist()) == {0, 1}, "every donor that fits is drawn at times"
    assert set(drawn[:, 2].tolist()) == {-1}, "the only class that it lacks has no clean object"


def test_a_rare_class_is_given_as_often_as_a_frequent_one():
    torch.manual_seed(0)
    clean = torch.tensor([True] * 10 + [False])
    kind = torch.tensor([0] * 9 + [1, 1])
    drawn = choose_donors(clean, kind, torch.zeros(2000, 3))
    assert (kind[drawn] == 1).float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert {*drawn.tolist()} == {*range(10)}
