"""Exercises of the chapter on co-occurrence."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def clean(labels: Tensor, tags: Tensor, low: float, high: float) -> bool:
    """(h, w) labels and (C,) tags -> whether an object is worth cutting out of this image."""
    if tags.sum() != 1:
        return False
    share = (labels == tags.argmax() + 1).float().mean()
    return bool(low <= share <= high)


def check_clean(answer: Callable[[Tensor, Tensor, float, float], bool]) -> str:
    """One class, the right size, and pixels of that class only."""
    one, two = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 1.0])
    half = torch.zeros(4, 4, dtype=torch.long)
    half[:2] = 2
    if not answer(half, one, 0.1, 0.7):
        return "One class, class 2 of the labels, covers half of the image: take it."
    if answer(half, two, 0.1, 0.7):
        return "Two classes are in this image: what looks like one may hide part of the other."
    small, large = torch.zeros_like(half), torch.full_like(half, 2)
    small[0, 0] = 2
    if answer(small, one, 0.1, 0.7):
        return "One pixel in sixteen is less than a tenth: too small to be trusted."
    if answer(large, one, 0.1, 0.7):
        return "It covers the whole image, its surroundings with it: more than seven tenths."
    unknown = torch.where(half == 2, half, 255)
    unknown[0] = 255
    if not answer(unknown, one, 0.1, 0.7):
        return "A quarter of the image is class 2; pixels labelled 255 are not part of the object."
    return ""


def _size_only(labels: Tensor, tags: Tensor, low: float, high: float) -> bool:
    return bool(low <= (labels == tags.argmax() + 1).float().mean() <= high)


def _no_upper_end(labels: Tensor, tags: Tensor, low: float, high: float) -> bool:
    return bool(tags.sum() == 1 and (labels == tags.argmax() + 1).float().mean() >= low)


def _undecided_counts(labels: Tensor, tags: Tensor, low: float, high: float) -> bool:
    return bool(tags.sum() == 1 and low <= (labels > 0).float().mean() <= high)


def paste_object(image: Tensor, donor: Tensor, mask: Tensor) -> Tensor:
    """(3, h, w) images and (h, w) bool -> the image with the donor's object in place."""
    return torch.where(mask, donor, image)


def check_paste_object(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """Object inside, image outside."""
    image, donor = torch.full((3, 2, 4), 0.2), torch.full((3, 2, 4), 0.8)
    mask = torch.zeros(2, 4, dtype=torch.bool)
    mask[:, 1:3] = True
    result = answer(image.clone(), donor.clone(), mask.clone())
    if result.shape != image.shape:
        return f"The result is an image, (3, h, w), not {tuple(result.shape)}."
    if torch.allclose(result, torch.where(mask, image, donor)):
        return "Inside and outside have changed places: you pasted the surroundings."
    if torch.allclose(result[:, mask], (image + donor)[:, mask]):
        return "Inside the mask the object replaces the image; you have added them up."
    if torch.allclose(result[:, mask], 0.5 * (image + donor)[:, mask]):
        return "Inside the mask the object replaces the image; yours shines through."
    if not torch.equal(result, torch.where(mask, donor, image)):
        return "Inside the mask every pixel is the donor's, outside every pixel is the image's."
    return ""


def _surroundings(image: Tensor, donor: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, image, donor)


def _added(image: Tensor, donor: Tensor, mask: Tensor) -> Tensor:
    return image + donor * mask


def _transparent(image: Tensor, donor: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, 0.5 * (image + donor), image)


def donors(kinds: Tensor, tags: Tensor) -> Tensor:
    """(n,) classes of objects and (C,) tags of an image -> (n,) bool, what may be pasted."""
    return tags[kinds] == 0


def check_donors(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Objects of classes that the image lacks."""
    kinds, tags = torch.tensor([0, 2, 1, 2, 3]), torch.tensor([0.0, 1.0, 1.0, 0.0])
    result = torch.as_tensor(answer(kinds, tags)).bool()
    if result.shape != (5,):
        return f"One answer for each object, (n,), not {tuple(result.shape)}."
    if torch.equal(result, tags[kinds] > 0):
        return "These are the objects that the image has already; it should gain a class."
    if result[1] or result[2] or result[3]:
        return "An object of class 1 or 2 may not be pasted: the image has these classes."
    if not torch.equal(result, tags[kinds] == 0):
        return "Objects of the classes 0 and 3, and all of them, may be pasted."
    return ""


def _present(kinds: Tensor, tags: Tensor) -> Tensor:
    return tags[kinds] > 0


def _anything(kinds: Tensor, tags: Tensor) -> Tensor:
    return torch.ones_like(kinds, dtype=torch.bool)


def _first_only(kinds: Tensor, tags: Tensor) -> Tensor:
    return kinds == int((tags == 0).nonzero()[0])


def mean_mask(labels: Tensor, c: int) -> Tensor:
    """(n, h, w) labels and a class -> (h, w), its mean mask over the images that have one."""
    masks = (labels == c).float()
    return masks[masks.amax(dim=(1, 2)) > 0].mean(dim=0)


def check_mean_mask(answer: Callable[[Tensor, int], Tensor]) -> str:
    """Two of four images hold the class, one of them with another class beside it."""
    labels = torch.zeros(4, 2, 3, dtype=torch.long)
    labels[0, 0] = labels[1, 0, 0] = 2
    labels[1, 1] = labels[2] = 1
    labels[3, 1, 1] = 255
    result = torch.as_tensor(answer(labels.clone(), 2))
    masks = (labels == 2).float()
    if result.shape != (2, 3):
        return f"One mean mask, (h, w), not {tuple(result.shape)}."
    if torch.allclose(result.float(), masks.mean(dim=0)):
        return "Two of the images do not hold the class; they should not make its mask fainter."
    if torch.allclose(result.float(), masks.sum(dim=0)):
        return "This is a sum; where the class always is, the mean is 1."
    if torch.allclose(result.float(), (labels > 0).float()[:2].mean(dim=0)):
        return "Other classes, in the same images, are no part of the mask."
    if not torch.allclose(result.float(), masks[:2].mean(dim=0)):
        return "Two images hold class 2: the mean is taken over their masks of it."
    return ""


def _over_all(labels: Tensor, c: int) -> Tensor:
    return (labels == c).float().mean(dim=0)


def _sum_of_masks(labels: Tensor, c: int) -> Tensor:
    return (labels == c).float().sum(dim=0)


def _any_class(labels: Tensor, c: int) -> Tensor:
    held = (labels == c).flatten(1).any(dim=1)
    return (labels[held] > 0).float().mean(dim=0)


EXERCISES = {
    "clean": Exercise(check_clean, clean, (_size_only, _no_upper_end, _undecided_counts)),
    "paste_object": Exercise(
        check_paste_object, paste_object, (_surroundings, _added, _transparent)
    ),
    "donors": Exercise(check_donors, donors, (_present, _anything, _first_only)),
    "mean_mask": Exercise(check_mean_mask, mean_mask, (_over_all, _sum_of_masks, _any_class)),
}
