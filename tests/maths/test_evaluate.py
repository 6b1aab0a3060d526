import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix
from torchmetrics.classification import MulticlassJaccardIndex

from wsss_lib.blocks.maps.class_maps import from_labels, to_labels
from wsss_lib.core import IGNORE
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import read_labels
from wsss_lib.data.toy import write_toy
from wsss_lib.evaluate import (
    STEPS,
    boundary_counts,
    choose_threshold,
    confusion_of,
    evaluate,
    evaluate_labels,
    ious,
    layer_recall,
    sweep_of,
)


@pytest.fixture
def truth():
    labels = torch.randint(0, 4, (13, 11))
    labels[2:4, 5] = IGNORE
    return labels


def test_sweep_equals_labelling_at_every_threshold(truth):
    scores = torch.rand(3, 13, 11)
    scores[:, 0] = (torch.arange(11) / 10).expand(3, 11)  # scores that hit thresholds exactly
    found = sweep_of(truth, scores)
    for index in range(STEPS + 1):
        labels = to_labels(scores[None], index / STEPS)[0]
        assert np.array_equal(found[index], confusion_of(truth, labels, 3)), index


def test_confusion_equals_scikit_learn(truth):
    labels = torch.randint(0, 4, truth.shape)
    known = truth != IGNORE
    peer = confusion_matrix(truth[known], labels[known], labels=range(4))
    assert np.array_equal(confusion_of(truth, labels, 3), peer)


def test_iou_equals_torchmetrics(truth):
    labels = torch.randint(0, 4, truth.shape)
    peer = MulticlassJaccardIndex(4, average=None, ignore_index=IGNORE)(labels, truth)
    assert np.allclose(ious(confusion_of(truth, labels, 3)), peer.numpy())


def test_mean_iou_is_over_the_data_set_not_over_images(tmp_path):
    """A hand example: two images whose mean of image IoUs differs from the data set's IoU."""
    masks = {"a": torch.tensor([[1, 1, 1, 1]]), "b": torch.tensor([[1, 0, 0, 0]])}
    labels = {"a": torch.tensor([[1, 1, 1, 1]]), "b": torch.tensor([[0, 0, 0, 1]])}

    class Two:
        classes, ids, name, root = ("thing",), ("a", "b"), "two", tmp_path
        mask = staticmethod(masks.__getitem__)
        has_masks = check_masks = staticmethod(lambda: True)

    found = evaluate_labels(labels.__getitem__, Two())
    assert np.allclose(found.iou, [2 / 4, 4 / 6])
    per_image = np.mean([1.0, (2 / 4 + 0) / 2])
    assert not np.isclose(found.miou, per_image)


def test_over_and_under_activation_and_iou_add_up_to_one(tmp_path):
    truth, said = torch.tensor([[1, 1, 1, 0, 0]]), torch.tensor([[0, 1, 1, 1, 0]])

    class One:
        classes, ids, name, root = ("thing",), ("a",), "one", tmp_path
        mask = staticmethod({"a": truth}.__getitem__)
        has_masks = check_masks = staticmethod(lambda: True)

    figures = evaluate_labels(lambda id: said, One()).figures()
    assert figures["iou"][1] == pytest.approx(2 / 4)
    assert figures["false_positive"] == pytest.approx(1 / 4)
    assert figures["false_negative"] == pytest.approx(1 / 4)
    assert figures["precision"] == pytest.approx(2 / 3)
    assert figures["recall"] == pytest.approx(2 / 3)


def test_precision_and_recall_of_parts_equal_labelling_at_every_threshold(tmp_path):
    root = write_toy(tmp_path / "toy", train=3, val=0, progress=False)
    data = SegmentationFolder(root, "train")
    scores = {id: torch.rand(6, 64, 64) for id in data.ids}
    found, recall = evaluate(scores, data, boundary=False), layer_recall(scores, data)
    assert recall.shape == (STEPS + 1, 2)
    for index in (0, 30, 77, 100):
        said = right = 0
        hit, total = np.zeros(2), np.zeros(2)
        for id in data.ids:
            labels, truth = to_labels(scores[id][None], index / STEPS)[0], data.mask(id)
            said += int((labels > 0).sum())
            right += int(((labels > 0) & (labels == truth)).sum())
            for part in (1, 2):
                inside = (data.layer("Parts", id) == part) & (truth > 0)
                total[part - 1] += int(inside.sum())
                hit[part - 1] += int((inside & (labels == truth)).sum())
        np.testing.assert_allclose(recall[index], hit / total)
        expected = right / said if said else np.nan
        np.testing.assert_allclose(found.precision_curve[index], expected)


def test_of_equally_good_thresholds_the_middle_one_is_chosen(tmp_path):
    root = write_toy(tmp_path / "toy", train=2, val=0, progress=False)
    data = SegmentationFolder(root, "train")
    hard = {id: from_labels(data.mask(id)[None], 6)[0] for id in data.ids}
    assert choose_threshold(hard, data) == 0.49  # from 0 to .99 all are perfect


def test_absent_classes_do_not_count():
    counts = np.diag([5, 0, 3])
    assert np.array_equal(np.isnan(ious(counts)), [False, True, False])


def test_boundary_counts_see_a_shift_that_areas_hardly_notice():
    truth = np.zeros((100, 100), dtype=np.int64)
    truth[20:80, 20:80] = 1
    moved = np.roll(truth, 2, axis=1)
    inside, union = boundary_counts(truth, moved, 1)
    area = (truth & moved).sum() / (truth | moved).sum()
    assert inside[1] / union[1] < area - 0.2
    same, all_of = boundary_counts(truth, truth, 1)
    assert np.array_equal(same, all_of)
    # The band of the 60 x 60 square is 3 pixels wide (2 % of the diagonal of 141).
    assert same[1] == 60**2 - 54**2


def test_real_pseudo_labels_score_what_their_authors_report(shared):
    root = shared / "data" / "voc2012"
    voc = SegmentationFolder(root, "train")
    voc = voc.subset([id for id in voc.ids if (root / f"PseudoLabels/transcam/{id}.png").exists()])

    def pseudo(id):
        labels = read_labels(root / f"PseudoLabels/transcam/{id}.png", 20)
        return torch.from_numpy(labels.astype(np.int64))

    found = evaluate_labels(pseudo, voc)
    assert len(voc) == 1464
    assert found.miou == pytest.approx(0.7014, abs=5e-5)
