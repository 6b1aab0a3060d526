"""Li et al. 2023: a kernel for each thing, from clicks; its product with the image is the mask."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from wsss_lib.blocks.regions.panoptic import Reading
from wsss_lib.core import Batch, InputError, TellsObjects
from wsss_lib.methods.point.panoptic_fcn_point import PanopticFCN
from wsss_lib.nets.marks.panoptic import toy_panoptic
from wsss_lib.recipes import chain

SIZE = 32
Y, X = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
LEFT, RIGHT = X < 16, X >= 16


class Told(nn.Module):
    """A panoptic network that answers what it holds, whatever the image."""

    def __init__(self, centres, regions, kernels, encoded):
        super().__init__()
        self.backbone = nn.Identity()
        self.maps = nn.ParameterList([centres, regions, kernels, encoded])

    def forward(self, image):
        return tuple(self.maps)


def two_of_a_class():
    """Two red bars that touch the same ground, twenty clicks on each and on the ground."""
    chance = torch.Generator().manual_seed(0)
    image = torch.tensor([0.2, 0.6, 0.2]).view(3, 1, 1).repeat(1, SIZE, SIZE)
    first = (Y >= 4) & (Y < 28) & (X >= 4) & (X < 13)
    second = (Y >= 4) & (Y < 28) & (X >= 19) & (X < 28)
    image[:, first | second] = torch.tensor([0.8, 0.2, 0.1])[:, None]
    masks = {(2, 1): first, (2, 2): second, (1, 3): ~(first | second)}
    points, objects = [], []
    for (kind, number), mask in masks.items():
        places = mask.nonzero()[torch.randperm(int(mask.sum()), generator=chance)[:20]]
        points += [(int(x), int(y), kind) for y, x in places]
        objects += [number] * 20
    batch = Batch(
        ("a",), image[None], points=(torch.tensor(points),), objects=(torch.tensor(objects),)
    )
    return batch, first, second


def trained(batch, steps=40):
    """The network of the toy world after a few steps on one image."""
    torch.manual_seed(0)
    method = PanopticFCN(toy_panoptic(1, 2), Reading(2, (2,), most=4))
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-3)
    method.train()
    for _ in range(steps):
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method


def iou(one, other):
    return float((one & other).sum() / (one | other).sum())


def test_two_things_of_one_class_and_one_colour_become_two_objects():
    batch, first, second = two_of_a_class()
    classes, objects = trained(batch).panoptic(batch)
    assert classes.shape == objects.shape == (1, SIZE, SIZE)
    found = [objects[0] == number for number in objects.unique().tolist() if number]
    for mask in (first, second):
        best = max(found, key=lambda one: iou(one, mask))
        assert iou(best, mask) > 0.6
        assert (classes[0][best] == 2).all()
    assert (classes[0][objects[0] == 0] < 2).all()
    assert isinstance(PanopticFCN.toy(3), TellsObjects)


def random_answers(seed=0, b=2, things=2, stuff=2, dim=3, size=(6, 8), image=(12, 16)):
    chance = torch.Generator().manual_seed(seed)
    shapes = ((b, things, *size), (b, stuff + 1, *size), (b, dim, *size), (b, dim, *image))
    return [torch.randn(*shape, generator=chance) for shape in shapes]


CLICKS = (
    torch.tensor([[1, 1, 3], [2, 5, 3], [4, 3, 3], [9, 2, 3], [14, 10, 2], [13, 4, 1], [6, 9, 0]]),
    torch.tensor([[3, 3, 2], [5, 8, 2], [0, 11, 1], [15, 0, 1], [8, 8, 1]]),
)
OBJECTS = (torch.tensor([1, 1, 1, 2, 3, 4, 0]), torch.tensor([1, 1, 2, 2, 3]))
"""Class 0 and 1 are stuff; two things of class 3 and one of 2, and one of 2."""


def handmade(**settings):
    """Clicks on two images of 12 x 16 pixels, whose maps have 6 x 8 cells."""
    answers = random_answers()
    method = PanopticFCN(Told(*answers), Reading(3, (2, 3)), **settings)
    batch = Batch(("a", "b"), torch.rand(2, 3, 12, 16), points=CLICKS, objects=OBJECTS)
    return method, batch, answers


def focal(logit, target, alpha=0.25, gamma=2):
    p = logit.sigmoid()
    sure = p * target + (1 - p) * (1 - target)
    entropy = -(target * p.log() + (1 - target) * (1 - p).log())
    return (alpha * target + (1 - alpha) * (1 - target)) * (1 - sure) ** gamma * entropy


def dice(probabilities, own):
    above = sum(2 * p for p, mine in zip(probabilities, own, strict=True) if mine)
    return 1 - above / (sum(p * p for p in probabilities) + sum(own))


@pytest.mark.parametrize("settings", [{}, {"positions": 2, "weight": 1.5}])
def test_losses_value_by_value(settings):
    method, batch, (centres, regions, kernels, encoded) = handmade(**settings)
    positions, weight = settings.get("positions", 7), settings.get("weight", 3.0)
    wanted, things, kinds = dict.fromkeys(("centre", "region", "thing", "stuff"), 0.0), 0, 0
    for b in range(2):
        clicks, numbers = CLICKS[b].tolist(), OBJECTS[b].tolist()
        cells = [(y // 2, x // 2) for x, y, _ in clicks]
        heat = torch.zeros(2, 6, 8)
        own = {}
        for place, ((_, _, kind), number) in enumerate(zip(clicks, numbers, strict=True)):
            own.setdefault((kind, number if kind > 1 else -1), []).append(place)
        for (kind, _), places in own.items():
            if kind < 2:
                continue
            xs, ys = ([clicks[place][axis] for place in places] for axis in (0, 1))
            column, row = (int((sum(v) / len(v) + 0.5) / 2) for v in (xs, ys))
            side = sum((max(v) - min(v) + 1) / 2 for v in (xs, ys)) / 2
            spread = max(side / 6, 1 / 3)
            for y in range(6):
                for x in range(8):
                    far = (y - row) ** 2 + (x - column) ** 2
                    value = torch.tensor(-far / (2 * spread**2)).exp()
                    heat[kind - 2, y, x] = heat[kind - 2, y, x].maximum(value)
        for k, y, x in ((k, y, x) for k in range(2) for y in range(6) for x in range(8)):
            wanted["centre"] += focal(centres[b, k, y, x], heat[k, y, x])
        for (y, x), (_, _, kind) in zip(cells, clicks, strict=True):
            for row in range(3):
                owed = focal(regions[b, row, y, x], float(row == min(kind, 2)))
                wanted["region"] += owed / len(clicks) / 2
        for (kind, _), places in own.items():
            mine = [place in places for place in range(len(clicks))]
            at = [encoded[b, :, y, x] for x, y, _ in clicks]
            if kind < 2:
                kernel = sum(kernels[b][:, *cells[place]] for place in places) / len(places)
                wanted["stuff"] += dice([(kernel @ e).sigmoid() for e in at], mine)
                kinds += 1
                continue
            likely = [(centres[b, kind - 2][cells[place]].sigmoid(), place) for place in places]
            best = sorted(likely, key=lambda one: -float(one[0]))[:positions]
            owed = [
                chance * dice([(kernels[b][:, *cells[place]] @ e).sigmoid() for e in at], mine)
                for chance, place in best
            ]
            wanted["thing"] += sum(owed) / sum(chance for chance, _ in best)
            things += 1
    assert (things, kinds) == (4, 3)
    found = {name: value.item() for name, value in method.loss(batch).items()}
    position = wanted["centre"] / things + wanted["region"]
    masks = weight * (wanted["thing"] / things + wanted["stuff"] / kinds)
    assert found == pytest.approx({"position": position.item(), "masks": masks.item()}, rel=1e-4)


def test_a_mask_is_linear_in_its_kernel_before_the_sigmoid():
    """The kernel of a thing decides its mask; nothing else of the network is asked."""
    method, batch, (centres, _, kernels, encoded) = handmade()
    scores = method.read(batch.image)[2]
    doubled = PanopticFCN(
        Told(centres, *random_answers()[1:2], kernels, 2 * encoded), method.reading
    )
    twice = PanopticFCN(Told(centres, *random_answers()[1:2], 2 * kernels, encoded), method.reading)
    torch.testing.assert_close(doubled.read(batch.image)[2], twice.read(batch.image)[2])
    assert not torch.allclose(doubled.read(batch.image)[2], scores)


def by_hand(centres, regions, kernels, encoded, reading):
    """Classes, objects and scores of one image, from loops."""
    k, h, w = reading.num_classes + 1, *encoded.shape[1:]
    heat = centres.sigmoid()
    found = []
    padded = nn.functional.pad(heat, (1, 1, 1, 1))
    smooth = torch.zeros_like(heat)
    rows, columns = heat.shape[1:]
    for t, y, x in (
        (t, y, x) for t in range(len(heat)) for y in range(rows) for x in range(columns)
    ):
        smooth[t, y, x] = (heat[t, y, x] + padded[t, y : y + 3, x : x + 3].sum() / 9) / 2
    for t, y, x in (
        (t, y, x) for t in range(len(heat)) for y in range(rows) for x in range(columns)
    ):
        near = smooth[t, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        if smooth[t, y, x] == near.max():
            found.append((float(smooth[t, y, x]), t, kernels[:, y, x]))
    found.sort(key=lambda one: -one[0])
    groups = []
    for place, (score, t, kernel) in enumerate(found):
        alike = [
            other
            for other in range(place)
            if found[other][1] == t
            and torch.cosine_similarity(found[other][2], kernel, 0) >= reading.alike
        ]
        first = min([*alike, place])
        if first == place:
            groups.append((place, score, t, [kernel]))
        else:
            for group in groups:
                if group[0] == first:
                    group[3].append(kernel)
    scores = torch.zeros(k, h, w)
    painted = []
    for _, score, t, members in groups:
        mask = torch.einsum("d,dhw->hw", torch.stack(members).mean(dim=0), encoded).sigmoid()
        inside = mask > reading.certain
        sure = score * float(mask[inside].mean()) if inside.any() else 0.0
        kind = reading.things[t]
        scores[kind] = scores[kind].maximum(sure * mask)
        painted.append((sure, kind, inside))
    classes, below = torch.zeros(h, w, dtype=torch.long), torch.full((h, w), -1.0)
    winner = regions.sigmoid().argmax(dim=0)
    for s, kind in enumerate(reading.stuff):
        own = winner == s
        there = bool(own.any())
        if not there:
            own = regions[s] == regions[s].max()
        mask = torch.einsum("d,dhw->hw", kernels[:, own].mean(dim=1), encoded).sigmoid()
        scores[kind] = scores[kind].maximum(regions[s].sigmoid()[own].mean() * mask)
        ahead = (mask > below) & there
        classes[ahead], below = kind, torch.where(ahead, mask, below)
    objects = torch.zeros(h, w, dtype=torch.long)
    number = 0
    for sure, kind, inside in sorted(painted, key=lambda one: -one[0]):
        free = inside & (objects == 0)
        if sure >= reading.least and inside.any() and free.sum() >= inside.sum() / 2:
            number += 1
            objects[free], classes[free] = number, kind
    return classes, objects, scores[1:]


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_value_by_value(known):
    """Two images; alike kernels are joined, weak things left out, and stuff is what is left."""
    answers = random_answers(seed=4)
    answers[0] = 2 * answers[0]
    answers[2][0] = answers[2][0, :, :1, :1] + 0.2 * answers[2][0]  # mostly alike
    method = PanopticFCN(Told(*answers), Reading(3, (2, 3), least=0.35))
    tags = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    batch = Batch(("a", "b"), torch.rand(2, 3, 12, 16), tags if known else None)
    with torch.no_grad():
        said, (classes, objects) = method.predict(batch), method.panoptic(batch)
    for b in range(2):
        wanted = by_hand(*(maps[b] for maps in answers), method.reading)
        assert torch.equal(classes[b], wanted[0])
        assert torch.equal(objects[b], wanted[1])
        for c in (1, 2, 3):
            value = (wanted[2][c - 1] + (wanted[0] == c)) / 2
            kept = value * (tags[b, c - 1] if known else 1)
            torch.testing.assert_close(said[b, c - 1], kept, atol=1e-5, rtol=0)
    assert objects.max() > 1
    assert {0, 1} & set(classes.unique().tolist())


def test_it_needs_clicks_and_whose_they_are():
    _, batch, _ = handmade()
    for missing in ("points", "objects"):
        with pytest.raises(InputError, match=missing):
            PanopticFCN.toy(3).loss(replace(batch, **{missing: None}))
    assert chain("panoptic_fcn_point") == ("panoptic_fcn_point",)


def test_of_the_toy_scenes_the_last_six_classes_are_things():
    for count, things in ((12, (7, 8, 9, 10, 11, 12)), (6, (1, 2, 3, 4, 5, 6)), (3, (1, 2, 3))):
        reading = PanopticFCN.toy(count).reading
        assert reading.things == things
        assert reading.stuff == (0, *range(1, things[0]))


def test_images_without_a_click_of_some_kind_teach_the_rest():
    method, batch, _ = handmade()
    none = replace(batch, points=(CLICKS[0][:0],) * 2, objects=(OBJECTS[0][:0],) * 2)
    terms = method.loss(none)
    assert terms["masks"] == 0
    assert terms["position"] > 0, "no thing is anywhere"
    sum(terms.values()).backward()
