"""Lee et al. 2021: an image that climbs its class's score shows more of the object."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.loops import soft_margin
from wsss_lib.blocks.maps.ascent import climb
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.self_supervised.advcam import AdvCAM
from wsss_lib.nets.backbones.backbone import Standardize

HEAD, BODY, OTHER, GROUND = slice(0, 3), slice(3, 9), slice(9, 12), slice(12, 16)


class Excess(nn.Module):
    """Features are what red and green exceed 0.3 by: pixels below it have no gradient."""

    channels, strides = [2], [1]

    def __init__(self, std=0.25):
        super().__init__()
        self.standardize = Standardize((0.5,) * 3, (std,) * 3)

    def forward(self, image):
        return [(image[:, :2] - 0.3).relu()]


@pytest.fixture
def batch():
    """A head that counts, a body that hardly does, another object, and ground."""
    image = torch.full((1, 3, 4, 16), 0.1)
    image[:, 0, :, HEAD], image[:, 0, :, BODY] = 0.7, 0.34
    image[:, 1, :, OTHER] = 0.6
    image[:, 2, 0, 0] = 0.9  # the range of the image leaves room
    return Batch(("a",), image, torch.tensor([[1.0, 0.0]]))


def make(climbs=10, step=0.16, hold=7 / 64, scales=(1.0,), std=0.25):
    """Steps of 0.04, and a brake as strong against the gain as in a network of 64 channels."""
    net = AdvCAM(Excess(std), 2, climbs, step, hold, scales=scales)
    with torch.no_grad():
        net.classifier.weight.copy_(torch.eye(2)[:, :, None, None])
    return net.eval()


def climbed(net, batch, wanted=0):
    """Where the image and its mirror image arrive, (2, 3, H, W)."""
    views = torch.stack([batch.image, batch.image.flip(-1)], dim=1)
    wanted = torch.tensor([wanted])
    settings = (net.climbs, net.step, net.brake(wanted), net.counts)
    return climb(lambda x: net.look(x, wanted), views, *settings)[1][0]


def part(maps, where):
    return float(maps[..., where].mean())


def test_without_a_climb_it_is_cam(batch):
    net = make(climbs=0)
    assert torch.allclose(net.predict(batch), normalize(net.class_maps(batch.image), batch.tags))


def test_the_class_scores_higher_and_the_others_lower(batch):
    net = make()
    before = net.class_maps(batch.image).mean(dim=(2, 3))[0]
    after = net.class_maps(climbed(net, batch)).mean(dim=(2, 3))
    assert (after[:, 0] > before[0] + 0.02).all()
    assert (after[:, 1] < before[1] - 0.02).all()


def test_the_body_comes_to_count_and_the_ground_does_not(batch):
    plain, more = make(climbs=0).predict(batch)[0, 0], make().predict(batch)[0, 0]
    assert part(plain, BODY) < 0.15
    assert part(more, BODY) > 0.3
    assert part(more, GROUND) == 0


def test_what_counts_already_is_held_and_the_gain_goes_to_the_body(batch):
    """The head's map stays within two steps of where it was; without the brake it grows alike."""
    braked, loose = make(), make(hold=0.0)
    before, after, free = (
        net.class_maps(image)[0, 0].detach()
        for net, image in (
            (braked, batch.image),
            (braked, climbed(braked, batch)),
            (loose, climbed(loose, batch)),
        )
    )
    assert abs(part(after - before, HEAD)) <= 2 * 0.04 + 1e-5
    assert part(after - before, BODY) > 3 * part(after - before, HEAD)
    assert part(free - before, HEAD) > 0.15
    assert part(free - before, BODY) < 3 * part(free - before, HEAD)


def test_steps_are_short_and_stay_in_the_range_of_the_image(batch):
    for climbs in (1, 2, 10):
        image, once = climbed(make(climbs - 1), batch), climbed(make(climbs), batch)
        assert (once - image).abs().max() <= 0.04 + 1e-6
        assert once.min() >= batch.image.min()
        assert once.max() <= batch.image.max()
    assert (climbed(make(1), batch) - climbed(make(0), batch)).abs().max() > 0.04 - 1e-6
    far = climbed(make(12, hold=0.0), batch)
    assert far.max() == batch.image.max(), "the head would climb beyond the range"


def test_two_climbs_equal_the_paper_pixel_by_pixel(batch):
    """The network is piecewise linear, so its gradient can be written down."""
    net, n = make(climbs=2), 4 * 16
    views = torch.stack([batch.image[0], batch.image[0].flip(-1)])
    low, high = views.min(), views.max()
    first = None
    for _ in range(2):
        maps = (views[:, :2] - 0.3).clamp(min=0)
        own = maps[0, 0] + maps[1, 0].flip(-1)
        first = own if first is None else first
        slope = torch.zeros_like(views)
        for y in range(4):
            for x in range(16):
                for view in (0, 1):
                    u = x if view == 0 else 15 - x
                    if maps[view, 0, y, u] > 0:
                        slope[view, 0, y, u] = 1 / n
                        if own[y, x] > 0.5 * own.max():
                            slope[view, 0, y, u] -= 7 / 128 * torch.sign(own[y, x] - first[y, x])
                    if maps[view, 1, y, u] > 0:
                        slope[view, 1, y, u] = -1 / n
        views = (views + 0.04 * slope / slope.abs().max()).clamp(low, high)
    assert torch.allclose(climbed(net, batch), views, atol=1e-5)


