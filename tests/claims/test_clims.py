"""Xie et al. 2022: each of CLIP's judgements pulls the maps its own way."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, one_at_another_size, soft_margin
from tests.tiny import Slanted
from wsss_lib.core import Batch
from wsss_lib.methods.foundation.clims import CLIMS
from wsss_lib.nets.backbones.backbone import Standardize
from wsss_lib.nets.large.clip import load_clip

RED, BLUE, GREEN = (1.0, 0.5, 0.5), (0.5, 0.5, 1.0), (0.5, 1.0, 0.5)
"""The boat, the water that it lies on, and the meadow far from it."""


class Pixels(nn.Module):
    """A backbone that answers the colours themselves."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image - 0.5]


class Colours(nn.Module):
    """A CLIP that knows two words by their colour; its own weight must never learn."""

    words = {"boat": (1.0, 0.0, 0.0), "water": (0.0, 0.0, 1.0), "meadow": (0.0, 1.0, 0.0)}
    size = 6

    def __init__(self):
        super().__init__()
        self.standardize = Standardize((0.5,) * 3, (0.25,) * 3)
        self.weight = nn.Parameter(torch.ones(()), requires_grad=False)

    def text_features(self, prompts):
        text = torch.tensor([self.words[prompt] for prompt in prompts])
        return text / text.norm(dim=1, keepdim=True)

    def image_features(self, image):
        # The 0.05 is what a grey image looks like: like nothing in particular.
        mean = self.weight * self.standardize(image).mean(dim=(2, 3))
        whole = torch.cat([mean, torch.full_like(mean[:, :1], 0.05)], dim=1)
        return whole[:, :3] / whole.norm(dim=1, keepdim=True)


def batch():
    """A boat on water under a meadow: three stripes of equal width."""
    image = torch.empty(1, 3, 6, 18)
    for place, colour in enumerate((RED, BLUE, GREEN)):
        image[..., 6 * place : 6 * place + 6] = torch.tensor(colour)[:, None, None]
    return Batch(("a",), image, torch.ones(1, 1))


def make(**settings):
    torch.manual_seed(0)
    settings = {"start": 0.0, "scales": (1.0,)} | settings
    return CLIMS(Pixels(), Colours(), ("boat",), ("water",), **settings)


def learned(steps=150, drop=(), **settings):
    """Mean of the sigmoid map on boat, water and meadow after training without some terms."""
    method = make(**settings)
    optimizer = torch.optim.Adam([method.classifier.weight], lr=0.1)
    for _ in range(steps):
        terms = method.loss(batch())
        optimizer.zero_grad()
        sum(term for name, term in terms.items() if name not in drop).backward()
        optimizer.step()
    maps = method.class_maps(batch().image).sigmoid()[0, 0].detach()
    return [part.mean().item() for part in maps.split(6, dim=1)]


def test_the_boat_is_shown_and_water_and_meadow_are_not():
    boat, water, meadow = learned()
    assert boat > 0.8
    assert water < 0.35
    assert meadow < 0.35


def test_what_is_hidden_must_not_look_like_the_class():
    """A faint trace of the boat looks like a boat already; this term asks for the rest of it."""
    start = [-0.4, 0.0, 0.0]
    method = make()
    with torch.no_grad():
        method.classifier.weight.copy_(torch.tensor(start).view(1, 3, 1, 1))
    method.loss(batch())["hidden"].backward()
    assert method.classifier.weight.grad[0, 0] < 0, "the red weight must rise"


def test_backgrounds_lower_what_is_shown_of_them():
    """On the boat's own water, whose share of the picture CLIP sees in what is shown."""
    weights = (0.0, 0.0, 1.0, 0.0)
    method = make(weights=weights, gate=-1.0)
    assert method.loss(batch())["backgrounds"] > 0
    method.loss(batch())["backgrounds"].backward()
    assert method.classifier.weight.grad[0, 2] > 0, "the blue weight must fall"
    assert make(weights=weights, gate=2.0).loss(batch())["backgrounds"] == 0


def test_only_the_area_objects_to_showing_everything():
    """Nothing hidden looks like a boat where nothing is hidden: that term has no better map."""
    everything, method = make(), make()
    with torch.no_grad():
        everything.classifier.weight.fill_(40.0)
        method.classifier.weight.fill_(0.0)
    all_shown, half_shown = everything.loss(batch()), method.loss(batch())
    assert all_shown["hidden"] < 0.01 < half_shown["hidden"]
    assert all_shown["area"].item() == pytest.approx(0.2)
    assert half_shown["area"].item() == pytest.approx(0.1)
    half_shown["area"].backward()
    assert (method.classifier.weight.grad > 0).all(), "every weight must fall"


