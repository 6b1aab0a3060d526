"""Correlation modules: what pixels and regions make of evidence, one pixel at a time."""

import torch
from torch import nn

from tests.tiny import ColoursAndEdges, noise
from wsss_lib.nets.backbones.backbone import Standardize
from wsss_lib.nets.heads.correlation import CorrelatedClassifier, RegionCorrelation


class Net(ColoursAndEdges):
    """Colours, colours again, and edges."""

    def __init__(self):
        super().__init__()
        self.standardize = Standardize((0.4,) * 3, (0.3,) * 3)
        self.channels, self.strides = [3, 3, 12], [1, 1, 1]

    def forward(self, image):
        return [image, *super().forward(image)]


def test_regions_and_pixels_refine_evidence_value_by_value():
    torch.manual_seed(0)
    net = Net().eval()
    module, image = RegionCorrelation(net, widths=(4, 5)), noise(2, 3, 3, 4)
    evidence, features = noise(2, 3, 3, 4, seed=2), net(image)
    found = module.refine(image, features, evidence).detach()
    for b in range(2):
        seen = [(image[b] - 0.4) / 0.3] + [
            layer(features[level][b]).detach().clamp(min=0)
            for layer, level in zip(module.reduce, (-3, -2), strict=True)
        ]
        seen = torch.cat(seen).flatten(1)
        pixels = module.mix.weight[:, :, 0, 0].detach() @ seen
        for k in range(3):
            mine = evidence[b, k].flatten()
            weights = mine.exp() / mine.exp().sum()
            key = (module.region.weight.detach() @ (seen @ weights)).clamp(min=0)
            asked = (key @ pixels.clamp(min=0) / 3**0.5).softmax(dim=0)
            for i in range(12):
                alike = torch.stack(
                    [torch.cosine_similarity(pixels[:, i], pixels[:, j], dim=0) for j in range(12)]
                ).clamp(min=0)
                wanted = (alike @ mine) / alike.sum() + asked[i] * mine[i]
                torch.testing.assert_close(found[b, k].flatten()[i], wanted, atol=1e-4, rtol=1e-4)


def test_layers_of_regions_start_as_large_as_those_of_pixels():
    module = RegionCorrelation(Net(), widths=(64, 128))
    bound = 4 * (6 / (3 + 192 + 192)) ** 0.5
    assert 0.98 * bound < module.region.weight.abs().max() <= bound


def test_a_correlated_classifier_reads_a_pixel_and_those_that_look_like_it():
    torch.manual_seed(0)
    net = Net().eval()
    classifier, image = CorrelatedClassifier(net, 2, widths=(4, 5)), noise(2, 3, 3, 4)
    features = net(image)
    listens, head = classifier.correlation(image, features), classifier.head
    average = torch.einsum("bij,bdj->bdi", listens, features[-1].flatten(2)).view(2, 12, 3, 4)
    torch.testing.assert_close(classifier(image), head(features[-1]) + head(average))
    assert isinstance(head, nn.Conv2d)
    assert head.bias is None
