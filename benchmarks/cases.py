"""Refiners, kernels and walks beside their peers."""

from collections.abc import Callable
from functools import partial
from importlib.metadata import version

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.inputs import SIZE, as_tensor, blobs, largest, photograph
from benchmarks.timing import Case
from wsss_lib.blocks.affinity.pairs import half_disc, stencil_affinity
from wsss_lib.blocks.affinity.random_walk import propagate, propagate_dense, stencil_to_dense
from wsss_lib.blocks.refine import grabcut as gc
from wsss_lib.blocks.refine.dense_crf import CRF, _smoothness, dense_crf
from wsss_lib.blocks.refine.lattice import Lattice, bilateral_features
from wsss_lib.blocks.refine.pamr import pamr, pamr_weights
from wsss_lib.blocks.refine.random_walker import colour_edges, random_walker
from wsss_lib.core import IGNORE, InputError
from wsss_lib.losses.regularised import ncut_loss


def crf(classes: int) -> Case:
    """Ten mean-field updates with DeepLab's settings."""
    try:
        import pydensecrf.densecrf as dcrf
    except ImportError as error:
        raise InputError("The peer is missing: uv pip install pydensecrf2==1.1") from error
    image, probabilities, settings = photograph(), blobs(classes, *SIZE), CRF()

    def ours(device: torch.device) -> Callable[[], Tensor]:
        pixels, start = as_tensor(image).to(device), probabilities.to(device)

        def work() -> Tensor:
            _smoothness.cache_clear()  # as for the first photograph of its size
            return dense_crf(pixels, start, settings)

        return work

    def theirs() -> np.ndarray:
        h, w = SIZE
        model = dcrf.DenseCRF2D(w, h, classes)
        unary = -np.log(probabilities[0].numpy()).reshape(classes, -1)
        model.setUnaryEnergy(np.ascontiguousarray(unary))
        model.addPairwiseGaussian(sxy=settings.gxy, compat=settings.spatial)
        model.addPairwiseBilateral(
            sxy=settings.sxy, srgb=settings.srgb, rgbim=image, compat=settings.bilateral
        )
        return np.array(model.inference(settings.iterations)).reshape(1, classes, h, w)

    return Case(
        f"crf_{classes}", "dense CRF, 10 iterations", f"{classes} × 375 × 500",
        f"pydensecrf2 {version('pydensecrf2')}", ours, theirs, largest,
    )  # fmt: skip


def ncut() -> Case:
    """The normalised cut and its gradient, with the kernel on a lattice or written out."""
    image, scores = as_tensor(photograph(72, 96)), blobs(4, 72, 96)

    def ours(device: torch.device) -> Callable[[], float]:
        pixels = image.to(device)

        def work() -> float:
            leaf = scores.to(device).requires_grad_()
            loss = ncut_loss(Lattice(bilateral_features(pixels, 40, 15)), leaf)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.item()

        return work

    def theirs() -> float:
        points = bilateral_features(image, 40, 15)[0].flatten(1).T
        kernel = (-torch.cdist(points, points).square() / 2).exp()
        s = scores[0].flatten(1).requires_grad_()
        inside, volume = (s * (s @ kernel)).sum(dim=1), s @ kernel.sum(dim=1)
        loss = (1 - inside / volume).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    return Case(
        "ncut", "normalised-cut loss and gradient", "4 × 72 × 96", "dense kernel matrix",
        ours, theirs, lambda one, other: abs(one - other) / other,
    )  # fmt: skip


def _stencil(h: int, w: int) -> tuple[Tensor, list[tuple[int, int]]]:
    """Affinities of neighbours within IRN's radius of 10, of random smooth features."""
    offsets = half_disc(10)
    return stencil_affinity(3 * blobs(8, h, w), offsets), offsets


def walk() -> Case:
    """256 steps on IRN's graph; one of the peer's eight squarings is timed."""
    affinity, offsets = _stencil(94, 125)
    maps = blobs(3, 94, 125)

    def ours(device: torch.device) -> Callable[[], Tensor]:
        weights, start = affinity.to(device), maps.to(device)
        return lambda: propagate(start, weights, offsets, beta=8, steps=256)

    def theirs() -> Tensor:
        transition = stencil_to_dense(affinity, offsets)[0] ** 8
        transition /= transition.sum(dim=0)
        return transition @ transition

    def difference(one: Tensor, other: Tensor) -> float:
        """On a smaller map, where all eight squarings can be waited for."""
        weights, offsets = _stencil(24, 32)
        start = blobs(3, 24, 32)
        dense = propagate_dense(start, stencil_to_dense(weights, offsets), beta=8, steps=256)
        return largest(propagate(start, weights, offsets, beta=8, steps=256), dense)

    return Case(
        "walk", "random walk, 256 steps, radius 10", "3 × 94 × 125",
        "eight dense squarings (one timed, times eight)", ours, theirs, difference,
        pairs=1, share=1 / 8,
    )  # fmt: skip


