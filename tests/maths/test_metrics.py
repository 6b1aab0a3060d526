"""Each figure against a slow second way to compute it, and against examples made by hand."""

import numpy as np
import pytest
import torch
from scipy.ndimage import zoom

from wsss_lib.core import IGNORE, InputError
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.metrics import boundary_f, panoptic_quality, recall_at_precision, trimap_curve


def blobs(seed, classes=4, ignore=True):
    """A (26, 31) label image of connected patches, with undecided ones."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, classes + ignore, (5, 6))
    coarse[coarse == classes] = IGNORE
    return torch.from_numpy(zoom(coarse, (5.3, 5.2), order=0))


def border_pixels(labels, c):
    """Pixels of a class beside another one, one by one."""
    h, w = labels.shape
    found = set()
    for y, x in torch.nonzero(labels == c).tolist():
        for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            if 0 <= y + dy < h and 0 <= x + dx < w and labels[y + dy, x + dx] != c:
                found.add((y, x))
    return found


def near(pixel, others, tolerance):
    return any((pixel[0] - y) ** 2 + (pixel[1] - x) ** 2 <= tolerance**2 for y, x in others)


@pytest.mark.parametrize("tolerance", [0, 1, 2.5, 4])
def test_boundary_f_equals_a_search_among_all_border_pixels(tolerance):
    pairs = [(blobs(i), blobs(i + 10)) for i in range(3)]
    found = boundary_f(pairs, 5, tolerance)
    for c in range(4):
        right, said, hit, true = 0, 0, 0, 0
        for truth, labels in pairs:
            labels = labels.where(labels != IGNORE, 0).where(truth != IGNORE, IGNORE)
            one, other = border_pixels(truth, c), border_pixels(labels, c)
            true, said = true + len(one), said + len(other)
            hit += sum(near(pixel, other, tolerance) for pixel in one)
            right += sum(near(pixel, one, tolerance) for pixel in other)
        precision, recall = right / said, hit / true
        assert 0 < precision < 1
        assert precision != recall
        assert found[c] == pytest.approx(2 * precision * recall / (precision + recall))
    assert np.isnan(found[4:]).all()  # classes that are nowhere


def test_boundary_f_forgives_a_shift_up_to_the_tolerance():
    truth = torch.zeros(40, 40, dtype=torch.long)
    truth[10:30, 10:30] = 1
    shifted = truth.roll((3, 4), dims=(0, 1))
    diagonal = [boundary_f([(truth, shifted)], 1, t)[1] for t in (0, 3, 4, 5)]
    assert diagonal == sorted(diagonal)
    assert diagonal[2] < 1  # the corner is 5 pixels away
    assert diagonal[3] == 1
    assert boundary_f([(truth, truth)], 1, 0).tolist() == [1, 1]


def test_boundary_f_of_a_missed_class_is_zero_and_the_edge_of_the_image_is_no_border():
    whole, none = torch.ones(6, 6, dtype=torch.long), torch.zeros(6, 6, dtype=torch.long)
    assert np.isnan(boundary_f([(whole, none)], 1)).all()
    part = none.clone()
    part[2:4] = 1
    assert boundary_f([(part, none)], 1)[1] == 0
    assert boundary_f([(none, part)], 1)[1] == 0


def test_boundary_f_does_not_look_at_undecided_pixels():
    truth, labels = blobs(1), blobs(2)
    assert (truth == IGNORE).any()
    other = labels.where(truth != IGNORE, 3 - labels.clamp(max=3))
    assert not torch.equal(other, labels)
    found = boundary_f([(truth, labels)], 3)
    assert np.array_equal(found, boundary_f([(truth, other)], 3))


def test_trimap_curve_equals_a_search_among_all_border_pixels():
    pairs = [(blobs(i), blobs(i + 20)) for i in range(2)]
    widths = (1, 2.5, 4)
    found = trimap_curve(pairs, 4, widths)
    for width, miou in zip(widths, found, strict=True):
        counts = np.zeros((5, 5))
        for truth, labels in pairs:
            border = {p for c in truth.unique() for p in border_pixels(truth, c)}
            for y, x in torch.nonzero(truth != IGNORE).tolist():
                if min((y - v) ** 2 + (x - u) ** 2 for v, u in border) < width**2:
                    counts[truth[y, x], labels[y, x] % IGNORE] += 1
        assert miou == pytest.approx(np.nanmean(ious(counts)))


def test_trimap_curve_rises_to_the_mean_iou_where_the_fault_lies_at_the_border():
    truth, labels = (torch.zeros(2, 20, 20, dtype=torch.long)).unbind()
    truth[:, 10:], labels[:, 12:] = 1, 1
    curve = trimap_curve([(truth, labels)], 1, (1, 2, 4, 8, 100))
    # Of w columns on either side, two of the right ones are wrong; of one, the only one.
    assert curve[:3] == pytest.approx([1 / 4, 1 / 4, (4 / 6 + 2 / 4) / 2])
    assert (np.diff(curve[1:]) > 0).all()
    assert curve[-1] == pytest.approx(np.nanmean(ious(confusion_of(truth, labels, 1))))


def objects(classes, numbers):
    return torch.stack([torch.as_tensor(classes), torch.as_tensor(numbers)], dim=-1)


def slow_panoptic(pairs, num_classes, things):
    """Sets of pixels, compared each with each."""

    def segments(image):
        found = {}
        for y, row in enumerate(image.tolist()):
            for x, (c, number) in enumerate(row):
                found.setdefault((c, number if c in things else 0), set()).add((y, x))
        return found

    sums = np.zeros((4, num_classes + 1))
    for truth, labels in pairs:
        true, said = segments(truth), segments(labels)
        void = set().union(*(pixels for (c, _), pixels in true.items() if c == IGNORE))
        true = {key: pixels for key, pixels in true.items() if key[0] != IGNORE}
        said = {key: pixels for key, pixels in said.items() if key[0] != IGNORE}
        matched = set()
        for one, pixels in true.items():
            partners = [key for key in said if key[0] == one[0]]
            overlaps = {
                key: len(pixels & said[key]) / len(pixels | (said[key] - void)) for key in partners
            }
            best = max(overlaps, key=overlaps.get, default=None)
            if best and overlaps[best] > 0.5:
                sums[0, one[0]] += overlaps[best]
                sums[1, one[0]] += 1
                matched.add(best)
            else:
                sums[3, one[0]] += 1
        for key, pixels in said.items():
            if key not in matched and len(pixels & void) <= len(pixels) / 2:
                sums[2, key[0]] += 1
    total, hit, extra, lost = sums
    with np.errstate(invalid="ignore"):
        pq = total / (hit + extra / 2 + lost / 2)
        return pq, sums


def noisy_pair(seed):
    """Truth, and a prediction that differs along borders and in some patches."""
    generator = torch.Generator().manual_seed(seed)
    truth = objects(blobs(seed), blobs(seed + 30, 3, ignore=False))
    labels = truth.roll((seed % 3, 1), dims=(0, 1)).clone()
    labels[labels[..., 0] == IGNORE] = 0
    y, x = torch.randint(0, 20, (2,), generator=generator).tolist()
    labels[y : y + 6, x : x + 6, 0] = IGNORE
    return truth, labels


def test_panoptic_quality_equals_sets_of_pixels():
    pairs = [noisy_pair(seed) for seed in range(8)]
    for things in ((1, 2, 3), (2,)):
        found = panoptic_quality(pairs, 4, things)
        pq, (total, hit, extra, lost) = slow_panoptic(pairs, 4, things)
        assert min(hit.sum(), extra.sum(), lost.sum()) > 0
        assert np.allclose(found.pq, pq, equal_nan=True)
        assert np.allclose(found.sq[:4], total[:4] / np.maximum(hit[:4], 1))
        assert np.allclose(found.sq * found.rq, found.pq, equal_nan=True)
        assert np.isnan(found.pq[4])


def test_panoptic_quality_of_a_hand_example():
    """Two objects: one found with IoU 3/4, the other with exactly 1/2, which is no match."""
    truth = objects([[1, 1, 1, 1, 1, 1, 0, 0]], [[5, 5, 5, 5, 8, 8, 0, 0]])
    labels = objects([[1, 1, 1, 0, 1, 0, 0, 0]], [[1, 1, 1, 0, 2, 0, 0, 0]])
    found = panoptic_quality([(truth, labels)], 1)
    assert found.sq == pytest.approx([0, 3 / 4])  # background: 2 of 4 pixels, no match either
    assert found.rq == pytest.approx([0, 1 / 2])
    assert found.pq == pytest.approx([0, 3 / 8])


@pytest.mark.parametrize(("undecided", "quality"), [(2, 1 / (1 + 1 / 2)), (3, 1)])
def test_a_false_segment_that_is_mostly_undecided_is_forgotten(undecided, quality):
    truth = objects([[1, 1, 0, 0, 0, 0]], [[1, 1, 0, 0, 0, 0]])
    truth[0, 6 - undecided :, 0] = IGNORE
    labels = objects([[1, 1, 1, 1, 1, 1]], [[1, 1, 2, 2, 2, 2]])
    assert panoptic_quality([(truth, labels)], 1).pq[1] == pytest.approx(quality)


@pytest.mark.parametrize("figure", [boundary_f, trimap_curve, panoptic_quality])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, p: [], "no pairs"),
        (lambda t, p: [(t, p[:3])], "of one size"),
        (lambda t, p: [(t[0], p[0])], "both .H, W"),
        (lambda t, p: [(t, p.float())], "prediction is float32"),
        (lambda t, p: [(t + 3, p)], r"truth is int64 in .*integers in 0\.\.2"),
        (lambda t, p: [(t, p - 1)], "prediction is int64 in -1"),
    ],
)
def test_bad_input_is_named(figure, change, message):
    truth = torch.tensor([[0, 1, 2, 0]]).expand(4, 4)
    if figure is panoptic_quality:
        truth = objects(truth, truth)
    with pytest.raises(InputError, match=message) as caught:
        figure(change(truth, truth), 2)
    assert figure.__name__ in str(caught.value)


def test_settings_that_make_no_sense_are_named():
    pair = (blobs(0), blobs(0))
    with pytest.raises(InputError, match="tolerance=-1"):
        boundary_f([pair], 4, -1)
    for widths in ((), (0, 2)):
        with pytest.raises(InputError, match="1 pixel or more"):
            trimap_curve([pair], 4, widths)
    flat = torch.zeros(4, 4, dtype=torch.long)
    with pytest.raises(InputError, match="no image has a border"):
        trimap_curve([(flat, flat)], 4)


def test_recall_is_read_where_the_precision_is_enough():
    precision, recall = np.array([0.4, 0.6, 0.5, 0.8, np.nan]), np.array([0.9, 0.7, 0.65, 0.2, 0.0])
    assert recall_at_precision(precision, recall, 0.5) == 0.7
    assert recall_at_precision(precision, recall, 0.7) == 0.2
    assert recall_at_precision(precision, recall, 0.0) == 0.9
    assert recall_at_precision(precision, recall, 0.9) == 0.0
