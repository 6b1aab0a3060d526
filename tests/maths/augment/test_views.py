"""Views and the ways back: the inverse of a view gives the image back, exactly."""

import pytest
import torch

from tests.tiny import noise
from wsss_lib.blocks.augment.views import (
    copies,
    crops,
    drawn_cells,
    drawn_windows,
    hidden_pair,
    joined,
    laid_back,
    merged,
    thinned,
    tiles,
)
from wsss_lib.core import InputError


def test_copies_are_the_mirror_image_and_other_sizes():
    image = noise(2, 3, 8, 12)
    mirrored, small, large = copies(image, (0.5, 2.0))
    assert torch.equal(mirrored, image.flip(-1))
    assert torch.equal(mirrored.flip(-1), image), "the mirror undoes itself"
    assert small.shape == (2, 3, 4, 6)
    assert large.shape == (2, 3, 16, 24)
    assert copies(image[..., :1, :1], (0.2,))[1].shape == (2, 3, 1, 1)


@pytest.mark.parametrize("side", [1, 2, 3])
def test_tiles_are_cut_row_by_row_and_merge_to_the_image(side):
    image = noise(2, 3, 6, 12)
    pieces, h, w = tiles(image, side), 6 // side, 12 // side
    assert pieces.shape == (2 * side * side, 3, h, w)
    place = 0
    for b in range(2):
        for row in range(side):
            for column in range(side):
                y, x = row * h, column * w
                assert torch.equal(pieces[place], image[b, :, y : y + h, x : x + w])
                place += 1
    assert torch.equal(merged(pieces, side), image)


def test_maps_of_tiles_merge_at_their_own_size_and_let_gradients_through():
    image = noise(2, 3, 8, 12).requires_grad_()
    coarse = torch.nn.functional.avg_pool2d(tiles(image, 2), 2)
    whole = merged(coarse, 2)
    torch.testing.assert_close(whole, torch.nn.functional.avg_pool2d(image, 2))
    whole.sum().backward()
    assert torch.allclose(image.grad, torch.full_like(image, 0.25))


@pytest.mark.parametrize(("size", "side"), [((5, 4), 2), ((4, 5), 2), ((4, 4), 0)])
def test_tiles_that_do_not_fit_are_refused(size, side):
    with pytest.raises(InputError, match="do not divide"):
        tiles(torch.rand(1, 3, *size), side)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_cells_are_whole_and_so_many_are_drawn(share):
    torch.manual_seed(0)
    mask = drawn_cells(torch.zeros(60, 3, 16, 24), 8, share)
    assert mask.shape == (60, 1, 16, 24)
    assert mask.unique().tolist() == ([0.0, 1.0] if 0 < share < 1 else [share])
    grid = tiles(mask, 8).flatten(1)
    assert torch.equal(grid.amin(dim=1), grid.amax(dim=1))
    assert mask.mean().item() == pytest.approx(share, abs=0.03)
    assert share in (0.0, 1.0) or not torch.equal(mask[0], mask[1]), "draws of their own"


def test_a_pair_shows_each_place_once_and_joins_to_the_image():
    torch.manual_seed(0)
    image, colour = noise(2, 3, 8, 12), (0.2, 0.5, 0.6)
    mask = drawn_cells(image, 4, 0.5)
    one, other = hidden_pair(image, mask, colour)
    for b in range(2):
        for y in range(8):
            for x in range(12):
                shows, hides = (one, other) if mask[b, 0, y, x] else (other, one)
                assert torch.equal(shows[b, :, y, x], image[b, :, y, x])
                assert torch.equal(hides[b, :, y, x], torch.tensor(colour))
    assert torch.equal(joined(one, other, mask), image)
    mean = torch.tensor(colour).view(1, 3, 1, 1)
    torch.testing.assert_close((one - mean) + (other - mean), image - mean)


def test_everything_shown_is_the_image_and_nothing():
    image = noise(1, 3, 4, 4)
    one, other = hidden_pair(image, torch.ones(1, 1, 4, 4), (0.5,) * 3)
    assert torch.equal(one, image)
    assert torch.equal(other, torch.full_like(image, 0.5))


def test_windows_begin_in_the_corners_and_then_anywhere():
    torch.manual_seed(0)
    corners, window = drawn_windows(3, 200, (5, 8), 0.55)
    assert window == (3, 4)
    assert corners.shape == (3, 200, 2)
    for b in range(3):
        assert corners[b, :4].tolist() == [[0, 0], [0, 4], [2, 0], [2, 4]]
        assert {tuple(place) for place in corners[b, 4:].tolist()} == {
            (y, x) for y in range(3) for x in range(5)
        }
    assert not torch.equal(corners[0], corners[1])


def test_windows_lie_where_they_were_cut():
    torch.manual_seed(0)
    maps = noise(2, 3, 5, 8)
    corners, _ = drawn_windows(2, 6, (5, 8), 0.55)
    pieces = crops(maps, corners, (3, 4))
    for b in range(2):
        for r in range(6):
            y, x = corners[b, r].tolist()
            assert torch.equal(pieces[6 * b + r], maps[b, :, y : y + 3, x : x + 4])
    torch.testing.assert_close(laid_back(pieces, corners, (5, 8)), maps)


def test_a_window_of_a_map_is_the_map_of_a_window():
    """Corners on the cells of a network without a margin: cutting and looking change places."""
    image = noise(2, 3, 12, 16)
    corners, window = drawn_windows(2, 5, (3, 4), 0.7)
    assert window == (2, 3)
    cut = crops(image, corners, window, stride=4)
    pool = torch.nn.functional.avg_pool2d
    torch.testing.assert_close(pool(cut, 4), crops(pool(image, 4), corners, window))


def test_overlaps_are_means_and_what_nobody_saw_is_zero():
    pieces = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1).expand(2, 1, 1, 2)
    corners = torch.tensor([[[0, 0], [0, 1]]])
    assert laid_back(pieces, corners, (1, 4)).flatten().tolist() == [1, 2, 3, 0]


@pytest.mark.parametrize(("pieces", "share"), [(3, 0.5), (4, 0.0), (4, 1.1)])
def test_windows_that_do_not_fit_are_refused(pieces, share):
    with pytest.raises(InputError, match="at least 4 windows"):
        drawn_windows(1, pieces, (5, 8), share)


def test_a_window_has_a_cell_and_may_be_the_image():
    assert drawn_windows(1, 4, (5, 8), 0.01)[1] == (1, 1)
    corners, window = drawn_windows(2, 5, (5, 8), 1.0)
    assert window == (5, 8)
    assert not corners.any()


def test_a_thinned_network_lacks_whole_channels_at_each_images_rate():
    torch.manual_seed(0)
    features, rate = noise(3, 4000, 2, 3) + 0.1, torch.tensor([0.0, 0.25, 0.8])
    found = thinned(features, rate)
    assert torch.equal(found[0], features[0])
    for b in range(3):
        ratio = found[b] / features[b]
        torch.testing.assert_close(ratio.amin(dim=(1, 2)), ratio.amax(dim=(1, 2)))
        kept = ratio[:, 0, 0] > 0
        assert 1 - kept.float().mean().item() == pytest.approx(float(rate[b]), abs=0.03)
        torch.testing.assert_close(
            ratio[kept], torch.full_like(ratio[kept], 1 / (1 - float(rate[b])))
        )
        assert found[b].mean().item() == pytest.approx(features[b].mean().item(), rel=0.1)
