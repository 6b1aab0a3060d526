"""A mask for each class gates the scores of the class."""

import torch

from tests.loops import one_at_another_size
from wsss_lib.nets.backbones.toy import ToyCNN
from wsss_lib.nets.segmentation.deeplab import DeepLab
from wsss_lib.nets.segmentation.masked import MaskedNet


def test_scores_are_multiplied_by_masks_that_the_deepest_features_give():
    torch.manual_seed(0)
    deeplab = DeepLab(ToyCNN(), 3, rates=(1, 2), width=8)
    net = MaskedNet(deeplab, 3).eval()
    for h, w in ((32, 32), (33, 47), (1, 1)):
        image = torch.rand(2, 3, h, w)
        logits, masks = net.read(image)
        assert torch.equal(logits, deeplab(image))
        deep = deeplab.backbone(image)[-1]
        coarse = torch.einsum("kd,bdhw->bkhw", net.masking.weight[..., 0, 0], deep)
        coarse = coarse + net.masking.bias.view(1, -1, 1, 1)
        for b in range(2):
            wanted = one_at_another_size(coarse[b], (h, w)).sigmoid()
            assert torch.allclose(masks[b], wanted, atol=1e-5)
        assert torch.equal(net(image), logits * masks)
