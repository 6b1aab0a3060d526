import pytest
import torch

from wsss_lib.blocks.maps.class_maps import rescale
from wsss_lib.blocks.refine.lattice import Lattice, bilateral_features
from wsss_lib.losses.regularised import (
    crf_loss,
    dense_energy_loss,
    gated_crf_loss,
    kernelcut_loss,
    ncut_loss,
    on_kernel,
    only_drawn,
    small_kernel,
)

H = W = 16


def two_halves():
    """Left dark, right light, with a little noise; and one-hot scores of that split."""
    image = torch.full((1, 3, H, W), 0.2)
    image[..., W // 2 :] = 0.8
    image = image + 0.02 * torch.rand(image.shape, generator=torch.Generator().manual_seed(0))
    left = torch.zeros(1, 1, H, W)
    left[..., : W // 2] = 1
    return Lattice(bilateral_features(image, 10.0, 15.0)), torch.cat([left, 1 - left], dim=1)


def random_scores(k=3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(1, k, H, W, generator=generator, dtype=dtype).softmax(dim=1)


def matrix_of(lattice):
    return lattice.filter(torch.eye(H * W).view(1, H * W, H, W)).flatten(2)[0].T


def gaussian():
    image = torch.full((1, 3, H, W), 0.2)
    image[..., W // 2 :] = 0.8
    image = image + 0.02 * torch.rand(image.shape, generator=torch.Generator().manual_seed(0))
    points = bilateral_features(image, 10.0, 15.0)[0].flatten(1).T
    return (-torch.cdist(points, points).square() / 2).exp()


def crf_by_brute_force(kernel, scores):
    s = scores[0].flatten(1)
    return sum(s_k @ kernel @ (1 - s_k) for s_k in s) / kernel.sum()


def ncut_by_brute_force(kernel, scores):
    s, degree = scores[0].flatten(1), kernel.sum(dim=1)
    return sum(s_k @ kernel @ (1 - s_k) / (degree @ s_k) for s_k in s)


def test_they_equal_the_quadratic_form():
    lattice, _ = two_halves()
    scores, kernel = random_scores(), matrix_of(two_halves()[0])
    # Degrees are row sums of W; the lattice's W is symmetric up to the order of its blurs.
    assert crf_loss(lattice, scores).item() == pytest.approx(
        crf_by_brute_force(kernel, scores).item(), rel=1e-4
    )
    assert ncut_loss(lattice, scores).item() == pytest.approx(
        ncut_by_brute_force(kernel, scores).item(), rel=1e-2
    )
    assert kernelcut_loss(lattice, scores) == crf_loss(lattice, scores) + ncut_loss(lattice, scores)


def test_they_come_close_to_the_exact_gaussian():
    lattice, split = two_halves()
    for scores in (random_scores(), split.flip(3).roll(3, 2) * 0.8 + 0.1):
        exact = crf_by_brute_force(gaussian(), scores).item()
        assert crf_loss(lattice, scores).item() == pytest.approx(exact, rel=0.05, abs=0.005)
        exact = ncut_by_brute_force(gaussian(), scores).item()
        assert ncut_loss(lattice, scores).item() == pytest.approx(exact, rel=0.05, abs=0.01)


@pytest.mark.parametrize("loss", [crf_loss, ncut_loss, kernelcut_loss])
def test_gradients_are_exact(loss):
    image = torch.rand(1, 3, 4, 5, dtype=torch.float64)
    lattice = Lattice(bilateral_features(image, 3.0, 60.0))
    scores = torch.rand(1, 3, 4, 5, dtype=torch.float64).softmax(dim=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: loss(lattice, s), (scores,))


@pytest.mark.parametrize("loss", [crf_loss, ncut_loss])
def test_the_split_that_follows_the_colours_costs_least(loss):
    lattice, split = two_halves()
    shifted, mixed = split.roll(3, dims=3), random_scores(2)
    assert loss(lattice, split) < 0.02
    assert loss(lattice, shifted) > 5 * loss(lattice, split)
    assert loss(lattice, mixed) > loss(lattice, shifted)


def test_ncut_is_balanced_where_the_crf_loss_shrinks():
    lattice, split = two_halves()
    speck = torch.zeros(1, 1, H, W)
    speck[..., 3, 3] = 1
    lonely = torch.cat([1 - speck, speck], dim=1)
    assert ncut_loss(lattice, lonely) > 0.5
    assert ncut_loss(lattice, split) < 0.1
    assert crf_loss(lattice, lonely) < 0.02


def test_ncut_does_not_blow_up_for_absent_classes():
    lattice, split = two_halves()
    scores = torch.cat([split, torch.zeros_like(split)], dim=1).requires_grad_()
    loss = ncut_loss(lattice, scores)
    loss.backward()
    assert loss.item() == pytest.approx(ncut_loss(lattice, split).item(), abs=1e-5)
    assert scores.grad.isfinite().all()


def test_gates_choose_who_teaches_and_who_learns():
    lattice, split = two_halves()
    wrong = split.roll(3, dims=3).requires_grad_()
    nowhere, everywhere = torch.zeros(1, 1, H, W), torch.ones(1, 1, H, W)
    assert gated_crf_loss(lattice, wrong, nowhere, everywhere) == 0
    assert gated_crf_loss(lattice, wrong, everywhere, everywhere) == crf_loss(lattice, wrong)
    rows = torch.zeros(1, 1, H, W)
    rows[:, :, : H // 2] = 1
    gated_crf_loss(lattice, wrong, rows, rows).backward()
    assert wrong.grad[:, :, : H // 2].abs().sum() > 0
    assert wrong.grad[:, :, H // 2 :].abs().sum() == 0


def test_energy_of_open_pixels_equals_the_sum_over_pairs():
    lattice, _ = two_halves()
    kernel, scores = matrix_of(lattice), random_scores()
    gate = torch.rand(1, 1, H, W, generator=torch.Generator().manual_seed(2))
    s, open_ = scores[0].flatten(1), gate.flatten()
    wanted = 0.0
    for i in range(H * W):
        wanted += open_[i] * (kernel[i] * (1 - s[:, i] @ s)).sum()
    found = dense_energy_loss(lattice, scores, gate)
    assert found.item() == pytest.approx((wanted / kernel.sum()).item(), rel=1e-4)


def test_energy_pulls_open_pixels_to_their_surroundings_and_closed_ones_not():
    """A closed pixel still pulls: it is what an open one beside it learns from."""
    lattice, split = two_halves()
    gate = torch.ones(1, 1, H, W)
    gate[:, :, : H // 2] = 0
    scores = split.roll(3, dims=3).requires_grad_()
    gate.requires_grad_()
    dense_energy_loss(lattice, scores, gate).backward()
    assert scores.grad[:, :, : H // 2].abs().sum() == 0
    around = lattice.filter(scores.detach()) / lattice.filter(torch.ones(1, 1, H, W)).sum()
    assert torch.allclose(scores.grad[:, :, H // 2 :], -around[:, :, H // 2 :], atol=1e-8)
    assert gate.grad is None


def test_energy_of_all_pixels_is_the_crf_loss_and_fades_as_they_close():
    lattice, split = two_halves()
    wrong, all_open = split.roll(3, dims=3), torch.ones(1, 1, H, W)
    assert dense_energy_loss(lattice, wrong, all_open).item() == pytest.approx(
        crf_loss(lattice, wrong).item(), rel=1e-4
    )
    assert dense_energy_loss(lattice, split, all_open) < dense_energy_loss(lattice, wrong, all_open)
    half = dense_energy_loss(lattice, wrong, all_open / 2)
    assert half.item() == pytest.approx(dense_energy_loss(lattice, wrong, all_open).item() / 2)


def test_a_small_kernel_is_that_of_the_smaller_picture():
    image = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(3))
    small = rescale(image, 0.5)
    values = torch.rand(2, 2, 4, 6, generator=torch.Generator().manual_seed(4))
    found, wanted = small_kernel(image, 6.0, 20.0, 0.5), bilateral_features(small, 3.0, 20.0)
    assert torch.equal(found.filter(values), Lattice(wanted).filter(values))


def test_deep_features_part_what_has_one_colour():
    """Two halves of one colour, which the deep features tell apart; with their Gaussian."""
    image, deep = torch.full((1, 3, H, W), 0.5), torch.zeros(1, 2, H, W)
    deep[:, 0, :, : W // 2] = 3.0
    split = torch.zeros(1, 2, H, W)
    split[:, 0, :, : W // 2] = 1
    split[:, 1] = 1 - split[:, 0]
    alone = crf_loss(small_kernel(image, 6.0, 15.0, 1.0), split)
    assert crf_loss(small_kernel(image, 6.0, 15.0, 1.0, deep), split) < alone / 10
    features = torch.cat([bilateral_features(image, 6.0, 15.0), deep], dim=1)[0].flatten(1).T
    exact = (-torch.cdist(features, features).square() / 2).exp()
    mixed = random_scores(2)
    found = crf_loss(small_kernel(image, 6.0, 15.0, 1.0, deep), mixed)
    assert found.item() == pytest.approx(crf_by_brute_force(exact, mixed).item(), rel=0.05)


def test_classes_that_nobody_drew_are_zeroed_and_the_background_is_not():
    scores, scribble = torch.ones(2, 4, 2, 3), torch.full((2, 2, 3), 255)
    scribble[0, 0, 0], scribble[0, 1, 1], scribble[1, 1, 2] = 3, 1, 2
    kept = only_drawn(scores, scribble).amax(dim=(2, 3))
    assert kept.tolist() == [[1, 1, 0, 1], [1, 0, 1, 0]]


def test_probabilities_come_at_the_size_of_a_kernel():
    lattice, logits = two_halves()[0], torch.randn(1, 3, 2 * H, 2 * W)
    found = on_kernel(lattice, logits)
    assert found.shape == (1, 3, H, W)
    assert torch.allclose(found.sum(dim=1), torch.ones(1, H, W), atol=1e-5)
