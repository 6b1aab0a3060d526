"""Zhang et al. 2021, AA+LR: confident pairs teach, and features outvote labels that are wrong."""

import pytest
import torch

from tests.branches import (
    Canvas,
    check_labels_follow_the_classifier,
    check_read_out,
    check_terms_of_both_branches,
    check_who_learns_what,
    known,
    network,
    taught,
)
from tests.loops import one_at_another_size, owed_by_pairs
from tests.tiny import TWO_IMAGES, noise
from wsss_lib.blocks.labels.reliable import reassigned_labels
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.image_level.online.aalr import AALR
from wsss_lib.nets.segmentation.branches import COLOURS, TOY_COLOURS


def make(net=None, **settings):
    torch.manual_seed(1)
    settings = {"distance": 1, "others": (), "refine": TOY_COLOURS} | settings
    return AALR(net or network(), 3, **settings)


def batch_of_two(h=6, w=8):
    return Batch(("a", "b"), noise(2, 3, h, w), TWO_IMAGES)


def labels_of_two(h=6, w=8):
    labels = torch.randint(0, 4, (2, h, w), generator=torch.Generator().manual_seed(3))
    labels[0][labels[0] == 2], labels[1][labels[1] == 3] = 0, 0  # absent there
    labels[:, :, 6] = 255
    return labels


def mislabelled():
    """A red object on green ground, fully labelled; three of its pixels are said to be ground."""
    truth = torch.zeros(1, 8, 8, dtype=torch.long)
    truth[0, 2:7, 2:7] = 1
    red, green = torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.1, 0.6, 0.2])
    image = torch.where(truth[..., None] == 1, red, green).permute(0, 3, 1, 2)
    wrong = torch.zeros(8, 8, dtype=torch.bool)
    wrong[3, 3] = wrong[5, 4] = wrong[4, 6] = True
    batch = Batch(("a",), image, torch.tensor([[1.0, 0.0, 0.0]]))
    return batch, truth.masked_fill(wrong, 0), truth, wrong


def chances(weights, **settings):
    """What every pixel says in the end, each having learned by itself."""
    batch, labels, truth, wrong = mislabelled()
    method = known(make(Canvas(4, (8, 8)), weights=weights, **settings), labels)
    terms = {"seg", "reassign"}
    scores = taught(method, batch, names=terms).net.logits[0].detach().softmax(dim=0)
    right = scores.gather(0, truth)[0]
    return right[wrong], right[~wrong]


def test_a_wrong_label_is_outvoted_by_pixels_that_look_the_same():
    """Cross-entropy alone learns every label by heart, wrong ones too."""
    by_heart, sure = chances((0.0, 0.0))
    outvoted, still_sure = chances((0.0, 1.0))
    assert by_heart.max() < 0.05
    assert outvoted.min() > 0.3
    assert min(sure.min(), still_sure.min()) > 0.9


def test_without_prototypes_that_decide_nothing_is_reassigned():
    """Where a pixel resembles everything, the loss knows no better class."""
    vague, _ = chances((0.0, 1.0), temperature=100.0)
    outvoted, _ = chances((0.0, 1.0))
    assert outvoted.min() > vague.max() + 0.1


def slope_between(labels, confidence, start, **settings):
    """How the answer (2 pixels) of class 1 is moved by the affinity loss: positive is up."""
    labels, confidence = torch.tensor([[labels]]), torch.tensor([[confidence]])
    method = known(make(Canvas(4, (1, 2)), **settings), labels, confidence)
    with torch.no_grad():
        method.net.logits[0, 1, 0] = torch.tensor(start)
    batch = Batch(("a",), noise(1, 3, 1, 2), torch.tensor([[1.0, 0.0, 0.0]]))
    method.loss(batch)["affinity"].backward()
    return (-method.net.logits.grad[0, 1, 0]).tolist()


def test_a_pair_of_one_label_is_drawn_together_and_a_pair_of_two_apart():
    one, other = slope_between([1, 1], [1.0, 0.5], [2.0, 0.0])
    assert one < 0 < other
    one, other = slope_between([1, 0], [1.0, 0.5], [0.3, 0.0])
    assert one > 0 > other


def test_a_pair_counts_as_much_as_its_more_confident_end():
    sure, doubtful = (slope_between([1, 1], c, [2.0, 0.0]) for c in ([0.1, 0.8], [0.1, 0.2]))
    assert sure[1] == pytest.approx(4 * doubtful[1], rel=1e-4)
    assert slope_between([1, 0], [0.0, 0.0], [0.3, 0.0]) == [0.0, 0.0]


