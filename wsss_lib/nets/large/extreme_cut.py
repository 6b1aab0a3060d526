"""Deep Extreme Cut: a network that has learned from masks what lies between four clicks.

**Hidden supervision.** It has seen masks: the published one those of PASCAL VOC or of COCO, the
tiny one those of toy ImageNet objects, whose outlines no toy world has. It never learned a name.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.blocks.regions.clicks import box_of_clicks, click_heat, cut_window, paste_window
from wsss_lib.core import InputError
from wsss_lib.nets.backbones.backbone import Standardize
from wsss_lib.nets.backbones.resnet import ResNet
from wsss_lib.nets.large.hub import fill


class ClickCNN(nn.Module):
    """A small backbone for four channels: one map at a stride of 2 pixels, growing dilations.

    Attributes:
        channels: of its map.
    """

    def __init__(self, width: int = 40) -> None:
        super().__init__()
        self.channels = [width]
        self.standardize: nn.Module = Standardize((0.5,) * 3, (0.25,) * 3)
        self.stem = nn.Sequential(
            nn.Conv2d(4, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        )  # fmt: skip
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=rate, dilation=rate, bias=False),
                nn.BatchNorm2d(width),
            )
            for rate in (1, 2, 4, 8)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 4, H, W) -> one map (B, width, H / 2, W / 2)."""
        x: Tensor = self.stem(image)
        for block in self.blocks:
            x = (x + block(x)).relu()
        return [x]


class PyramidNet(nn.Module):
    """One logit a pixel from the deepest map, which is pooled over bins of several sizes.

    Source: Zhao et al., Pyramid Scene Parsing Network (CVPR 2017).

    Args:
        backbone: takes (B, 4, H, W), of which three channels are standardised colours.
        width: channels before the last convolution.
        bins: rows and columns of each pooling.
    """

    def __init__(
        self, backbone: ClickCNN | ResNet, width: int = 512, bins: tuple[int, ...] = (1, 2, 3, 6)
    ) -> None:
        super().__init__()
        self.backbone, deep = backbone, backbone.channels[-1]
        part = deep // len(bins)
        self.pools = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(side), nn.Conv2d(deep, part, 1), nn.ReLU())
            for side in bins
        )
        self.fuse = nn.Sequential(
            nn.Conv2d(deep + part * len(bins), width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 1, 1),
        )  # fmt: skip

    def forward(self, seen: Tensor) -> Tensor:
        """(B, 4, H, W) -> (B, 1, H, W) logits."""
        deep = self.backbone(seen)[-1]
        pooled = [resize_like(pool(deep), deep) for pool in self.pools]
        return resize_like(self.fuse(torch.cat([deep, *pooled], dim=1)), seen)


class ExtremeCut(nn.Module):
    """Cuts out the objects on whose four ends somebody clicked.

    Source: Maninis et al., Deep Extreme Cut (CVPR 2018).

    Args:
        net: (n, 4, zoom, zoom) colours and heat -> (n, 1, zoom, zoom) logits.
        zoom: side of the square that the network sees, in pixels.
        relax: pixels of the image that the window shows around the box of the clicks.
        sigma: full width at half maximum of the heat of a click, in pixels of the square.
    """

    def __init__(
        self, net: PyramidNet, zoom: int = 512, relax: int = 50, sigma: float = 10.0
    ) -> None:
        super().__init__()
        self.net, self.zoom, self.relax, self.sigma = net, zoom, relax, sigma
        self.standardize = net.backbone.standardize
        net.backbone.standardize = nn.Identity()  # it would stumble over the fourth channel

    def window(self, clicks: Tensor) -> tuple[int, int, int, int]:
        """(4, 2) clicks -> x0, y0, x1, y1, half-open; parts of it may lie outside the image."""
        x0, y0, x1, y1 = box_of_clicks(clicks).tolist()
        return x0 - self.relax, y0 - self.relax, x1 + self.relax, y1 + self.relax

    def see(self, image: Tensor, clicks: Tensor) -> Tensor:
        """(3, H, W) in [0, 1] and (4, 2) clicks -> (4, zoom, zoom): the window, and the heat."""
        window = self.window(clicks)
        colours = self.standardize(cut_window(image, window, self.zoom)[None])[0]
        return torch.cat([colours, click_heat(clicks, window, self.zoom, self.sigma).to(image)])

    def forward(self, image: Tensor, clicks: Tensor) -> Tensor:
        """What belongs to each object; nothing does beyond the box that its clicks span.

        Args:
            image: (3, H, W) RGB in [0, 1].
            clicks: (n, 4, 2) x, y of the clicks of n objects, n possibly 0.

        Returns:
            (n, H, W) probabilities.
        """
        size = (image.shape[-2], image.shape[-1])
        found = image.new_zeros(len(clicks), *size)
        for probability, four in zip(found, clicks, strict=True):
            inside = self.net(self.see(image, four)[None]).sigmoid()[0, 0]
            x0, y0, x1, y1 = box_of_clicks(four).tolist()
            box = (slice(y0, y1), slice(x0, x1))
            probability[box] = paste_window(inside, self.window(four), size)[box]
        return found


def four_channels(net: ResNet) -> ResNet:
    """A ResNet whose first convolution takes a fourth channel; weights of the others stay."""
    weight = net.stem[0].get_parameter("weight")
    wide = nn.Conv2d(4, len(weight), 7, 2, 3, bias=False)
    with torch.no_grad():
        wide.weight[:, :3] = weight
    net.stem[0] = wide
    return net


def untrained_extreme_cut() -> ExtremeCut:
    """The published shape on ResNet-50, with random weights."""
    return ExtremeCut(PyramidNet(four_channels(ResNet(50, 8, pretrained=False))))


def published_extreme_cut(pretrained: bool) -> ExtremeCut:
    """The published shape, frozen and in eval mode.

    Args:
        pretrained: with weights, of which none can be had; False draws random ones.

    Raises:
        InputError: weights are asked for.
    """
    if pretrained:
        return load_extreme_cut("the size of its paper")
    return untrained_extreme_cut().requires_grad_(False).eval()


def load_extreme_cut(name: str | Path = "toy") -> ExtremeCut:
    """A network that cuts out clicked objects, frozen and in eval mode.

    Args:
        name: "toy" for the one of the toy world, or a file of weights for
            ``untrained_extreme_cut``, as ``safetensors.torch.save_model`` writes it.

    Raises:
        InputError: no such file, or one with other weights.
    """
    if name == "toy":
        return toy_extreme_cut().requires_grad_(False).eval()
    if not Path(name).is_file():
        raise InputError(
            f"no weights of Deep Extreme Cut at {name}: the published ones are those of another "
            "network (ResNet-101) and are not read here. Train untrained_extreme_cut() on masks of "
            'other classes and pass its file, or use name="toy", whose weights come with the '
            "library; for a run that answers noise, take random weights."
        )
    net = untrained_extreme_cut()
    try:
        net.load_state_dict(load_file(name))
    except (RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{name} does not hold the weights of untrained_extreme_cut() "
            f"({str(error).splitlines()[0]})."
        ) from error
    return net.requires_grad_(False).eval()


def toy_extreme_cut(pretrained: bool = True) -> ExtremeCut:
    """The one of the toy world: windows of 64 x 64 pixels, 0.09 M weights.

    Args:
        pretrained: load the weights that come with the library; False starts at random.

    Raises:
        InputError: the weight file is missing.
    """
    net = ExtremeCut(PyramidNet(ClickCNN(), width=24), zoom=64, relax=6, sigma=4.0)
    if pretrained:
        fill(net.net, "dextr", "pretrain_dextr")
    return net
