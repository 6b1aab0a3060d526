"""A detector of given regions of interest: their class, and where their object really ends."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import box_iou, roi_align

from wsss_lib.blocks.regions.rois import jittered, matched, moved, offsets, sampled
from wsss_lib.nets.backbones.backbone import Backbone


class RoiHead(nn.Module):
    """Features pooled in a box, two hidden layers, a class and an offset for each class.

    Source: Fast R-CNN (Girshick, ICCV 2015), with RoIAlign (He et al., ICCV 2017).

    Args:
        channels: D of the feature map.
        num_classes: C, without background.
        bins: rows and columns into which a box is pooled.
        reduced: channels of the map that is pooled.
        width: of the hidden layers.
    """

    def __init__(
        self, channels: int, num_classes: int, bins: int = 7, reduced: int = 256, width: int = 1024
    ) -> None:
        super().__init__()
        self.bins = bins
        self.reduce = nn.Conv2d(channels, reduced, 1)
        self.hidden = nn.Sequential(
            nn.Linear(reduced * bins**2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.classes = nn.Linear(width, num_classes + 1)
        self.offsets = nn.Linear(width, 4 * num_classes)

    def forward(
        self, features: Tensor, rois: Sequence[Tensor], size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """What is in the boxes.

        Args:
            features: (B, D, h, w).
            rois: one (m, 4) tensor per image: x0, y0, x1, y1, half-open, pixels of the image.
            size: (H, W) of the image.

        Returns:
            (M, K) logits and (M, C, 4) offsets, of the M boxes of all images, in order.
        """
        sy, sx = features.shape[-2] / size[0], features.shape[-1] / size[1]
        scale = torch.tensor([sx, sy, sx, sy]).to(features)
        windows = [of_image.to(features) * scale for of_image in rois]
        maps = self.reduce(features).relu()
        pooled = roi_align(maps, windows, self.bins, sampling_ratio=2, aligned=True)
        hidden = self.hidden(pooled.flatten(1))
        return self.classes(hidden), self.offsets(hidden).unflatten(1, (-1, 4))


class FastRCNN(nn.Module):
    """A backbone and a head of regions; nothing proposes the regions.

    Source: Girshick, ICCV 2015.

    Args:
        backbone: features whose last map is pooled.
        head: what it says of regions.
    """

    def __init__(self, backbone: Backbone, head: RoiHead) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, image: Tensor, rois: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) and one (m, 4) tensor each -> (M, K) logits and (M, C, 4) offsets."""
        found: tuple[Tensor, Tensor] = self.head(
            self.backbone(image)[-1], rois, (image.shape[-2], image.shape[-1])
        )
        return found

    def losses(self, image: Tensor, boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Cross-entropy of all regions, and how far those on objects are from moving onto them.

        Args:
            image: (B, 3, H, W) in [0, 1].
            boxes: one (n, 5) tensor per image: x0, y0, x1, y1 (half-open, pixels), class in 1..C.

        Returns:
            Two scalars, both divided by the number of regions.
        """
        size = (image.shape[-2], image.shape[-1])
        rois = [sampled(of_image, size) for of_image in boxes]
        found = [matched(*pair) for pair in zip(rois, boxes, strict=True)]
        kinds, goals = (torch.cat(part) for part in zip(*found, strict=True))
        logits, answers = self(image, rois)
        thing = kinds > 0
        own, wanted = answers[thing, kinds[thing] - 1], offsets(torch.cat(rois), goals)[thing]
        apart = F.smooth_l1_loss(own, wanted, reduction="sum") / len(kinds)
        return F.cross_entropy(logits, kinds), apart

    def read(self, image: Tensor, rois: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        """What it says of k regions in each of n images, with respect to one class.

        Args:
            image: (n, 3, H, W) in [0, 1].
            rois: (n, k, 4).
            kinds: (n,) classes in 1..C.

        Returns:
            (n, k) probability of the class, and (n, k, 4) offsets.
        """
        logits, answers = self(image, [*rois])
        each, shape = torch.arange(len(kinds), device=kinds.device), rois.shape[:2]
        chances = logits.softmax(dim=1).unflatten(0, shape)
        return chances[each, :, kinds], answers.unflatten(0, shape)[each, :, kinds - 1]

    @torch.no_grad()
    def closest(self, image: Tensor, boxes: Tensor, count: int, kept: int) -> Tensor:
        """Regions around the boxes of an image that are moved back onto them.

        Args:
            image: (3, H, W) in [0, 1].
            boxes: (n, 5).
            count: regions drawn around each box, up to 0.3 of its sides off.
            kept: of each box, those whose class is right and that come closest by IoU; where fewer
                are right, the closest others.

        Returns:
            (n, kept, 4), the best first.
        """
        kinds, size = boxes[:, 4], (image.shape[-2], image.shape[-1])
        rois = jittered(boxes, count, 0.3, size, seed=0)
        logits, answers = self(image[None], [rois.flatten(0, 1)])
        shape = rois.shape[:2]
        each = torch.arange(len(boxes), device=boxes.device)
        right = logits.argmax(dim=1).unflatten(0, shape) == kinds[:, None]
        back = moved(rois, answers.unflatten(0, shape)[each, :, kinds - 1])
        iou = torch.stack([box_iou(of_box, box[None, :4].to(of_box))[:, 0]
                           for of_box, box in zip(back, boxes, strict=True)])  # fmt: skip
        best = (right + iou).topk(min(kept, count), dim=1).indices
        return rois[each[:, None], best]
