"""Which pixels of a score map may teach, by two plain thresholds."""

import torch
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import with_background
from wsss_lib.core import IGNORE, InputError


def trusted_labels(scores: Tensor, foreground: float, background: float) -> Tensor:
    """The strongest class above one threshold, background below another, 255 between them.

    Source: IRNet (Ahn, Cho and Kwak, CVPR 2019), section 4.1: 0.30 and 0.05.

    Args:
        scores: (B, C, h, w) in [0, 1].
        foreground: scores above it are trusted to be foreground.
        background: where all scores are at or below it, background is trusted.

    Returns:
        (B, h, w) class indices, 255 where neither is trusted.

    Raises:
        InputError: the thresholds are in the wrong order, which would trust what is doubtful.
    """
    if foreground < background:
        raise InputError(
            f"trusted_labels: foreground={foreground} must not be below background={background}."
        )
    strict, generous = (
        with_background(scores, constant=bound).argmax(dim=1) for bound in (foreground, background)
    )
    return torch.where(strict == generous, strict, IGNORE)
