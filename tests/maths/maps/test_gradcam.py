import pytest
import torch
from torch import nn

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize, resize
from wsss_lib.blocks.maps.gradcam import grad_cam, grad_cam_pp, layer_cam, score_cam
from wsss_lib.core import InputError
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.nets.backbones.toy import toy_cnn

BY_GRADIENT = (grad_cam, grad_cam_pp, layer_cam)


class Head(nn.Module):
    """A head whose gradients differ from place to place and have both signs."""

    def __init__(self, d=4, classes=3):
        super().__init__()
        self.mix = nn.Conv2d(d, 5, 3, padding=1)
        self.out = nn.Linear(5, classes)
        self.double()

    def forward(self, features):
        return self.out(self.mix(features).tanh().amax(dim=2).mean(dim=2))


@pytest.fixture
def head():
    torch.manual_seed(0)
    return Head()


@pytest.fixture
def features():
    torch.manual_seed(1)
    return torch.randn(2, 4, 5, 6, dtype=torch.float64)


def gradient_of(head, features, b, c):
    """The gradient of one logit of one image, from a forward pass of its own."""
    alone = features[b : b + 1].clone().requires_grad_()
    head(alone)[0, c].backward()
    return alone.grad[0], alone.detach()[0]


def retyped_grad_cam(g, f):
    _, h, w = f.shape
    total = torch.zeros(h, w, dtype=f.dtype)
    for d in range(len(f)):
        total += g[d].sum() / (h * w) * f[d]
    return total.clamp(min=0)


def retyped_grad_cam_pp(g, f):
    """The printed fraction g^2 / (2 g^2 + g^3 sum f), place by place."""
    d_all, h, w = f.shape
    total = torch.zeros(h, w, dtype=f.dtype)
    for d in range(d_all):
        weight = 0.0
        for y in range(h):
            for x in range(w):
                slope = g[d, y, x]
                if slope > 0:
                    below = 2 * slope**2 + slope**3 * f[d].sum()
                    weight += slope**2 / below * slope
        total += weight * f[d]
    return total.clamp(min=0)


def retyped_layer_cam(g, f):
    total = torch.zeros(f.shape[1:], dtype=f.dtype)
    for d, y, x in torch.cartesian_prod(*(torch.arange(n) for n in f.shape)).tolist():
        total[y, x] += max(g[d, y, x], 0) * f[d, y, x]
    return total.clamp(min=0)


@pytest.mark.parametrize(
    ("maps_of", "retyped"),
    [
        (grad_cam, retyped_grad_cam),
        (grad_cam_pp, retyped_grad_cam_pp),
        (layer_cam, retyped_layer_cam),
    ],
)
def test_maps_equal_the_retyped_formula(head, features, maps_of, retyped):
    if maps_of is grad_cam_pp:
        features = features.abs()
    found = maps_of(head, features)
    for b in range(2):
        for c in range(3):
            g, f = gradient_of(head, features, b, c)
            assert (g > 0).any()
            assert (g < 0).any()
            assert torch.allclose(found[b, c], retyped(g, f), atol=1e-12)
    # Where features have both signs, the last rectifier must have had something to cut off.
    assert (found == 0).any() or maps_of is grad_cam_pp
    assert (found > 0).any()


def test_grad_cam_pp_counts_a_negative_sum_as_none():
    features = torch.tensor([3.0, -5.0]).view(1, 1, 1, 2)
    found = grad_cam_pp(lambda f: (f * torch.tensor([0.5, 0.25])).sum().view(1, 1), features)
    assert torch.allclose(found, torch.tensor([3 * (0.5 + 0.25) / 2, 0.0]).view(1, 1, 1, 2))


def test_of_a_linear_head_grad_cam_is_the_cam_divided_by_the_area():
    """Closed form: the gradient of ``W mean(f)`` is W / (h w) everywhere."""
    torch.manual_seed(0)
    weight, features = torch.randn(3, 8), torch.rand(2, 8, 5, 7)

    def head(features):
        return features.mean(dim=(2, 3)) @ weight.T

    cam = torch.einsum("cd,bdhw->bchw", weight, features).relu() / 35
    assert torch.allclose(grad_cam(head, features), cam, atol=1e-6)
    # Layer-CAM leaves the negative weights out.
    positive = torch.einsum("cd,bdhw->bchw", weight.relu(), features) / 35
    assert torch.allclose(layer_cam(head, features), positive, atol=1e-6)


@pytest.mark.parametrize("maps_of", BY_GRADIENT)
def test_all_present_classes_take_one_pass_each_way(head, features, maps_of, monkeypatch):
    alone = torch.zeros(2, 3, 5, 6, dtype=torch.float64)
    for b in range(2):
        for c in range(3):
            tags = torch.zeros(1, 3)
            tags[0, c] = 1
            alone[b, c] = maps_of(head, features[b : b + 1], tags)[0, c]
    passes = []
    original = torch.autograd.grad

    def counted(*args, **named):
        passes.append(args[2].shape)
        return original(*args, **named)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    tags = torch.tensor([[1, 0, 1], [0, 1, 0]])
    found = maps_of(head, features, tags)
    assert torch.allclose(found, alone * tags[:, :, None, None], atol=1e-12)
    assert (found.amax(dim=(2, 3)) > 0).equal(tags > 0)
    assert passes == [(2, 2, 3)]  # as many turns as the fuller image has classes
    assert torch.allclose(maps_of(head, features), alone, atol=1e-12)
    assert len(passes) == 2
    assert not maps_of(head, features, 0 * tags).any()
    assert len(passes) == 2


