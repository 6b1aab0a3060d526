"""Pictures of erasing: what each round finds, and what it leaves for the next."""

from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import torch
from IPython.display import Markdown
from measured import results_folder, table
from safetensors.torch import load_file
from stored_figures import chosen, gallery, label_panel, stored_labels, world

from wsss_lib.blocks.augment.erase import erase
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.image_level.erasing.ae_psl import AdversarialErasing
from wsss_lib.show import Panel, Picture, show_grid
from wsss_lib.show.live import Example, LiveFigure, live_erase
from wsss_lib.show.live.erase import BODY, HEAD, Seen, seen

ROUNDS = ("round 1", "round 2", "round 3")
ASKED = ("cat", "snake", "wreath", "starfish")
"""Classes with a picture to erase from: those whose maps are often strongest on the head."""


@dataclass(frozen=True)
class Pair:
    """What the stored CAM sees of a class with nothing hidden, and with its heads hidden.

    Attributes:
        example: picture and class.
        whole: with nothing hidden.
        hidden: with the heads hidden.
    """

    example: Example
    whole: Seen
    hidden: Seen

    @property
    def on_head(self) -> bool:
        """Whether it recognises the class, above all by its head."""
        return self.whole.probability > 0.5 and self.whole.strongest(self.example.part(HEAD))


@cache
def classifier() -> CAM:
    """The stored CAM of the standard world, trained in world 0."""
    data = world(split="val")
    method = CAM.toy(len(data.classes))
    method.load_state_dict(load_file(results_folder() / "weights" / "standard" / "cam.safetensors"))
    return method.eval()


@cache
def pairs(together: int) -> list[Pair]:
    """Every class with a head in the new pictures that show so many classes."""
    data, method = world(split="val"), classifier()
    examples = [
        example
        for id in data.ids
        if int(data.tags(id).sum()) == together
        for number in (data.tags(id).nonzero().flatten() + 1).tolist()
        if (example := _example(id, number)).part(HEAD).any()
    ]
    with torch.inference_mode():
        whole, hidden = (
            torch.cat([method.class_maps(part) for part in torch.stack(images).split(32)])
            for images in (
                [one.image for one in examples], [one.without_head() for one in examples]
            )
        )  # fmt: skip
    return [
        Pair(one, seen(before, one), seen(after, one))
        for one, before, after in zip(examples, whole, hidden, strict=True)
    ]


def _example(id: str, number: int) -> Example:
    data = world(split="val")
    return Example(
        data.classes[number - 1], data.image(id), data.mask(id), data.layer("Parts", id), number
    )


def examples() -> list[Example]:
    """New pictures to erase from; in all of them the map is strongest on the head.

    One for each class of ``ASKED``, of those that show it alone the one of the median rise of the
    share of its map on the body when the head is hidden. Then the first picture of two classes.
    """
    found = []
    for name in ASKED:
        mine = [pair for pair in pairs(1) if pair.example.name == name and pair.on_head]
        mine.sort(key=lambda pair: pair.hidden.body - pair.whole.body)
        found.append(mine[len(mine) // 2].example)
    both = [pair.example for pair in pairs(2) if pair.on_head]
    one, other = next((a, b) for a, b in pairwise(both) if torch.equal(a.image, b.image))
    return [*found, replace(one, name=f"{one.name} and {other.name}")]


def live_erasing() -> LiveFigure:
    """The stored CAM, running in the page, and pictures to erase from."""
    classes = world(split="val").classes
    hot = AdversarialErasing.toy(len(classes)).hot
    return live_erase(classifier(), classes, examples(), hot)


def hidden_heads() -> Markdown:
    """What becomes of classes that stand alone in new pictures when their heads are hidden."""
    lines = []
    for name in world(split="val").classes:
        mine = [pair for pair in pairs(1) if pair.example.name == name]
        found = [pair for pair in mine if pair.on_head]
        still = [pair.hidden for pair in found if pair.hidden.probability > 0.5]
        moved = [p for p in found if p.hidden.strongest(p.example.part(BODY))]
        lines.append([name, *(str(len(those)) for those in (mine, found, moved, still))])
    head = [
        "", "pictures", "known by its head",
        "head hidden: map strongest on the body", "head hidden: still above one half",
    ]  # fmt: skip
    return table(head, lines)


def rounds_figure() -> Picture:
    """The control's labels, then what each round of AE-PSL is shown and finds; images in rows."""
    data, control, rows = world(), gallery("cam_360"), {}
    for place, id in chosen("ae_psl", over="cam_360").items():
        image = data.image(id)
        mined = torch.zeros(image.shape[-2:], dtype=torch.long)
        panels = [label_panel(id, control.labels(id, len(data.classes)))]
        for title in ROUNDS:
            seen = erase(image[None], (mined > 0)[None, None].float())[0]
            found = stored_labels("ae_psl", id, title)
            mined = torch.where(found > 0, found, mined)
            panels.append(Panel(seen, labels=found, note=label_panel(id, mined).note))
        panels.append(Panel(image, labels=data.mask(id)))
        rows[f"{place} gain"] = panels
    return show_grid(rows, ["control: CAM,\n360 steps", *ROUNDS, "truth"], classes=data.classes)
