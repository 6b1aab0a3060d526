"""A network that embeds pixels, and a classifier that reads the embedding and does not teach it."""

import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab


class EmbeddingNet(nn.Module):
    """A DeepLab whose outputs are an embedding, and a softmax classifier of pixels.

    Source: the released code of SPML (Ke et al., ICLR 2021): a 3x3 convolution, and a linear layer.

    Args:
        deeplab: (B, 3, H, W) images -> (B, D, H, W), D values of each pixel in the place of logits.
        num_classes: C, without background.
        width: D; the classifier hides twice as many.
        dropout: share of the hidden values that a step of training hides.

    Attributes:
        num_classes: C.
        width: D.
    """

    def __init__(
        self, deeplab: DeepLab, num_classes: int, width: int = 64, dropout: float = 0.75
    ) -> None:
        super().__init__()
        self.deeplab, self.backbone = deeplab, deeplab.backbone
        self.num_classes, self.width = num_classes, width
        self.classifier = nn.Sequential(
            nn.Conv2d(width, 2 * width, 3, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv2d(2 * width, num_classes + 1, 1),
        )

    def embed(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, D, H, W), of length one at each pixel."""
        return F.normalize(self.deeplab(image), dim=1)

    def classify(self, embedding: Tensor) -> Tensor:
        """(B, D, H, W) -> (B, K, H, W) logits, background first; the embedding learns nothing."""
        logits: Tensor = self.classifier(embedding.detach())
        return logits

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, K, H, W) logits, background first."""
        return self.classify(self.embed(image))


def toy_embedding_net(num_classes: int, backbone: Backbone | None = None) -> EmbeddingNet:
    """The network of the toy world; it embeds a pixel in 16 dimensions and hides nothing.

    Args:
        num_classes: C, without background.
        backbone: None takes the toy backbone.
    """
    return EmbeddingNet(toy_deeplab(15, backbone), num_classes, 16, 0.0)
