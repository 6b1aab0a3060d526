"""A segmentation network that also says where labels can be believed, and what pixels are like."""

from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import resize_like
from wsss_lib.nets.segmentation.deeplab import DeepLab


class AttendedNet(nn.Module):
    """A DeepLab from whose decoder attention to each class and embeddings are read as well.

    Source: Box2Seg (Kulharia et al., ECCV 2020), whose three tasks have a decoder each.

    Args:
        deeplab: the network that answers.
        num_classes: C, without background.
        dim: D, channels of an embedding.
    """

    def __init__(self, deeplab: DeepLab, num_classes: int, dim: int = 64) -> None:
        super().__init__()
        self.deeplab, self.backbone = deeplab, deeplab.backbone
        self.attention = nn.Conv2d(deeplab.width, num_classes, 1)
        self.embedding = nn.Conv2d(deeplab.width, dim, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, K, H, W) logits, background first."""
        logits: Tensor = self.deeplab(image)
        return logits

    def read(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Everything that the network says of (B, 3, H, W) images in [0, 1].

        Returns:
            logits: (B, K, H, W), background first.
            attention: (B, C, H, W) in [0, 1].
            embedding: (B, D, h, w), any real values.
        """
        decoded = self.deeplab.embed(self.backbone(image))
        attention = resize_like(self.attention(decoded), image).sigmoid()
        return self.deeplab.classify(decoded, image), attention, self.embedding(decoded)
