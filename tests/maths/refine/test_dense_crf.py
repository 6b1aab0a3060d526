import pytest
import torch

from wsss_lib.blocks.refine import dense_crf as crf
from wsss_lib.blocks.refine.dense_crf import CRF, dense_crf
from wsss_lib.core import InputError


class Exact:
    """The O(N^2) kernel that the lattice stands for, normalised in the same way."""

    def __init__(self, features, symmetric):
        assert symmetric
        points = features.flatten(2).transpose(1, 2)
        kernel = (-torch.cdist(points, points).square() / 2).exp()
        scale = kernel.sum(dim=2).rsqrt()
        self.kernel = scale[:, :, None] * kernel * scale[:, None]

    def filter_rows(self, rows):
        b, n, _ = self.kernel.shape
        return (self.kernel @ rows.view(b, n, -1)).view(b * n, -1)


def square_on_ground(noise=0.03, seed=0):
    """A dark square on light ground, and probabilities that know it only roughly."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.zeros(1, 32, 32, dtype=torch.long)
    truth[:, 8:24, 6:22] = 1
    image = (0.8 - 0.5 * truth[:, None]).expand(1, 3, 32, 32).float()
    image = (image + noise * torch.randn(1, 3, 32, 32, generator=generator)).clamp(0, 1)
    rough = torch.zeros(1, 32, 32, dtype=torch.long)
    rough[:, 11:27, 9:25] = 1
    wrong = torch.rand(1, 32, 32, generator=generator) < 0.15
    rough = torch.where(wrong, 1 - rough, rough)
    foreground = 0.3 + 0.4 * rough[:, None].float()
    return image, torch.cat([1 - foreground, foreground], dim=1), truth


def wrong_pixels(probabilities, truth):
    return (probabilities.argmax(dim=1) != truth).float().mean().item()


def test_it_pulls_labels_to_the_edges_of_the_image():
    image, probabilities, truth = square_on_ground()
    refined = dense_crf(image, probabilities, CRF(sxy=20, srgb=20))
    assert wrong_pixels(probabilities, truth) > 0.2
    assert wrong_pixels(refined, truth) < 0.02
    assert torch.allclose(refined.sum(dim=1), torch.tensor(1.0), atol=1e-5)


def test_without_the_appearance_kernel_the_edges_stay_wrong():
    image, probabilities, truth = square_on_ground()
    refined = dense_crf(image, probabilities, CRF(bilateral=0, sxy=20, srgb=20))
    assert wrong_pixels(refined, truth) > 0.05


def test_it_agrees_with_kernels_written_out_in_full(monkeypatch):
    image, probabilities, _ = square_on_ground()
    settings = CRF(bilateral=2, sxy=20, srgb=20, iterations=5)
    found = dense_crf(image, probabilities, settings)
    monkeypatch.setattr(crf, "Lattice", Exact)
    crf._smoothness.cache_clear()
    exact = dense_crf(image, probabilities, settings)
    crf._smoothness.cache_clear()
    assert (found.argmax(dim=1) == exact.argmax(dim=1)).float().mean() > 0.99
    assert (found - exact).abs().mean() < 0.02


def test_no_iterations_and_no_weights_only_normalise():
    image, probabilities, _ = square_on_ground()
    for settings in (CRF(iterations=0), CRF(bilateral=0, spatial=0)):
        assert torch.allclose(dense_crf(image, 3 * probabilities, settings), probabilities)


def test_a_batch_equals_its_images_one_by_one():
    pairs = [square_on_ground(seed=seed)[:2] for seed in (1, 2)]
    image, probabilities = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    together = dense_crf(image, probabilities)
    for i, (one, its) in enumerate(pairs):
        assert torch.allclose(together[i : i + 1], dense_crf(one, its), atol=1e-4)


def test_gradients_reach_the_probabilities():
    image = torch.rand(1, 3, 4, 5, dtype=torch.float64)
    probabilities = torch.rand(1, 2, 4, 5, dtype=torch.float64) + 0.1
    probabilities.requires_grad_()
    settings = CRF(bilateral=0.5, sxy=3, srgb=60, spatial=0.5, iterations=2)
    assert torch.autograd.gradcheck(lambda p: dense_crf(image, p, settings), (probabilities,))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (13, 5)])
def test_odd_sizes(size):
    refined = dense_crf(torch.rand(1, 3, *size), torch.rand(1, 3, *size) + 0.1)
    assert refined.shape == (1, 3, *size)
    assert refined.isfinite().all()


@pytest.mark.parametrize(
    ("image", "probabilities", "message"),
    [
        (torch.rand(1, 3, 8, 8), torch.rand(1, 2, 8, 9), "resize the maps"),
        (torch.rand(2, 3, 8, 8), torch.rand(1, 2, 8, 8), "same batch"),
        (torch.rand(1, 3, 8, 8), torch.rand(1, 2, 8, 8).double(), r"maps\.to\(image\)"),
        (torch.rand(1, 3, 8, 8), torch.ones(1, 2, 8, 8, dtype=torch.uint8), r"\.float\(\)"),
        (torch.rand(1, 3, 8, 8), torch.full((1, 2, 8, 8), torch.inf), "NaN or infinity"),
        (torch.rand(1, 3, 8, 8), torch.full((1, 2, 8, 8), -0.1), "non-negative"),
        (torch.rand(1, 3, 8, 8), torch.zeros(1, 2, 8, 8), "all zero"),
        (torch.rand(1, 3, 8, 8), torch.rand(1, 0, 8, 8), "not empty"),
        (torch.rand(3, 8, 8), torch.rand(1, 2, 8, 8), r"\(B, C, H, W\)"),
    ],
)
def test_what_cannot_be_refined_is_refused(image, probabilities, message):
    with pytest.raises(InputError, match=message):
        dense_crf(image, probabilities)
