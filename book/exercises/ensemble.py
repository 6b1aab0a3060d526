"""Exercises of the chapter on ensembles."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise


def accept(logits: Tensor, tags: Tensor) -> Tensor:
    """(C,) logits and tags -> (C,) bool: present, and among the |tags| highest logits."""
    best = logits.argsort(descending=True)[: int(tags.sum())]
    accepted = torch.zeros_like(tags, dtype=torch.bool)
    accepted[best] = True
    return accepted & (tags > 0)


def check_accept(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Two classes are present, and one that is not there wins."""
    tags = torch.tensor([1.0, 0.0, 1.0, 0.0])
    result = torch.as_tensor(answer(torch.tensor([2.0, 3.0, 1.0, -1.0]), tags)).bool()
    if result.shape != (4,):
        return f"One answer for each class, (C,), not {tuple(result.shape)}."
    if result[1]:
        return "Class 1 has the highest logit but is not in the picture: there is nothing to keep."
    if result[2]:
        return (
            "Two classes are present, and the logit of class 2 is the third highest: its map is "
            "not to be trusted."
        )
    if not result[0]:
        return "Two classes are present, and the logit of class 0 is the second highest: keep it."
    if not torch.as_tensor(answer(torch.tensor([-2.0, -3.0, -1.0, -4.0]), tags))[[0, 2]].all():
        return "Negative logits can be the highest as well: only the order decides."
    return ""


def _every_tag(logits: Tensor, tags: Tensor) -> Tensor:
    return tags > 0


def _winner_only(logits: Tensor, tags: Tensor) -> Tensor:
    return (logits == logits.max()) & (tags > 0)


def _best_of_all(logits: Tensor, tags: Tensor) -> Tensor:
    return torch.isin(torch.arange(len(tags)), logits.argsort(descending=True)[: int(tags.sum())])


def _positive(logits: Tensor, tags: Tensor) -> Tensor:
    return accept(logits, tags) & (logits > 0)


def accumulate(memory: Tensor, maps: Tensor, accepted: Tensor) -> Tensor:
    """(C, h, w) memory and scores, (C,) bool -> the memory afterwards, (C, h, w)."""
    return torch.where(accepted[:, None, None], torch.maximum(memory, maps), memory)


