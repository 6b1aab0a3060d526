"""Salient object detection: what stands out, without a name."""

from torch import Tensor, nn

from wsss_lib.nets.large.hub import fill
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab


class Saliency(nn.Module):
    """A network of two classes, background and object.

    Args:
        net: (B, 3, H, W) images -> (B, 2, H, W) logits.
    """

    def __init__(self, net: DeepLab) -> None:
        super().__init__()
        self.model = net

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, 1, H, W), the probability of an object."""
        probabilities: Tensor = self.model(image).softmax(dim=1)
        return probabilities[:, 1:]


def toy_saliency(pretrained: bool = True) -> Saliency:
    """Taught by the masks of the toy ImageNet, whose outlines are not those of any toy world.

    Args:
        pretrained: load the weights that come with the library; False keeps those of the toy
            backbone and starts the rest at random.

    Raises:
        InputError: the weight file is missing.
    """
    net = Saliency(toy_deeplab(1))
    if pretrained:
        fill(net.model, "saliency", "pretrain_saliency")
    return net