def test_a_look_value_by_value():
    """Three images and their mirror images, two classes, of which each speaks against the other."""
    torch.manual_seed(0)
    net, views = make(), torch.rand(3, 2, 3, 4, 6)
    with torch.no_grad():
        net.classifier.weight.copy_(torch.tensor([[1.0, -0.5], [-0.7, 1.0]])[..., None, None])
    maps, gain = net.look(views, torch.tensor([0, 1, 1]))
    for n, c in enumerate((0, 1, 1)):
        straight, mirrored = net.class_maps(views[n]).clamp(min=0)
        assert torch.allclose(maps[n], straight[c] + mirrored[c].flip(-1))
        means = [(straight[k].sum() + mirrored[k].sum()) / 24 for k in (0, 1)]
        assert torch.isclose(gain[n], means[c] - means[1 - c], atol=1e-6)
    assert (net.class_maps(views[:, 0]).amin(dim=(0, 2, 3)) < -0.1).all()


def test_maps_are_added_up_on_the_way(batch):
    net = make(climbs=2)
    total = sum(net.look(climbed(make(t), batch)[None], torch.tensor([0]))[0] for t in (0, 1, 2))
    assert torch.allclose(net.predict(batch)[:, 0], total / total.max(), atol=1e-5)


def test_each_class_climbs_by_itself(batch):
    """Both classes present: each shows what it shows alone."""
    both = Batch(("a",), batch.image, torch.ones(1, 2))
    alone = Batch(("a",), batch.image, torch.tensor([[0.0, 1.0]]))
    said = make().predict(both)
    assert torch.allclose(said[:, 0], make().predict(batch)[:, 0])
    assert torch.allclose(said[:, 1], make().predict(alone)[:, 1])


def test_the_brake_holds_the_grad_cam_of_the_released_code():
    """Gradients of the summed positive map, averaged over the positive ones of all channels."""
    torch.manual_seed(0)
    net = AdvCAM(Excess(), 3).eval()
    net.classifier = nn.Conv2d(7, 3, 1, bias=False)
    features = torch.rand(1, 7, 4, 5)
    for c in range(3):
        both = torch.cat([features, features.flip(-1)]).requires_grad_()
        own = net.classifier(both)[:, c].relu()
        (slope,) = torch.autograd.grad(own.sum(), both)
        cam = torch.zeros(4, 5)
        for d in range(7):
            weight = slope[0, d].sum() / (slope > 0).sum()
            cam += weight * features[0, d]
        braked = 7 * cam.clamp(min=0)
        wanted = torch.tensor([c, c])
        assert torch.allclose(net.brake(wanted)[1] * own[0].detach(), braked, atol=1e-5)


def test_steps_count_in_standard_deviations_of_the_colours(batch):
    """In a network that divides by twice as much, half the step goes as far."""
    wide, narrow = make(climbs=2), make(climbs=2, step=0.08, std=0.5)
    assert torch.equal(wide.predict(batch), narrow.predict(batch))
    assert not torch.allclose(wide.predict(batch), make(climbs=2, step=0.08).predict(batch))


def test_what_it_answers_equals_loops_over_images_classes_and_sizes():
    torch.manual_seed(0)
    image, tags = torch.rand(2, 3, 6, 8), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    net = make(climbs=2, scales=(1.0, 0.5))
    said = net.predict(Batch(("a", "b"), image, tags))
    for b in range(2):
        for c in range(2):
            total = torch.zeros(6, 8)
            for h, w in ((6, 8), (3, 4)):
                x = F.interpolate(image[b : b + 1], (h, w), mode="bilinear", antialias=True)
                views = torch.stack([x, x.flip(-1)], dim=1)
                wanted = torch.tensor([c])
                climbed = [
                    climb(lambda v, k=wanted: net.look(v, k), views, t, 0.04, net.brake(wanted))[1]
                    for t in range(3)
                ]
                own = [(v[0, :, c] - 0.3).clamp(min=0) for v in climbed]
                summed = sum(straight + mirrored.flip(-1) for straight, mirrored in own)
                total += F.interpolate(summed[None, None].detach(), (6, 8), mode="bilinear")[0, 0]
            assert torch.allclose(said[b, c], tags[b, c] * total / total.max(), atol=1e-5)


def test_it_climbs_in_inference_mode_too(batch):
    outside = make().predict(batch)
    with torch.inference_mode():
        assert torch.equal(make().predict(batch), outside)


def test_the_training_loss_is_a_mean_over_images_and_classes():
    torch.manual_seed(0)
    image, tags = torch.rand(2, 3, 4, 5), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    net = make()
    p = (image[:, :2] - 0.3).clamp(min=0).mean(dim=(2, 3))
    terms = net.loss(Batch(("a", "b"), image, tags))
    assert {*terms} == {"cls"}
    assert torch.isclose(terms["cls"], soft_margin(p, tags))
