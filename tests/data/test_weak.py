"""Weak labels: inside their object, the same for the same person, and drawn as people draw."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from skimage.measure import label as components

from wsss_lib.blocks.regions.superpixels import extreme_contour
from wsss_lib.core import InputError
from wsss_lib.data.toy import toy_scene
from wsss_lib.data.weak import (
    MADE,
    Annotator,
    boxes_from_masks,
    extremes_from_masks,
    objects_from_mask,
    points_from_masks,
    scribbles_from_masks,
)
from wsss_lib.results import read_result

SEEDS = st.integers(0, 2**32)


@st.composite
def drawings(draw):
    """A mask and its instances: rectangles and discs that overlap, touch the frame, and void."""
    h, w = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(SEEDS))
    mask, instances = np.zeros((h, w), np.int64), np.zeros((h, w), np.int64)
    rows, columns = np.mgrid[:h, :w]
    for number in range(1, draw(st.integers(0, 4)) + 1):
        y, x, height, width = rng.integers(0, [h, w, h + 1, w + 1])
        here = np.s_[y : y + height + 1, x : x + width + 1]
        place = np.zeros((h, w), bool)
        place[here] = True
        if rng.random() < 0.5:
            place = (rows - y) ** 2 + (columns - x) ** 2 <= height**2
        mask[place], instances[place] = rng.integers(1, 4), number
    void = rng.random((h, w)) < draw(st.sampled_from([0.0, 0.1]))
    mask[void] = instances[void] = 255
    return torch.from_numpy(mask), torch.from_numpy(instances)


def numbers_of(instances):
    return [n for n in instances.unique().tolist() if n not in (0, 255)]


def rng(seed=0):
    return np.random.default_rng(seed)


def bar(height=40, width=100, thick=9):
    """A lying bar of class 2 in an empty image."""
    mask = torch.zeros(height, width, dtype=torch.int64)
    top = (height - thick) // 2
    mask[top : top + thick, 10 : width - 10] = 2
    return mask


@given(drawings())
def test_boxes_are_tight(drawing):
    mask, instances = drawing
    boxes = boxes_from_masks(mask, instances)
    assert len(boxes) == len(numbers_of(instances))
    for (x0, y0, x1, y1, kind), number in zip(boxes.tolist(), numbers_of(instances), strict=True):
        y, x = (instances == number).nonzero().T
        assert (x0, y0, x1, y1) == (x.min(), y.min(), x.max() + 1, y.max() + 1)
        assert (mask[y, x] == kind).all()


@given(drawings(), SEEDS)
def test_boxes_with_an_error_keep_a_pixel_inside_the_image(drawing, seed):
    mask, instances = drawing
    boxes = boxes_from_masks(mask, instances, 0.5, rng(seed))
    assert len(boxes) == len(numbers_of(instances))
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] < boxes[:, 2:4]).all()
    assert (boxes[:, 2:4] <= torch.tensor([mask.shape[1], mask.shape[0]])).all()


def test_the_error_of_a_box_is_a_share_of_its_side():
    mask = torch.zeros(400, 800, dtype=torch.int64)
    mask[150:250, 200:600] = 1
    found = [boxes_from_masks(mask, mask, 0.05, rng(seed))[0, :4] for seed in range(300)]
    spread = torch.stack(found).double().std(dim=0)
    assert spread.numpy() == pytest.approx([20, 5, 20, 5], rel=0.15)
    with pytest.raises(InputError, match="needs rng="):
        boxes_from_masks(mask, mask, 0.05)


@given(drawings(), SEEDS, st.sampled_from(["centre", "uniform"]), st.integers(1, 5))
def test_points_lie_on_their_object(drawing, seed, rule, each):
    mask, instances = drawing
    points = points_from_masks(mask, instances, rng(seed), rule, each, background=2)
    x, y, kind = points.T
    assert torch.equal(mask[y, x], kind)
    assert len(points.unique(dim=0)) == len(points)
    assert (kind == 0).sum() == min(2, int((mask == 0).sum()))
    hit = instances[y, x][kind > 0].tolist()
    assert sorted(set(hit)) == numbers_of(instances)
    assert all(hit.count(number) <= each for number in hit)
    if rule == "uniform":
        sizes = {n: int((instances == n).sum()) for n in numbers_of(instances)}
        assert all(hit.count(n) == min(each, size) for n, size in sizes.items())


def test_people_click_near_the_middle():
    mask = bar(60, 100, 31)
    depth = distance_transform_edt(mask.numpy())
    deep = {}
    for rule in ("centre", "uniform"):
        points = points_from_masks(mask, mask, rng(), rule, each=200)
        deep[rule] = depth[points[:, 1], points[:, 0]]
    assert deep["uniform"].min() == 1
    assert deep["centre"].min() > 2
    # In proportion to the distance within (0, 13]: two thirds of it, against a half at random.
    assert deep["centre"].mean() > deep["uniform"].mean() + 1.5


def test_a_point_for_each_class_rather_than_each_object():
    mask = torch.zeros(20, 40, dtype=torch.int64)
    mask[5:15, 2:10] = mask[5:15, 15:25] = 3
    mask[5:15, 30:38] = 1
    assert len(Annotator().label("points", "a", mask)) == 3
    per_class = Annotator(points_on="class").label("points", "a", mask)
    assert sorted(per_class[:, 2].tolist()) == [1, 3]


@given(drawings(), SEEDS, st.integers(0, 6))
def test_extreme_clicks_lie_near_the_ends_of_their_object(drawing, seed, pert):
    mask, instances = drawing
    extremes = extremes_from_masks(mask, instances, rng(seed), pert)
    boxes = boxes_from_masks(mask, instances)
    assert len(extremes) == len(boxes)
    for clicks, box, number in zip(extremes, boxes.tolist(), numbers_of(instances), strict=True):
        x, y = clicks.T
        assert (instances[y, x] == number).all()
        off = (x[0] - box[0], box[2] - 1 - x[1], y[2] - box[1], box[3] - 1 - y[3])
        assert all(0 <= distance <= pert for distance in off)
        extreme_contour(torch.zeros(mask.shape), clicks)  # refuses clicks in another order


def test_extreme_clicks_use_their_freedom():
    mask = torch.zeros(60, 60, dtype=torch.int64)
    mask[10:50, 10:50] = 1
    left = {extremes_from_masks(mask, mask, rng(s), 3)[0, 0, 0].item() for s in range(80)}
    assert left == {10, 11, 12, 13}


@settings(deadline=None, max_examples=60)
@given(drawings(), SEEDS, st.sampled_from([1, 3, 5]))
def test_strokes_lie_inside_their_object_and_hold_together(drawing, seed, width):
    mask, instances = drawing
    scribble = scribbles_from_masks(mask, instances, rng(seed), width=width)
    drawn = scribble != 255
    assert torch.equal(scribble[drawn], mask[drawn])
    for number in numbers_of(instances):
        stroke = drawn & (instances == number)
        assert components(stroke.numpy(), connectivity=2).max() == 1
    ground = components((scribble == 0).numpy(), connectivity=2).max()
    assert ground <= 3
    assert (ground > 0) == bool((mask == 0).any())


def test_a_stroke_follows_the_longest_path_through_the_middle():
    for seed in range(20):
        scribble = scribbles_from_masks(bar(), bar(), rng(seed), (1.0, 1.0), width=1)
        rows, columns = (scribble == 2).nonzero().T
        assert columns.max() - columns.min() > 60  # the bar is 80 long and 9 thick
        assert rows.double().mean() == pytest.approx(19.5, abs=1.5)
        assert distance_transform_edt(bar().numpy())[rows, columns].min() > 1.5  # off the border
        assert len(rows) < 110


def test_a_stroke_runs_around_corners():
    mask = torch.zeros(80, 80, dtype=torch.int64)
    mask[10:70, 10:19] = mask[61:70, 10:70] = 1
    rows, columns = (scribbles_from_masks(mask, mask, rng(), (1.0, 1.0), 1) == 1).nonzero().T
    assert rows.min() < 25
    assert columns.max() > 55


def test_round_objects_get_more_than_a_dot():
    rows, columns = np.mgrid[:60, :60]
    disc = torch.from_numpy(((rows - 30) ** 2 + (columns - 30) ** 2 < 20**2).astype(np.int64))
    spans = set()
    for seed in range(10):
        y, x = (scribbles_from_masks(disc, disc, rng(seed), (1.0, 1.0), 1) == 1).nonzero().T
        spans.add((int(y.max() - y.min()), int(x.max() - x.min())))
    assert min(max(span) for span in spans) > 18
    assert len(spans) > 5  # in all directions


def test_the_length_of_a_stroke_is_a_knob_and_its_place_is_random():
    sizes, places = {}, set()
    for share in (0.3, 0.5, 0.8, 1.0):
        found = [scribbles_from_masks(bar(), bar(), rng(s), (share, share), 1) for s in range(30)]
        sizes[share] = np.mean([(s == 2).sum() for s in found])
        places |= {int((s == 2).nonzero()[:, 1].min()) for s in found if share == 0.3}
    assert sizes[0.3] < sizes[0.5] < sizes[0.8] < sizes[1.0]
    assert sizes[0.5] / sizes[1.0] == pytest.approx(0.5, abs=0.1)
    assert len(places) > 8


def test_the_hand_trembles():
    found = [scribbles_from_masks(bar(), bar(), rng(s), (1.0, 1.0), 1) == 2 for s in range(10)]
    rows = [stroke.nonzero()[:, 0].unique() for stroke in found]
    assert np.mean([len(r) for r in rows]) > 2


def test_the_background_gets_one_to_three_strokes():
    islands = torch.full((60, 200), 255)
    for x in range(0, 200, 20):
        islands[10:50, x + 4 : x + 16] = 0
    counts = {
        components((scribbles_from_masks(islands, islands, rng(s)) == 0).numpy()).max()
        for s in range(40)
    }
    assert counts == {1, 2, 3}


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 9), (7, 1)])
def test_small_objects_and_small_images(kind, shape):
    whole = torch.full(shape, 2)
    assert _objects_labelled(kind, Annotator().label(kind, "a", whole, whole)) == {2}
    inside = torch.zeros(20, 20, dtype=torch.int64)
    inside[5 : 5 + shape[0], 5 : 5 + shape[1]] = 2
    assert _objects_labelled(kind, Annotator().label(kind, "a", inside, inside)) == {2}


def _objects_labelled(kind, label):
    if kind == "extremes":
        return {2} if len(label) == 1 else set()
    if kind == "objects":  # numbers, not classes
        return {2} if label.tolist() == [1] else set()
    return set((label if kind == "scribble" else label[:, -1]).unique().tolist()) - {0, 255}


@pytest.mark.parametrize("kind", MADE)
def test_nothing_to_label(kind):
    for value in (0, 255):
        mask = torch.full((12, 12), value)
        label = Annotator().label(kind, "a", mask)
        if kind == "scribble":
            assert set(label.unique().tolist()) == ({0, 255} if value == 0 else {255})
        else:
            assert len(label) == 0
            assert label.shape[1:] == {
                "boxes": (5,), "points": (3,), "objects": (), "extremes": (4, 2)
            }[kind]  # fmt: skip


@pytest.mark.parametrize("kind", MADE)
def test_a_person_labels_an_image_the_same_way_every_time(kind):
    mask = torch.zeros(64, 64, dtype=torch.int64)
    mask[8:40, 8:56], mask[44:60, 10:50] = 1, 2
    person, other = Annotator(seed=1, box_jitter=0.05), Annotator(seed=2, box_jitter=0.05)
    first = person.label(kind, "a", mask)
    for earlier in MADE:
        person.label(earlier, "b", mask)
    assert torch.equal(first, person.label(kind, "a", mask))
    assert torch.equal(first, Annotator(seed=1, box_jitter=0.05).label(kind, "a", mask))
    if kind != "objects":  # everybody clicks on all objects in one order
        assert not torch.equal(first, other.label(kind, "a", mask))
        assert not torch.equal(first, person.label(kind, "b", mask))


def test_objects_without_an_instance_layer_are_components():
    mask = torch.zeros(100, 100, dtype=torch.int64)
    mask[5:30, 5:30] = mask[60:90, 60:90] = 1
    mask[30, 30] = 1  # touches by a corner: the same object
    mask[30:60, 40:60] = 2
    mask[45] = 255
    mask[95, 95] = 1  # a splinter, ...
    mask[2, 90] = 3  # ... and the only trace of a class
    numbers = objects_from_mask(mask)
    assert len(numbers_of(numbers)) == 5
    assert numbers[5, 5] == numbers[30, 30] != numbers[60, 60]
    assert numbers[31, 45] != numbers[50, 45]
    assert (numbers[95, 95], numbers[45, 45]) == (0, 0)
    assert numbers[2, 90] > 0


@pytest.mark.parametrize("settings", [{}, {"points_on": "class"}, {"point_rule": "uniform"}])
def test_points_are_numbered_by_the_objects_that_they_lie_on(settings):
    """Two objects of one class and two regions of stuff, of unequal numbers of pixels."""
    mask = torch.full((40, 40), 1)
    mask[:, 18:20] = 2
    instances = torch.zeros_like(mask)
    mask[4:8, 3:5] = mask[20:30, 25:35] = 3
    instances[4:8, 3:5], instances[20:30, 25:35] = 1, 2
    mask[38:, 38:] = 0
    person = Annotator(points_each=9, background_points=2, **settings)
    points, objects = (person.label(kind, "a", mask, instances) for kind in ("points", "objects"))
    assert len(points) == len(objects)
    whose = mask if settings.get("points_on") else objects_from_mask(mask, instances)
    x, y, kinds = points.T
    for number in objects.unique().tolist():
        own = objects == number
        assert len(whose[y[own], x[own]].unique()) == 1
        assert len(kinds[own].unique()) == 1
        assert (number == 0) == (int(kinds[own][0]) == 0)
    count = 3 if settings.get("points_on") else 5
    assert objects.unique().tolist() == list(range(count + 1))
    assert objects.tolist() == [*sorted(objects.tolist())[2:], 0, 0]


def test_stuff_gets_points_and_strokes_but_no_boxes():
    scene = toy_scene(0, "scenes", "train", 1)
    mask = torch.from_numpy(scene.label.astype(np.int64))
    instances = torch.from_numpy(scene.instance.astype(np.int64))
    assert ((mask > 0) & (instances == 0)).any()
    numbers = objects_from_mask(mask, instances)
    assert torch.equal(numbers[instances > 0], instances[instances > 0])
    drawn = {kind: Annotator().label(kind, "a", mask, instances) for kind in MADE}
    assert len(drawn["boxes"]) == len(drawn["extremes"]) == len(numbers_of(instances))
    classes = set(mask.unique().tolist()) - {0}
    assert set(drawn["points"][:, 2].tolist()) == classes
    assert set(drawn["scribble"].unique().tolist()) - {0, 255} == classes


def test_scribbles_cover_a_sane_share_of_the_toy_world():
    shares = []
    for index in range(25):
        scene = toy_scene(0, "standard", "train", index)
        mask, instances = (
            torch.from_numpy(plane.astype(np.int64)) for plane in (scene.label, scene.instance)
        )
        shares.append((Annotator().label("scribble", f"{index}", mask, instances) != 255).sum())
    shares = np.array(shares) / 64**2
    assert shares.max() < 0.08
    assert 0.01 < shares.mean() < 0.05


def test_the_real_masks_are_labelled_inside_their_objects(root):
    folder = root / "results" / "weak_labels"
    found = {kind: read_result(folder / f"{kind}.json") for kind in MADE if kind != "objects"}
    for result in found.values():
        assert result["images"] == 1464
        assert all(run["inside"] == run["least_inside"] == 1 for run in result["runs"])
        assert result["summary"]["labels"] == found["boxes"]["summary"]["labels"] | {
            "n": len(result["runs"])
        }
    assert 0.01 < found["scribble"]["summary"]["labelled_share"]["mean"] < 0.06


@pytest.mark.parametrize("kind", MADE)
def test_sizes_that_differ(kind):
    with pytest.raises(InputError, match=r"mask is \(4, 5\) but the instances are \(4, 6\)"):
        Annotator().label(kind, "a", torch.zeros(4, 5).long(), torch.zeros(4, 6).long())


def test_settings_that_make_no_sense():
    mask = torch.zeros(4, 4, dtype=torch.int64)
    with pytest.raises(InputError, match="odd number, not 2"):
        Annotator(stroke_width=2).label("scribble", "a", mask)
    with pytest.raises(InputError, match="rising shares"):
        Annotator(stroke_length=(0.0, 0.5)).label("scribble", "a", mask)
    with pytest.raises(InputError, match="'centre' or 'uniform'"):
        Annotator(point_rule="middle").label("points", "a", mask)
    with pytest.raises(InputError, match="'saliency' cannot be made from masks"):
        Annotator().label("saliency", "a", mask)
