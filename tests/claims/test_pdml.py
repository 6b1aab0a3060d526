"""Qian et al. 2019: clicks of all images say together which features are of one kind."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.loops import check_network_answers
from tests.tiny import noise
from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.blocks.maps.clicked import at_clicks
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.point.pdml import PDML

SIDE = 12
GREEN, RED, ORANGE, BLUE = torch.tensor(
    [[0.1, 0.6, 0.2], [0.8, 0.1, 0.1], [0.9, 0.6, 0.1], [0.1, 0.2, 0.8]]
)


class Layered(nn.Module):
    """A segmentation network that sees one pixel at a time; its last layer reads its features."""

    def __init__(self, num_classes=2, dim=8, stride=1):
        super().__init__()
        self.backbone, self.stride = nn.Identity(), stride
        self.deep = nn.Sequential(nn.Conv2d(3, 16, 1), nn.ReLU(), nn.Conv2d(16, dim, 1))
        self.classifier = nn.Conv2d(dim, num_classes + 1, 1)

    def embed(self, image):
        return self.deep(image[..., :: self.stride, :: self.stride] - 0.5)

    def classify(self, features, image):
        return resize_like(self.classifier(features.relu()), image)

    def forward(self, image):
        return self.classify(self.embed(self.backbone(image)), image)


def make(**settings):
    torch.manual_seed(0)
    return PDML(Layered(), **settings)


def by_colour(**settings):
    """Features are colours, as they are: what looks alike is near."""
    torch.manual_seed(0)
    method = PDML(Layered(dim=3), **settings)
    method.net.deep = nn.Identity()
    return method


def painted(colour):
    image = GREEN.expand(SIDE, SIDE, 3).clone()
    image[3:9, 3:9] = colour
    return image.permute(2, 0, 1)


@pytest.fixture
def street():
    """Buses are red or blue, boats are orange; a click on each thing and one on its ground."""
    images = torch.stack([painted(colour) for colour in (RED, BLUE, ORANGE)])
    clicks = tuple(torch.tensor([[4, 5, kind], [0, 1, 0]]) for kind in (1, 1, 2))
    return Batch(("red", "blue", "orange"), images, points=clicks)


def trained(batch, steps=60, **settings):
    method = make(**settings)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.02)
    for step in range(steps):
        method.progress = step / steps
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method


def likeness(method, batch):
    """Distances of the two buses, and of a bus and a boat, of features of length one."""
    found = at_clicks(method.net.embed(batch.image), batch.points, (SIDE, SIDE)).detach()
    red, _, blue, _, orange, _ = nn.functional.normalize(found, dim=1)
    return (red - blue).square().sum().item(), (red - orange).square().sum().item()


def test_the_metric_draws_clicks_of_one_class_together_and_keeps_others_off(street):
    (same, other), (same_alone, other_alone) = (
        likeness(trained(street, weight=weight, margin=1.5, start=2.0), street)
        for weight in (1.0, 0.0)
    )
    assert other - same > 1.4 > 1.0 > other_alone - same_alone
    assert same / other < 0.6 * same_alone / other_alone


def test_one_click_of_each_class_in_an_image_gives_nothing_to_compare_within_it(street):
    """Only between images are there two clicks of one class."""
    method = make()
    for b in range(3):
        alone = Batch(("a",), street.image[b : b + 1], points=street.points[b : b + 1])
        assert method.loss(alone)["metric"] == 0
    assert method.loss(street)["metric"] > 0.5


def test_clicks_that_change_their_images_change_nothing():
    """Triplets do not know images: three clicks in one or in three owe the same."""
    image = noise(1, 3, SIDE, SIDE)
    clicks = torch.tensor([[1, 1, 1], [8, 2, 1], [5, 9, 2]])
    together = Batch(("a",), image, points=(clicks,))
    apart = Batch(("a", "b", "c"), image.expand(3, -1, -1, -1), points=tuple(clicks[:, None]))
    one, other = (make().loss(some)["metric"] for some in (together, apart))
    assert one > 0
    assert torch.isclose(one, other)


def test_pixels_like_a_click_and_near_it_are_taught_too(street):
    """From the start of the extension on; ground beyond the edge has other features."""
    method = by_colour(radius=3, near=0.1)
    method.progress = 0.5
    seen = {}

    def classify(features, image):
        seen["logits"] = method.net.classifier(features.relu())
        seen["logits"].retain_grad()
        return seen["logits"]

    method.net.classify = classify
    method.loss(street)["online"].backward()
    taught = seen["logits"].grad[0].abs().sum(dim=0) > 0
    expected = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    expected[3:9, 3:8] = True  # three pixels to each side of the click, as far as the thing goes
    expected[0:5, 0:4] = True  # and the same on the ground
    expected[5, 4] = expected[1, 0] = False  # those that were clicked are taught already
    assert torch.equal(taught, expected)


def test_before_the_start_clicks_are_not_extended(street):
    method = make(start=0.5)
    method.progress = 0.49
    assert set(method.loss(street)) == {"seg", "metric"}
    method.progress = 0.5
    assert set(method.loss(street)) == {"seg", "metric", "online"}


def test_extension_finds_what_the_clicks_left_open():
    """A boat is taught at one pixel of its bow, and found as far as the window reaches."""
    image = painted(BLUE)[None]
    batch = Batch(("a",), image, points=(torch.tensor([[3, 3, 2], [0, 0, 0]]),))
    method = by_colour(radius=SIDE, near=0.1, start=0.0)
    logits = method.net(image).detach().requires_grad_()
    method.net.classify = lambda features, image: logits
    method.loss(batch)["online"].backward()
    pulled = logits.grad[0].argmin(dim=0)
    thing = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    thing[3:9, 3:9] = True
    thing[3, 3] = False
    assert (pulled[thing] == 2).all()
    assert (logits.grad[0, 2][~thing] >= 0).all()


@pytest.mark.parametrize("settings", [{}, {"weight": 0.3, "margin": 0.2, "near": 0.4}])
def test_losses_value_by_value(settings):
    """Two images, three clicks and two: means over clicks, over triplets, over what is added."""
    torch.manual_seed(0)
    method = PDML(Layered(stride=2), radius=2, start=0.0, **settings)
    weight, margin, near = (
        settings.get(k, v) for k, v in (("weight", 1), ("margin", 1), ("near", 0.1))
    )
    image = noise(2, 3, 10, 12)
    points = (
        torch.tensor([[1, 2, 1], [9, 7, 2], [6, 3, 1]]),
        torch.tensor([[3, 8, 2], [11, 0, 1]]),
    )
    terms = method.loss(Batch(("a", "b"), image, points=points))
    features, logs = method.net.embed(image), method.net(image).log_softmax(dim=1)
    large = resize_like(features, image)
    clicks = [(b, x, y, kind) for b in range(2) for x, y, kind in points[b].tolist()]
    seg = [-logs[b, kind, y, x] for b, x, y, kind in clicks]
    assert torch.isclose(terms["seg"], sum(seg) / 5)

    def gap(one, other):
        return float(((one / one.norm() - other / other.norm()) ** 2).sum().detach())

    owed = [
        max(0.0, margin + gap(*(large[c[0], :, c[2], c[1]] for c in (i, j)))
            - gap(*(large[c[0], :, c[2], c[1]] for c in (i, k))))
        for i in clicks for j in clicks for k in clicks
        if i != j and i[3] == j[3] != k[3]
    ]  # fmt: skip
    assert len(owed) == 3 * 2 * 2 + 2 * 3
    assert terms["metric"].item() == pytest.approx(weight * sum(owed) / len(owed), rel=1e-4)
    added = []
    for b, y, x in ((b, y, x) for b in range(2) for y in range(10) for x in range(12)):
        if any((b, x, y) == click[:3] for click in clicks):
            continue
        found = [
            (gap(large[b, :, v, u], large[b, :, y, x]), kind)
            for a, u, v, kind in clicks
            if a == b and abs(u - x) <= 2 and abs(v - y) <= 2
        ]
        if found and min(found)[0] < near:
            added.append(-logs[b, min(found)[1], y, x])
    assert 3 < len(added) < 100
    assert torch.isclose(terms["online"], sum(added) / len(added))


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_each_class_against_the_background(known):
    """Clicks are not needed any more; tags rule out classes where they are given."""
    torch.manual_seed(0)
    check_network_answers(PDML(Layered(3)), torch.rand(2, 3, 6, 7), known)


def test_it_learns_from_clicks(street):
    with pytest.raises(InputError, match="points"):
        make().loss(replace(street, points=None))
