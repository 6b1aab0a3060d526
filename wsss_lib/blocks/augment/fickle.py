"""A convolution that overlooks random parts of its window, and always sees the centre."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.core import InputError


def centre_fixed_mask(
    count: int,
    window: int,
    size: tuple[int, int],
    rate: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Which places each window of a convolution sees: the centre always, others by chance.

    Source: FickleNet (Lee et al., CVPR 2019), section 3.1, centre-fixed spatial dropout.

    Args:
        count: n, masks to draw.
        window: s, side of the window.
        size: (h, w) of the feature map; each position has a window of its own.
        rate: probability that a place other than the centre is dropped.
        generator: draws on the CPU; None takes the global one.

    Returns:
        (n, s * s, h, w) in {0, 1}, places in the order of a convolution's weights.

    Raises:
        InputError: a window without a centre, or a rate outside [0, 1].
    """
    if window < 1 or window % 2 == 0 or not 0 <= rate <= 1:
        raise InputError(
            f"centre_fixed_mask(window={window}, rate={rate}): the window must be odd, or it has "
            "no centre, and the rate a probability."
        )
    kept = torch.rand(count, window * window, *size, generator=generator) >= rate
    kept[:, window * window // 2] = True
    return kept.float()


def window_parts(features: Tensor, weight: Tensor) -> Tensor:
    """The summands of a convolution, one for each place of its window.

    ``conv(f)(u) = sum_k W_k f(u + k)``. A mask that all channels share can be applied to the
    summands, so that many masks on one image cost one convolution and many sums. The usual way,
    which spreads the windows out on a map s times as high and wide, convolves again for each mask.

    Args:
        features: (B, D, h, w).
        weight: (D', D, s, s) of a convolution with stride 1 and zero padding, s odd.

    Returns:
        (B, s * s, D', h, w); its sum over dim 1 is the convolution, without bias.
    """
    h, w = features.shape[-2:]
    d, window = weight.shape[0], weight.shape[-1]
    each = weight.permute(2, 3, 0, 1).reshape(window * window * d, -1, 1, 1)
    parts = F.conv2d(features, each).unflatten(1, (window * window, d))
    parts = F.pad(parts, (window // 2,) * 4)
    corners = [divmod(k, window) for k in range(window * window)]
    moved = [parts[:, k, :, y : y + h, x : x + w] for k, (y, x) in enumerate(corners)]
    return torch.stack(moved, dim=1)


def see_parts(parts: Tensor, mask: Tensor) -> Tensor:
    """Add up the parts of each window that a mask lets through.

    Args:
        parts: (B, s * s, D', h, w), see ``window_parts``.
        mask: (B, s * s, h, w) or (1, s * s, h, w), see ``centre_fixed_mask``.

    Returns:
        (B, D', h, w).
    """
    mask, seen = mask.to(parts)[:, :, None], torch.zeros_like(parts[:, 0])
    for k in range(parts.shape[1]):  # an einsum moves all parts in memory first: 20 times slower
        seen = torch.addcmul(seen, parts[:, k], mask[:, k])
    return seen
