import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from wsss_lib.blocks.refine.dense_crf import CRF, PRESETS, dense_crf

dcrf = pytest.importorskip(
    "pydensecrf.densecrf", reason="needs pydensecrf2: uv pip install pydensecrf2==1.1"
)


def peer(image, probabilities, settings):
    """Marginals of pydensecrf for an (H, W, 3) uint8 image and (K, H, W) probabilities."""
    k, h, w = probabilities.shape
    model = dcrf.DenseCRF2D(w, h, k)
    model.setUnaryEnergy(np.ascontiguousarray(-np.log(probabilities).reshape(k, -1)))
    model.addPairwiseGaussian(sxy=settings.gxy, compat=settings.spatial)
    model.addPairwiseBilateral(
        sxy=settings.sxy, srgb=settings.srgb, rgbim=image, compat=settings.bilateral
    )
    return np.array(model.inference(settings.iterations)).reshape(k, h, w)


def blobs(h, w, k):
    """Smooth random probabilities, none below 1e-8."""
    coarse = 2 * torch.randn(1, k, 12, 16, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, (h, w), mode="bilinear").softmax(dim=1)


def compare(path, settings, k):
    pixels = np.array(Image.open(path).convert("RGB"))
    probabilities = blobs(*pixels.shape[:2], k)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    ours = dense_crf(image, probabilities, settings)[0].numpy()
    theirs = peer(pixels, probabilities[0].numpy(), settings)
    same = (ours.argmax(axis=0) == theirs.argmax(axis=0)).mean()
    return np.abs(ours - theirs).max(), same


def test_marginals_equal_pydensecrf_on_photographs(shared):
    photographs = sorted((shared / "data/voc2012/JPEGImages").glob("*.jpg"))
    assert len(photographs) == 20
    for path in photographs:
        difference, same = compare(path, PRESETS["deeplab"], k=3)
        assert difference < 1e-3, path.name
        assert same > 0.999, path.name


@pytest.mark.parametrize(
    "settings",
    [*list(PRESETS.values())[1:], CRF(bilateral=10, sxy=80, srgb=13, iterations=5)],
)
def test_every_setting_reaches_pydensecrf(shared, settings):
    difference, same = compare(shared / "data/voc2012/JPEGImages/2007_000033.jpg", settings, k=2)
    assert difference < 1e-3
    assert same > 0.999
