"""Wei et al. 2017: what is erased makes the classifier look elsewhere, and the parts add up."""

import copy

import pytest
import torch
from torch import nn

from tests.loops import check_network_answers, soft_margin
from tests.tiny import noise
from wsss_lib.blocks.augment.erase import MEAN_COLOUR, look_again, mined_labels
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch
from wsss_lib.losses.prohibitive import permitted_labels, prohibitive_loss
from wsss_lib.methods.image_level.erasing.ae_psl import AdversarialErasing

GREY = torch.tensor(MEAN_COLOUR)


class Colours(nn.Module):
    """A backbone of colours above the mean: erased pixels are evidence for nothing."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [(image - GREY.view(1, 3, 1, 1)).relu()]


class Plain(nn.Module):
    """A segmentation network that is one linear layer."""

    def __init__(self, num_classes):
        super().__init__()
        self.backbone = nn.Identity()
        self.layer = nn.Conv2d(3, num_classes + 1, 1)

    def forward(self, image):
        return self.layer(image)


@pytest.fixture
def batch():
    """Class 1 is a red head, a green body and a dull blue tail; elsewhere all is grey."""
    image = GREY.view(1, 3, 1, 1).repeat(2, 1, 6, 9)
    for channel, value in enumerate((1.0, 1.0, 0.65)):
        image[0, channel, 2:4, 2 * channel + 1 : 2 * channel + 3] = value
    return Batch(("cat", "nothing"), image, torch.tensor([[1.0], [0.0]]))


def make(rounds=3):
    torch.manual_seed(0)
    method = AdversarialErasing(Plain(1), Colours(), 1, rounds=rounds, hot=0.6, cold=0.1)
    # As a real classifier does, it begins with the head, which alone gives the class away.
    with torch.no_grad():
        method.live.head.weight.copy_(torch.tensor([1.0, 0.01, 0.001]).view(1, 3, 1, 1))
    return method.train()


def train(method, batch, steps=90):
    """Plain gradient steps; how far they are is all that the method knows of its rounds."""
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=1.0)
    for step in range(steps):
        method.progress = step / steps * 2 / 3  # of the training, as long as it mines
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method.eval()


def regions_of(method, batch):
    with torch.inference_mode():
        return look_again(method.classifiers(), batch.image, batch.tags, method.hot)[1]


def test_each_round_finds_another_part_and_all_of_them_the_whole(batch):
    regions = regions_of(train(make(), batch), batch)
    whole = (batch.image[:1] > GREY.view(1, 3, 1, 1) + 0.1).any(dim=1, keepdim=True).float()
    assert len(regions) == 3
    assert all(region[0].sum() >= 4 for region in regions), "a round that finds nothing is wasted"
    assert torch.equal(torch.stack(regions).sum(dim=0)[:1], whole)
    assert regions[0].sum() < whole.sum() / 2, "the first look alone finds a part"
    assert not torch.stack(regions)[:, 1].any(), "an image without the class has no regions"


def test_without_erasing_more_rounds_find_nothing_new(batch):
    """The same training with one round stays on what it found first."""
    one = regions_of(train(make(rounds=1), batch), batch)
    three = regions_of(train(make(), batch), batch)
    assert sum(one).sum() < sum(three).sum() / 2


def test_regions_are_disjoint_and_the_next_look_sees_them_in_the_mean_colour():
    torch.manual_seed(1)
    image, tags = torch.rand(2, 3, 8, 8), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    seen = []

    def watching(answer):
        def classifier(x):
            seen.append(x)
            return answer

        return classifier

    # Stubborn classifiers: they would find erased pixels again.
    answers = [torch.rand(2, 2, 8, 8) for _ in range(3)]
    classifiers = [watching(answer) for answer in answers]
    _, regions, heat = look_again(classifiers, image, tags, 0.8)
    assert torch.stack(regions).sum(dim=(0, 2)).max() == 1
    taken, warmest = torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)
    for x, answer, region in zip(seen, answers, regions, strict=True):
        scores = normalize(answer, tags).amax(dim=1, keepdim=True)
        warmest = torch.where(taken.bool(), warmest, warmest.maximum(scores))
        painted = taken.expand_as(x).bool()
        colours = GREY.view(1, 3, 1, 1).expand_as(x)
        assert torch.allclose(x[painted], colours[painted])
        assert torch.equal(x[~painted], image[~painted])
        assert region.any()
        taken = taken + region.sum(dim=1, keepdim=True)
    assert torch.equal(heat, warmest), "what is painted over is not judged again"
    labels = mined_labels(torch.stack(regions).sum(dim=0), heat, 0.5)
    for b in range(2):
        for y in range(8):
            for x in range(8):
                claims = [c + 1 for c in range(2) if any(r[b, c, y, x] for r in regions)]
                cold = heat[b, 0, y, x] <= 0.5
                assert labels[b, y, x] == (claims[0] if claims else 0 if cold else 255)


def test_finished_rounds_are_kept_as_they_were(batch):
    method = make()
    method.progress = 0.2
    method.loss(batch)
    assert int(method.done) == 0
    with torch.no_grad():
        method.live.head.weight.fill_(0.25)
    method.progress = 0.23  # a third of two thirds
    method.loss(batch)
    with torch.no_grad():
        method.live.head.weight.fill_(0.5)
    method.loss(batch)
    assert int(method.done) == 1
    assert (method.past[0].head.weight == 0.25).all()
    assert not method.past[0].head.weight.requires_grad


def test_the_classifier_learns_from_what_is_left(batch):
    """In the second round the head is erased: its colour teaches no more, that of the body does."""
    method = make()
    method.progress = 0.3
    method.loss(batch)["cls"].backward()
    slope = method.live.head.weight.grad[0, :, 0, 0]
    assert slope[0] == 0
    assert slope[1] < 0


def test_an_impossible_class_never_becomes_a_label():
    torch.manual_seed(0)
    maps = torch.rand(2, 4, 6, 6).softmax(dim=1)
    present = torch.tensor([[0.9, 0.0, 0.8], [0.0, 0.0, 1.0]])
    labels = permitted_labels(maps, present)
    assert not (labels[0] == 2).any()
    assert set(labels[1].unique().tolist()) <= {0, 3}
    assert torch.equal(permitted_labels(maps, torch.ones(2, 3)), maps.argmax(dim=1))
    for b in range(2):
        for y in range(6):
            for x in range(6):
                weighed = [maps[b, 0, y, x]] + [
                    maps[b, c + 1, y, x] * present[b, c] for c in range(3)
                ]
                assert labels[b, y, x] == torch.stack(weighed).argmax()


def test_the_prohibitive_loss_lowers_a_class_that_is_not_there():
    """The network prefers class 1, which is absent; one gradient step makes it less likely."""
    logits = torch.tensor([1.0, 2.0, 0.0]).view(1, 3, 1, 1).requires_grad_()
    prohibitive_loss(logits, torch.tensor([[0.01, 0.9]])).backward()
    assert logits.grad[0, 1] > 0, "descending lowers the absent class"
    assert logits.grad[0, 0] < 0, "and raises what is left, the background"


def test_labels_of_its_own_wait_until_mining_is_over_and_classifiers_are_done(batch):
    """While classifiers still learn, what they call improbable is no reason to prohibit it."""
    method = make()
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=1.0)

    def step(progress):
        before = copy.deepcopy(method.live.state_dict())
        method.progress = progress
        optimizer.zero_grad()
        terms = method.loss(batch)
        sum(terms.values()).backward()
        optimizer.step()
        after = method.live.state_dict()
        return {*terms}, any(not torch.equal(before[name], after[name]) for name in before)

    assert step(0.0) == ({"cls", "seg"}, True)
    assert step(0.66) == ({"cls", "seg"}, True)
    assert step(0.67) == ({"seg", "psl"}, False)
    assert step(0.99) == ({"seg", "psl"}, False)


def test_the_network_is_taught_by_both_kinds_of_label(batch):
    """Mined labels are what all rounds found: here the head, the body and the tail, in turn."""
    method = make()
    method.progress = 1.0
    method.done.fill_(2)
    with torch.no_grad():
        for classifier, channel in zip(method.classifiers(), range(3), strict=True):
            classifier.head.weight.copy_(torch.eye(3)[channel].view(1, 3, 1, 1))
        method.past[0].head.weight.mul_(100)  # it is sure that the class is there
        method.net.layer.weight.mul_(0.01)
        method.net.layer.bias.copy_(torch.tensor([0.0, 0.3]))
    maps, regions, heat = look_again(method.classifiers(), batch.image, batch.tags, 0.6)
    assert all(region[0].any() for region in regions)
    logits = method.net(batch.image)
    labels = mined_labels(sum(regions), heat, 0.1)
    first, _, last = (
        permitted_labels(logits.softmax(dim=1), m.mean(dim=(2, 3)).sigmoid()) for m in maps
    )
    assert not torch.equal(first, last), "it must matter that the first round's is asked"
    terms = method.loss(batch)
    for name, given in (("seg", labels), ("psl", first)):
        expected = nn.functional.cross_entropy(logits, given, ignore_index=255)
        assert torch.isclose(terms[name], expected, rtol=1e-5), name


@pytest.mark.parametrize("known", [True, False])
def test_what_it_answers_is_each_class_against_the_background_of_the_network(known):
    method = AdversarialErasing(Plain(3), Colours(), 3).eval()
    check_network_answers(method, noise(2, 3, 5, 7), known)


def test_terms_are_means_over_images_and_known_pixels():
    """Two images, two classes: each labels other numbers of pixels."""
    torch.manual_seed(0)
    method = AdversarialErasing(Plain(2), Colours(), 2, rounds=1, hot=0.6, cold=0.3).train()
    image, tags = torch.rand(2, 3, 5, 7), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    terms = method.loss(Batch(("a", "b"), image, tags))
    maps, regions, heat = look_again(method.classifiers(), image, tags, 0.6)
    labels = mined_labels(regions[0], heat, 0.3)
    chances = method.net(image).log_softmax(dim=1)
    seg = [
        -chances[b, labels[b, y, x], y, x]
        for b in range(2)
        for y in range(5)
        for x in range(7)
        if labels[b, y, x] != 255
    ]
    known = (labels != 255).sum(dim=(1, 2))
    assert known[0] != known[1]
    assert torch.isclose(terms["seg"], torch.stack(seg).mean(), rtol=1e-5)
    assert torch.isclose(terms["cls"], soft_margin(maps[0].mean(dim=(2, 3)), tags), rtol=1e-5)


def test_permitted_labels_weigh_each_class_by_the_sigmoid_of_its_mean():
    """Pixel by pixel on two images; of their tags, only the rounds are told."""
    torch.manual_seed(0)
    method = AdversarialErasing(Plain(2), Colours(), 2, rounds=1).train()
    method.progress, method.done = 1.0, torch.tensor(1)
    with torch.no_grad():
        method.past[0].head.weight.copy_(torch.tensor([[9.0, 0, 2], [-8, 1, 0]])[..., None, None])
        method.net.layer.weight.normal_(std=3)
        method.net.layer.bias.copy_(-method.net.layer.weight.sum(dim=(1, 2, 3)) / 2)
    image = torch.rand(2, 3, 5, 7)
    terms = method.loss(Batch(("a", "b"), image, torch.tensor([[1.0, 1.0], [0.0, 1.0]])))
    maps, chances = method.past[0](image), method.net(image).softmax(dim=1)
    losses, given = [], []
    for b in range(2):
        weights = [1.0] + [1 / (1 + (-maps[b, c].sum() / 35).exp()) for c in range(2)]
        for y in range(5):
            for x in range(7):
                weighed = [w * chances[b, k, y, x] for k, w in enumerate(weights)]
                given.append(max(range(3), key=weighed.__getitem__))
                losses.append(-chances[b, given[-1], y, x].log())
    assert set(given) == {0, 1, 2}
    assert torch.isclose(terms["psl"], torch.stack(losses).mean(), rtol=1e-5)
