"""The toy backbones: the contract, the weights that come with the library, and their making."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from experiments.pretrain_toy import NETS, main
from wsss_lib.core import InputError
from wsss_lib.data.toy import KINDS, VERSION, toy_scene
from wsss_lib.data.toy.imagenet import TASKS, toy_imagenet
from wsss_lib.nets.backbones.toy import WEIGHTS, ToyCNN, toy_cnn, toy_mit, toy_vit

MAKERS = [
    ToyCNN,
    lambda: ToyCNN(stride=8),
    lambda: toy_vit(pretrained=False),
    lambda: toy_mit(pretrained=False),
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("size", [(64, 64), (65, 47), (96, 96), (1, 1)])
@pytest.mark.parametrize("batch", [1, 2])
def test_backbone_contract(make, size, batch):
    net = make().eval()
    maps = net(torch.rand(batch, 3, *size))
    assert len(maps) == len(net.channels) == len(net.strides)
    for map_, channels, stride in zip(maps, net.channels, net.strides, strict=True):
        expected = (batch, channels, -(-size[0] // stride), -(-size[1] // stride))
        assert tuple(map_.shape) == expected
        assert map_.isfinite().all()


@pytest.mark.parametrize("make", MAKERS)
def test_every_weight_learns(make):
    net = make()
    torch.stack([m.square().mean() for m in net(torch.rand(2, 3, 32, 32))]).sum().backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name


def test_stride_8_takes_the_weights_of_stride_4():
    coarse, fine = ToyCNN(8).eval(), ToyCNN(4).eval()
    coarse.load_state_dict(fine.state_dict())
    image = torch.rand(1, 3, 64, 64)
    # Dilation in place of a stride: every second cell of the fine map is the coarse map.
    torch.testing.assert_close(coarse(image)[-1], fine(image)[-1][..., ::2, ::2])
    with pytest.raises(InputError, match="choose 4 or 8"):
        ToyCNN(16)


def test_receptive_field_of_the_cnn_is_55_pixels():
    net = ToyCNN().eval()
    image = torch.rand(1, 3, 128, 128, requires_grad=True)
    net(image)[-1][0, :, 16, 16].sum().backward()
    reach = image.grad[0].abs().sum(0).nonzero()
    assert (reach.amax(0) - reach.amin(0) + 1).tolist() == [55, 55]


def test_attention_of_the_vit():
    net = toy_vit(pretrained=False).eval()
    image = torch.rand(2, 3, 64, 48)
    maps, attentions = net.attend(image)
    assert [tuple(a.shape) for a in attentions] == [(2, 4, 48, 48)] * 6
    for attention in attentions:
        torch.testing.assert_close(attention.sum(-1), torch.ones(2, 4, 48))
    for shown, plain in zip(maps, net(image), strict=True):
        torch.testing.assert_close(shown, plain, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "make"), [("toy_cnn", toy_cnn), ("toy_vit", toy_vit), ("toy_mit", toy_mit)]
)
def test_missing_weights_name_the_command(name, make, tmp_path, monkeypatch):
    monkeypatch.setattr("wsss_lib.nets.backbones.toy.WEIGHTS", tmp_path)
    with pytest.raises(InputError, match=f"experiments.pretrain_toy {name}"):
        make()
    make(pretrained=False)


@pytest.mark.parametrize("name", list(NETS))
def test_weights_are_small_and_say_where_they_come_from(name):
    path = WEIGHTS / f"{name}.safetensors"
    assert path.stat().st_size <= 1.5e6
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["facts"])
    assert facts["net"] == name
    assert facts["version"] == VERSION
    assert facts["accuracy"].keys() == TASKS.keys()
    # Far above the chance of the largest task, and of each of them.
    for task, names in TASKS.items():
        assert facts["accuracy"][task] > 1.7 / len(names), task
    assert all(p.isfinite().all() for p in NETS[name]().parameters())


@pytest.mark.parametrize("name", list(NETS))
def test_pretrained_features_tell_more_than_random_ones(name):
    scenes = [toy_scene(5, "standard", "train", i) for i in range(360)]
    images = torch.from_numpy(np.stack([s.image for s in scenes])).permute(0, 3, 1, 2) / 255
    tags = np.array([[k in s.classes for k in range(len(KINDS))] for s in scenes])

    def score(pretrained):
        torch.manual_seed(0)
        net = NETS[name](pretrained=pretrained)
        with torch.no_grad():
            # Batch statistics: a random network has no running ones.
            features = net.train()(images)[-1]
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1).numpy()
        pooled = (pooled - pooled.mean(0)) / (pooled.std(0) + 1e-6)
        precision = []
        for k in range(len(KINDS) - 1):  # too few of the rare class here
            probe = LogisticRegression(C=0.01, max_iter=300).fit(pooled[:240], tags[:240, k])
            found = probe.decision_function(pooled[240:])
            precision.append(average_precision_score(tags[240:, k], found))
        return np.mean(precision)

    assert score(True) > score(False) + 0.05


def test_retrain_command_runs_and_repeats_itself(tmp_path):
    for folder in ("one", "two"):
        main([*NETS, "--smoke", "--out", str(tmp_path / folder)])
    for name in NETS:
        with (
            safe_open(tmp_path / "one" / f"{name}.safetensors", "pt") as one,
            safe_open(tmp_path / "two" / f"{name}.safetensors", "pt") as two,
        ):
            assert set(one.keys()) == set(NETS[name](pretrained=False).state_dict())
            for key in one.keys():  # noqa: SIM118 (no mapping)
                assert torch.equal(one.get_tensor(key), two.get_tensor(key))


def test_retrain_command_refuses_unknown_networks(capsys):
    with pytest.raises(SystemExit):
        main(["resnet"])
    assert "choose from" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "make"), [("toy_vit", toy_vit), ("toy_mit", toy_mit)])
def test_the_transformers_tell_shapes_apart(name, make):
    """The first toy transformer named one shape in four, and no idea can build on that."""
    images, labels = toy_imagenet(160, seed=1)
    with safe_open(WEIGHTS / f"{name}.safetensors", "pt") as file:
        facts = json.loads(file.metadata()["facts"])
    assert facts["accuracy"]["shape"] >= 0.6
    net, shapes = make().eval(), labels[:, list(TASKS).index("shape")].numpy()
    with torch.no_grad():
        seen = net(images / 255)[-1].mean(dim=(2, 3)).numpy()
    probe = LogisticRegression(C=0.1, max_iter=300).fit(seen[:120], shapes[:120])
    assert probe.score(seen[120:], shapes[120:]) > 0.5  # .8; the first one, and chance, .1
