"""A classifier whose logits are the means of its class maps, as a network of its own.

Systems that keep several classifiers, frozen ones beside one that learns, hold one of these each.
"""

from itertools import pairwise

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


def map_head(
    d_in: int, num_classes: int, convs: int, width: int | None = None, bias: bool = False
) -> nn.Sequential:
    """3x3 convolutions, each followed by a ReLU, in front of a linear classifier at every position.

    Source: Jiang et al. (ICCV 2019), section 3.1, where there are three.

    Args:
        d_in: channels of the features.
        num_classes: C, without background.
        convs: how many convolutions; 0 leaves the linear classifier.
        width: channels of each of them; None keeps those of the features.
        bias: whether the classifier adds one number to each class map.

    Returns:
        (B, d_in, h, w) features -> raw class maps (B, C, h, w).
    """
    widths = [d_in, *[width or d_in] * convs]
    blocks = [
        nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.ReLU())
        for before, after in pairwise(widths)
    ]
    return nn.Sequential(*blocks, nn.Conv2d(widths[-1], num_classes, 1, bias=bias))
