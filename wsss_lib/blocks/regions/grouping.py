"""Pixels sorted into segments by what a network makes of them, and the mean direction of each."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.labels.paint import shrink_labels
from wsss_lib.blocks.regions.superpixels import felzenszwalb
from wsss_lib.core import InputError


def with_place(embedding: Tensor) -> Tensor:
    """Unit embeddings to which the place in the image is added, as unit vectors again.

    Source: the released code of SPML (Ke et al., ICLR 2021).

    Args:
        embedding: (B, D, h, w) of length one.

    Returns:
        (B, D + 2, h, w): row and column run from -0.5 to 0.5 (0 along a side of one pixel).
    """
    (b, _, h, w), like = embedding.shape, embedding
    sides = [torch.linspace(-0.5, 0.5, n).to(like) if n > 1 else like.new_zeros(1) for n in (h, w)]
    place = torch.stack(torch.meshgrid(*sides, indexing="ij")).expand(b, -1, -1, -1)
    return F.normalize(torch.cat([embedding, place], dim=1), dim=1)


@torch.no_grad()
def spherical_k_means(features: Tensor, side: int, rounds: int = 10) -> Tensor:
    """k-means on the sphere in each image, from a grid of ``side`` x ``side`` cells.

    The centre of a cluster is the direction of the sum of its pixels, and a pixel goes to the
    centre of the largest cosine. A cluster that loses all its pixels stays empty.

    Source: SegSort (Hwang et al., ICCV 2019), as SPML (Ke et al., ICLR 2021) uses it.

    Args:
        features: (B, D, h, w) of length one.
        side: of the grid; there are at most ``side ** 2`` clusters.
        rounds: of both steps.

    Returns:
        (B, h, w) int64 numbers of clusters, in 0..side ** 2 - 1.

    Raises:
        InputError: a side below 1.
    """
    if side < 1:
        raise InputError(f"spherical_k_means: side={side} must be at least 1.")
    b, d, h, w = features.shape
    rows, columns = (
        torch.linspace(0, side - 1, n, device=features.device).round().long() for n in (h, w)
    )
    owners = (rows[:, None] * side + columns).expand(b, -1, -1).flatten(1)
    pixels = features.flatten(2)
    for _ in range(rounds):
        sums = pixels.new_zeros(b, side**2, d)
        sums.scatter_add_(1, owners[..., None].expand(-1, -1, d), pixels.transpose(1, 2))
        taken = sums.abs().sum(dim=2, keepdim=True) > 0
        alike = F.normalize(sums, dim=2) @ pixels
        owners = alike.masked_fill(~taken, -2.0).argmax(dim=1)
    return owners.view(b, h, w)


def directions(vectors: Tensor, owner: Tensor, count: int) -> Tensor:
    """The direction of the sum of each group, differentiable in the vectors.

    Args:
        vectors: (n, D).
        owner: (n,) number of the group that each belongs to.
        count: m, how many groups there are.

    Returns:
        (m, D) of length one; 0 for an empty group.
    """
    sums = vectors.new_zeros(count, vectors.shape[1]).index_add(0, owner, vectors)
    return F.normalize(sums, dim=1)


def colour_regions(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Regions of colour of each image, seen at the middle of each cell of a grid.

    Args:
        image: (B, 3, H, W) in [0, 1].
        size: (h, w) of the grid.

    Returns:
        (B, h, w) int64 numbers, those of an image its own; an image of one pixel is one region.
    """
    if image[0, 0].numel() < 2:
        return torch.zeros(len(image), *size, dtype=torch.long, device=image.device)
    regions = torch.stack([felzenszwalb(one) for one in image])[:, None].float()
    return F.interpolate(regions, size, mode="nearest-exact")[:, 0].long()


@dataclass(frozen=True)
class Segments:
    """The n pixels of a batch one by one, and the m segments that they make up.

    Attributes:
        pixels: (n, D) of length one.
        placed: (n, D + 2), pixels with their place.
        owner: (n,) number of the segment of each pixel.
        image: (m,) number of the image of each segment.
        region: (m,) number of its region in the picture, by colour.
        label: (m,) its class index, 255 where nobody labelled it.
    """

    pixels: Tensor
    placed: Tensor
    owner: Tensor
    image: Tensor
    region: Tensor
    label: Tensor

    @property
    def prototypes(self) -> Tensor:
        """(m, D), the direction of each segment."""
        return directions(self.pixels, self.owner, len(self.image))


def segment(
    embedding: Tensor, image: Tensor, labels: Tensor, num_classes: int, side: int, rounds: int = 10
) -> Segments:
    """Pixels of one image, one cluster, one region of colour and one label make up a segment.

    Source: SPML (Ke et al., ICLR 2021) and its released code.

    Args:
        embedding: (B, D, h, w) of length one; its pixels are grouped.
        image: (B, 3, H, W) in [0, 1].
        labels: (B, H, W) class indices, 255 where there is none, which is a label of its own here.
        num_classes: K, background included.
        side: see ``spherical_k_means``, which clusters what the pixels of an image are and where.
        rounds: see there.
    """
    size = (embedding.shape[-2], embedding.shape[-1])
    seen, regions = shrink_labels(labels, size, num_classes), colour_regions(image, size)
    placed = with_place(embedding)
    clusters = spherical_k_means(placed, side, rounds)
    number = torch.arange(len(labels), device=labels.device)[:, None, None].expand_as(seen)
    keys = torch.stack([number, clusters, regions, seen], dim=-1).flatten(0, 2)
    kinds, owner = keys.unique(dim=0, return_inverse=True)
    flat = [maps.permute(0, 2, 3, 1).flatten(0, 2) for maps in (embedding, placed)]
    return Segments(flat[0], flat[1], owner, kinds[:, 0], kinds[:, 2], kinds[:, 3])
