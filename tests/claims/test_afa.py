"""Ru et al. 2022: affinities learned from attention carry class maps to what belongs together."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, against_the_background, one_at_another_size, soft_margin
from wsss_lib.blocks.affinity.attention import affinity_step
from wsss_lib.blocks.refine.pamr import par
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.online.afa import AFA
from wsss_lib.nets.segmentation.mlp import AffinityFormer

TAGS = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])


class Looking(nn.Module):
    """A transformer of known attention: patches that look alike look at each other, in one head."""

    channels, strides = [4, 6], [2, 4]

    def __init__(self):
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 4, 2, 2), nn.Conv2d(3, 6, 4, 4)
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, image):
        return [self.fine(image).tanh(), self.coarse(image).tanh()]

    def attend(self, image):
        features = self(image)
        cells = nn.functional.avg_pool2d(image, 4).flatten(2)
        gaps = (cells[:, :, :, None] - cells[:, :, None]).abs().sum(dim=1)
        slanted = torch.linspace(0, 1, gaps.shape[-1]).expand_as(gaps)
        layer = torch.stack([self.gain * (0.5 - gaps), slanted], dim=1)
        return features, [layer + 5, layer, layer * 0.5]


def make(scales=(1.0,), **settings):
    torch.manual_seed(0)
    net = AffinityFormer(Looking(), 3, heads=4, width=8)

    def near(image, odds):
        return par(image, odds, (1, 2), 3, scale=1.0)

    settings = {"radius": 2, "refine": near} | settings
    return AFA(net, scales=scales, **settings).eval()


@pytest.fixture(scope="module")
def batch():
    torch.manual_seed(2)
    cells = nn.functional.interpolate(torch.rand(3, 3, 4, 6), (16, 24))
    image = 0.8 * cells + 0.2 * torch.rand(3, 3, 16, 24)
    return Batch(("a", "b", "c"), image, TAGS)


def given(maps):
    """A net's class maps, whatever the image; the mirror image gives mirrored ones."""
    looks = torch.cat([maps, maps.flip(-1)])
    return lambda image: looks[: len(image)]


