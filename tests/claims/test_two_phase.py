"""Kim et al. 2017: a second network cannot use the features of what the first one found."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, one_at_another_size, soft_margin
from tests.tiny import TWO_IMAGES, Slanted, noise
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.erasing.two_phase import TwoPhase


class Colours(nn.Module):
    """A backbone of colours above grey: grey is evidence for nothing."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image - 0.5]


@pytest.fixture
def batch():
    """The first image has a red head and a dull green body; the second is grey, without."""
    image = torch.full((2, 3, 6, 8), 0.5)
    image[0, 0, 2:4, 1:3] = 1.0
    image[0, 1, 2:4, 3:6] = 0.6
    return Batch(("cat", "nothing"), image, torch.tensor([[1.0], [0.0]]))


def make(*weights, **settings):
    """One class, with these weights of colours; two rows, first the live one's: second phase."""
    torch.manual_seed(0)
    method = TwoPhase(Colours(), 1, scales=(1.0,), **settings)
    with torch.no_grad():
        for net, row in zip((method.live, method.first), weights, strict=False):
            net.head.weight.copy_(torch.tensor(row).view(1, 3, 1, 1))
    method.done.fill_(len(weights) == 2)
    return method.train()


def train(method, batch, steps=80):
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=1.0)
    for step in range(steps):
        method.progress = step / steps
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method.eval()


def found(method, batch):
    with torch.inference_mode():
        return method.predict(batch)[0, 0] > 0.5


def test_the_second_phase_finds_the_body_that_the_first_leaves_out(batch):
    """A classifier that is satisfied with the head keeps to it, until the head is mute."""
    start = [1.0, 0.01, 0.01]
    once, twice = make(start, first_phase=2.0), make(start)
    head = batch.image[0, 0] > 0.9
    body = batch.image[0, 1] > 0.55
    assert torch.equal(found(train(once, batch), batch), head)
    assert torch.equal(found(train(twice, batch), batch), head | body)


def test_what_is_hot_has_no_slope_and_no_score(batch):
    method = make([0.5, 2.0, 0.1], [2.0, 1.0, 0.1])
    features = (batch.image - 0.5).requires_grad_()
    method.live.backbone.forward = lambda image: [features]
    first, second = method.looks(batch.image, batch.tags)
    hot = first[0, 0] > 0.6 * first[0, 0].max()
    assert hot.sum() == 4, "the head alone"
    second.sum().backward()
    assert (second[0, 0][hot] == 0).all()
    assert (features.grad[0][:, hot] == 0).all()
    assert (features.grad[0][:, ~hot] != 0).all()
    assert (features.grad[1] != 0).all(), "nothing is hidden where no class is present"


def test_the_first_network_is_what_the_second_was_when_its_phase_began_and_stays_so(batch):
    method = make([1.0, 0.5, 0.25])
    method.progress = 0.49
    method.loss(batch)
    assert not method.done
    with torch.no_grad():
        method.live.head.weight.fill_(0.75)
    method.progress = 0.5
    method.loss(batch)["cls"].backward()
    assert method.done
    with torch.no_grad():
        method.live.head.weight.fill_(0.2)
    method.progress = 0.6
    method.loss(batch)
    assert (method.first.head.weight == 0.75).all()
    assert method.first.head.weight.grad is None
    assert not method.first.training
    assert method.live.training


@pytest.mark.parametrize("second_phase", [False, True])
def test_the_loss_is_that_of_what_may_be_seen(second_phase):
    """Two images of two classes each, pixel by pixel; hot exceeds a share of the maximum."""
    torch.manual_seed(0)
    method = TwoPhase(Colours(), 3, hot=0.5).train()
    method.first.head.weight.data.normal_()
    method.done.fill_(second_phase)
    method.progress = 0.7 if second_phase else 0.2
    image = noise(2, 3, 5, 7)
    term = method.loss(Batch(("a", "b"), image, TWO_IMAGES))["cls"]
    first, live = (net.head.weight[:, :, 0, 0] for net in (method.first, method.live))
    logits, hidden = torch.zeros(2, 3), 0
    for b in range(2):
        maps = torch.einsum("cd,dhw->chw", first, image[b] - 0.5)
        share = divided_by_their_maximum(maps.clamp(min=0), TWO_IMAGES[b])
        for y in range(5):
            for x in range(7):
                hot = any(share[c, y, x] > 0.5 for c in range(3)) and second_phase
                hidden += hot
                if not hot:
                    logits[b] = logits[b] + live @ (image[b, :, y, x] - 0.5) / 35
    assert 0 < hidden < 70 if second_phase else hidden == 0
    assert torch.isclose(term, soft_margin(logits, TWO_IMAGES), rtol=1e-5)


@pytest.mark.parametrize("second_phase", [False, True])
def test_the_read_out_is_the_larger_of_two_maps_over_their_maxima(second_phase):
    torch.manual_seed(1)
    image = noise(2, 3, 6, 8)
    method = TwoPhase(Slanted(), 3, hot=0.7, scales=(1.0, 0.5)).eval()
    method.first.head.weight.data.normal_()
    method.done.fill_(second_phase)
    said = method.predict(Batch(("a", "b"), image, TWO_IMAGES)).detach()
    first, live = (net.head.weight[:, :, 0, 0].detach() for net in (method.first, method.live))

    for b in range(2):
        tags = TWO_IMAGES[b]

        def of_first(x):
            return torch.einsum("cd,bdhw->bchw", first, Slanted()(x)[0])

        def of_second(x, tags=tags):
            share = divided_by_their_maximum(of_first(x)[0].clamp(min=0), tags)
            cool = (share <= 0.7).all(dim=0)
            return torch.einsum("cd,bdhw->bchw", live, Slanted()(x)[0] * cool)

        def of_live(x):
            return torch.einsum("cd,bdhw->bchw", live, Slanted()(x)[0])

        looks = (of_first, of_second) if second_phase else (of_live,)
        maps = [
            divided_by_their_maximum(added_maps(look, image[b], [(6, 8), (3, 4)]), tags)
            for look in looks
        ]
        assert torch.allclose(said[b], torch.stack(maps).amax(dim=0), atol=1e-5)
        assert all((said[b] >= one - 1e-5).all() for one in maps), "nothing that was found is lost"


def test_the_mask_has_the_size_of_the_features():
    """Features of every second pixel: so are maps and masks, and nothing is resized."""

    class Coarse(Colours):
        def forward(self, image):
            return [one_at_another_size(image[0], (3, 4))[None] - 0.5]

    method = TwoPhase(Coarse(), 2, hot=0.6).eval()
    method.done.fill_(True)
    first, second = method.looks(noise(1, 3, 6, 8), torch.tensor([[1.0, 1.0]]))
    assert first.shape == second.shape == (1, 2, 3, 4)
    share = divided_by_their_maximum(first[0].clamp(min=0), torch.ones(2))
    hot = (share > 0.6).any(dim=0)
    assert hot.any()
    assert (second[0][:, hot] == 0).all()
    assert (second[0][:, ~hot] != 0).all()


def test_backbones_learn_at_the_rate_of_backbones():
    method = make([1.0, 0.0, 0.0])
    inside = {id(weight) for weight in method.backbone.parameters()}
    heads = {name for name, weight in method.named_parameters() if id(weight) not in inside}
    assert heads == {"live.head.weight", "first.head.weight"}
    assert not method.first.head.weight.requires_grad
