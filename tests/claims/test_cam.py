"""Zhou et al. 2016: a classifier that was told only *what* is in an image knows *where* it is."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import TWO_IMAGES, noise
from wsss_lib.core import Batch, InputError, Recipe
from wsss_lib.data.view import WeakView
from wsss_lib.engine import fit
from wsss_lib.losses.tags import tag_loss
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.nets.backbones.toy import toy_cnn


class Squares:
    """A red or a blue square, somewhere on a grey ground; tags say which, never where."""

    classes, ids, name, split = ("red", "blue"), tuple(map(str, range(48))), "", ""
    root, masks, allows_empty = Path("nowhere"), Path("nowhere"), False

    def __len__(self):
        return len(self.ids)

    def draw(self, id):
        generator = torch.Generator().manual_seed(int(id))
        image = 0.45 + 0.1 * torch.rand(3, 32, 32, generator=generator)
        y, x = torch.randint(0, 24, (2,), generator=generator).tolist()
        kind = int(id) % 2
        image[:, y : y + 8, x : x + 8] = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.1, 0.9]])[kind][
            :, None, None
        ]
        inside = torch.zeros(32, 32, dtype=torch.bool)
        inside[y : y + 8, x : x + 8] = True
        return image, kind, inside

    def digest(self, layers=()):
        return "squares"

    def image(self, id, longest=None):
        return self.draw(id)[0]

    def tags(self, id):
        return torch.eye(2)[self.draw(id)[1]]


def test_trained_on_tags_alone_its_peaks_lie_on_the_objects():
    torch.manual_seed(0)
    data = Squares()
    cam = CAM(toy_cnn(pretrained=False), 2, scales=(1.0,))
    cam.recipe = Recipe(40, 16, 3e-3, 1.0, 0.01, "adamw", flip=True)
    fit(cam, WeakView(data), seed=0)
    hits = []
    with torch.inference_mode():
        for id in data.ids:
            image, kind, inside = data.draw(id)
            scores = cam.predict(Batch((id,), image[None], torch.eye(2)[None, kind]))
            hits.append(inside.flatten()[scores[0, kind].flatten().argmax()].item())
    assert sum(hits) / len(hits) > 0.85


def test_mean_of_the_class_map_is_the_logit_that_is_trained():
    torch.manual_seed(0)
    cam = CAM(toy_cnn(pretrained=False), 3).eval()
    image, tags = torch.rand(2, 3, 24, 40), torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    pooled_first = cam.backbone(image)[-1].mean(dim=(2, 3)) @ cam.classifier.weight[:, :, 0, 0].T
    assert torch.allclose(cam.class_maps(image).mean(dim=(2, 3)), pooled_first, atol=1e-5)
    expected = tag_loss(pooled_first, tags)
    terms = cam.loss(Batch(("a", "b"), image, tags))
    assert set(terms) == {"cls"}
    assert torch.isclose(terms["cls"], expected, atol=1e-6)


def test_present_maps_peak_at_one_and_absent_ones_are_empty():
    torch.manual_seed(0)
    cam = CAM(toy_cnn(pretrained=False), 3, scales=(1.0,)).eval()
    tags = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    peaks = cam.predict(Batch(("a", "b"), torch.rand(2, 3, 32, 32), tags)).amax(dim=(2, 3))
    assert ((peaks == 1) | (peaks == 0)).all()
    assert (peaks[tags == 0] == 0).all()
    assert (peaks == 1).any()


def test_moving_the_image_moves_the_map_and_keeps_the_logit():
    """Pooling forgets places: a rotated feature map gives a rotated class map, the same logit."""
    cam = CAM(toy_cnn(pretrained=False), 2)
    features = torch.rand(1, 128, 5, 5)
    turned = features.rot90(1, (2, 3))
    one, other = cam.classifier(features), cam.classifier(turned)
    assert torch.allclose(one.rot90(1, (2, 3)), other, atol=1e-6)
    assert torch.allclose(one.mean(dim=(2, 3)), other.mean(dim=(2, 3)), atol=1e-6)


def test_it_needs_tags():
    with pytest.raises(InputError, match=r"batch\.tags"):
        CAM(toy_cnn(pretrained=False), 2).loss(Batch(("a",), torch.rand(1, 3, 16, 16)))


class Trails(nn.Module):
    """Each colour trails to the right, so that a mirror image is seen with other eyes."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image + 0.5 * nn.functional.pad(image, (1, 0))[..., :-1]]


def test_the_read_out_value_by_value():
    """Rectified maps of each size and mirror image, added, each divided by its own maximum."""
    cam = CAM(Trails(), 3, scales=(1.0, 2.0))
    nn.init.normal_(cam.classifier.weight, generator=torch.Generator().manual_seed(0))
    weight = cam.classifier.weight[:, :, 0, 0].detach()

    def raw(image):
        return torch.einsum("cd,bdhw->bchw", weight, Trails()(image)[0])

    image = noise(2, 3, 4, 6)
    said = cam.predict(Batch(("a", "b"), image, TWO_IMAGES))
    for b in range(2):
        total = added_maps(raw, image[b], [(4, 6), (8, 12)])
        expected = divided_by_their_maximum(total, TWO_IMAGES[b])
        assert torch.allclose(said[b], expected, atol=1e-5)


def test_loss_value_by_value():
    """Multi-label soft margin of the pooled maps: the mean over images and classes."""
    cam, image = CAM(Trails(), 3), noise(2, 3, 4, 6)
    loss = cam.loss(Batch(("a", "b"), image, TWO_IMAGES))["cls"]
    pooled = cam.class_maps(image).sum(dim=(2, 3)) / 24
    assert torch.isclose(loss, soft_margin(pooled, TWO_IMAGES))