def grid_of(labels, size):
    """Labels (H, W) of the pixel at the corner of each patch."""
    h, w = labels.shape
    rows, columns = (torch.arange(n) * side // n for n, side in zip(size, (h, w), strict=True))
    return labels[rows][:, columns]


def test_affinities_carry_a_map_over_the_whole_object():
    """The class map sees three quarters of the object; patches that look alike see all of it."""
    square = torch.zeros(32, 32, dtype=torch.bool)
    square[8:24, 8:24] = True
    colours = [torch.tensor(c).view(3, 1, 1) for c in ((0.9, 0.1, 0.1), (0.1, 0.3, 0.9))]
    image, tags = torch.where(square, *colours)[None], torch.tensor([[1.0, 0.0, 0.0]])

    def enlarged(image, odds):
        return nn.functional.interpolate(odds, image.shape[-2:])

    method = make(radius=3, refine=enlarged)
    part = torch.full((1, 3, 8, 8), -1.0)
    part[:, 0, 2:5, 2:6] = 1.0
    method.net.class_maps = given(part)
    with torch.no_grad():
        method.net.pairs.weight[:] = torch.tensor([9.0, 0, 9, 0]).view(1, 4, 1, 1)
        method.net.pairs.bias[:] = -6.0
    method.progress = 1.0
    found, stepped = method.own_labels(image, tags)
    assert (found[0][square] == 1).float().mean() < 0.8, "the map must lack a part"
    assert (stepped[0][square] == 1).all()
    assert (stepped[0][~square] == 0).all()


def test_it_learns_which_patches_belong_together(batch):
    """Attention that is the wrong way round is put right by the loss."""
    method = make().train()
    labels = torch.zeros(3, 16, 24, dtype=torch.long)
    labels[:, :, 12:] = 2
    image = torch.where(labels[:, None] > 0, 0.9, 0.2).expand(3, 3, 16, 24).clone()
    method.own_labels = lambda *_: (labels, labels)
    with torch.no_grad():
        method.net.pairs.weight.fill_(-1)
    method.progress = 1.0
    optimizer = torch.optim.Adam(method.net.pairs.parameters(), lr=0.2)

    def apart():
        affinity = method.net.attend(image)[1][0]
        left = (torch.arange(24) % 6) < 3
        alike = torch.cat([affinity[left][:, left], affinity[~left][:, ~left]])
        return (alike.mean() - affinity[left][:, ~left].mean()).item()

    assert apart() < 0
    for _ in range(40):
        optimizer.zero_grad()
        method.loss(Batch(batch.ids, image, TAGS))["aff"].backward()
        optimizer.step()
    assert apart() > 0.5


def labels_by_hand(method, odds_of, scores, image, b):
    """One image's labels: a high and a low background in turn, softmax, refine, argmax."""
    kinds = [0] + [c + 1 for c in range(3) if TAGS[b, c]]
    winners = []
    for bound in method.trust:
        rivals = torch.stack([torch.full_like(scores[0], bound), *scores])[kinds]
        odds = rivals.exp() / rivals.exp().sum(dim=0)
        refined = method.refine(image[None], odds_of(odds)[None])[0]
        winners.append(torch.tensor(kinds)[refined.argmax(dim=0)])
    strict, generous = winners
    labels = torch.full_like(strict, 255)
    labels[strict > 0] = strict[strict > 0]
    labels[(strict == 0) & (generous == 0)] = 0
    return labels


def test_labels_and_losses_value_by_value(batch):
    """Image by image: labels before and after the step, then each term of the loss in loops."""
    method = make(scales=(0.5, 1.0), weights=(0.3, 0.7), trust=(0.4, 0.2))
    method.progress = 0.5
    with torch.no_grad():
        method.net.pairs.weight[:] = torch.tensor([6, 0.5, 6, -0.5]).view(1, 4, 1, 1)
        method.net.pairs.bias[:] = -6.0
        found, stepped = method.own_labels(batch.image, TAGS)
        features, affinity = method.net.attend(batch.image)
        logits = method.net(batch.image)
        terms = method.loss(batch)
    expected = [[], []]
    for b in range(3):
        image = batch.image[b]
        maps = added_maps(method.net.class_maps, image, [(8, 12), (16, 24)])
        low = maps.amin(dim=(1, 2), keepdim=True)
        peak = (maps - low).amax(dim=(1, 2), keepdim=True).clamp(min=1e-5)
        scores = (maps - low) / peak * TAGS[b].view(3, 1, 1)
        expected[0].append(labels_by_hand(method, lambda odds: odds, scores, image, b))
        coarse = one_at_another_size(scores, (4, 6))

        def step(odds, b=b):
            return affinity_step(odds[None], affinity[b : b + 1], 2)[0]

        expected[1].append(labels_by_hand(method, step, coarse, image, b))
    for said, wanted in zip((found, stepped), expected, strict=True):
        assert (said == torch.stack(wanted)).float().mean() > 0.995  # ties may round apart
        kinds = said[:2].unique().tolist()
        assert {0, 1, 2, 3, 255} <= set(kinds), "the example must have all kinds of label"
    assert (found != stepped).float().mean() > 0.02
    sides = {True: [], False: []}
    for b in range(3):
        for y in range(16):
            for x in range(24):
                label = int(stepped[b, y, x])
                if label != 255:
                    chance = logits[b, :, y, x].softmax(dim=0)[label]
                    sides[label == 0].append(-chance.log())
    halves = [torch.stack(side).mean() for side in sides.values()]
    torch.testing.assert_close(terms["seg"], 0.3 * sum(halves) / 2)
    lifted, lowered = [], []
    for b in range(3):
        grid = grid_of(found[b], (4, 6))
        for i in range(24):
            for j in range(24):
                if max(abs(i // 6 - j // 6), abs(i % 6 - j % 6)) > 2:
                    continue
                one, other = grid[i // 6, i % 6], grid[j // 6, j % 6]
                if one != 255 and other != 255:
                    a = affinity[b, i, j]
                    (lifted if one == other else lowered).append(1 - a if one == other else a)
    halves = sum(lifted) / (len(lifted) + 1), sum(lowered) / (len(lowered) + 1)
    torch.testing.assert_close(terms["aff"], 0.7 * sum(halves) / 2)
    pooled = torch.stack([torch.stack([c.max() for c in maps]) for maps in features[-1]])
    scores = (pooled @ method.net.classifier.weight[:, :, 0, 0].T).detach()
    torch.testing.assert_close(terms["cls"], soft_margin(scores, TAGS))


@pytest.mark.parametrize(
    ("progress", "learns", "steps"),
    [(0.0, False, False), (0.1, True, False), (0.29, True, False), (0.3, True, True)],
)
def test_one_thing_after_the_other(batch, progress, learns, steps):
    method = make()
    method.progress = progress
    sum(method.loss(batch).values()).backward()
    parts = (method.net.decoder.classifier.weight, method.net.pairs.weight)
    assert [bool(part.grad.any()) for part in parts] == [learns] * 2
    found, stepped = method.own_labels(batch.image, TAGS)
    assert torch.equal(found, stepped) != steps


def test_labels_carry_no_gradient(batch):
    """Pairs learn from the loss of pairs alone, not from the labels that they help to make."""
    method = make(weights=(1.0, 0.0))
    method.progress = 1.0
    sum(method.loss(batch).values()).backward()
    assert not method.net.pairs.weight.grad.any()
    assert not any(value.requires_grad for value in method.net.look(batch.image, TAGS, (1.0,)))


def test_the_affinities_are_those_of_the_largest_look(batch):
    method = make(scales=(1.0, 1.5, 0.5))
    _, coarse, affinity = method.net.look(batch.image, TAGS, method.scales)
    assert affinity.shape == (3, 54, 54)
    assert coarse.shape == (3, 3, 6, 9)


def test_the_read_out_is_the_network_against_the_background(batch):
    """The largest logits over the sizes, each the mean of an image and its mirror image."""
    method = make(scales=(1.0, 1.5))
    said = method.predict(batch).detach()
    for b in range(2):
        looks = []
        for size in ((16, 24), (24, 36)):
            seen = one_at_another_size(batch.image[b], size)[None]
            with torch.no_grad():
                mean = (method.net(seen) + method.net(seen.flip(-1)).flip(-1)) / 2
            looks.append(one_at_another_size(mean[0], (16, 24)))
        chances = torch.maximum(*looks).exp()
        expected = against_the_background(chances, TAGS[b])
        torch.testing.assert_close(said[b], expected, atol=1e-5, rtol=1e-4)
    alone = method.predict(Batch(batch.ids, batch.image)).detach()
    assert (alone[2] > 0).all(), "without tags every class may answer"