def check_accumulate(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """It grows where it may, and nothing is lost."""
    memory = torch.tensor([[[0.9, 0.1, 0.0]], [[0.2, 0.0, 0.4]]])
    maps = torch.tensor([[[0.3, 1.0, 0.0]], [[1.0, 1.0, 0.1]]])
    before = memory.clone()
    result = answer(memory, maps, torch.tensor([True, False]))
    if result.shape != memory.shape:
        return f"The memory keeps its shape (C, h, w); yours is {tuple(result.shape)}."
    if not torch.equal(result[1], before[1]):
        return "The second class was not accepted: its memory must stay as it is, bit by bit."
    if result[0, 0, 0] < 0.9:
        return "The first place was bright once, and your memory has forgotten some of it."
    if not torch.equal(result[0], torch.tensor([[0.9, 1.0, 0.0]])):
        return "Each place should hold the highest score that it ever had, and no more than that."
    return ""


def _latest(memory: Tensor, maps: Tensor, accepted: Tensor) -> Tensor:
    return torch.where(accepted[:, None, None], maps, memory)


def _total(memory: Tensor, maps: Tensor, accepted: Tensor) -> Tensor:
    return torch.where(accepted[:, None, None], memory + maps, memory)


def _always(memory: Tensor, maps: Tensor, accepted: Tensor) -> Tensor:
    return torch.maximum(memory, maps)


def hybrid(chance: Tensor, target: Tensor) -> Tensor:
    """(C, h, w) chances and targets -> the loss of OAA+, where targets are found or exactly 0."""
    found = target > 0
    drawn = -(target * chance.log())[found].mean()
    held = -(1 - chance).log()[~found].mean()
    return drawn + held


def check_hybrid(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Which places draw, which hold, and how each side is counted."""
    chance = torch.tensor([[[0.5, 0.5, 0.25]]])
    target = torch.tensor([[[1.0, 0.4, 0.0]]])
    result = float(answer(chance.clone(), target.clone()))
    right = float(hybrid(chance, target))
    if abs(result - right) > 1e-4:
        plain = -(target * chance.log() + (1 - target) * (1 - chance).log())
        if any(abs(result - float(x)) < 1e-4 for x in (plain.mean(), plain.sum())):
            return (
                "That is the cross-entropy with soft targets: at the second place it pulls the "
                "chance down to 0.4. A place that was found at all must never be pulled down."
            )
        hard = -(chance.log()[target > 0].mean() + (1 - chance).log()[target == 0].mean())
        if abs(result - float(hard)) < 1e-4:
            return "Your loss draws a faint place as strongly as a sure one: G has to weigh it."
        return f"For three places your loss is {result:.3f}; by hand it is {right:.3f}."
    more = torch.cat([target, torch.zeros(1, 1, 30)], dim=2)
    wide = torch.cat([chance, torch.full((1, 1, 30), 0.25)], dim=2)
    if abs(float(answer(wide, more)) - right) > 1e-4:
        return "Thirty more places of the same kind where nothing was found should change nothing."
    return ""


def _soft_cross_entropy(chance: Tensor, target: Tensor) -> Tensor:
    return -(target * chance.log() + (1 - target) * (1 - chance).log()).mean()


def _all_alike(chance: Tensor, target: Tensor) -> Tensor:
    found = target > 0
    return -chance.log()[found].mean() - (1 - chance).log()[~found].mean()


def _one_mean(chance: Tensor, target: Tensor) -> Tensor:
    found = (target > 0).float()
    return -(target * chance.log() + (1 - found) * (1 - chance).log()).mean()


def _two_sums(chance: Tensor, target: Tensor) -> Tensor:
    found = target > 0
    return -(target * chance.log())[found].sum() - (1 - chance).log()[~found].sum()


def settled(strength: float, share: float) -> float:
    """The chance that OAA+ ends up with where a share of like places has G = strength, the rest 0.

    Both sides of the loss are of one size, |P| = |N|.
    """
    return share * strength / (share * strength + 1 - share)


def check_settled(answer: Callable[[float, float], float]) -> str:
    """Always faint, seldom sure, and what lies between."""
    faint = float(answer(0.1, 1.0))
    if abs(faint - 0.1) < 1e-6 and abs(float(answer(0.1, 0.5)) - 0.05) < 1e-6:
        return (
            "The mean of the targets is where the cross-entropy with soft targets settles. Here a "
            "faint target lacks the term that would pull down to it."
        )
    if abs(faint - 0.1) < 1e-6:
        return (
            "These places were found in every image, if faintly: nothing holds them down. "
            "Which term of the loss would pull the chance to 0.1?"
        )
    if abs(faint - 1) > 1e-6:
        return "Where every place was found, only the first term is there. Where is its minimum?"
    if abs(float(answer(1.0, 0.0))) > 1e-6:
        return "Where no place was found, only the second term is there. Where is its minimum?"
    for strength, share in ((1.0, 0.25), (0.5, 0.5), (0.2, 0.9)):
        found, right = float(answer(strength, share)), settled(strength, share)
        if abs(found - right) > 1e-3:
            return (
                f"G = {strength:g} in {share:.0%} of the places: you say {found:.2f}, where the "
                "slope of the loss is not zero. Set the derivative to zero once more."
            )
    return ""


def _copy_of_the_target(strength: float, share: float) -> float:
    return strength


def _mean_target(strength: float, share: float) -> float:
    return strength * share


def _share_alone(strength: float, share: float) -> float:
    return share


PARTS = ("head", "body", "tail", "grass")
"""What a classifier would point at, in this order; the grass is no part of the animal."""


def pointed_at(hides: str) -> list[str]:
    """What six visits point at if each hides "the last map", or else "the memory"."""
    hidden: set[str] = set()
    found = []
    for _ in range(6):
        seen = [part for part in PARTS if part not in hidden]
        found.append(seen[0] if seen else "nothing")
        hidden = {found[-1]} if hides == "the last map" else hidden | {found[-1]}
    return found


def check_pointed_at(answer: Callable[[str], list[str]]) -> str:
    """Six visits of each kind, visit by visit."""
    for hides in ("the last map", "the memory"):
        said, right = [*answer(hides)], pointed_at(hides)
        if len(said) != 6:
            return f"Six visits hide {hides}: name what each of them points at, six words."
        wrong = next((n for n in range(6) if said[n] != right[n]), None)
        if wrong is None:
            continue
        hint = (
            "Which parts does the classifier see at this visit? Only those of the visit before "
            "are hidden."
            if hides == "the last map"
            else "Everything that was ever pointed at is hidden now, and stays hidden."
        )
        return f"Hiding {hides}: the first {wrong} of your words are right. {hint}"
    return ""


def _never_hidden(hides: str) -> list[str]:
    return ["head"] * 6


def _always_on(hides: str) -> list[str]:
    return pointed_at("the memory")


def _round_and_round(hides: str) -> list[str]:
    if hides == "the last map":
        return pointed_at(hides)
    return ["head", "body", "tail"] * 2


def fickle_mask(noise: Tensor, rate: float) -> Tensor:
    """(s * s, h, w) uniform noise -> mask in {0, 1}: all but the centre dropped at ``rate``."""
    mask = (noise >= rate).float()
    mask[len(noise) // 2] = 1
    return mask


def check_fickle_mask(answer: Callable[[Tensor, float], Tensor]) -> str:
    """The centre, the rate, and independence of the places."""
    noise = torch.rand(25, 20, 20, generator=torch.Generator().manual_seed(0))
    mask = answer(noise.clone(), 0.7).float()
    if mask.shape != noise.shape:
        return f"A mask has the shape of the noise, {tuple(noise.shape)}, not {tuple(mask.shape)}."
    others = torch.cat([mask[:12], mask[13:]])
    share = float(others.mean())
    if abs(share - 0.7) < 0.05:
        return f"Your mask keeps {share:.0%} of the places; at a rate of 0.7 that many are dropped."
    if abs(share - 0.3) > 0.05 or not ((others == 0) | (others == 1)).all():
        return "At a rate of 0.7, three in ten places should be 1 and the others 0."
    if not mask[12].all():
        return "The centre, the place at s * s // 2, must never be dropped."
    return ""


def _dropped_and_kept(noise: Tensor, rate: float) -> Tensor:
    mask = (noise < rate).float()
    mask[len(noise) // 2] = 1
    return mask


def _fickle_centre(noise: Tensor, rate: float) -> Tensor:
    return (noise >= rate).float()


def _rescaled(noise: Tensor, rate: float) -> Tensor:
    return fickle_mask(noise, rate) / (1 - rate)


def made_up(n: int) -> float:
    """What one of n dilated maps makes up alone, as a share of where all maps agree."""
    return (0 + 1 / n) / (1 + n / n)


def check_made_up(answer: Callable[[int], float]) -> str:
    """An n-th of a mean, beside a head that has the standard map as well."""
    for n in (3, 5):
        share = float(answer(n))
        if abs(share - 1 / n) < 1e-6:
            return "You divided by the dilated maps at the head; the standard map shines there too."
        if abs(share - 1 / (n + 1)) < 1e-6:
            return (
                "That is the plain mean of all maps; here the standard one stands outside the mean."
            )
        if abs(share - 0.5) < 1e-6:
            return "One dilated map does not count whole: only the mean of the n is added."
        if abs(share - 1 / (2 * n)) > 1e-6:
            return "Put both places into the equation, then divide one value by the other."
    return ""


def _standard_forgotten(n: int) -> float:
    return 1 / n


def _plain_mean(n: int) -> float:
    return 1 / (n + 1)


def _sum_of_all(n: int) -> float:
    return 0.5


def _not_divided(n: int) -> float:
    return 2.0


EXERCISES = {
    "accept": Exercise(check_accept, accept, (_every_tag, _winner_only, _best_of_all, _positive)),
    "accumulate": Exercise(check_accumulate, accumulate, (_latest, _total, _always)),
    "hybrid": Exercise(
        check_hybrid, hybrid, (_soft_cross_entropy, _all_alike, _one_mean, _two_sums)
    ),
    "settled": Exercise(check_settled, settled, (_copy_of_the_target, _mean_target, _share_alone)),
    "pointed_at": Exercise(
        check_pointed_at, pointed_at, (_never_hidden, _always_on, _round_and_round)
    ),
    "fickle_mask": Exercise(
        check_fickle_mask, fickle_mask, (_dropped_and_kept, _fickle_centre, _rescaled)
    ),
    "made_up": Exercise(
        check_made_up, made_up, (_standard_forgotten, _plain_mean, _sum_of_all, _not_divided)
    ),
}
