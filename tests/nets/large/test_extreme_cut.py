"""The network that reads extreme clicks: what it sees, what it answers, and what it has seen."""

import json
import math

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from experiments.pretrain_dextr import MISS, beside, main, shown
from wsss_lib.core import InputError
from wsss_lib.data.toy.imagenet import Source, toy_objects
from wsss_lib.data.toy.scene import KINDS
from wsss_lib.nets.backbones.resnet import ResNet
from wsss_lib.nets.large import extreme_cut
from wsss_lib.nets.large.extreme_cut import (
    ExtremeCut,
    PyramidNet,
    four_channels,
    load_extreme_cut,
    toy_extreme_cut,
)
from wsss_lib.nets.large.hub import WEIGHTS

CLICKS = torch.tensor([[4, 9], [15, 10], [9, 6], [8, 14]])


class Told(nn.Module):
    """A network that answers what it sees in one of its channels, as logits."""

    def __init__(self, channel, scale=1.0):
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.standardize = nn.Identity()
        self.channel, self.scale = channel, scale

    def forward(self, seen):
        return self.scale * (seen[:, self.channel, None] - 0.5)


def test_the_shapes_that_it_learned_from_are_none_of_the_measured_worlds():
    assert not set(Source().shapes) & {kind.shape for kind in KINDS.values()}


def test_its_weights_are_there_and_light():
    path = WEIGHTS / "toy_dextr.safetensors"
    assert path.stat().st_size <= 220_000
    with safe_open(path, "pt") as file:
        assert all(file.get_tensor(key).dtype != torch.float32 for key in file.keys())  # noqa: SIM118
        facts = json.loads(file.metadata()["facts"])
    assert facts["parameters"] == sum(p.numel() for p in load_extreme_cut().parameters())


def test_it_finds_shapes_like_those_that_it_learned_from():
    """Without the heat of the clicks it is surer of less."""
    cutter, rng = load_extreme_cut(), np.random.default_rng(3)
    images, masks = toy_objects(24, seed=3)
    overlap = {True: [], False: []}
    for image, mask in zip(images, masks, strict=True):
        seen = shown(cutter, image, mask, rng)
        for hot in overlap:
            asked = seen[None, :4].clone()
            asked[:, 3] *= hot
            said, true = cutter.net(asked)[0, 0].sigmoid() > 0.8, seen[4] > 0
            overlap[hot].append(float((said & true).sum() / (said | true).sum()))
    assert np.mean(overlap[True]) > 0.8
    assert np.mean(overlap[True]) > np.mean(overlap[False]) + 0.05


def test_the_order_of_the_clicks_does_not_matter():
    cutter, image = load_extreme_cut(), torch.rand(3, 20, 24)
    turned = CLICKS[[2, 0, 3, 1]]
    assert torch.equal(cutter(image, CLICKS[None]), cutter(image, turned[None]))


def test_it_sees_the_window_around_the_clicks_and_their_heat():
    cutter = ExtremeCut(Told(3), zoom=32, relax=2, sigma=4.0)
    image = torch.rand(3, 20, 24)
    assert cutter.window(CLICKS) == (2, 4, 18, 17)
    seen = cutter.see(image, CLICKS)
    assert seen.shape == (4, 32, 32)
    part = image[None, :, 4:17, 2:18]
    again = nn.functional.interpolate(part, (32, 32), mode="bilinear")
    torch.testing.assert_close(seen[:3], again[0])
    for y, x in ((0, 0), (5, 20), (31, 31)):
        far = min(
            (x - math.floor((a - 2 + 0.5) * 32 / 16)) ** 2
            + (y - math.floor((b - 4 + 0.5) * 32 / 13)) ** 2
            for a, b in CLICKS.tolist()
        )
        assert float(seen[3, y, x]) == pytest.approx(2 ** (-4 * far / 16), abs=1e-6)