def walker() -> Case:
    """Grady's random walker on the colours of a photograph."""
    from skimage.segmentation import random_walker as peer

    image = photograph()
    seeds = torch.full((1, *SIZE), IGNORE)
    seeds[0, 160:168, 200:220], seeds[0, 10:16, 20:400], seeds[0, 300:306, 60:120] = 0, 1, 2
    marks = np.where(seeds[0] == IGNORE, 0, seeds[0] + 1)
    edges = colour_edges(as_tensor(image), floor=1e-10)

    def ours(device: torch.device) -> Callable[[], Tensor]:
        weights, labels = edges.to(device), seeds.to(device)
        return lambda: random_walker(weights, labels, 3)[0]

    def theirs() -> np.ndarray:
        return np.asarray(
            peer(image / 255, marks, mode="bf", return_full_prob=True, channel_axis=-1)
        )

    return Case(
        "walker", "random walker, three seeds", "3 × 375 × 500",
        f"scikit-image {version('scikit-image')}, direct solver", ours, theirs, largest, pairs=3,
    )  # fmt: skip


def shift_pamr() -> Case:
    """Ten iterations over six dilations; the peer gathers all neighbours, as the usual code."""
    image, maps = as_tensor(photograph()), blobs(21, *SIZE)
    dilations = (1, 2, 4, 8, 12, 24)

    def gather(x: Tensor, dilation: int) -> Tensor:
        b, c, h, w = x.shape
        kernel = torch.eye(9)[[0, 1, 2, 3, 5, 6, 7, 8]].view(8, 1, 3, 3)
        padded = F.pad(x, (dilation,) * 4, mode="replicate").flatten(0, 1)[:, None]
        return F.conv2d(padded, kernel, dilation=dilation).view(b, c, 8, h, w)

    def ours(device: torch.device) -> Callable[[], Tensor]:
        pixels, start = image.to(device), maps.to(device)
        return lambda: pamr(pixels, start, dilations)

    def theirs() -> Tensor:
        weights, found = pamr_weights(image, dilations), maps
        for _ in range(10):
            around = torch.cat([gather(found, dilation) for dilation in dilations], dim=2)
            found = (around * weights[:, None]).sum(dim=2)
        return found

    return Case(
        "pamr", "PAMR, 10 iterations", "21 × 375 × 500", "gathered neighbours",
        ours, theirs, largest, pairs=1,
    )  # fmt: skip


def grabcut() -> Case:
    """Five rounds from a box around the cat's face."""
    import cv2

    image, box = photograph(188, 250), torch.tensor([40, 20, 210, 180])
    trimap = gc.box_trimap((188, 250), box)

    def ours(device: torch.device) -> Callable[[], Tensor]:
        pixels, start = as_tensor(image)[0].to(device), trimap.to(device)
        return lambda: gc.grabcut(pixels, start)[0]

    def theirs() -> np.ndarray:
        mask = trimap.numpy().astype(np.uint8)
        models = np.zeros((2, 1, 65))
        cv2.setRNGSeed(0)
        cv2.grabCut(
            image[..., ::-1].copy(), mask, None, models[0], models[1], 5, cv2.GC_INIT_WITH_MASK
        )
        return mask % 2

    def difference(one: Tensor, other: np.ndarray) -> float:
        """Share of pixels that differ: OpenCV's clusters start at random."""
        return float((one.cpu().numpy() != other).mean())

    return Case(
        "grabcut", "GrabCut, 5 rounds", "188 × 250", f"OpenCV {cv2.__version__}",
        ours, theirs, difference, pairs=3,
    )  # fmt: skip


CASES: dict[str, Callable[[], Case]] = {
    **{f"crf_{classes}": partial(crf, classes) for classes in (2, 4, 21)},
    "ncut": ncut,
    "walk": walk,
    "walker": walker,
    "pamr": shift_pamr,
    "grabcut": grabcut,
}
