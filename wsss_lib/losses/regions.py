"""Contrast between the regions of images and a memory of regions."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Beta


def region_contrast(
    regions: Tensor, classes: Tensor, memory: Tensor, known: Tensor, temperature: float = 0.07
) -> Tensor:
    """Pull a region towards each region of its class that is remembered, away from all others.

    InfoNCE with several positives: with ``s_q = cos(r, q) / temperature``, the mean over the
    remembered q of the own class of ``-log [exp s_q / (exp s_q + sum exp s_n)]``, where n runs
    over what is remembered of all other classes. Other positives are not in the denominator.

    Source: RCA (Zhou et al., CVPR 2022).

    Args:
        regions: (M, D), any real values; normalised here.
        classes: (M,) in 0..C-1.
        memory: (C, n, D); normalised here, and given no gradient.
        known: (C, n) booleans, False where nothing is remembered yet.
        temperature: of the exponential.

    Returns:
        (M,) losses; 0 (with a gradient of 0) where nothing is remembered of the own class, or
        nothing of the others.
    """
    bank = F.normalize(memory.detach().to(regions).flatten(0, 1), dim=1)
    similar = F.normalize(regions, dim=1) @ bank.T / temperature
    owner = torch.arange(len(memory), device=classes.device).repeat_interleave(memory.shape[1])
    own = (owner == classes[:, None]) & known.flatten()
    other = (owner != classes[:, None]) & known.flatten()
    # Not minus infinity, whose slope would be no number where every other class is unknown.
    against = similar.masked_fill(~other, -1e4).logsumexp(dim=1, keepdim=True)
    losses = F.softplus(against - similar) * own
    return losses.sum(dim=1) / own.sum(dim=1).clamp(min=1)


def mixed_contrast(
    regions: Tensor,
    tags: Tensor,
    memory: Tensor,
    known: Tensor,
    temperature: float = 0.07,
    alpha: float = 8.0,
) -> Tensor:
    """``region_contrast`` of each present class's region, mixed with that of another image.

    A region r of class c is drawn together with a region r' of class c' of some image of the
    batch, which may be its own: image and class are drawn evenly. With ``w ~ Beta(alpha, alpha)``
    the mixture ``w r + (1 - w) r'`` has the loss ``w L_c + (1 - w) L_c'`` (mixup).

    Source: RCA (Zhou et al., CVPR 2022), with the draws and the sums of the released code.

    Args:
        regions: (B, C, D), a vector for each image and class.
        tags: (B, C), 1 where the class is present; other regions are not looked at.
        memory: (C, n, D), see ``region_contrast``.
        known: (C, n) booleans.
        temperature: of the exponential.
        alpha: of the Beta distribution; large values mix half and half.

    Returns:
        A scalar, the sum over images of the mean over their present classes.
    """
    images, classes = tags.nonzero(as_tuple=True)
    if not len(images):
        return regions.sum() * 0.0
    own = regions[images, classes]
    share = 1 / tags.sum(dim=1)[images]
    partner = torch.multinomial(share, len(own), replacement=True)
    w = Beta(alpha, alpha).sample(share.shape).to(share)
    mixed = w[:, None] * own + (1 - w)[:, None] * own[partner]
    one, another = (
        region_contrast(mixed, labels, memory, known, temperature)
        for labels in (classes, classes[partner])
    )
    return (share * (w * one + (1 - w) * another)).sum()
