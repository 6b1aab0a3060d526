"""Dense CRF: every pixel asks all others that are near or of like colour."""

from typing import Self

import torch
from torch import Tensor, nn

from wsss_lib.blocks.maps import class_maps as maps
from wsss_lib.blocks.refine.dense_crf import CRF, PRESETS, dense_crf
from wsss_lib.core import Batch, Card, Method

CARD = Card(
    id="densecrf",
    name="Dense CRF",
    title="Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials",
    authors="Krähenbühl, Koltun",
    venue="NeurIPS",
    year=2011,
    supervision=("tags",),
    family="refine",
    paper="arXiv:1210.5644",
    official="https://www.philkr.net/code",
    survey_section="3.1",
    needs_scores=True,
    uses_tags_at_inference=False,
    own_background=True,
    differs=(
        "unaries are class maps and a background that is a power of what they leave over, not a "
        "trained classifier",
        "weights and widths are DeepLab's, found with masks of PASCAL VOC",
        "the message of a pixel to itself is kept, as in the reference implementation",
    ),
)


class DenseCRF(Method):
    """Mean field in a fully connected CRF, training-free.

    Args:
        settings: weights and widths of the kernels; ``PRESETS`` of
            ``wsss_lib.blocks.refine.dense_crf`` has more.
        background: power of the background map, ``(1 - max_c M_c) ** background``. Scores come
            out nearly hard, so that it, rather than a threshold, decides where objects end.
    """

    card = CARD

    def __init__(self, settings: CRF = PRESETS["deeplab"], background: float = 1.0) -> None:
        super().__init__()
        self.settings, self.background = settings, background

    @classmethod
    def toy(cls, num_classes: int, backbone: nn.Module | None = None) -> Self:
        """Widths that suit 64 x 64 pixels, or photographs where a backbone for those is named.

        ``num_classes`` does not matter here, and the backbone is not used.
        """
        return cls(CRF(sxy=8, srgb=8), background=4.0) if backbone is None else cls()

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background after mean field."""
        scores = batch.require("scores", CARD.name)
        refined = torch.zeros_like(scores)
        for i, found in enumerate(maps.keep_present(scores, batch.tags)):
            present = found.amax(dim=(1, 2)) > 0  # cost grows with the number of classes
            if not present.any():
                continue
            start = maps.with_background(found[present][None], power=self.background)
            after = dense_crf(batch.image[i : i + 1], start, self.settings)
            refined[i, present] = maps.foreground_scores(after)[0]
        return refined