def test_what_is_apart_far_enough_is_left_alone_and_confidence_asks_for_more():
    assert slope_between([1, 0], [1.0, 1.0], [4.0, -4.0], margin=2.0) == [0.0, 0.0]
    assert slope_between([1, 0], [1.0, 1.0], [4.0, -4.0], margin=200.0)[0] > 0
    assert slope_between([1, 0], [1.0, 1.0], [2.0, 0.0])[0] > 0
    assert slope_between([1, 0], [0.1, 0.1], [2.0, 0.0])[0] == 0


def test_pixels_without_a_label_are_in_no_pair():
    assert slope_between([1, 255], [1.0, 1.0], [2.0, 0.0]) == [0.0, 0.0]


def test_labels_are_those_of_reliable_regions():
    check_labels_follow_the_classifier(make, batch_of_two())


def test_terms_of_both_branches_value_by_value():
    check_terms_of_both_branches(make(), batch_of_two(), labels_of_two())


def test_tags_teach_the_classifier_and_its_labels_the_other_branch():
    check_who_learns_what(make(), batch_of_two(), labels_of_two(), {"affinity", "reassign"})


def test_affinity_value_by_value():
    batch, labels = batch_of_two(), labels_of_two()
    confidence = noise(2, 6, 8, seed=4)
    method = known(make(weights=(0.7, 0.3), distance=2, margin=1.5), labels, confidence)
    scores = method.net(batch.image).detach().softmax(dim=1)
    owed = owed_by_pairs(scores, labels, confidence, distance=2, margin=1.5)
    same, background, different = (sum(kind) / len(kind) for kind in owed.values())
    found = method.loss(batch)["affinity"].item()
    assert found == pytest.approx(0.7 * (same + background + 2 * different), rel=1e-4)


def test_reassignment_value_by_value():
    """Cross-entropy with what features say of each pixel that has a label, whichever it has."""
    batch, labels = batch_of_two(), labels_of_two()
    method = known(make(weights=(0.7, 0.3), temperature=0.4), labels)
    embedding = method.net.embed(method.backbone(batch.image)).detach()
    target = reassigned_labels(embedding, labels, batch.tags, 0.4)
    logs = method.net(batch.image).detach().log_softmax(dim=1)
    owed = []
    for b in range(2):
        for y in range(6):
            for x in range(8):
                if labels[b, y, x] != 255:
                    owed.append(-float(target[b, :, y, x] @ logs[b, :, y, x]))
    assert 60 < len(owed) < 96
    found = method.loss(batch)["reassign"].item()
    assert found == pytest.approx(0.3 * sum(owed) / len(owed), rel=1e-4)


def test_reassignment_works_at_the_size_of_the_features():
    batch, labels = batch_of_two(), labels_of_two()
    method = known(make(weights=(0.0, 1.0)), labels)
    method.net.embed = lambda features: noise(2, 6, 3, 4, seed=5)
    logits = noise(2, 4, 6, 8, seed=6)
    method.net.classify = lambda embedding, image: logits
    small = labels[:, ::2, ::2]
    target = reassigned_labels(noise(2, 6, 3, 4, seed=5), small, batch.tags, 0.1)
    owed = []
    for b in range(2):
        logs = one_at_another_size(logits[b], (3, 4)).log_softmax(dim=0)
        for y in range(3):
            for x in range(4):
                if small[b, y, x] != 255:
                    owed.append(-float(target[b, :, y, x] @ logs[:, y, x]))
    found = method.loss(batch)["reassign"].item()
    assert found == pytest.approx(sum(owed) / len(owed), rel=1e-4)


def test_at_the_size_of_the_paper_and_of_the_toy_world():
    method = AALR(network(), 3)
    assert method.offsets == [(0, 4), (4, -4), (4, 0), (4, 4)]
    assert (method.margin, method.weights) == (3.0, (1.0, 1.0))
    assert method.others == (0.5, 1.5, 2.0)
    assert method.refine is COLOURS
    assert AALR.toy(3).offsets == [(0, 2), (2, -2), (2, 0), (2, 2)]
    assert AALR.toy(3).refine is TOY_COLOURS


@pytest.mark.parametrize("known_tags", [True, False])
def test_read_out_is_the_segmentation_branch_against_the_background(known_tags):
    check_read_out(make, known_tags)


def test_it_needs_tags():
    with pytest.raises(InputError, match="tags"):
        make().loss(Batch(("a",), noise(1, 3, 6, 8)))
