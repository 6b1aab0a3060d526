"""Labels that are not maps go where the pixels of a map of them go."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label as components

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import Batch, Recipe
from wsss_lib.data.move import rescale, resize_present
from wsss_lib.data.stream import augment
from wsss_lib.data.view import collate
from wsss_lib.data.weak import Annotator

STILL = Recipe(flip=False)
MOVES = Recipe(flip=True, shift=7, crop=18)
WILD = replace(MOVES, scale=(0.4, 1.8))
SEEDS = st.integers(0, 2**31)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def one_hot(points, height, width):
    maps = torch.zeros(1, len(points), height, width)
    maps[0, torch.arange(len(points)), points[:, 1], points[:, 0]] = 1
    return maps


def blank(height, width, **fields):
    return Batch(("a",), torch.zeros(1, 3, height, width), **fields)


@given(st.integers(3, 30), st.integers(3, 30), SEEDS)
def test_points_go_where_their_pixels_go(height, width, seed):
    rng = np.random.default_rng(seed)
    # Pixels of the frame may be repeated; the others go to one place or out of the image.
    places = rng.integers([1, 1], [width - 1, height - 1], (6, 2))
    points = torch.from_numpy(np.column_stack([places, rng.integers(0, 4, 6)]))
    numbers = torch.arange(len(points))
    given = blank(
        height, width, points=(points,), objects=(numbers,), scores=one_hot(points, height, width)
    )
    moved = augment(given, MOVES, generator(seed))
    kept = [number for number, spot in enumerate(moved.scores[0]) if spot.any()]
    assert moved.objects[0].tolist() == kept
    wanted = [
        (*spot.nonzero()[0].flip(0).tolist(), kind)
        for spot, kind in zip(moved.scores[0], points[:, 2].tolist(), strict=True)
        if spot.any()
    ]
    assert [tuple(row) for row in moved.points[0].tolist()] == wanted


@given(st.integers(1, 30), st.integers(1, 30), SEEDS)
def test_boxes_stay_tight_around_what_they_hold(height, width, seed):
    rng = np.random.default_rng(seed)
    low = rng.integers([0, 0], [width, height], (5, 2))
    high = rng.integers(low + 1, [width + 1, height + 1])
    boxes = torch.from_numpy(np.column_stack([low, high, rng.integers(1, 4, 5)]))
    maps = torch.zeros(1, 5, height, width)
    for number, (x0, y0, x1, y1, _) in enumerate(boxes.tolist()):
        maps[0, number, y0:y1, x0:x1] = 1
    moved = augment(blank(height, width, boxes=(boxes,), scores=maps), MOVES, generator(seed))
    wanted = []
    for held, kind in zip(moved.scores[0], boxes[:, 4].tolist(), strict=True):
        if held.any():
            y, x = held.nonzero().T
            wanted.append([x.min(), y.min(), x.max() + 1, y.max() + 1, kind])
    assert moved.boxes[0].tolist() == wanted


@given(st.integers(3, 30), st.integers(3, 30), SEEDS)
def test_scribbles_go_where_their_pixels_go(height, width, seed):
    rng = np.random.default_rng(seed)
    scribble = torch.from_numpy(rng.choice([0, 1, 2, 255], (1, height, width)))
    scribble[:, [0, -1]] = 255
    scribble[:, :, [0, -1]] = 255
    given = blank(height, width, scribble=scribble, scores=scribble[None].float())
    recipe = replace(MOVES, crop=min(height, width))  # a larger one repeats what was shifted
    moved = augment(given, recipe, generator(seed))
    assert torch.equal(moved.scribble, moved.scores[0].long())


def test_nobody_drew_or_clicked_on_an_edge_that_is_repeated():
    full = torch.ones(1, 12, 12, dtype=torch.int64)
    y, x = full[0].nonzero().T
    points = torch.stack([x, y, torch.ones_like(x)], dim=1)
    for seed in range(40):
        given = blank(12, 12, scribble=full, points=(points,), saliency=full[None].float())
        moved = augment(given, MOVES, generator(seed))
        drawn = moved.scribble[0] == 1
        assert drawn.sum() == len(moved.points[0]) <= 144
        assert (moved.scribble[0][~drawn] == 255).all()
        assert moved.saliency.eq(1).all()
        x, y, _ = moved.points[0].T
        assert drawn[y, x].all()


@given(SEEDS)
def test_extreme_clicks_keep_their_order_and_leave_together(seed):
    rng = np.random.default_rng(seed)
    mask = torch.zeros(30, 34, dtype=torch.int64)
    mask[2:14, 3:20], mask[16:28, 12:30] = 1, 2
    clicks = Annotator(seed=seed).label("extremes", "a", mask)
    each = torch.cat([clicks, torch.arange(2).view(2, 1, 1).expand(2, 4, 1)], dim=2)
    given = blank(30, 34, extremes=(clicks,), points=(each.flatten(0, 1),))
    crop = int(rng.integers(8, 40))
    moved = augment(given, replace(MOVES, crop=crop), generator(seed))
    left = [moved.points[0][moved.points[0][:, 2] == number] for number in (0, 1)]
    whole = [points[:, :2] for points in left if len(points) == 4]
    assert len(moved.extremes[0]) == len(whole)
    for found, points in zip(moved.extremes[0], whole, strict=True):
        assert sorted(found.tolist()) == sorted(points.tolist())
        x, y = found.T
        assert (x[0], x[1], y[2], y[3]) == (x.min(), x.max(), y.min(), y.max())


def labelled(seed, height=32, width=40):
    mask = torch.zeros(height, width, dtype=torch.int64)
    mask[6:25, 8:29] = 1
    person = Annotator(seed=seed)
    return blank(
        height, width,
        boxes=(person.label("boxes", "a", mask),),
        points=(person.label("points", "a", mask),),
        objects=(person.label("objects", "a", mask),),
        extremes=(person.label("extremes", "a", mask),),
        scribble=person.label("scribble", "a", mask)[None],
        saliency=(mask > 0).float()[None, None],
    )  # fmt: skip


@settings(deadline=None)
@given(SEEDS)
def test_labels_of_one_object_stay_together_through_everything(seed):
    moved = augment(labelled(seed), WILD, generator(seed))
    assert moved.image.shape[-2:] == moved.scribble.shape[-2:] == (18, 18)
    assert len(moved.objects[0]) == len(moved.points[0])
    rows, columns = (moved.scribble[0] == 1).nonzero().T
    clicks = moved.extremes[0].flatten(0, 1)
    x = torch.cat([columns, clicks[:, 0], moved.points[0][:, 0]])
    y = torch.cat([rows, clicks[:, 1], moved.points[0][:, 1]])
    if len(x):
        ((x0, y0, x1, y1, kind),) = moved.boxes[0].tolist()
        assert kind == 1
        assert x0 <= x.min()
        assert x.max() < x1
        assert y0 <= y.min()
        assert y.max() < y1


@settings(deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), SEEDS)
def test_rescaled_strokes_hold_together_and_boxes_cover_what_they_touch(height, width, seed):
    given = labelled(seed)
    scaled = rescale(given, (height, width))
    assert scaled.scribble.shape == (1, height, width)
    stroke = (scaled.scribble[0] == 1).numpy()
    assert components(stroke, connectivity=2).max() == 1
    x0, y0, x1, y1, _ = given.boxes[0][0].tolist()
    wanted = (
        np.floor(x0 * width / 40 + 1e-9), np.floor(y0 * height / 32 + 1e-9),
        np.ceil(x1 * width / 40 - 1e-9), np.ceil(y1 * height / 32 - 1e-9),
    )  # fmt: skip
    assert tuple(scaled.boxes[0][0, :4].tolist()) == wanted
    centre = (given.points[0][0, :2] + 0.5) * torch.tensor([width / 40, height / 32])
    assert ((centre - 0.5 - scaled.points[0][0, :2]).abs() <= 0.5 + 1e-5).all()


def test_no_size_leaves_the_range_of_an_image():
    """The weights of a resized pixel add up to 1 only roughly: white may come out above 1."""
    white = Batch(("a",), torch.ones(1, 3, 37, 53))
    sizes = [(height, height + 9) for height in range(5, 60)]
    assert all(rescale(white, size).image.max() <= 1 for size in sizes)


def test_doubling_is_exact():
    given = labelled(3)
    doubled = rescale(given, (64, 80))
    grown = given.scribble.repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert torch.equal(doubled.scribble, grown)
    assert torch.equal(doubled.boxes[0][:, :4], 2 * given.boxes[0][:, :4])
    back = rescale(doubled, (32, 40))
    assert torch.equal(back.scribble, given.scribble)
    for name in ("points", "boxes", "extremes"):
        assert torch.equal(getattr(back, name)[0], getattr(given, name)[0])


def test_without_augmentation_nothing_is_touched():
    given = labelled(0)
    assert augment(given, STILL, generator()) is given


@pytest.mark.parametrize("recipe", [MOVES, WILD])
def test_images_without_labels_of_a_kind_and_batches(recipe):
    none = replace(
        labelled(0),
        boxes=(torch.zeros(0, 5).long(),),
        points=(torch.zeros(0, 3).long(),),
        objects=(torch.zeros(0).long(),),
        extremes=(torch.zeros(0, 4, 2).long(),),
    )
    moved = collate([augment(batch, recipe, generator(1)) for batch in (none, labelled(1))])
    assert moved.scribble.shape == (2, 18, 18)
    assert len(moved.boxes[0]) == len(moved.points[0]) == 0
    assert len(moved.extremes) == len(moved.boxes) == 2


def test_absent_classes_are_not_resized_and_change_nothing():
    maps = torch.rand(2, 5, 9, 7)
    maps[0, 1] = maps[1, 3:] = 0
    assert torch.equal(resize_present(maps, (20, 11)), resize(maps, (20, 11)).clamp(0, 1))
    assert resize_present(torch.zeros(1, 3, 4, 4), (2, 2)).shape == (1, 3, 2, 2)