@pytest.mark.parametrize("maps_of", BY_GRADIENT)
def test_nothing_is_left_behind(head, features, maps_of):
    features.requires_grad_()
    found = maps_of(head, features)
    assert not found.requires_grad
    assert features.grad is None
    assert all(weight.grad is None for weight in head.parameters())


def test_score_cam_equals_the_retyped_formula(head):
    torch.manual_seed(2)
    image = torch.rand(2, 3, 8, 12, dtype=torch.float64)
    features = torch.randn(2, 6, 4, 6, dtype=torch.float64)
    features[1, 2] = 0.7  # a constant channel masks everything
    mix = torch.randn(4, 3, dtype=torch.float64)
    calls = []

    def network(x):
        calls.append(len(x))
        return 4 * head(torch.einsum("nchw,dc->ndhw", x, mix))

    tags = torch.tensor([[1, 1, 1], [0, 1, 1]])
    found = score_cam(network, image, features, tags, chunk=4)
    assert calls == [8, 4]  # two images under four masks, then under two, for all classes
    weights = []
    for b in range(2):
        scores = []
        for d in range(6):
            mask = resize(features[b : b + 1, d : d + 1], (8, 12))
            spread = mask.max() - mask.min()
            mask = (mask - mask.min()) / spread if spread > 1e-9 else torch.zeros_like(mask)
            scores.append(network(image[b : b + 1] * mask)[0])
        for c in range(3):
            share = torch.stack(scores)[:, c].exp()
            weights.append(share / share.sum())
            expected = sum(weights[-1][d] * features[b, d] for d in range(6)).clamp(min=0)
            assert torch.allclose(found[b, c], expected * tags[b, c], atol=1e-10)
    assert torch.stack(weights).std(dim=1).max() > 0.02  # not just the mean of the channels
    assert (found[0] == 0).any()


def test_inside_predict_over_scales_and_flips_it_equals_cam():
    """The recipe of the module, under the engine's inference mode."""
    torch.manual_seed(0)
    cam = CAM(toy_cnn(pretrained=False), 3, scales=(1.0,)).eval()
    cam.classifier.weight.data += 0.05  # no class is without evidence
    tags = torch.tensor([[1, 0, 1], [0, 1, 0]])

    def head(features):
        return cam.classifier(features).mean(dim=(2, 3))

    def maps_of(views):
        return grad_cam(head, cam.backbone(views)[-1], tags.repeat(2, 1))

    with torch.inference_mode():
        image = torch.rand(2, 3, 40, 56)
        found = normalize(multi_scale_flip(maps_of, image), tags)
        expected = normalize(multi_scale_flip(cam.class_maps, image), tags)
    assert torch.equal(found.amax(dim=(2, 3)) > 0.99, tags == 1)
    assert torch.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("maps_of", BY_GRADIENT)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, f: (h, f[0]), r"must be \(B, C, H, W\)"),
        (lambda h, f: (h, f * float("nan")), "features.* hold NaN"),
        (lambda h, f: (lambda x: h(x) / 0, f), "result.* hold NaN"),
        (lambda h, f: (lambda x: h(x)[0], f), r"must answer one row of logits for each, \(2, C\)"),
        (lambda h, f: (lambda x: h(x).detach(), f), "do not depend"),
        (lambda h, f: (lambda x: h(f), f), "do not depend"),
        (lambda h, f: (h, f, torch.ones(2, 4)), r"but must be \(2, 3\)"),
        (lambda h, f: (h, f, torch.ones(1, 3)), r"but must be \(2, 3\)"),
    ],
)
def test_bad_input_is_named(head, features, maps_of, change, message):
    with pytest.raises(InputError, match=message) as caught:
        maps_of(*change(head, features))
    assert str(caught.value).startswith(maps_of.__name__)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": torch.rand(1, 4, 3, 3)}, "2 images, but features of 1"),
        ({"features": torch.full((2, 4, 3, 3), float("nan"))}, "features.* hold NaN"),
        ({"image": torch.full((2, 3, 6, 6), float("inf"))}, "image.* hold NaN"),
        ({"tags": torch.ones(2, 5)}, r"but must be \(2, 3\)"),
        ({"chunk": 0}, "chunk=0"),
        ({"network": lambda x: x}, r"one row of logits for each, \(8, C\)"),
        ({"network": lambda x: x.mean(dim=(2, 3)) / 0}, "result.* hold NaN"),
    ],
)
def test_bad_input_of_score_cam_is_named(change, message):
    good = {
        "network": lambda x: x.mean(dim=(2, 3)),
        "image": torch.rand(2, 3, 6, 6),
        "features": torch.rand(2, 4, 3, 3),
    }
    with pytest.raises(InputError, match=message):
        score_cam(**{**good, **change})
