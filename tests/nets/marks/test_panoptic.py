"""The network that makes a kernel for each thing."""

import torch

from wsss_lib.nets.marks.panoptic import toy_panoptic, with_places


def test_cells_know_where_they_lie():
    places = with_places(torch.zeros(2, 3, 3, 5))[:, 3:]
    assert places[0, 0, 1].tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert places[1, 1, :, 2].tolist() == [-1.0, 0.0, 1.0]
    assert with_places(torch.zeros(1, 2, 1, 1)).shape == (1, 4, 1, 1)


def test_heads_answer_at_their_sizes_and_kernels_begin_small():
    torch.manual_seed(0)
    net = toy_panoptic(things=6, stuff=7).eval()
    with torch.inference_mode():
        centres, regions, kernels, encoded = net(torch.rand(2, 3, 32, 48))
    assert centres.shape == (2, 6, 8, 12)
    assert regions.shape == (2, 8, 8, 12)
    assert kernels.shape == (2, 24, 8, 12)
    assert encoded.shape == (2, 24, 32, 48)
    assert encoded.min() == 0
    assert net.kernel[-1].weight.std() < 0.011
    assert abs(float(centres.sigmoid().mean()) - 0.1) < 0.05


def test_two_places_that_look_alike_have_two_kernels():
    """Far from the frame of one colour, only the coordinates differ."""
    torch.manual_seed(0)
    net = toy_panoptic(things=1, stuff=1).eval()
    with torch.inference_mode():
        features = torch.rand(1, net.backbone.channels[-1], 1, 1).expand(-1, -1, 9, 9)
        kernels = net.kernel(with_places(features))
        encoded = net.encoder(with_places(torch.rand(1, 24, 1, 1).expand(-1, -1, 9, 9)))
    for maps in (kernels, encoded):
        assert not torch.allclose(maps[..., 4, 3], maps[..., 4, 5], atol=1e-4)