def two_images():
    """A boat beside a dark meadow, and a meadow above dusk: two classes and one."""
    image = torch.full((2, 3, 9, 15), 0.45)
    image[0, 0, :, :7] = image[0, 1, :, 6:] = image[1, 1, :6] = 1.0
    image[1, 2, 3:] = 0.9
    return Batch(("a", "b"), image, torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]]))


def three_classes(**settings):
    words = ("boat", "meadow", "water")
    settings = {"start": 0.0, "scales": (1.0,)} | settings
    method = CLIMS(Pixels(), Colours(), words, ("water", "meadow", "boat"), **settings)
    with torch.no_grad():  # each class is seen by its colour
        method.classifier.weight.copy_(torch.eye(3)[:, :, None, None])
    return method


def test_terms_equal_the_equations():
    """Loops over pairs and sentences: what is a mean, what a sum, and what counts absent classes.

    CLIP sees image and map at its own size, 6 x 6, each resized before they are multiplied.
    """
    batch, method = two_images(), three_classes(gate=0.6)
    with torch.no_grad():
        terms = method.loss(batch)
        maps = method.class_maps(batch.image).sigmoid()
        text = method.clip.text_features(("boat", "meadow", "water"))
        shown, hidden, near = [], [], []
        for b, k in ((0, 0), (0, 1), (1, 1)):
            p, x = (one_at_another_size(y, (6, 6)) for y in (maps[b, [k]], batch.image[b]))
            inside = method.clip.image_features((0.5 + p * (x - 0.5))[None])[0]
            outside = method.clip.image_features((0.5 + (1 - p) * (x - 0.5))[None])[0]
            shown.append(-(inside @ text[k]).clamp(1e-4, 0.9999).log())
            hidden.append(-(1 - (outside @ text[k]).clamp(1e-4, 0.9999)).log())
            for word in ("water", "meadow", "boat"):
                s = (inside @ method.clip.text_features((word,))[0]).clamp(1e-4, 0.9999)
                if s > 0.6:
                    near.append(-(1 - s).log())
    assert len(near) == 4, "the gate must let some sentences pass, and not all"
    expected = {
        "shown": 10 * sum(shown) / 3,
        "hidden": 24 * sum(hidden) / 3,
        "backgrounds": sum(near),
        "area": 0.2 * maps.sum() / (2 * 3 * 9 * 15),
    }
    assert set(terms) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value)


def test_cosines_stay_where_their_logarithms_are_finite():
    """One image that is a word and opposes none, and one that opposes another word."""
    method = three_classes()
    method.clip.image_features = lambda _: torch.tensor([[1.0, 0.0, 0.0], [0.6, -0.8, 0.0]])
    said = method.cosines(torch.rand(2, 3, 6, 6), torch.rand(2, 1, 6, 6))
    low = 1e-4
    expected = [[0.9999, low, low, low, low, 0.9999], [0.6, low, low, low, low, 0.6]]
    torch.testing.assert_close(said, torch.tensor(expected), rtol=0, atol=1e-6)


@pytest.mark.parametrize("progress", [0.0, 1.0])
def test_a_cam_is_trained_first_and_where_no_class_is_present(progress):
    batch, method = two_images(), three_classes(start=0.5)
    method.progress = progress
    tags = torch.zeros(2, 3) if progress else batch.tags
    terms = method.loss(Batch(batch.ids, batch.image, tags))
    assert {*terms} == {"cls"}
    pooled = method.class_maps(batch.image).mean(dim=(2, 3))
    torch.testing.assert_close(terms["cls"], soft_margin(pooled, tags))


def test_the_read_out_is_rectified_logits_over_their_maximum():
    """Two sizes and the mirror image, class by class; the sigmoid is for the loss alone."""
    batch, method = two_images(), three_classes(scales=(1.0, 2.0)).eval()
    method.backbone = Slanted()
    said = method.predict(batch).detach()
    for b in range(2):
        total = added_maps(method.class_maps, batch.image[b], [(9, 15), (18, 30)])
        expected = divided_by_their_maximum(total, batch.tags[b])
        torch.testing.assert_close(said[b], expected, atol=1e-5, rtol=1e-4)
    shown_nowhere = (said == 0).flatten(2).any(dim=2)
    assert shown_nowhere[batch.tags > 0].all(), "the example must have negative logits"


@pytest.mark.parametrize("progress", [0.0, 0.7])
def test_clip_never_learns(progress):
    method = CLIMS(
        Pixels(), load_clip(), ("a photo of a boat",), ("a photo of the water",), start=0.5
    )
    method.progress = progress
    terms = method.loss(batch())
    assert set(terms) == ({"cls"} if progress == 0 else {"shown", "hidden", "backgrounds", "area"})
    sum(terms.values()).backward()
    assert method.classifier.weight.grad.abs().max() > 0
    assert all(weight.grad is None for weight in method.clip.parameters())
