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


def test_places_scale_areas_and_keep_shapes_of_images_that_are_not_square():
    torch.manual_seed(0)
    image, donor = torch.zeros(1, 3, 60, 120), torch.ones(1, 3, 60, 120)
    mask = block(20, 50, size=20, h=60, w=120)
    for turn in (0.0, 90.0):
        for _ in range(10):
            places = random_places(mask, scale=(0.6, 0.6), angle=turn)
            _, covered = paste(image, donor, mask, places)
            assert covered.sum().item() == pytest.approx(0.36 * 400, rel=0.2)


def test_objects_land_in_the_middle_half():
    torch.manual_seed(0)
    mask = block(0, 0, size=2, h=40, w=40).expand(50, -1, -1)
    blank = torch.zeros(50, 3, 40, 40)
    _, covered = paste(blank, blank + 1, mask, random_places(mask, (1.0, 1.0), 0.0))
    assert covered.any(dim=(1, 2)).all(), "an object from the corner arrives somewhere visible"
    where = covered.nonzero()[:, 1:].float()
    assert where.std(dim=0).min() > 4, "and not always in one place"


def test_clean_objects_have_one_tag_and_the_right_size():
    labels = torch.zeros(5, 10, 10, dtype=torch.long)
    labels[0, :5] = 2  # half of the image
    labels[1, 0, :5] = 2  # one in twenty
    labels[2, :8] = 2  # four in five
    labels[3, :5] = 2  # half, but there are two classes
    labels[4, :5] = 1  # half, but of another class
    tags = torch.zeros(5, 3)
    tags[:, 1] = tags[3, 2] = 1
    clean, kind = clean_objects(labels, tags)
    assert clean.tolist() == [True, False, False, False, False]
    assert kind[0] == 1


def test_donors_give_what_is_lacking():
    torch.manual_seed(0)
    clean = torch.tensor([True, True, True, False])
    kind = torch.tensor([0, 0, 1, 2])
    tags = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [1.0, 1.0, 0]])
    drawn = torch.stack([choose_donors(clean, kind, tags) for _ in range(40)])
    assert set(drawn[:, 0].tolist()) == {2}
    assert set(drawn[:, 1].tolist()) == {0, 1}, "every donor that fits is drawn at times"
    assert set(drawn[:, 2].tolist()) == {-1}, "the only class that it lacks has no clean object"
