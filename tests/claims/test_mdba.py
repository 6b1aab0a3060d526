"""Chen et al. 2023: saliency labels of simple images, cleaned, and carried to complex images."""

import pytest
import torch
from torch import nn

from tests.loops import check_network_answers, soft_margin
from tests.tiny import ColoursAndEdges, Painter, noise
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.online import mdba
from wsss_lib.methods.image_level.online.mdba import MDBA
from wsss_lib.nets.segmentation.deeplab import DeepLab
from wsss_lib.nets.segmentation.discriminator import Discriminator

TAGS = torch.tensor([[1.0, 0, 0], [0, 0, 1], [1, 1, 0], [0, 1, 0], [0, 0, 0]])


def make(**settings):
    torch.manual_seed(0)
    settings = {"denoise": (0.4, 0.8), "mixed": 0.0} | settings
    return MDBA(Painter(), Discriminator(3, (4, 6)), **settings)


@pytest.fixture
def batch():
    """Three simple images, one of two classes and one of none; of other sizes than squares."""
    saliency = (noise(5, 1, 16, 24, seed=3) > 0.6).float() * 0.9
    return Batch(tuple("abcde"), noise(5, 3, 16, 24), TAGS, saliency=saliency)


def labels_of(batch, believed):
    """(H, W) labels of each image: its class where it stands out; 255 where it is not believed."""
    found = torch.full((5, 16, 24), 255)
    for b in believed:
        found[b] = (int(TAGS[b].argmax()) + 1) * (batch.saliency[b, 0] > 0.5)
    return found


def overlaps(logits, labels):
    """IoU of objects, image by image."""
    found = []
    for said, wanted in zip(logits.argmax(dim=1) > 0, (labels > 0) & (labels < 255), strict=True):
        found.append(((said & wanted).sum() / (said | wanted).sum()).item())
    return found


def terms_by_hand(method, batch, labels, hardest, simple_fools=True):
    """The five terms, pixel by pixel."""
    logits = method.net(batch.image).detach()
    masks = logits.softmax(dim=1)
    judged = method.judge(masks)[:, 0].sigmoid()
    losses, fools, drawn, shown = [], {"simple": [], "complex": []}, [], []
    empty = torch.stack([labels == k for k in range(4)], dim=1).float()
    genuine = method.judge(empty)[:, 0].sigmoid()
    for b in range(5):
        complex_image = TAGS[b].sum() != 1
        for y in range(16):
            for x in range(24):
                label = int(labels[b, y, x])
                if label != 255:
                    losses.append(-masks[b, label, y, x].log())
                    fools["simple"].append(-judged[b, y, x].log())
                    shown.append(-genuine[b, y, x].log())
                if complex_image:
                    fools["complex"].append(-judged[b, y, x].log())
                if complex_image or label != 255:
                    drawn.append(-(1 - judged[b, y, x]).log())
    mean = lambda values: torch.stack(values).mean()  # noqa: E731
    easy = [loss for loss in losses if loss <= hardest]
    assert 0.1 < len(easy) / len(losses) < 0.95 or hardest == torch.inf
    fool = mean(fools["complex"]) + simple_fools * mean(fools["simple"])
    return {
        "cls": soft_margin(logits[:, 1:].mean(dim=(2, 3)), TAGS),
        "seg": sum(easy) / len(losses),
        "fool": method.fool * fool,
        "drawn": mean(drawn) / 2,
        "label": mean(shown) / 2,
    }


def agree(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=1e-4, msg=name)


def test_before_doubts_all_simple_images_teach_all_their_pixels(batch):
    method = make(fool=0.7)
    method.progress = 0.39
    agree(method.loss(batch), terms_by_hand(method, batch, labels_of(batch, (0, 1, 3)), torch.inf))


@pytest.mark.parametrize(("progress", "hardest"), [(0.4, 1.4), (0.6, 1.1), (1.0, 0.8)])
def test_images_below_their_bar_and_hard_pixels_teach_nothing(batch, progress, hardest):
    method = make(fool=0.7, hardest=(1.4, 0.8)).eval()
    shared = overlaps(method.net(batch.image), labels_of(batch, (0, 1, 3)))
    kinds = [int(TAGS[b].argmax()) for b in (0, 1, 3)]
    for b, kind in zip((0, 1, 3), kinds, strict=True):
        low, high = int(10 * shared[b]) / 10, int(10 * shared[b]) / 10 + 0.1
        method.usual.mean[kind] = high if b == 1 else low
    method.progress = progress
    agree(method.loss(batch), terms_by_hand(method, batch, labels_of(batch, (0, 3)), hardest))


