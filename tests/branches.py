"""What the tests of two branches on one trunk share: a trunk of colours, and networks on it."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.loops import check_network_answers, soft_margin
from tests.tiny import Painter, noise
from wsss_lib.nets.segmentation.deeplab import DeepLab


class Colours(nn.Module):
    """A trunk that answers colours, mixed by weights that start as they are."""

    channels, strides = [3, 3], [1, 1]

    def __init__(self):
        super().__init__()
        self.mix = nn.Parameter(torch.eye(3))

    def forward(self, image):
        return [torch.einsum("dc,bchw->bdhw", self.mix, image)] * 2


class Halved(Colours):
    """The same, in maps of half the size."""

    strides = [2, 2]

    def forward(self, image):
        return [F.avg_pool2d(maps, 2) for maps in super().forward(image)]


class Painted(Painter):
    """A segmentation branch whose logits are colours mixed by known weights."""

    def __init__(self):
        super().__init__()
        self.backbone = Colours()


class Canvas(nn.Module):
    """A segmentation branch whose logits are its weights: every pixel decides for itself."""

    def __init__(self, k, size, images=1):
        super().__init__()
        self.backbone = Colours()
        self.logits = nn.Parameter(torch.zeros(images, k, *size))

    def embed(self, features):
        return features[-1]

    def classify(self, embedding, image):
        return self.logits

    def forward(self, image):
        return self.logits


def network(backbone=None):
    """A small segmentation branch for three classes, the same each time."""
    torch.manual_seed(0)
    net = DeepLab(backbone or Colours(), 3, rates=(1,), width=6, shallow=0, detail=4)
    with torch.no_grad():
        for weight in net.classifier.parameters():
            weight.mul_(6)
    return net


def known(method, labels, confidence=None):
    """The method, taught these labels whatever its classifier says."""
    confidence = torch.ones(labels.shape) if confidence is None else confidence
    method.own_labels = lambda *_: (labels, confidence)
    return method


def taught(method, batch, steps=60, rate=0.3, names=None):
    """The method after some steps, from some of its terms or from all."""
    optimizer = torch.optim.Adam(method.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        terms = method.loss(batch)
        sum(value for name, value in terms.items() if names is None or name in names).backward()
        optimizer.step()
    return method


def check_terms_of_both_branches(method, batch, labels):
    """The tags by the mean of each class map; labels by two means, of background and classes."""
    terms = known(method, labels).loss(batch)
    with torch.no_grad():
        features = method.backbone(batch.image)
        pooled = method.classifier(features[-1]).mean(dim=(2, 3))
        logits = method.net(batch.image)
    sides = {False: [], True: []}
    for b in range(len(labels)):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                label = int(labels[b, y, x])
                if label != 255:
                    sides[label > 0].append(-logits[b, :, y, x].log_softmax(dim=0)[label])
    wanted = sum(torch.stack(side).mean() for side in sides.values())
    assert 0 < len(sides[True]) < len(sides[False])
    torch.testing.assert_close(terms["cls"], soft_margin(pooled, batch.tags))
    torch.testing.assert_close(terms["seg"], wanted)


def check_who_learns_what(method, batch, labels, rest):
    """Tags teach the classifier, everything else the other branch, and both the trunk."""
    known(method, labels)
    for name, value in method.loss(batch).items():
        method.zero_grad()
        value.backward(retain_graph=True)
        heads = {"classifier": method.classifier.weight, "net": method.net.classifier.weight}
        slopes = {key: bool(w.grad is not None and w.grad.any()) for key, w in heads.items()}
        assert slopes == {"classifier": name == "cls", "net": name != "cls"}, name
        assert method.backbone.mix.grad.any(), name
        assert name in {"cls", "seg", *rest}


def check_read_out(make, known_tags):
    """The segmentation branch of a method, each class against the background."""
    check_network_answers(make(Painted()), noise(2, 3, 5, 7), known_tags)


def check_labels_follow_the_classifier(make, batch):
    """Labels are made anew in every step, from weights that the tags alone teach."""
    method, before = make(), make()
    with torch.no_grad():
        method.classifier.weight.neg_()
    made = [kind.teach(batch.image, batch.tags).labels for kind in (method, before)]
    assert not torch.equal(*made)