def test_it_answers_in_the_place_of_the_window_and_only_in_the_box():
    """A network that answers a ramp of grey; one object at the frame, and one inside."""
    ramp = torch.linspace(0, 1, 24).expand(3, 20, 24)
    cutter = ExtremeCut(Told(0, 4.0), zoom=64, relax=3, sigma=4.0)
    at_frame = torch.tensor([[0, 9], [15, 10], [9, 0], [8, 14]])
    found = cutter(ramp, torch.stack([CLICKS, at_frame]))
    assert found.shape == (2, 20, 24)
    for one, (x0, y0, x1, y1) in zip(found, ((4, 6, 16, 15), (0, 0, 16, 15)), strict=True):
        box = torch.zeros(20, 24, dtype=torch.bool)
        box[y0:y1, x0:x1] = True
        assert not one[~box].any()
        inner = (slice(y0 + 2, y1 - 2), slice(x0 + 2, x1 - 2))
        torch.testing.assert_close(
            one[inner], (4 * (ramp[0][inner] - 0.5)).sigmoid(), atol=0.02, rtol=0
        )
    assert cutter(ramp, CLICKS[None][:0]).shape == (0, 20, 24)


def test_a_fourth_channel_leaves_the_others_as_they_were():
    plain, wide = (ResNet(50, 8, pretrained=False) for _ in range(2))
    wide.load_state_dict(plain.state_dict())
    four_channels(wide)
    net = PyramidNet(wide, width=8)
    cutter = ExtremeCut(net, zoom=64)
    image = torch.rand(1, 3, 32, 32)
    coloured = torch.cat([cutter.standardize(image), torch.zeros(1, 1, 32, 32)], dim=1)
    plain, wide = plain.eval(), wide.eval()
    with torch.inference_mode():
        torch.testing.assert_close(wide(coloured)[-1], plain(image)[-1])
        assert not torch.allclose(wide(coloured + 1)[0], wide(coloured)[0])
        assert net.eval()(coloured).shape == (1, 1, 32, 32)


def test_weights_of_the_published_size_have_to_be_brought(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="Train untrained_extreme_cut"):
        load_extreme_cut("dextr_pascal-sbd.pth")
    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, other)
    monkeypatch.setattr(extreme_cut, "untrained_extreme_cut", lambda: toy_extreme_cut(False))
    with pytest.raises(InputError, match="does not hold the weights"):
        load_extreme_cut(other)
    mine = {key: value + 1 for key, value in toy_extreme_cut(False).state_dict().items()}
    save_file(mine, other)
    found = load_extreme_cut(other)
    assert all(torch.equal(found.state_dict()[key], value) for key, value in mine.items())
    assert not any(weight.requires_grad for weight in found.parameters())


def test_it_can_be_trained_again(tmp_path):
    main(steps=2, pictures=12, out=tmp_path, results=tmp_path, images=4)
    stored = json.loads((tmp_path / "dextr.json").read_text())
    assert stored["bytes"] == (tmp_path / "toy_dextr.safetensors").stat().st_size
    assert 0 <= stored["figures"]["mean_iou"] <= 1


def test_the_object_is_shown_with_its_mask_in_the_same_window():
    """Clicks lie on the mask that is asked for, at most a pixel from its ends."""
    cutter = ExtremeCut(Told(3), zoom=64, relax=6, sigma=1.0)
    images, masks = toy_objects(6, seed=5)
    for image, mask in zip(images, masks, strict=True):
        seen = shown(cutter, image, mask, np.random.default_rng(0))
        hot, wanted = seen[3] > 0.99, seen[4] > 0
        assert 1 <= hot.sum() <= 4
        near = nn.functional.max_pool2d(wanted[None].float(), 5, 1, 2)[0] > 0
        assert near[hot].all()
        rows, columns = wanted.nonzero().T
        y, x = hot.nonzero().T
        reach = (MISS + 1) * 64 / 18
        assert y.min() - rows.min() <= reach
        assert x.min() - columns.min() <= reach
        assert rows.max() - y.max() <= reach
        assert columns.max() - x.max() <= reach


def test_a_neighbour_stands_beside_an_object_or_behind_it():
    """The object stays whole; everything else is its own ground, or the neighbour."""
    image, other = torch.full((3, 40, 40), 10), torch.full((3, 40, 40), 99)
    mask, theirs = torch.zeros(40, 40, dtype=torch.bool), torch.zeros(40, 40, dtype=torch.bool)
    mask[5:25, 5:25], theirs[10:30, 10:30] = True, True
    seen = torch.stack(
        [beside(image, mask, other, theirs, np.random.default_rng(n)) for n in range(60)]
    )
    assert (seen[:, :, mask] == 10).all()
    there = (seen[:, 0] == 99).flatten(1).sum(dim=1)
    assert there.max() == 400, "beside it, where there is room"
    assert there.min() < 350, "behind it, where there is none"
