"""Kweon et al. 2023: maps between whose two sides a reconstructor cannot mediate."""

import copy

import pytest
import torch
from torch import nn

from tests.loops import added_maps, soft_margin
from tests.tiny import TWO_IMAGES, Slanted
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.erasing.acr import ACR
from wsss_lib.nets.backbones.toy import ToyCNN
from wsss_lib.nets.heads.classifier import Classifier
from wsss_lib.nets.heads.reconstructor import Reconstructor

HEAD, BODY, GROUND = 0, slice(1, 3), slice(3, 6)  # columns of the scene


class Colours(nn.Module):
    """A backbone of colours above grey, which are its standardised colours too."""

    channels, strides = [3, 3, 3], [1, 1, 1]

    def standardize(self, image):
        return image - 0.5

    def forward(self, image):
        return [image - 0.5] * 3


class Slanted3(Slanted):
    """As many depths as the reconstructor reads."""

    channels, strides = [3, 3, 3], [1, 1, 1]


class Neighbours(nn.Module):
    """A decoder that paints every pixel of a row in the mean colour of what is left of the row."""

    def forward(self, features):
        # A colour of the scene has one channel of 1, so their sum is how much of the row is left.
        left = features.abs().sum(dim=(1, 3), keepdim=True).clamp(min=1e-6)
        return (features.sum(dim=-1, keepdim=True) / left).expand_as(features)


def make(num_classes=3, backbone=None, progress=0.5, **settings):
    torch.manual_seed(0)
    backbone = backbone or Colours()
    rival = Reconstructor(copy.deepcopy(backbone), num_classes, (1, 1, 3), (4,))
    method = ACR(Classifier(backbone, num_classes), rival, cells=2, **settings)
    method.progress = progress
    return method.train()


@pytest.fixture
def scene():
    """A red object, of whose three columns a map may show one, on green ground."""
    image = torch.full((1, 3, 4, 6), 0.5)
    image[:, 0, :, :3], image[:, 1, :, 3:] = 1.5, 1.5
    return Batch(("a",), image, torch.tensor([[1.0, 0.0, 0.0]]))


class Fixed(nn.Module):
    """A classifier whose maps are given."""

    def __init__(self, *columns):
        super().__init__()
        self.backbone = Colours()
        maps = torch.zeros(1, 3, 4, 6)
        maps[0, 0] = torch.tensor(columns)
        self.maps = nn.Parameter(maps)

    def forward(self, image):
        return self.maps


def fooled(scene, *columns):
    """What the classifier is to make small, for a map of the red object; and the method."""
    method = make()
    method.classifier = Fixed(*columns)
    rival = method.reconstructor
    rival.reduce = nn.ModuleList([nn.Conv2d(3, 3, 1, bias=False)])
    with torch.no_grad():
        rival.reduce[0].weight.copy_(torch.eye(3)[:, :, None, None])
    rival.decoder = Neighbours()
    terms = method.loss(scene)
    return terms["fool_rest"] + terms["fool_segment"], method


