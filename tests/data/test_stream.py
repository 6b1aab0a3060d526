"""Samples by number, and augmentation that keeps together what belongs together."""

from dataclasses import replace

import pytest
import torch

from tests.tiny import plain_folder
from wsss_lib.core import Batch, InputError, Recipe
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.stream import Stream, augment
from wsss_lib.data.view import WeakView

STILL = Recipe(flip=False)
WILD = Recipe(flip=True, shift=5, crop=16, scale=(0.7, 1.4))


@pytest.fixture
def view(tmp_path):
    return WeakView(SegmentationFolder(plain_folder(tmp_path / "mine")))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(height=20, width=30):
    image = torch.rand(1, 3, height, width, generator=generator())
    return Batch(("a",), image, torch.tensor([[1.0, 0.0]]), scores=image[:, :2].clone())


def test_a_number_always_means_the_same_sample(view):
    one, other = Stream(view, WILD, 3, 100), Stream(view, WILD, 3, 100)
    wanted = [one[n] for n in range(14)]
    for n in (13, 0, 7, 6, 13):  # another order, across epochs
        assert other[n].ids == wanted[n].ids
        assert torch.equal(other[n].image, wanted[n].image)


def test_seeds_differ_in_their_augmentation_too(view):
    lonely = WeakView(view._dataset.subset(["im0"]))
    one, other = Stream(lonely, WILD, 0, 9), Stream(lonely, WILD, 1, 9)
    assert not any(torch.equal(one[n].image, other[n].image) for n in range(9))