def test_mixed_images_teach_in_the_place_of_simple_ones(batch, monkeypatch):
    """What is mixed is asked for its labels; the discriminator sees what was not mixed."""
    method = make(mixed=1.0, fool=0.7)
    mixed, target = noise(5, 3, 16, 24, seed=9), torch.randint(0, 4, (5, 16, 24))
    asked = []

    def mix(image, labels, chosen):
        asked.append((image, labels, chosen))
        return mixed, target

    monkeypatch.setattr(mdba, "cut_mix", mix)
    found = method.loss(batch)
    labels = labels_of(batch, (0, 1, 3))
    expected = terms_by_hand(method, batch, labels, torch.inf, simple_fools=False)
    chances = method.net(mixed).log_softmax(dim=1)
    losses = [
        -chances[b, target[b, y, x], y, x] for b in range(5) for y in range(16) for x in range(24)
    ]
    expected["seg"] = torch.stack(losses).mean()
    agree(found, expected)
    image, given, chosen = asked[0]
    assert torch.equal(image, batch.image)
    assert torch.equal(given, labels)
    assert chosen.tolist() == [True, True, False, True, False]


def test_half_of_the_steps_are_mixed(batch, monkeypatch):
    seen = []

    def mix(image, labels, chosen):
        seen.append(bool(chosen.any()))
        return image, labels

    monkeypatch.setattr(mdba, "cut_mix", mix)
    method = make(mixed=0.5)
    for _ in range(60):
        method.loss(batch)
    assert 15 < sum(seen) < 45


def test_each_network_learns_from_its_own_terms(batch):
    method = make()
    for name, teaches_net, teaches_judge in (
        ("cls", True, False), ("seg", True, False), ("fool", True, False),
        ("drawn", False, True), ("label", False, True),
    ):  # fmt: skip
        method.zero_grad()
        method.loss(batch)[name].backward()
        for net, teaches in ((method.net, teaches_net), (method.judge, teaches_judge)):
            slopes = [weight.grad for weight in net.parameters()]
            assert any(slope is not None and slope.any() for slope in slopes) == teaches, name


def test_overlaps_are_taken_note_of_in_training_from_the_start(batch):
    method = make().train()
    method.loss(batch)
    assert method.usual.mean.all()


def scene(count=12, size=16):
    """Squares of red or green on blue, with a yellow strip below; every third strip stands out."""
    generator = torch.Generator().manual_seed(0)
    colours = torch.tensor([[0.1, 0.3, 0.9], [0.9, 0.1, 0.1], [0.1, 0.8, 0.2], [0.9, 0.9, 0.1]])
    shown = torch.zeros(count, size, size, dtype=torch.long)
    shown[:, 12:] = 3
    salient = torch.zeros(count, 1, size, size)
    for number in range(count):
        y, x = torch.randint(0, 6, (2,), generator=generator).tolist()
        shown[number, y : y + 6, x : x + 6] = 1 + number % 2
        salient[number, 0, y : y + 6, x : x + 6] = 1
        salient[number, 0, 12:] = number % 3 == 0
    image = colours[shown].movedim(3, 1)
    image = (image + 0.05 * torch.randn(image.shape, generator=generator)).clamp(0, 1)
    tags = nn.functional.one_hot(torch.arange(count) % 2, 2).float()
    return Batch(tuple(map(str, range(count))), image, tags, saliency=salient), shown


def trained(batch, **settings):
    torch.manual_seed(0)
    net = DeepLab(ColoursAndEdges(), 2, (1,), 8, shallow=0)
    method = MDBA(net, Discriminator(2, (4, 8)), **{"mixed": 0.0, "fool": 0.0} | settings).train()
    optimizer = torch.optim.Adam(method.parameters(), lr=0.02)
    for step in range(50):
        method.progress = step / 50
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method.eval()


def test_what_is_hard_to_believe_is_unlearned():
    """A third of the yellow strips has the label of an object, now red, now green."""
    batch, shown = scene()

    def objects(method):
        chance = 1 - method.net(batch.image).softmax(dim=1)[:, 0]
        return chance[shown == 3].mean().item(), chance[(shown > 0) & (shown < 3)].mean().item()

    wrong, right = objects(trained(batch, denoise=(2.0, 3.0)))
    cleaned_wrong, cleaned_right = objects(trained(batch, denoise=(0.5, 0.8), hardest=(1.0, 0.8)))
    assert wrong > 0.25
    assert cleaned_wrong < 0.15
    assert min(right, cleaned_right) > 0.9


def test_the_read_out_is_the_network_against_the_background():
    check_network_answers(make(), noise(2, 3, 6, 7), known=True)
    check_network_answers(make(), noise(2, 3, 6, 7), known=False)
