"""Contrast of regions with a memory of regions, and of pixels with prototypes."""

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


def prototype_contrast(
    pixels: Tensor, labels: Tensor, prototypes: Tensor, known: Tensor, temperature: float = 0.1
) -> Tensor:
    """``region_contrast`` of pixels with one prototype for each class.

    Source: PPC (Du et al., CVPR 2022).

    Args:
        pixels: (M, D), any real values; normalised here.
        labels: (M,) in 0..K-1.
        prototypes: (K, D), of any length; given no gradient.
        known: (K,) booleans, False where a class has no prototype.
        temperature: of the exponential.

    Returns:
        (M,) losses; 0 where the own class, or every other, has no prototype.
    """
    return region_contrast(pixels, labels, prototypes[:, None], known[:, None], temperature)


def _middling(count: int) -> slice:
    """Of so many things, the hardest first: half of them, which end three fifths down."""
    end = round(0.6 * count)
    return slice(end - count // 2, end)


def semi_hard_contrast(
    pixels: Tensor, labels: Tensor, prototypes: Tensor, known: Tensor, temperature: float = 0.1
) -> Tensor:
    """Pull pixels to the prototype of their class, away from others that are hard, not hardest.

    InfoNCE with one positive. Each pixel has half of the other prototypes for negatives: those that
    it is most like, without the very first tenth, which may be its true class under a wrong label.
    Of the pixels of a class, half are drawn, and half are those least like their prototype, again
    without the very first tenth; some are there twice.

    Source: PPC (Du et al., CVPR 2022), semi-hard prototype mining and hard pixel sampling, with the
    shares of the released code; an own prototype is never among the negatives.

    Args:
        pixels: (M, D), any real values; normalised here.
        labels: (M,) in 0..K-1.
        prototypes: (K, D), of length one, or 0; given no gradient.
        known: (K,) booleans, False where a class has no prototype.
        temperature: of the exponential.

    Returns:
        A scalar, the mean over the classes that are among the labels; one of a single pixel, or
        without a prototype, counts as 0.
    """
    cosines = F.normalize(pixels, dim=1) @ prototypes.detach().T
    own = F.one_hot(labels, len(prototypes)).bool()
    positive = cosines[own]
    chosen = _middling(max(0, int(known.sum()) - 1))
    others = cosines.masked_fill(own | ~known, -2.0)
    against = others.topk(chosen.stop, dim=1).values[:, chosen]
    pulls = ((against - positive[:, None]) / temperature).exp().sum(dim=1).log1p() * known[labels]
    means = [pixels.sum() * 0.0]
    classes = labels.unique()
    for c in classes:
        of_class, near = pulls[labels == c], positive[labels == c].detach()
        drawn = torch.randperm(len(near), device=near.device)[: len(near) // 2]
        hard = near.argsort()[_middling(len(near))]
        if len(near) > 1:
            means.append(of_class[torch.cat([drawn, hard])].mean())
    return torch.stack(means).sum() / len(classes)


def segment_contrast(
    pixels: Tensor,
    prototypes: Tensor,
    own: Tensor,
    positive: Tensor,
    negative: Tensor,
    concentration: float,
) -> Tensor:
    """Pull each pixel towards the segments that it belongs with, away from those it does not.

    With ``s_q = concentration * (v . u_q)``, the mean over pixels of ``-log(P / (P + N))``: P sums
    ``exp s_q`` over positive segments other than the pixel's own, or is that of its own if there
    is no other; N sums it over negative ones. Several positives share the work: one is enough.

    Source: SPML (Ke et al., ICLR 2021), equation 2 and its released code.

    Args:
        pixels: (n, D) of length one.
        prototypes: (m, D) of length one.
        own: (n,) number of the segment of each pixel.
        positive: (n, m) booleans; whether a segment counts for a pixel.
        negative: (n, m) booleans, whether it counts against it.
        concentration: of the exponential; a large one looks at the nearest segments alone.

    Returns:
        A scalar; 0 (with a gradient of 0) without any pixel.
    """
    similar = concentration * pixels @ prototypes.T
    itself = torch.arange(len(prototypes), device=own.device) == own[:, None]
    others = positive & ~itself
    counted = torch.where(others.any(dim=1, keepdim=True), others, itself)
    # Not minus infinity, whose slope would be no number where nothing counts against a pixel.
    pull = similar.masked_fill(~counted, -1e4).logsumexp(dim=1)
    push = similar.masked_fill(~negative, -1e4).logsumexp(dim=1)
    return F.softplus(push - pull).sum() / max(1, len(pixels))


def similarity_loss(
    pixels: Tensor, owner: Tensor, image: Tensor, region: Tensor, concentration: float
) -> Tensor:
    """Each pixel with the segments of its region of colour, against all others of its image.

    Source: low-level image similarity of SPML (Ke et al., ICLR 2021), with the places of pixels.

    Args:
        pixels: (n, D) of length one.
        owner: (n,) number of the segment of each pixel.
        image: (m,) number of the image of each segment; those of an image come together.
        region: (m,) number of its region, counted anew in each image.
        concentration: see ``segment_contrast``.

    Returns:
        A scalar, the mean over images.
    """
    terms = []
    for b in image.unique():
        here, inside = (image == b).nonzero()[:, 0], image[owner] == b
        own = owner[inside] - here[0]
        sums = pixels.new_zeros(len(here), pixels.shape[1]).index_add(0, own, pixels[inside])
        same = region[here][own, None] == region[here]
        prototypes = F.normalize(sums, dim=1)
        terms.append(segment_contrast(pixels[inside], prototypes, own, same, ~same, concentration))
    return torch.stack(terms).mean()