def test_every_epoch_shows_every_image_once_in_a_new_order(view):
    stream = Stream(view, STILL, 0, 100)
    epochs = [[stream[e * 6 + n].ids[0] for n in range(6)] for e in range(4)]
    assert all(sorted(epoch) == [*view.ids] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_seeds_and_numbers_differ(view):
    one, other = Stream(view, WILD, 0, 99), Stream(view, WILD, 1, 99)
    assert any(one[n].ids != other[n].ids for n in range(6))
    same = [n for n in range(99) if one[n].ids == ("im0",)]
    assert not torch.equal(one[same[0]].image, one[same[1]].image)


TAGS = ("10", "10", "10", "01", "11", "00")
"""Of six images: the second class has two, the last image has none."""


@pytest.fixture
def tagged(tmp_path):
    root = plain_folder(tmp_path / "tagged")
    rows = [f"im{number},{a},{b}" for number, (a, b) in enumerate(TAGS)]
    (root / "labels.csv").write_text("\n".join(["id,cat,red car", *rows]) + "\n")
    (root / "dataset.json").write_text('{"allows_empty": true}')
    return WeakView(SegmentationFolder(root))


def groups(view, size, count, seed=0, recipe=STILL):
    """Positions in ``TAGS`` of the images of the first groups."""
    stream = Stream(view, replace(recipe, group=size), seed, count * size)
    found = [int(stream[number].ids[0][2:]) for number in range(count * size)]
    return [found[start : start + size] for start in range(0, len(found), size)]


def test_groups_begin_with_the_images_in_their_order(tagged):
    alone = Stream(tagged, STILL, 4, 24)
    order = [int(alone[number].ids[0][2:]) for number in range(24)]
    for size in (1, 2, 3):
        assert [group[0] for group in groups(tagged, size, 24, seed=4)] == order


@pytest.mark.parametrize("size", [2, 3])
def test_images_of_a_group_are_different_ones_that_share_a_class(tagged, size):
    found = groups(tagged, size, 600)
    for leader, *others in found:
        shared = [c for c in (0, 1) if all(TAGS[one][c] == "1" for one in (leader, *others))]
        assert shared or leader == 5
        having = [sum(tag[c] == "1" for tag in TAGS) for c in shared]
        if having and max(having) >= size:
            assert leader not in others
            assert len({*others}) == size - 1
    # Each class of the leader is drawn as often as the other, and so is each image that has it.
    partners = [group[1] for group in found if group[0] == 4]
    assert len(partners) == 100
    assert 35 < partners.count(3) < 65
    assert all(8 < partners.count(one) < 27 for one in (0, 1, 2))


def test_where_images_are_too_few_the_first_stands_in_augmented_anew(tagged):
    stream = Stream(tagged, replace(WILD, group=3), 0, 90)
    found = groups(tagged, 3, 30, recipe=WILD)
    alone = next(place for place, group in enumerate(found) if group[0] == 5)
    assert found[alone] == [5, 5, 5]
    images = [stream[3 * alone + place].image for place in range(3)]
    assert not torch.equal(images[0], images[1])
    assert not torch.equal(images[1], images[2])
    assert {tuple(group) for group in found if group[0] == 3} == {(3, 4, 3)}


def test_groups_are_the_same_whoever_asks_and_differ_by_seed_and_number(tagged):
    one = Stream(tagged, replace(WILD, group=3), 3, 90)
    other = Stream(tagged, replace(WILD, group=3), 3, 90)
    wanted = [one[number] for number in range(50)]
    for number in (49, 0, 31, 30, 7):
        assert other[number].ids == wanted[number].ids
        assert torch.equal(other[number].image, wanted[number].image)
    found = groups(tagged, 2, 60)
    assert found != groups(tagged, 2, 60, seed=1)
    assert len({group[1] for group in found if group[0] == 0}) == 3


def test_groups_need_tags_and_open_no_image_for_them(tagged, monkeypatch):
    with pytest.raises(InputError, match=r"shows no tags: open the data with .*'tags',"):
        Stream(WeakView(tagged._dataset, ()), replace(STILL, group=2), 0, 9)
    monkeypatch.setattr(SegmentationFolder, "image", None)
    Stream(tagged, replace(STILL, group=2), 0, 9)
    assert tagged.tags(4).tolist() == [1, 1]


@pytest.mark.parametrize("seed", range(8))
def test_scores_move_with_the_image(seed):
    moved = augment(batch(), WILD, generator(seed))
    assert moved.image.shape == (1, 3, 16, 16)
    assert torch.equal(moved.image[:, :2], moved.scores)


def test_half_of_the_images_are_mirrored_and_nothing_else_happens():
    given = batch()
    recipe, mirrored = replace(STILL, flip=True), 0
    for seed in range(200):
        moved = augment(given, recipe, generator(seed)).image
        mirrored += torch.equal(moved, given.image.flip(-1))
        assert torch.equal(moved, given.image) or torch.equal(moved, given.image.flip(-1))
    assert 75 < mirrored < 125


def test_shifts_reach_their_range_in_both_directions_and_repeat_the_edge():
    ramp = torch.arange(20.0).expand(1, 3, 20, 20) / 20
    found = set()
    for seed in range(150):
        row = augment(Batch(("a",), ramp), replace(STILL, shift=3), generator(seed)).image[0, 0, 5]
        dx = 10 - round(row[10].item() * 20)
        found.add(dx)
        assert torch.equal(row, ((torch.arange(20.0) - dx).clamp(0, 19) / 20))
    assert found == {-3, -2, -1, 0, 1, 2, 3}


@pytest.mark.parametrize("size", [(16, 16), (5, 40), (40, 5), (1, 1), (33, 17)])
def test_crops_have_their_size_whatever_the_image(size):
    moved = augment(batch(*size), replace(STILL, crop=16), generator())
    assert moved.image.shape == (1, 3, 16, 16)
    assert moved.scores is not None
    assert moved.scores.shape == (1, 2, 16, 16)


def test_images_that_are_smaller_than_the_crop_are_continued_by_their_edge():
    moved = augment(Batch(("a",), torch.ones(1, 3, 5, 40)), replace(STILL, crop=16), generator())
    assert moved.image.eq(1).all()


def test_crops_come_from_everywhere():
    ramp = torch.arange(20.0).expand(1, 3, 20, 20)
    places = {
        augment(Batch(("a",), ramp), replace(STILL, crop=16), generator(s)).image[0, 0, 0, 0].item()
        for s in range(100)
    }
    assert places == {0, 1, 2, 3, 4}


def test_scales_lie_in_their_range():
    sides = [
        augment(batch(20, 20), replace(STILL, scale=(0.5, 1.5)), generator(s)).image.shape[-1]
        for s in range(100)
    ]
    assert 10 <= min(sides) <= 11
    assert 29 <= max(sides) <= 30


@pytest.mark.parametrize("size", [(20, 30), (30, 20), (200, 100)])
def test_the_longer_side_lies_in_its_range_and_the_shape_stays(size):
    recipe = replace(STILL, long_side=(40, 60), scale=(9.0, 9.0))
    sides = [augment(batch(*size), recipe, generator(s)).image.shape[-2:] for s in range(60)]
    assert 40 <= min(max(side) for side in sides) <= 42
    assert 58 <= max(max(side) for side in sides) <= 60
    for h, w in sides:
        assert h / w == pytest.approx(size[0] / size[1], rel=0.05)


@pytest.mark.parametrize(("area", "size"), [((0.1, 0.3), (90, 120)), ((0.9, 1.0), (120, 60))])
def test_a_crop_is_a_part_of_the_image_that_has_been_resized(area, size):
    """Ramps tell which part: so much of the area, within 3:4 and 4:3, or all of a side."""
    y, x = torch.meshgrid(*(torch.linspace(0, 1, side) for side in size), indexing="ij")
    given = Batch(("a",), torch.stack([y, x, y])[None])
    recipe, parts = replace(STILL, crop=32, area=area, scale=(9.0, 9.0)), []
    for seed in range(60):
        image = augment(given, recipe, generator(seed)).image[0, :2]
        assert image.shape == (2, 32, 32)
        rising = (image[0].diff(dim=0) > 0).all() and (image[1].diff(dim=1) > 0).all()
        assert rising, "nothing beside the image may fill a crop"
        high, wide = (image[0, -1, 0] - image[0, 0, 0]), (image[1, 0, -1] - image[1, 0, 0])
        parts.append((high.item() * 33 / 32, wide.item() * 33 / 32))
    shares = [high * wide for high, wide in parts]
    assert max(shares) < area[1] + 0.05
    if area[1] < 0.5:  # nothing meets the border
        assert area[0] - 0.02 < min(shares) < area[0] + 0.02
        ratios = [high * size[0] / (wide * size[1]) for high, wide in parts]
        assert 0.7 < min(ratios) < 0.8
        assert 1.25 < max(ratios) < 1.4
    else:
        assert all(max(part) > 0.95 for part in parts)


def test_tags_and_ids_are_kept():
    given = batch()
    moved = augment(given, WILD, generator())
    assert moved.ids == ("a",)
    assert moved.tags is given.tags
