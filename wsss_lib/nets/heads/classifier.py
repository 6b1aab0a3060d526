"""A classifier whose logits are the means of its class maps, as a network of its own.

Systems that keep several classifiers, frozen ones beside one that learns, hold one of these each.
"""

from torch import Tensor, nn

from wsss_lib.nets.backbones.backbone import Backbone


class Classifier(nn.Module):
    """A bias-free linear classifier at every position of a backbone's last map.

    Source: Zhou et al. (CVPR 2016).

    Args:
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
    """

    def __init__(self, backbone: Backbone, num_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w); their means are the logits."""
        return self.head(self.backbone(image)[-1])


def conv_classifier(d_in: int, num_classes: int, depth: int, width: int) -> nn.Sequential:
    """Rectified 3 x 3 convolutions and a bias-free linear classifier behind them.

    Args:
        d_in: channels of the features.
        num_classes: C, without background.
        depth: how many convolutions; 0 leaves the linear classifier.
        width: channels of each of them.
    """
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Conv2d(d_in, width, 3, padding=1), nn.ReLU()]
        d_in = width
    return nn.Sequential(*layers, nn.Conv2d(d_in, num_classes, 1, bias=False))
