"""Exercises of the page on prototypes and contrast."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from exercises import Exercise


def batch_prototype(vectors: Tensor, scores: Tensor, count: int) -> Tensor:
    """(D, M) vectors, (M,) scores of one class -> (D,) of length one, of the surest ``count``."""
    best = scores.topk(count).indices
    return F.normalize(vectors[:, best] @ scores[best], dim=0)


def check_batch_prototype(answer: Callable[[Tensor, Tensor, int], Tensor]) -> str:
    """Two sure pixels of different scores, one that is not, and lengths."""
    vectors = torch.tensor([[1.0, 0.0, 4.0], [0.0, 1.0, 4.0]])
    scores = torch.tensor([0.9, 0.3, 0.1])
    found = answer(vectors, scores, 2)
    if found.shape != (2,):
        return f"A prototype is one vector, (D,) = (2,); yours has the shape {tuple(found.shape)}."
    if torch.allclose(found, F.normalize(vectors @ scores, dim=0), atol=1e-4):
        return "The third pixel is not among the surest two, and still moves your prototype."
    if torch.allclose(F.normalize(found, dim=0), torch.tensor([0.5**0.5] * 2), atol=1e-4):
        return "The surer pixel should have more to say: weigh the mean."
    if not torch.isclose(found.norm(), torch.tensor(1.0), atol=1e-4):
        return "Prototypes are compared by direction. What length should yours have?"
    if not torch.allclose(found, F.normalize(torch.tensor([0.9, 0.3]), dim=0), atol=1e-4):
        return "Of the surest pixels, take the mean that their scores weigh."
    return ""


def _all_pixels(vectors: Tensor, scores: Tensor, count: int) -> Tensor:
    return F.normalize(vectors @ scores, dim=0)


def _plain_mean(vectors: Tensor, scores: Tensor, count: int) -> Tensor:
    return F.normalize(vectors[:, scores.topk(count).indices].mean(dim=1), dim=0)


def _any_length(vectors: Tensor, scores: Tensor, count: int) -> Tensor:
    best = scores.topk(count).indices
    return vectors[:, best] @ scores[best]


def negatives_left(rivals: int) -> tuple[int, int]:
    """How many of the most similar rivals are passed over, and how many are kept after them."""
    end = round(0.6 * rivals)
    return end - rivals // 2, rivals // 2


def check_negatives_left(answer: Callable[[int], tuple[int, int]]) -> str:
    """Twenty rivals, as in PASCAL VOC, and six, as in the toy world."""
    passed, kept = answer(20)
    if (passed, kept) == (0, 10):
        return "You keep the hardest. The very hardest may be the true class under a wrong label."
    if (passed, kept) == (0, 12):
        return "Three fifths is where the kept ones end; half of the rivals are kept."
    if (passed, kept) == (8, 12):
        return "You counted from the easy end: easy rivals are those that nobody has to learn."
    if (passed, kept) != (2, 10):
        return "Of twenty rivals ten are kept, and they end at the twelfth most similar one."
    if tuple(answer(6)) != (1, 3):
        return "Right for twenty rivals. Six have a half and three fifths as well: round."
    return ""


def _hardest_half(rivals: int) -> tuple[int, int]:
    return 0, rivals // 2


def _three_fifths(rivals: int) -> tuple[int, int]:
    return 0, round(0.6 * rivals)


def _easy_end(rivals: int) -> tuple[int, int]:
    return rivals - round(0.6 * rivals), round(0.6 * rivals)


def which_side(found: Tensor, frame: int) -> Tensor:
    """(B, h, w) maps of a whole run -> the same, or 1 less them, so that objects are near 1."""
    border = torch.ones(found.shape[1:], dtype=torch.bool)
    border[frame:-frame, frame:-frame] = False
    return 1 - found if found[:, border].mean() > found.mean() else found


def check_which_side(answer: Callable[[Tensor, int], Tensor]) -> str:
    """Three images of the ground; in the third the object fills all but the middle."""
    ground = torch.ones(3, 8, 8)
    ground[:2, 2:6, 2:6] = 0.1
    ground[2] = 0.1
    ground[2, 3:5, 3:5] = 0.9
    ground[0, 3, 3] = 0.15
    for maps, turned in ((ground, True), (1 - ground, False)):
        found = answer(maps.clone(), 2)
        if found.shape != maps.shape:
            return f"As many maps as before, please, of shape {tuple(maps.shape)}."
        if not torch.allclose((found - 0.5).abs(), (maps - 0.5).abs(), atol=1e-5):
            return "Only two answers are possible: the maps, or one less the maps."
        wanted = 1 - maps if turned else maps
        own = [torch.allclose(a, b, atol=1e-5) for a, b in zip(found, wanted, strict=True)]
        if own == [True, True, False]:
            return "The third image has another sign in yours. One network, one sign: decide once."
        if not any(own):
            return "You have it the wrong way round: objects touch the border *less*."
        if not all(own):
            return "Decide once, by the mean over the borders of all images."
    return ""


def _image_by_image(found: Tensor, frame: int) -> Tensor:
    return torch.stack([which_side(one[None], frame)[0] for one in found])


def _wrong_way(found: Tensor, frame: int) -> Tensor:
    return 1 - which_side(found, frame)


def _stretched(found: Tensor, frame: int) -> Tensor:
    shown = which_side(found, frame)
    return shown / shown.max() * 2


def soft_overlap(one: Tensor, other: Tensor) -> Tensor:
    """(N,) and (N,) maps in [0, 1] -> their soft intersection over union."""
    shared = (one * other).sum()
    return shared / (one.sum() + other.sum() - shared)


def check_soft_overlap(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Masks first, where it must be the usual one; then maps of values in between."""
    one, other = torch.tensor([1.0, 1, 0, 0]), torch.tensor([0.0, 1, 1, 0])
    found = float(answer(one, other))
    if abs(found - 0.5) < 1e-4:
        return "Of two masks of two pixels one is shared: three are covered, and not two."
    if abs(found - 0.25) < 1e-4:
        return "The shared pixel is in both sums: count it once in the union."
    if abs(found - 1 / 3) > 1e-4:
        return "Of masks it is the IoU that you know: one shared pixel of three."
    one, other = torch.tensor([0.5, 1.0]), torch.tensor([0.5, 0.0])
    found = float(answer(one, other))
    if abs(found - 1 / 3) < 1e-4:
        return (
            "You take the smaller and the larger value of each pixel, which is another extension "
            "of the IoU. Look at the numerator of the equation again."
        )
    if abs(found - 0.25 / 1.75) > 1e-4:
        return "Right for masks, but not for values in between: the intersection is a product."
    return ""


def _by_the_smaller(one: Tensor, other: Tensor) -> Tensor:
    return torch.minimum(one, other).sum() / torch.maximum(one, other).sum()


def _no_subtraction(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum() / (one.sum() + other.sum())


def _share_of_one(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum() / one.sum()


EXERCISES = {
    "batch_prototype": Exercise(
        check_batch_prototype, batch_prototype, (_all_pixels, _plain_mean, _any_length)
    ),
    "negatives_left": Exercise(
        check_negatives_left, negatives_left, (_hardest_half, _three_fifths, _easy_end)
    ),
    "which_side": Exercise(check_which_side, which_side, (_image_by_image, _wrong_way, _stretched)),
    "soft_overlap": Exercise(
        check_soft_overlap, soft_overlap, (_by_the_smaller, _no_subtraction, _share_of_one)
    ),
}
