"""Ru et al. 2023: contrast keeps deep tokens apart, taught by a layer that tells them apart."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.loops import added_maps, against_the_background
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.online.toco import ToCo
from wsss_lib.nets.heads.contrast import ContrastNet

RED, GREEN, BLUE = (0.9, 0.1, 0.1), (0.1, 0.8, 0.2), (0.1, 0.3, 0.9)


class Smoothing(nn.Module):
    """A middle layer that sees the colours, and a last one in which all tokens are nearly equal."""

    channels, strides = [8, 8], [4, 4]

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 4, 4)
        self.mix = nn.Conv2d(8, 8, 1)

    def forward(self, image):
        middle = self.embed(image).tanh()
        smooth = 0.4 * middle + middle.mean(dim=(2, 3), keepdim=True)
        return [middle, self.mix(smooth)]


class Given(nn.Module):
    """Answers the same whatever it is asked."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, *_):
        return self.value


def make(level=0, **settings):
    torch.manual_seed(0)
    net = ContrastNet(Smoothing(), 2, level, dilation=1, hidden=8, detail=4)
    settings = {"crops": (4, 8), "dilations": (1,), "scales": (1.0,)} | settings
    return ToCo(net, **settings)


@pytest.fixture(scope="module")
def batch():
    """Two pictures of a red square on blue, and two of a green one."""
    image = torch.tensor(BLUE).view(1, 3, 1, 1).repeat(4, 1, 32, 32)
    image[:2, :, 8:24, 8:24] = torch.tensor(RED).view(3, 1, 1)
    image[2:, :, 8:24, 8:24] = torch.tensor(GREEN).view(3, 1, 1)
    image = image + 0.03 * torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    image = image.clamp(0, 1)
    return Batch(("a", "b", "c", "d"), image, torch.eye(2).repeat_interleave(2, dim=0))


def trained(batch, steps=100, drop=(), **settings):
    method = make(**settings).train()
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=0.02)
    for step in range(steps):
        method.progress = step / steps
        terms = method.loss(batch)
        optimizer.zero_grad()
        sum(term for name, term in terms.items() if name not in drop).backward()
        optimizer.step()
    return method.eval()


@pytest.fixture(scope="module")
def whole(batch):
    """The system after its training."""
    return trained(batch)


def likeness(method, batch):
    """Mean cosine between last tokens of the object and of the background."""
    tokens = F.normalize(method.net(batch.image)[0][0], dim=0)
    return (tokens[:, 3:5, 3:5].flatten(1).mean(1) @ tokens[:, 0].mean(1)).item()


def test_patch_contrast_keeps_object_and_background_apart(batch, whole):
    assert likeness(make(), batch) > 0.95, "the example must begin with tokens that are all alike"
    without = likeness(trained(batch, drop=("ptc",)), batch)
    assert without > 0.5
    assert abs(likeness(whole, batch)) < without - 0.15


def test_relations_come_from_the_middle_layer(batch):
    """The auxiliary classifier alone decides which pairs are pulled and pushed."""
    method = make()
    before = method.loss(batch)["ptc"]
    with torch.no_grad():
        method.net.classifier.weight.neg_()
    assert torch.equal(method.loss(batch)["ptc"], before)
    with torch.no_grad():
        method.net.auxiliary.weight.neg_()
    assert not torch.equal(method.loss(batch)["ptc"], before)


def test_whole_images_resemble_crops_that_show_the_object_and_not_of_the_background(batch, whole):
    net = whole.net
    on, off = batch.image[:1, :, 4:12, 8:16], batch.image[:1, :, :8, :8]
    image, seen = net.views(net(batch.image[:1])[0], net.backbone(torch.cat([on, off]))[-1])
    to_object, to_background = F.cosine_similarity(image[:, None], seen[:, 1:], dim=2)[0]
    assert to_object > to_background + 0.3


def test_the_teacher_only_follows(batch):
    method = make().train()
    views = method.net.views
    with torch.no_grad():
        for weight in views.student.parameters():
            weight.add_(1)
    old = copy.deepcopy(list(views.teacher.parameters()))
    sum(method.loss(batch).values()).backward()
    for before, after, student in zip(
        old, views.teacher.parameters(), views.student.parameters(), strict=True
    ):
        assert after.grad is None
        assert torch.allclose(after, 0.9 * before + 0.1 * student)
    kept = copy.deepcopy(list(views.teacher.parameters()))
    method.eval().loss(batch)
    assert all(
        torch.equal(one, other) for one, other in zip(kept, views.teacher.parameters(), strict=True)
    )


