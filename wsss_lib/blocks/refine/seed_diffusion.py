"""Seeds that spread over a picture round by round, where a decision lets them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import IGNORE, InputError


def held_out(labels: Tensor, share: float = 0.2, side: int = 8) -> Tensor:
    """Labelled pixels that are put aside, block by block, drawn at random.

    Whole blocks go together: beside a labelled pixel nearly everything is easy.

    Args:
        labels: (B, H, W) class indices, 255 where there is none.
        share: chance of a block, in [0, 1].
        side: of a block, in pixels.

    Returns:
        (B, H, W) booleans.

    Raises:
        InputError: a share outside [0, 1], or a side below 1.
    """
    if not 0 <= share <= 1 or side < 1:
        raise InputError(
            f"held_out: share={share} must lie in [0, 1], and side={side} be at least 1."
        )
    b, h, w = labels.shape
    drawn = torch.rand(b, -(-h // side), -(-w // side), device=labels.device) < share
    blocks = drawn.repeat_interleave(side, dim=1).repeat_interleave(side, dim=2)[:, :h, :w]
    return blocks & (labels != IGNORE)


def evidence(probabilities: Tensor, features: Tensor, seeds: Tensor) -> Tensor:
    """What speaks for the likeliest class of each pixel: three numbers.

    They are its probability; the entropy of all probabilities, as a share of the largest one; and
    the cosine between the pixel's feature and the mean direction of the seeds of that class in the
    same image, 0 where the class has none.

    Source: a reconstruction of what the decisions of PSI (Xu et al., ICCV 2021) may rest on.

    Args:
        probabilities: (B, K, H, W), each pixel summing to one.
        features: (B, D, h, w), any real values.
        seeds: (B, H, W) class indices, 255 where there is none.

    Returns:
        (B, 3, H, W); no gradient flows.
    """
    probabilities = probabilities.detach()
    peak, winner = probabilities.max(dim=1)
    count, size = probabilities.shape[1], (seeds.shape[-2], seeds.shape[-1])
    entropy = torch.special.entr(probabilities).sum(dim=1) / torch.tensor(float(count)).log()
    unit = F.normalize(resize(features.detach(), size), dim=1)
    classes = torch.arange(count, device=seeds.device).view(1, -1, 1, 1)
    marks = (seeds[:, None] == classes).to(unit)
    means = F.normalize(torch.einsum("bdhw,bkhw->bkd", unit, marks), dim=2)
    alike = torch.einsum("bdhw,bkd->bkhw", unit, means).gather(1, winner[:, None])[:, 0]
    return torch.stack([peak, entropy, alike], dim=1)


@torch.no_grad()
def diffuse_seeds(seeds: Tensor, winner: Tensor, accepted: Tensor, rounds: int) -> Tensor:
    """Seeds and what they reach: in each round they spread by one pixel, in all eight directions.

    A pixel without a label joins where it is accepted and touches a pixel that has the label which
    is its own likeliest class.

    Source: a reconstruction of the semantic label diffusion of PSI (Xu et al., ICCV 2021).

    Args:
        seeds: (B, H, W) class indices, 255 where there is none; they never change.
        winner: (B, H, W) class indices, the likeliest class.
        accepted: (B, H, W) booleans.
        rounds: how many; 0 returns the seeds.

    Returns:
        (B, H, W) class indices, 255 where nothing came.
    """
    grown = seeds
    kinds = seeds[seeds != IGNORE].unique()
    for _ in range(rounds):
        near = grown
        for kind in kinds:
            reach = F.max_pool2d((grown == kind).float()[:, None], 3, 1, 1)[:, 0] > 0
            near = torch.where(reach & accepted & (winner == kind) & (near == IGNORE), kind, near)
        if torch.equal(near, grown):
            break
        grown = near
    return grown
