"""Pictures of the chapters on CLIP and SAM; they ask the methods about a single image."""

import torch
from torch import Tensor
from toy_figures import CAM, stages, toy

from wsss_lib.blocks.maps.class_maps import keep_present, normalize, to_labels
from wsss_lib.blocks.maps.gradcam import grad_cam
from wsss_lib.core import Batch
from wsss_lib.methods.foundation.clip_es import ClipES
from wsss_lib.methods.foundation.grounded_sam import GroundedSam
from wsss_lib.methods.foundation.sam_pseudo import SamPseudo
from wsss_lib.show import Picture, show_labels, show_maps


def clip_figure(id: str) -> Picture:
    """Class maps of CLIP: from plain logits, among rivals, and carried along its attention."""
    image, tags = toy().image(id), toy().tags(id).float()[None]
    method = ClipES.toy(len(toy().classes))
    view = method.clip.look(image[None])

    def logits(features: Tensor) -> Tensor:
        return method.clip.logits(view.embed(features), method.text)[:, : method.num_classes]

    maps = {"plain logits": normalize(grad_cam(logits, view.normed, tags), tags)}
    for title, layers in (("rivals", 0), ("carried", 6)):
        method.layers = layers
        maps[title] = method.class_maps(image[None], tags)
    return show_maps(image, {title: found[0] for title, found in maps.items()}, toy().classes)


def sam_figure(id: str) -> Picture:
    """Labels cut from CAM, the masks of everything, the labels that they make, and the truth."""
    image, tags = toy().image(id), toy().tags(id).float()[None]
    stage = stages(CAM)[-1]
    method = SamPseudo.toy(len(toy().classes))
    method.threshold = 0.15  # what the experiment takes as well
    scores = keep_present(stage.scores[id].float()[None], tags)
    redrawn = method.predict(Batch((id,), image[None], tags, scores))
    labels = {
        "CAM": to_labels(scores, method.threshold)[0],
        "with SAM": to_labels(redrawn, 0.5)[0],
        "truth": toy().mask(id),
    }
    return show_labels(image, labels, toy().classes)


def everything_figure(id: str) -> Picture:
    """Every mask that SAM finds in an image, numbered by falling size."""
    image = toy().image(id)
    masks, _ = SamPseudo.toy(len(toy().classes)).sam.everything(image)
    numbered = torch.zeros(image.shape[-2:], dtype=torch.long)
    for place, n in enumerate(masks.sum(dim=(1, 2)).argsort(descending=True).tolist()):
        numbered[masks[n]] = 1 + place
    names = [f"mask {n}" for n in range(1, 1 + len(masks))]
    return show_labels(image, {"everything": numbered}, names)


def grounded_figure(id: str) -> Picture:
    """The boxes that the detector finds for the names of an image, SAM's masks, and the truth."""
    image, present = toy().image(id), toy().tags(id).nonzero().flatten().tolist()
    method = GroundedSam.toy(len(toy().classes))
    boxes, kinds = method.boxes(image, present)
    frames = torch.zeros(image.shape[-2:], dtype=torch.long)
    for box, kind in zip(boxes.round().long().clamp(min=0).tolist(), kinds, strict=True):
        x0, y0, x1, y1 = box
        frame = torch.zeros_like(frames, dtype=torch.bool)
        frame[y0:y1, x0:x1] = True
        frame[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1] = False
        frames[frame] = kind
    labels = {"boxes": frames, "masks": method.labels(image, present), "truth": toy().mask(id)}
    return show_labels(image, labels, toy().classes)