def test_a_map_of_the_whole_object_fools_the_reconstructor_best(scene):
    """From a part of the object, or of the ground, the other part can be painted."""
    whole, _ = fooled(scene, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0)
    head, _ = fooled(scene, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    spilt, _ = fooled(scene, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0)
    assert whole < head - 0.01
    assert whole < spilt - 0.01


def test_the_gradient_raises_the_body_and_lowers_the_ground(scene):
    value, method = fooled(scene, 1.0, 0.5, 0.5, 0.2, 0.2, 0.0)
    value.backward()
    slope = method.classifier.maps.grad[0, 0]
    assert (slope[:, BODY] < 0).all(), "descending makes the map larger on the body"
    assert (slope[:, 3:5] > 0).all(), "and smaller where it has spilt"


def batch_of_two(height=4, width=6):
    torch.manual_seed(1)
    return Batch(("a", "b"), torch.rand(2, 3, height, width), TWO_IMAGES)


def test_each_side_is_taught_by_its_own_terms_alone():
    method, batch = make(backbone=ToyCNN()), batch_of_two(16, 24)
    terms = method.loss(batch)
    own = {"cls", "fool_rest", "fool_segment"}
    for name, term in terms.items():
        method.zero_grad(set_to_none=True)
        term.backward(retain_graph=True)
        for part, taught in ((method.classifier, own), (method.reconstructor, {*terms} - own)):
            reached = any(w.grad is not None and w.grad.any() for w in part.parameters())
            assert reached == (name in taught), name


def test_painting_the_whole_image_teaches_the_decoder_alone():
    """Its features are there for what is hidden."""
    method = make()
    method.loss(batch_of_two())["paint"].backward()
    assert method.reconstructor.decoder.out.weight.grad.any()
    assert all(w.grad is None for w in method.reconstructor.reduce.parameters())


def test_the_reconstructor_learns_to_paint_what_the_classifier_hides(scene):
    """Both play: with a fixed map the reconstructor's errors fall."""
    method = make()
    method.classifier, method.hidden = Fixed(1.0, 1.0, 1.0, 0.0, 0.0, 0.0), (1.0, 1.0)
    optimizer = torch.optim.Adam(method.reconstructor.parameters(), lr=0.02)
    before = after = None
    for step in range(60):
        terms = method.loss(scene)
        after = float((terms["paint_segment"] + terms["paint_rest"]).detach())
        before = after if step == 0 else before
        optimizer.zero_grad()
        sum(value for name, value in terms.items() if name.startswith("paint")).backward()
        optimizer.step()
    assert 0 < after < before / 2


@pytest.mark.parametrize("progress", [0.0, 0.75])
def test_every_term_is_its_equation_pixel_by_pixel(progress):
    """Two images, each with two classes, of which one is drawn; cells as they are drawn."""
    method, batch = make(progress=progress), batch_of_two()
    method.teach, method.fool = (0.7, 0.2, 0.3, 0.5), (0.8, 0.4)
    torch.manual_seed(0)
    terms = method.loss(batch)
    torch.manual_seed(0)
    chosen = torch.multinomial(batch.tags + 1e-9, 1)[:, 0]
    grid = torch.rand(2, 1, 2, 2) < 0.2 + 0.4 * progress
    assert grid.any()
    maps, (rival, features) = method.classifier(batch.image), method.reconstructor(batch.image)
    cells = grid.float().repeat_interleave(2, dim=2).repeat_interleave(3, dim=3)
    segment, won = torch.zeros(2, 1, 4, 6), torch.zeros(2, 1, 4, 6)
    for b, c in enumerate(chosen):
        found = maps[b, c].clamp(min=0)
        segment[b, 0] = (found - found.min()) / (found.max() - found.min())
        won[b, 0] = (maps[b].argmax(dim=0) == c).float()
    assert (segment == 0).any()
    assert 0 < won.sum() < 48
    decode, colours = method.reconstructor.decoder, batch.image - 0.5

    def error(parts, weight):
        painted, total = decode(parts), 0.0
        for b in range(2):
            for y in range(4):
                for x in range(6):
                    gaps = (painted[b, :, y, x] - colours[b, :, y, x]).abs()
                    total = total + weight[b, 0, y, x] * gaps.sum()
        return total / (2 * 3 * 4 * 6)

    inside, outside = segment * cells, (1 - segment) * cells
    wanted = {
        "cls": soft_margin(maps.mean(dim=(2, 3)), batch.tags),
        "fool_rest": -0.8 * error(features * segment, (segment == 0).float()),
        "fool_segment": -0.4 * error(features * (1 - segment), segment * won),
        "rival": 0.7 * soft_margin(rival.mean(dim=(2, 3)), batch.tags),
        "paint": 0.2 * error(features, torch.ones(2, 1, 4, 6)),
        "paint_segment": 0.3 * error(features * (1 - inside), inside),
        "paint_rest": 0.5 * error(features * (1 - outside), outside),
    }
    assert {*terms} == {*wanted}
    for name, value in wanted.items():
        assert value != 0, name
        assert torch.isclose(terms[name], value, rtol=1e-4), name


def test_weights_of_segments_are_no_way_to_lower_the_loss():
    """A map may change what is painted from; that it is counted less must teach nothing."""
    batch = batch_of_two()
    method = make()
    method.reconstructor.paint_for_another = lambda features: torch.ones_like(batch.image)
    terms = method.loss(batch)
    assert not terms["fool_rest"].requires_grad
    assert not terms["fool_segment"].requires_grad


def test_the_read_out_is_the_classifiers_map_stretched_over_sizes_and_mirror_images():
    method = make(backbone=Slanted3(), scales=(1.0, 0.5)).eval()
    image = torch.rand(2, 3, 6, 8)
    said = method.predict(Batch(("a", "b"), image, TWO_IMAGES)).detach()
    for b in range(2):
        total = added_maps(method.classifier, image[b], [(6, 8), (3, 4)])
        for c in range(3):
            low, high = total[c].min(), total[c].max()
            wanted = (total[c] - low) / (high - low) * TWO_IMAGES[b, c]
            assert torch.allclose(said[b, c], wanted, atol=1e-4)


def test_both_backbones_learn_at_the_rate_of_backbones():
    method = ACR.toy(2)
    inside = {id(weight) for weight in method.backbone.parameters()}
    rest = {name for name, weight in method.named_parameters() if id(weight) not in inside}
    assert "classifier.head.weight" in rest
    assert "reconstructor.classifier.head.weight" in rest
    assert not any("backbone" in name for name in rest)
