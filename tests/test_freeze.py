"""What a recipe freezes stays, during the training and no longer."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.tiny import Pixels, plain_folder
from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.core import InputError, Recipe
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView
from wsss_lib.engine import fit
from wsss_lib.engine.freeze import first_weights
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.mobilenet import MobileNetV2
from wsss_lib.nets.backbones.resnet import ResNet
from wsss_lib.nets.backbones.toy import ToyCNN


class Net(Pixels):
    """A backbone with batch normalisation, and a head with some as well."""

    card = replace(Pixels.card, id="net")

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = ToyCNN()
        self.head = nn.Sequential(nn.BatchNorm2d(128), nn.Conv2d(128, 2, 1))

    def maps(self, image):
        return resize_like(self.head(self.backbone(image)[-1]), image)

    def loss(self, batch):
        return {"cls": tag_loss(self.maps(batch.image).mean(dim=(2, 3)), batch.tags)}


@pytest.fixture
def view(tmp_path):
    return WeakView(SegmentationFolder(plain_folder(tmp_path / "mine")))


def moved(view, **settings):
    """Names of what a training of three steps changes."""
    method = Net()
    before = copy.deepcopy(method.state_dict())
    method.recipe = Recipe(3, 2, lr=0.1, **settings)
    fit(method, view)
    assert all(weight.requires_grad for weight in method.parameters()), "for this training only"
    after = method.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


def of_norms(names):
    """Those of batch normalisation inside the backbone."""
    norms = [name for name, part in Net().named_modules() if isinstance(part, nn.BatchNorm2d)]
    return {n for n in names if n.startswith("backbone") and n.rpartition(".")[0] in norms}


def test_without_freezing_everything_moves(view):
    assert {*Net().state_dict()} - moved(view) <= {"classifier.weight", "classifier.bias"}


def test_statistics_and_weights_of_normalisation_stay_and_all_else_learns(view):
    free, still = moved(view), moved(view, freeze_norm=True)
    assert of_norms(free)
    assert still == free - of_norms(free)


def test_weights_of_the_first_levels_stay_and_those_behind_learn(view):
    still = moved(view, freeze_levels=2, freeze_norm=True)
    assert not any(name.startswith(("backbone.stem", "backbone.stages.0")) for name in still)
    for part in ("backbone.stages.1.conv", "backbone.stages.2.1.conv", "head.1"):
        assert f"{part}.weight" in still


@pytest.mark.parametrize("net", [ToyCNN(), ResNet(50, 16, False), MobileNetV2(16, None)])
def test_first_weights_are_those_behind_the_map_whatever_the_backbone(net):
    before = copy.deepcopy(net.state_dict())
    for levels in (1, 3):
        frozen = {id(weight) for weight in first_weights(net.train(), levels)}
        assert net.training
        assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
        net.eval().zero_grad()
        net(torch.rand(1, 3, 32, 32))[levels - 1].sum().backward()
        assert frozen == {id(w) for w in net.parameters() if w.grad is not None}


def test_a_method_without_a_backbone_says_so(view):
    class Bare(Net):
        def __init__(self):
            super().__init__()
            self.net = self.backbone
            del self.backbone

        def maps(self, image):
            return resize_like(self.head(self.net(image)[-1]), image)

    method = Bare()
    method.recipe = Recipe(3, 2, freeze_norm=True)
    with pytest.raises(InputError, match="keep the backbone"):
        fit(method, view)
