"""Pictures of the chapters on CLIP and SAM; they ask the methods about a single image."""

from dataclasses import replace

import numpy as np
import torch
from IPython.display import Markdown
from matplotlib.patheffects import withStroke
from measured import results_folder, table
from scipy.ndimage import distance_transform_edt
from stored_figures import gallery, label_panel, shown_classes, world

from experiments.contenders import PlainClip
from wsss_lib.methods.foundation.clip_es import ClipES
from wsss_lib.methods.foundation.grounded_sam import GroundedSam
from wsss_lib.methods.foundation.sam_pseudo import SamPseudo
from wsss_lib.results import read_result
from wsss_lib.show import Panel, Picture, class_panel, show_panels, truth_panel


def clip_figure(id: str) -> Picture:
    """Maps of an image's largest class: of plain logits, among rivals, along the attention."""
    data = world()
    image, tags = data.image(id), data.tags(id).float()[None]
    method = ClipES.toy(len(data.classes))
    maps = {"plain logits": PlainClip.toy(len(data.classes)).class_maps(image[None], tags)}
    for title, layers in (("among rivals", 0), ("along the attention", 6)):
        method.layers = layers
        maps[title] = method.class_maps(image[None], tags)
    c, cut, truth = shown_classes(id)[0], gallery("clip_es").threshold, data.mask(id)
    shown = [
        replace(class_panel(image, found[0], c, cut, truth), title=title)
        for title, found in maps.items()
    ]
    last = replace(truth_panel(image, truth, c), title=f"truth: {data.classes[c - 1]}")
    return show_panels([Panel(image, title="image"), *shown, last])


def everything_figure(id: str) -> Picture:
    """Every mask that SAM finds in an image, numbered by falling size, and the truth."""
    data = world()
    image = data.image(id)
    masks, _ = SamPseudo.toy(len(data.classes)).sam.everything(image)
    numbered = torch.zeros(image.shape[-2:], dtype=torch.long)
    for place, n in enumerate(masks.sum(dim=(1, 2)).argsort(descending=True).tolist(), 1):
        numbered[masks[n]] = place
    truth = data.mask(id)
    classes = [f"mask {place}" for place in range(1, len(masks) + 1)]
    panels = [
        Panel(image, title="image"),
        Panel(image, labels=numbered, title="everything"),
        *[
            Panel(image, region=truth == c, title=f"truth: {data.classes[c - 1]}")
            for c in range(1, len(data.classes) + 1)
            if (truth == c).any()
        ],
    ]
    figure = show_panels(panels, classes=classes)
    figure.legends.clear()
    for place in sorted(set(numbered.unique().tolist()) - {0}):
        depth = distance_transform_edt(np.pad(numbered == place, 1))[1:-1, 1:-1]
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        figure.axes[1].text(
            column, row, str(place), ha="center", va="center", fontsize=10, color="white",
            path_effects=[withStroke(linewidth=2.5, foreground="black")],
        )  # fmt: skip
    return figure


def grounded_figure(id: str) -> Picture:
    """The boxes that the detector finds for the names of an image, SAM's masks, and the truth."""
    data = world()
    image, present = data.image(id), data.tags(id).nonzero().flatten().tolist()
    method = GroundedSam.toy(len(data.classes))
    boxes, kinds = method.boxes(image, present)
    frames = torch.zeros(image.shape[-2:], dtype=torch.long)
    for box, kind in zip(boxes.round().long().clamp(min=0).tolist(), kinds, strict=True):
        x0, y0, x1, y1 = box
        frame = torch.zeros_like(frames, dtype=torch.bool)
        frame[y0:y1, x0:x1] = True
        frame[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1] = False
        frames[frame] = kind
    masks = label_panel(id, method.labels(image, present))
    panels = [
        Panel(image, title="image"),
        Panel(image, labels=frames, title="boxes"),
        Panel(image, labels=masks.labels, title="masks", note=masks.note),
        Panel(image, labels=data.mask(id), title="truth"),
    ]
    return show_panels(panels, classes=data.classes)


def rivals_table() -> Markdown:
    """What rectifying takes from the maps of CLIP-ES, and what softer rivals give."""
    entries = read_result(results_folder() / "rates.json")["entries"]
    (found,) = [entry for entry in entries if entry["system"] == "clip_es"]
    miou, own = found["miou"], "temperature times 1"
    softer = "temperature times 0.25"
    lines = [
        ["plain logits", miou["plain logits"], found["empty"]["plain logits"],
         found["signed"]["plain logits"], ""],
        ["rivals", miou[f"rivals, {own}"], found["empty"]["rivals"], found["signed"]["rivals"],
         miou[f"rivals, {softer}"]],
        ["rivals, carried along the attention", miou[f"carried, {own}"], "", "",
         miou[f"carried, {softer}"]],
    ]  # fmt: skip
    shown = [[one if isinstance(one, str) else f"{one:.3f}" for one in line] for line in lines]
    head = ["maps", "mean IoU", "empty maps", "not rectified", "at a quarter of CLIP's temperature"]
    return table(head, shown)