def test_the_decoder_waits_for_the_maps(batch):
    method = make().train()
    for progress, learns in ((0.0, False), (method.warmup, True)):
        method.zero_grad()
        method.progress = progress
        sum(method.loss(batch).values()).backward()
        assert bool(method.net.decoder.classifier.weight.grad.any()) == learns


def test_the_decoder_is_taught_by_maps_that_follow_the_colours(batch):
    """Class maps in blocks of two pixels, shifted off the square, become labels of the square."""
    method = make(weights=(0.0, 0.0, 1.0), dilations=(1, 2)).train()
    method.progress = 1.0
    logits = nn.Parameter(torch.zeros(4, 3, 32, 32))
    method.net.decoder = Given(logits)
    maps = torch.full((4, 2, 16, 16), -1.0)
    maps[:, :, 4:12, 5:13] = 1.0
    looks = torch.cat([maps, maps.flip(-1)])  # straight and in the mirror
    method.net.class_maps = lambda image: looks.repeat(1, 2, 1, 1)
    method.loss(batch)["seg"].backward()
    towards_object = -logits.grad[0, 1]
    square = torch.zeros(32, 32, dtype=torch.bool)
    square[8:24, 8:24] = True
    assert (towards_object[square] > 0).float().mean() > 0.75
    assert (towards_object[~square] < 0).float().mean() > 0.7
    assert not (towards_object[~square] > 0).any()


def uneven():
    """Three images, two of which show both classes, with a patch that only one channel sees."""
    torch.manual_seed(2)
    image = torch.rand(3, 3, 16, 24)
    return Batch(("a", "b", "c"), image, torch.tensor([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]]))


def test_tags_are_read_off_features_that_are_pooled_by_their_maximum():
    """A loop over channels: each may find its maximum in another patch."""
    batch, method = uneven(), make().train()
    terms = method.loss(batch)
    with torch.no_grad():
        middle, last = method.net.backbone(batch.image)
        pairs = {"cls": (last, method.net.classifier), "aux": (middle, method.net.auxiliary)}
        for name, (features, head) in pairs.items():
            pooled = [[channel.max() for channel in of_image] for of_image in features]
            logits = torch.tensor(pooled) @ head.weight[:, :, 0, 0].t()
            losses = [
                -(p if tag else 1 - p).log()
                for p, tag in zip(logits.sigmoid().flatten(), batch.tags.flatten(), strict=True)
            ]
            torch.testing.assert_close(terms[name], sum(losses) / 6)
            of_maps = head(features).amax(dim=(2, 3))
            assert not torch.allclose(of_maps, logits, atol=0.01), (
                "the example must tell them apart"
            )


def test_class_maps_are_summed_over_looks_and_min_max_normalised():
    batch, method = uneven(), make(scales=(0.5, 1.0))
    found = method.net.scores(batch.image, batch.tags, method.scales)
    assert not found[0].requires_grad
    for b in range(3):
        maps = added_maps(method.net.class_maps, batch.image[b], [(8, 12), (16, 24)])
        for c in range(4):
            low, high = maps[c].min(), maps[c].max()
            expected = (maps[c] - low) / (high - low).clamp(min=1e-5) * batch.tags[b, c % 2]
            torch.testing.assert_close(found[c // 2][b, c % 2], expected, atol=1e-4, rtol=1e-3)


def test_it_answers_each_class_against_the_background_over_all_looks():
    batch, method = uneven(), make(scales=(1.0, 1.5))
    said = method.predict(batch).detach()
    for b in range(3):
        sizes = [(16, 24), (24, 36)]
        p = added_maps(lambda x: method.net.segment(x).softmax(dim=1), batch.image[b], sizes)
        expected = against_the_background(p, batch.tags[b])
        torch.testing.assert_close(said[b], expected, atol=1e-5, rtol=1e-4)


def test_the_whole_system_draws_the_object(batch, whole):
    said = whole.predict(Batch(batch.ids, batch.image)).detach() > 0.5
    truth = torch.zeros(4, 2, 32, 32, dtype=torch.bool)
    truth[:2, 0, 8:24, 8:24] = truth[2:, 1, 8:24, 8:24] = True
    assert (said & truth).sum() / (said | truth).sum() > 0.8
