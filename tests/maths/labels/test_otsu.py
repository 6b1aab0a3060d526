import pytest
import torch

from wsss_lib.blocks.labels.otsu import otsu


def test_otsu_parts_two_groups_where_their_variance_is_least():
    torch.manual_seed(0)
    low, high = 0.2 + 0.05 * torch.randn(300), 0.7 + 0.05 * torch.randn(100)
    peak = torch.cat([low, high]).clamp(0, 1)
    found = otsu(torch.stack([peak, peak / 3]).view(2, 20, 20))

    def within(threshold):
        groups = peak[peak <= threshold], peak[peak > threshold]
        return sum(len(group) * group.var(unbiased=False) for group in groups)

    assert within(found) <= min(within(t) for t in torch.linspace(0.25, 0.65, 41)) * 1.01
    assert ((peak > found) == (torch.arange(400) >= 300)).all()


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_an_image_that_scores_the_same_everywhere_is_all_background(value):
    scores = torch.full((2, 5, 5), value)
    assert not (scores > otsu(scores)).any()
