"""Images that are mixed along labels."""

import itertools

import torch

from wsss_lib.blocks.augment.mix import (
    Labelled,
    border_of,
    cut_mix,
    half_of_the_classes,
    paste_classes,
)
from wsss_lib.core import IGNORE


def shown():
    """Labels of three images: three classes, one class, and background alone."""
    labels = torch.zeros(3, 4, 6, dtype=torch.long)
    labels[0, 0], labels[0, 1], labels[0, 2], labels[0, 3, :2] = 1, 2, 4, IGNORE
    labels[1, 1:3, 2:4] = 3
    return labels


def test_half_of_the_classes_are_cut_out_whole_and_by_lot():
    torch.manual_seed(0)
    labels, drawn = shown(), set()
    for _ in range(40):
        cut = half_of_the_classes(labels, 4)
        kinds = {int(c) for c in labels[0][cut[0]]}
        assert len(kinds) == 2, "half of three, rounded up"
        assert torch.equal(cut[0], torch.isin(labels[0], torch.tensor([*kinds])))
        assert torch.equal(cut[1], labels[1] == 3)
        assert not cut[2].any()
        drawn.add(frozenset(kinds))
    assert len(drawn) == 3


def test_what_is_not_known_and_the_background_are_never_cut_out():
    assert not half_of_the_classes(torch.full((1, 3, 3), IGNORE), 255).any()
    assert not half_of_the_classes(torch.zeros(1, 3, 3, dtype=torch.long), 2).any()


def test_a_border_lies_within_a_pixel_of_it_on_either_side():
    torch.manual_seed(0)
    masks = torch.rand(2, 6, 7) < 0.2
    masks[1] = True
    found = border_of(masks)
    for b, y, x in itertools.product(range(2), range(6), range(7)):
        around = masks[b, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        assert found[b, y, x] == (bool(around.any()) and not bool(around.all()))
    assert not found[1].any(), "the edge of the image is no border"


def four():
    """Four images, what was given of them, and what was found."""
    torch.manual_seed(1)
    image, given = torch.rand(4, 3, 5, 6), torch.zeros(4, 5, 6, dtype=torch.long)
    found, sure = given.clone(), torch.rand(4, 5, 6) < 0.7
    found[:, 1:4, 1:4] = torch.tensor([1, 2, 2, 1]).view(4, 1, 1)
    given[:, :2] = 2
    return Labelled(image, given, torch.ones_like(sure)), Labelled(image, found, sure)


def test_sure_classes_of_the_image_half_a_batch_away_are_pasted_where_they_were():
    given, found = four()
    (image, labels, sure), border = paste_classes(given, found, 2, 1.0)
    for b in range(4):
        donor = (b + 2) % 4
        cut = (found.labels[donor] > 0) & found.sure[donor]
        assert torch.equal(image[b], torch.where(cut, given.image[donor], given.image[b]))
        wanted = torch.where(cut, found.labels[donor], found.labels[b])
        assert torch.equal(labels[b], wanted)
        assert torch.equal(sure[b], torch.where(cut, found.sure[donor], found.sure[b]))
        assert torch.equal(border[b], border_of(cut[None])[0])


def test_an_image_that_is_not_drawn_stays_as_it_was_given():
    given, found = four()
    mixed, border = paste_classes(given, found, 2, 0.0)
    assert all(torch.equal(one, other) for one, other in zip(mixed, given, strict=True))
    assert not border.any()
    drawn = [paste_classes(given, found, 2, 0.5)[1].flatten(1).any(dim=1) for _ in range(60)]
    assert 0.35 < torch.stack(drawn).float().mean() < 0.65


def test_a_partner_without_anything_sure_gives_nothing():
    given, found = four()
    unsure = found._replace(sure=torch.zeros_like(found.sure))
    (image, labels, sure), border = paste_classes(given, unsure, 2, 1.0)
    assert torch.equal(image, given.image)
    assert torch.equal(labels, found.labels)
    assert not sure.any()
    assert not border.any()


def test_a_box_of_one_image_is_put_into_another_at_its_place():
    """Images carry their number, so that every pixel says where it comes from."""
    torch.manual_seed(0)
    count = 6
    numbers = torch.arange(count).view(-1, 1, 1)
    where = torch.arange(140).view(10, 14)
    image = torch.stack([numbers + 0 * where, where + 0 * numbers, where + 0 * numbers], dim=1)
    image, labels = image.float(), (numbers + 0 * where).long()
    chosen = torch.tensor([True, True, False, True, True, False])
    areas, orders = [], set()
    for _ in range(200):
        mixed, said = cut_mix(image, labels, chosen)
        assert torch.equal(mixed[:, 0].long(), said), "labels go with their pixels"
        assert torch.equal(mixed[:, 1], image[:, 1]), "nothing moves"
        assert torch.equal(said[~chosen], labels[~chosen])
        sources = []
        for b in range(count):
            moved = said[b] != b
            others = said[b][moved].unique().tolist()
            assert len(others) <= 1
            if moved.any():
                rows, columns = moved.nonzero().amin(dim=0), moved.nonzero().amax(dim=0) + 1
                assert moved.sum() == (columns - rows).prod(), "what is moved is a box"
                areas.append(float(moved.sum()) / 140)
            sources.append(others[0] if others else b)
        assert sorted(sources) == list(range(count)) or not any(areas)
        orders.add(tuple(sources))
    assert len(orders) > 10
    assert min(areas) < 0.1
    assert max(areas) > 0.6
    assert 0.25 < sum(areas) / len(areas) < 0.5, "half the image, cut off at its border"
    alone = cut_mix(image, labels, torch.zeros(count, dtype=torch.bool))
    assert torch.equal(alone[0], image)


def test_the_box_has_the_sides_that_are_drawn(monkeypatch):
    """A quarter of the area is left out by r = .75: sides are halved."""
    monkeypatch.setattr(torch, "rand", lambda *_: torch.tensor(0.75))
    monkeypatch.setattr(torch, "randint", lambda high, _: torch.tensor(high // 2))
    monkeypatch.setattr(torch, "randperm", lambda n, **_: torch.arange(n).roll(1))
    labels = torch.arange(3).view(3, 1, 1).expand(3, 8, 12)
    _, said = cut_mix(torch.zeros(3, 3, 8, 12), labels, torch.ones(3, dtype=torch.bool))
    expected = labels.clone()
    expected[:, 2:6, 3:9] = torch.tensor([2, 0, 1]).view(3, 1, 1)
    assert torch.equal(said, expected)
