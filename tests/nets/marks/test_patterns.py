"""Cells of several grids take from each other, and vote."""

import torch

from tests.loops import one_at_another_size
from wsss_lib.nets.backbones.toy import ToyCNN
from wsss_lib.nets.marks.embedded import EmbeddingNet
from wsss_lib.nets.marks.patterns import PatternNet
from wsss_lib.nets.segmentation.deeplab import DeepLab


def test_votes_of_all_grids_are_added_to_the_logits():
    torch.manual_seed(0)
    deeplab = DeepLab(ToyCNN(), 2, rates=(1, 2), width=8)
    net = PatternNet(deeplab, 2, grids=(1, 3), layers=2).eval()
    image = torch.rand(2, 3, 24, 32)
    logits, features = net.look(image)
    assert torch.equal(logits, net(image))
    assert torch.equal(features, deeplab.embed(deeplab.backbone(image)))
    x = net.patterns(features)
    assert x.shape == (2, 10, 8)
    assert torch.allclose(x[1, 0], features[1].mean(dim=(1, 2)), atol=1e-6)
    assert torch.allclose(x[1, 1], features[1, :, :2, :3].mean(dim=(1, 2)), atol=1e-6)
    for b in range(2):
        nodes = x[b]
        asks, shows = net.ask(nodes), net.show(nodes)
        share = torch.stack([
            torch.stack([one @ other / 8**0.5 for other in shows]).softmax(dim=0) for one in asks
        ])  # fmt: skip
        for layer in net.take:
            taken = [sum(a * layer(n) for a, n in zip(row, nodes, strict=True)) for row in share]
            nodes = nodes + torch.stack(taken).clamp(min=0)
        votes = net.vote(nodes)
        wanted = deeplab(image)[b] + votes[0].view(3, 1, 1)
        wanted = wanted + one_at_another_size(votes[1:].T.reshape(3, 3, 3), (24, 32))
        assert torch.allclose(logits[b], wanted, atol=1e-5)


def test_a_classifier_reads_embeddings_of_length_one_and_teaches_them_nothing():
    torch.manual_seed(0)
    deeplab = DeepLab(ToyCNN(), 4, rates=(1,), width=8)
    net = EmbeddingNet(deeplab, 2, width=5, dropout=0.5).eval()
    image = torch.rand(2, 3, 16, 20)
    v = net.embed(image)
    assert torch.allclose(v, deeplab(image) / deeplab(image).norm(dim=1, keepdim=True), atol=1e-6)
    logits = net(image)
    assert logits.shape == (2, 3, 16, 20)
    assert torch.equal(logits, net.classifier(v))
    logits.sum().backward()
    assert net.classifier[0].weight.grad is not None
    assert all(weight.grad is None for weight in deeplab.parameters())
