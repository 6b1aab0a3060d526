"""One decoder that answers, attends and embeds."""

import torch

from tests.loops import one_at_another_size
from wsss_lib.nets.backbones.toy import ToyCNN
from wsss_lib.nets.segmentation.attended import AttendedNet
from wsss_lib.nets.segmentation.deeplab import DeepLab


def test_it_answers_as_the_deeplab_and_reads_its_decoder():
    torch.manual_seed(0)
    deeplab = DeepLab(ToyCNN(), 3, rates=(1, 2), width=8)
    net = AttendedNet(deeplab, 3, dim=5).eval()
    for h, w in ((32, 32), (33, 47), (1, 1)):
        image = torch.rand(2, 3, h, w)
        logits, attention, embedding = net.read(image)
        assert torch.equal(logits, net(image))
        assert torch.equal(logits, deeplab(image))
        decoded = deeplab.embed(deeplab.backbone(image))
        coarse = torch.einsum("cd,bdhw->bchw", net.attention.weight[..., 0, 0], decoded)
        coarse = coarse + net.attention.bias.view(1, -1, 1, 1)
        for b in range(2):
            wanted = one_at_another_size(coarse[b], (h, w)).sigmoid()
            assert torch.allclose(attention[b], wanted, atol=1e-5)
        assert attention.shape == (2, 3, h, w)
        assert embedding.shape == (2, 5, *decoded.shape[2:])
