import pytest
import torch

from wsss_lib.blocks.regions.objectness import frame_contrast, objectness_prior
from wsss_lib.core import InputError


def test_frame_contrast_equals_the_distances_by_hand():
    """Nine regions in a grid: only the one in the middle is off the frame."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(3, 9, 9, generator=generator)
    regions = torch.arange(3).repeat_interleave(3) * 3
    regions = regions[:, None] + torch.arange(3).repeat_interleave(3)
    histograms = torch.zeros(9, 3, 4)
    for y in range(9):
        for x in range(9):
            for channel in range(3):
                bucket = min(int(image[channel, y, x] * 4), 3)
                histograms[regions[y, x], channel, bucket] += 1 / 9
    found = frame_contrast(image, regions, nearest=2, bins=4)
    for i in range(9):
        gaps = []
        for j in (0, 1, 2, 3, 5, 6, 7, 8):
            one, other = histograms[i].flatten(), histograms[j].flatten()
            total = one + other
            gaps.append(((one - other) ** 2 / total)[total > 0].sum().item() / 6)
        assert found[i].item() == pytest.approx(sum(sorted(gaps)[:2]) / 2, abs=1e-5)


def test_what_differs_from_the_frame_stands_out_whatever_its_colour():
    """The ground has two colours; the object has a third."""
    image = torch.zeros(1, 3, 32, 32)
    image[:, 1, :, :16], image[:, 2, :, 16:] = 0.7, 0.7
    image[:, :, 10:22, 10:22] = torch.tensor([0.9, 0.8, 0.1]).view(1, 3, 1, 1)
    prior = objectness_prior(image, 60)
    assert prior.shape == (1, 1, 32, 32)
    assert prior[..., 12:20, 12:20].mean() > 0.9
    assert prior[..., :8, :].mean() < 0.1
    assert prior.max() == 1


def test_nothing_stands_out_of_a_plain_picture():
    assert not objectness_prior(torch.full((2, 3, 16, 20), 0.3)).any()


def test_pictures_do_not_disturb_each_other():
    images = torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    both = objectness_prior(images, 20)
    assert torch.equal(both[1:], objectness_prior(images[1:], 20))


def test_a_pixel_is_no_picture():
    with pytest.raises(InputError):
        objectness_prior(torch.rand(1, 3, 1, 1))
