import pytest
import torch

from wsss_lib.blocks.refine.lattice import Lattice, bilateral_features, spatial_features
from wsss_lib.core import InputError


def smooth_image(b=1, h=20, w=24, seed=0):
    """Colours that change slowly, with noise: lattice cells hold some pixels each."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(b, 3, 4, 4, generator=generator)
    image = torch.nn.functional.interpolate(coarse, (h, w), mode="bilinear")
    return (image + 0.02 * torch.rand(b, 3, h, w, generator=generator)).clamp(0, 1)


def matrix_of(lattice):
    """(N, N), by filtering each unit vector; one image."""
    _, h, w = lattice.shape
    return lattice.filter(torch.eye(h * w).view(1, h * w, h, w)).flatten(2)[0].T


def gaussian(features):
    points = features[0].flatten(1).T
    return (-torch.cdist(points, points).square() / 2).exp()


@pytest.mark.parametrize(
    ("features", "least"),
    [
        (spatial_features(torch.zeros(1, 3, 20, 24), 2.0), 0.995),
        (bilateral_features(smooth_image(), 8.0, 40.0), 0.98),
    ],
    ids=["spatial", "bilateral"],
)
def test_it_has_the_shape_of_the_gaussian(features, least):
    found, exact = matrix_of(Lattice(features)), gaussian(features)
    assert torch.corrcoef(torch.stack([found.flatten(), exact.flatten()]))[0, 1] > least


def test_symmetric_normalisation_divides_by_the_roots_of_the_row_sums():
    features = bilateral_features(smooth_image(), 8.0, 40.0)
    plain, normal = matrix_of(Lattice(features)), matrix_of(Lattice(features, symmetric=True))
    scale = plain.sum(dim=1).rsqrt()
    assert torch.allclose(normal, scale[:, None] * plain * scale, atol=1e-6)


def test_filtering_is_linear_and_images_of_a_batch_do_not_meet():
    image = smooth_image(b=2)
    both = Lattice(bilateral_features(image, 8.0, 40.0))
    values, other = torch.rand(2, 3, 20, 24), torch.rand(2, 3, 20, 24)
    together = both.filter(2 * values + other)
    assert torch.allclose(together, 2 * both.filter(values) + both.filter(other), atol=1e-4)
    for i in range(2):
        alone = Lattice(bilateral_features(image[i : i + 1], 8.0, 40.0))
        assert torch.allclose(alone.filter(values[i : i + 1])[0], both.filter(values)[i], atol=1e-5)


def test_gradients_are_exact():
    features = bilateral_features(smooth_image(2, 4, 3).double(), 3.0, 40.0)
    lattice = Lattice(features, symmetric=True)
    values = torch.rand(2, 2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lattice.filter, (values,))


def test_the_blur_is_nearly_symmetric_and_its_transpose_exact():
    lattice = Lattice(bilateral_features(smooth_image(), 8.0, 40.0))
    matrix = matrix_of(lattice)
    assert (matrix - matrix.T).norm() < 0.2 * matrix.norm()
    values = torch.eye(480).view(1, 480, 20, 24).requires_grad_()
    mirrored = torch.autograd.grad(lattice.filter(values).flatten(2)[0, :, 7].sum(), values)[0]
    assert torch.allclose(mirrored.flatten(2)[0, 0], matrix[7], atol=1e-5)


def test_vertices_lie_where_pixels_are():
    flat = Lattice(bilateral_features(torch.full((1, 3, 20, 24), 0.5), 100.0, 10.0))
    busy = Lattice(bilateral_features(torch.rand(1, 3, 20, 24), 100.0, 10.0))
    assert flat.vertices < 30
    assert busy.vertices > 480


def test_a_single_pixel_is_its_own_neighbourhood():
    lattice = Lattice(bilateral_features(torch.rand(1, 3, 1, 1), 5.0, 5.0), symmetric=True)
    assert lattice.filter(torch.full((1, 1, 1, 1), 3.0)).item() == pytest.approx(3.0)


def test_what_cannot_be_filtered_is_refused():
    with pytest.raises(InputError, match="NaN"):
        Lattice(torch.full((1, 2, 4, 4), torch.nan))
    with pytest.raises(InputError, match=r"\.float\(\)"):
        Lattice(torch.zeros(1, 2, 4, 4, dtype=torch.int32))
    with pytest.raises(InputError, match="larger standard"):
        Lattice(1e4 * torch.rand(1, 5, 9, 9))
    lattice = Lattice(torch.rand(1, 2, 4, 4))
    with pytest.raises(InputError, match="made for"):
        lattice.filter(torch.rand(1, 1, 4, 5))
    with pytest.raises(InputError, match="made for"):
        lattice.filter(torch.rand(2, 1, 4, 4))
