"""SAM: masks from points, from boxes, or of everything in an image.

The same wrapper holds Meta's models and a tiny one for the toy world. An image is embedded once,
and asked as often as one likes: ``sam.masks_from(sam.embed(image), boxes=boxes)``.

**Hidden supervision.** SAM has learned from masks: Meta's from 1.1 billion, the tiny one from all
regions of 12,288 pictures of another toy world than those that are measured, objects of the same
kinds among them. It was never told what any of them is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.blocks.regions.masks import distinct
from wsss_lib.core import InputError
from wsss_lib.nets.backbones.backbone import IMAGENET_MEAN, IMAGENET_STD, Standardize
from wsss_lib.nets.large.hub import fill, from_hub

_FILES = "config.json, model.safetensors and preprocessor_config.json"


@dataclass(frozen=True)
class Embedded:
    """An image as SAM remembers it.

    Attributes:
        features: (1, D, h, w) of the image, padded to a square on the right and below.
        size: (H, W) of the image in pixels.
    """

    features: Tensor
    size: tuple[int, int]


class Sam(nn.Module):
    """A frozen SAM that takes RGB images of any size.

    Source: Kirillov et al., ICCV 2023. ``everything`` compares masks where the paper compares
    their boxes, and leaves out the paper's crops.

    Args:
        model: a ``transformers.SamModel``.
        mean: RGB mean that its training subtracted.
        std: RGB deviation that its training divided by.
        grid: ``everything`` asks for grid x grid points.
        min_iou: lowest IoU in [0, 1] that SAM must expect of a mask that ``everything`` keeps.
        min_stability: lowest IoU in [0, 1] between the mask cut one logit higher and lower.

    Attributes:
        size: side of the square that SAM sees, in pixels; images are scaled to fit it.
    """

    def __init__(
        self,
        model: Any,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        grid: int = 32,
        min_iou: float = 0.88,
        min_stability: float = 0.95,
    ) -> None:
        super().__init__()
        self.model = model
        self.standardize = Standardize(tuple(mean), tuple(std))
        self.grid, self.min_iou, self.min_stability = grid, min_iou, min_stability
        self.size: int = model.config.vision_config.image_size

    def embed(self, image: Tensor) -> Embedded:
        """Look at one image, (3, H, W) or (1, 3, H, W), RGB in [0, 1].

        Raises:
            InputError: another shape.
        """
        image = image[None] if image.ndim == 3 else image
        if image.ndim != 4 or image.shape[:2] != (1, 3) or image.numel() == 0:
            raise InputError(f"SAM takes one (3, H, W) image, not {tuple(image.shape)}.")
        height, width = image.shape[-2:]
        scale = self.size / max(height, width)
        h, w = (max(1, round(side * scale)) for side in (height, width))
        x = self.standardize(resize(image, (h, w)))
        # The padding is the mean colour, as in the training.
        x = F.pad(x, (0, self.size - w, 0, self.size - h))
        return Embedded(self.model.get_image_embeddings(x), (height, width))

    @torch.no_grad()
    def masks_from(
        self,
        seen: Embedded,
        points: Tensor | None = None,
        boxes: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """One mask per prompt: of points the one of three that SAM trusts most, of boxes the only.

        Args:
            seen: the image.
            points: (P, 2), or (P, n, 2) for n points per mask: x, y of pixels.
            boxes: (P, 4) x0, y0, x1, y1, half-open, pixels. Points beside boxes refine them.
            labels: (P,) or (P, n): 1 for points of the object, 0 for points beside it; None for
                ones.

        Returns:
            masks: (P, H, W) bool.
            iou: (P,) the IoU that SAM expects of each; about [0, 1].

        Raises:
            InputError: neither points nor boxes, or shapes that do not fit.
        """
        logits, iou = self._ask(seen, points, boxes, labels, several=boxes is None)
        best = iou.argmax(dim=1)
        rows = torch.arange(len(best), device=best.device)
        return self._cut(logits[rows, best], seen.size), iou[rows, best]

    @torch.no_grad()
    def everything(self, image: Tensor, chunk: int = 64) -> tuple[Tensor, Tensor]:
        """Masks of whatever lies under a grid of points, the most trusted first.

        A mask stays if SAM expects a high IoU of it, if its outline is sharp, and if it overlaps
        no better one by an IoU above 0.7.

        Args:
            image: (3, H, W) or (1, 3, H, W), RGB in [0, 1].
            chunk: points that are asked at once; memory grows with it.

        Returns:
            masks: (n, H, W) bool, not empty, n possibly 0; they may overlap.
            iou: (n,) the IoU that SAM expects of each, falling.

        Raises:
            InputError: another shape.
        """
        seen = self.embed(image)
        height, width = seen.size
        at = (torch.arange(self.grid, device=seen.features.device) + 0.5) / self.grid
        y, x = torch.meshgrid(at * height - 0.5, at * width - 0.5, indexing="ij")
        kept, trust = [], []
        for points in torch.stack([x, y], dim=-1).reshape(-1, 2).split(chunk):
            logits, iou = (part.flatten(0, 1) for part in self._ask(seen, points, None, None, True))
            wide, slim = ((logits > cut).sum(dim=(1, 2)) for cut in (-1.0, 1.0))
            good = (iou >= self.min_iou) & (slim >= self.min_stability * wide) & (slim > 0)
            kept.append(logits[good])
            trust.append(iou[good])
        logits, iou = torch.cat(kept), torch.cat(trust)
        # Masks are compared as coarse as they were made; only the few that stay are resized.
        order = distinct(logits > 0, iou)
        masks = self._cut(logits[order], seen.size)
        seen_at_all = masks.any(dim=2).any(dim=1)
        return masks[seen_at_all], iou[order][seen_at_all]

    def _ask(
        self,
        seen: Embedded,
        points: Tensor | None,
        boxes: Tensor | None,
        labels: Tensor | None,
        several: bool,
    ) -> tuple[Tensor, Tensor]:
        """(P, M, s, s) logits on the square and (P, M) expected IoU; M is 3 if several, else 1."""
        scale = self.size / max(seen.size)
        prompts: dict[str, Tensor] = {}
        if points is not None:
            points = points[:, None] if points.ndim == 2 else points
            if points.ndim != 3 or points.shape[-1] != 2 or points.numel() == 0:
                raise InputError(f"points must be (P, 2) or (P, n, 2), not {tuple(points.shape)}.")
            if labels is None:
                labels = torch.ones(points.shape[:2])
            labels = labels.reshape(len(points), -1)
            if labels.shape != points.shape[:2]:
                raise InputError(f"{tuple(points.shape)} points need one label each.")
            # Centres of pixels stay centres of pixels; the prompt encoder adds the last half.
            prompts["input_points"] = ((points.to(seen.features) + 0.5) * scale - 0.5)[None]
            prompts["input_labels"] = labels.to(seen.features.device, torch.int)[None]
        if boxes is not None:
            if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.numel() == 0:
                raise InputError(f"boxes must be (P, 4), not {tuple(boxes.shape)}.")
            if points is not None and len(points) != len(boxes):
                raise InputError(f"{len(boxes)} boxes and {len(points)} sets of points differ.")
            inside = torch.tensor([0.5, 0.5, -0.5, -0.5]).to(seen.features)
            prompts["input_boxes"] = ((boxes.to(seen.features) + inside) * scale - 0.5)[None]
        if not prompts:
            raise InputError("masks_from needs points or boxes.")
        answer = self.model(image_embeddings=seen.features, multimask_output=several, **prompts)
        return answer.pred_masks[0], answer.iou_scores[0]

    def _cut(self, logits: Tensor, size: tuple[int, int]) -> Tensor:
        """(P, s, s) logits on the square -> (P, H, W) bool masks of the image."""
        scale = self.size / max(size)
        h, w = (max(1, round(side * scale)) for side in size)

        def cut(few: Tensor) -> Tensor:
            square = resize(few[:, None], (self.size, self.size))[..., :h, :w]
            return resize(square, size)[:, 0] > 0

        # A thousand masks at once would take gigabytes, and more blocks than a GPU can number.
        return torch.cat([cut(few) for few in logits.split(64)])


def load_sam(name: str | Path = "toy") -> Sam:
    """A SAM, frozen and in eval mode.

    Args:
        name: "toy" for the one of the toy world, an identifier on huggingface.co such as
            "facebook/sam-vit-base", or a folder with the files of such a model.

    Raises:
        InputError: the files are not here and cannot be fetched, or are those of another model.
    """
    if name == "toy":
        return toy_sam().requires_grad_(False).eval()
    from transformers import SamImageProcessor, SamModel

    model = from_hub("sam", name, SamModel, _FILES)
    pictures = from_hub("sam", name, SamImageProcessor, _FILES)
    return Sam(model, pictures.image_mean, pictures.image_std).requires_grad_(False).eval()


def toy_sam(pretrained: bool = True) -> Sam:
    """The tiny SAM: 64 x 64 images, 8 x 8 patches, 4 layers, masks of 32 x 32; 0.53 M weights.

    Args:
        pretrained: load the weights that come with the library; False starts at random, not frozen.

    Raises:
        InputError: the weight file is missing.
    """
    from transformers import SamConfig, SamModel

    square = {"image_size": 64, "patch_size": 8}
    # Both defaults of the encoder make sense only under weights that are loaded afterwards.
    trainable = {"initializer_range": 0.02, "scale": 1.0}
    config = SamConfig(
        vision_config={
            **square, **trainable, "hidden_size": 96, "num_hidden_layers": 4, "mlp_dim": 192,
            "num_attention_heads": 4, "window_size": 4, "global_attn_indexes": [1, 3],
            "output_channels": 64, "num_pos_feats": 32,
        },
        prompt_encoder_config={**square, "hidden_size": 64, "mask_input_channels": 8},
        mask_decoder_config={
            "hidden_size": 64, "mlp_dim": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
            "iou_head_hidden_dim": 64,
        },
    )  # fmt: skip
    sam = Sam(SamModel(config), grid=11, min_iou=0.45, min_stability=0.6)
    if pretrained:
        fill(sam.model, "sam")
    return sam
