"""A segmentation network that says where each class may be, and holds it down elsewhere."""

from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.nets.segmentation.deeplab import DeepLab


class MaskedNet(nn.Module):
    """A DeepLab whose scores are gated by class-wise masks, read from the same features.

    Source: BCM (Song et al., CVPR 2019): one convolution beside the pyramid, as in the released
    code.

    Args:
        deeplab: the network that is gated.
        num_classes: C, without background.
    """

    def __init__(self, deeplab: DeepLab, num_classes: int) -> None:
        super().__init__()
        self.deeplab, self.backbone = deeplab, deeplab.backbone
        self.masking = nn.Conv2d(deeplab.backbone.channels[-1], num_classes + 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, K, H, W) gated logits, background first."""
        logits, masks = self.read(image)
        return logits * masks

    def read(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> (B, K, H, W) logits that are not gated, (B, K, H, W) masks in [0, 1]."""
        features = self.backbone(image)
        masks = resize_like(self.masking(features[-1]), image).sigmoid()
        return self.deeplab.decode(features, image), masks
