"""The second stage: a network averages out the noise that differs from image to image."""

import numpy as np
import pytest
import torch

from tests.loops import check_network_answers
from tests.tiny import TWO_IMAGES, Painter, noise
from wsss_lib.core import Batch, InputError, Recipe
from wsss_lib.methods.segmentation.segmenter import Segmenter
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.segmentation.deeplab import DeepLab


def scenes(count, seed):
    """Red squares on grey, and scores in which a third of the 4 x 4 blocks say the opposite."""
    generator = torch.Generator().manual_seed(seed)
    image = 0.4 + 0.2 * torch.rand(count, 3, 32, 32, generator=generator)
    truth = torch.zeros(count, 1, 32, 32)
    for i in range(count):
        y, x = torch.randint(0, 16, (2,), generator=generator).tolist()
        truth[i, :, y : y + 16, x : x + 16] = 1
    image[:, :1] += 0.4 * truth
    wrong = (torch.rand(count, 1, 8, 8, generator=generator) < 0.3).float()
    wrong = wrong.repeat_interleave(4, 2).repeat_interleave(4, 3)
    return image, truth, (truth - wrong).abs()


def segmenter():
    torch.manual_seed(0)
    net = DeepLab(toy_cnn(pretrained=False), 1, rates=(1, 2), width=16, shallow=0)
    return Segmenter(net, threshold=0.5)


def test_it_ends_up_better_than_its_teacher():
    method = segmenter().train()
    optimizer = torch.optim.AdamW(method.parameters(), lr=5e-3)
    image, truth, noisy = scenes(64, seed=0)
    for step in range(60):
        part = slice(16 * (step % 4), 16 * (step % 4) + 16)
        loss = method.loss(Batch((), image[part], None, noisy[part]))["seg"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    method.eval()
    with torch.inference_mode():
        said = method.predict(Batch((), image)) > 0.5
    right = (said == truth.bool()).float().mean()
    taught = (noisy == truth).float().mean()
    assert taught < 0.75
    assert right > taught + 0.1


def test_one_half_is_the_argmax_of_the_network():
    method = segmenter().eval()
    image = torch.rand(2, 3, 33, 29)
    with torch.inference_mode():
        logits, said = method.net(image), method.predict(Batch((), image))
    assert torch.equal(said[:, 0] > 0.5, logits.argmax(dim=1) == 1)


def test_undecided_pixels_teach_nothing():
    method = segmenter().eval()
    image = torch.rand(1, 3, 16, 16)
    assert method.loss(Batch((), image, None, torch.full((1, 1, 16, 16), 0.5)))["seg"] == 0


def test_it_asks_for_a_threshold():
    method = segmenter()
    method.threshold = None
    with pytest.raises(InputError, match="threshold"):
        method.loss(Batch((), torch.rand(1, 3, 8, 8), None, torch.rand(1, 1, 8, 8)))


def test_backbone_learns_slower_than_the_rest():
    from wsss_lib.engine import make_optimizer

    method = segmenter()
    recipe = Recipe(1, lr=1e-3, head_factor=10)
    slow, fast = make_optimizer(method, recipe).param_groups
    assert (slow["lr"], fast["lr"]) == (1e-3, 1e-2)
    assert len(slow["params"]) == len(list(method.net.backbone.parameters()))


def test_labels_and_loss_value_by_value():
    """The mean over the decided pixels of all images, of which one has more than the other."""
    method = Segmenter(Painter(), threshold=0.6)
    image, scores = noise(2, 3, 4, 5), noise(2, 3, 4, 5, seed=2)
    scores[0, :, :2] = 0.6  # undecided
    logs = []
    for b, y, x in np.ndindex(2, 4, 5):
        peak = scores[b, :, y, x].max()
        if peak != 0.6:
            kind = scores[b, :, y, x].argmax() + 1 if peak > 0.6 else 0
            logs.append(-method.net(image)[b, :, y, x].log_softmax(dim=0)[kind])
    assert len(logs) == 30
    terms = method.loss(Batch(("a", "b"), image, TWO_IMAGES, scores))
    assert terms.keys() == {"seg"}
    assert torch.isclose(terms["seg"], torch.stack(logs).mean())


@pytest.mark.parametrize("known", [True, False])
def test_what_it_answers_is_each_class_against_the_background(known):
    check_network_answers(Segmenter(Painter()), noise(2, 3, 4, 5), known)
