"""Pictures of the chapter on co-occurrence: a world where nearly all boats are on water."""

import torch
from toy_figures import CAM, DATA, fresh

from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy
from wsss_lib.data.view import WeakView, collate
from wsss_lib.engine import Stage, run, seed_everything
from wsss_lib.evaluate import choose_threshold
from wsss_lib.methods.image_level.cooccurrence.cda import CDA
from wsss_lib.show import Picture, show_maps


def boats() -> SegmentationFolder:
    """The training images of the world of boats on water."""
    root = write_toy(DATA / "toy_cooccurrence", variant="cooccurrence", progress=False)
    return SegmentationFolder(root, "train")


def stages() -> list[Stage]:
    """CAM, and CDA on its scores, in that world."""
    held_out, _ = boats().held_out()
    return run(
        [fresh(CAM), fresh(CDA)],
        WeakView(boats()),
        folder=DATA / "runs",
        calibrate=lambda scores: choose_threshold(scores, held_out),
    )


def boat_figure(id: str) -> Picture:
    """Maps of an image by CAM and by CDA."""
    cam, cda = stages()
    maps = {"CAM": cam.scores[id], "CDA": cda.scores[id]}
    return show_maps(boats().image(id), maps, boats().classes)


def pasted_figure(ids: tuple[str, ...], count: int = 4) -> Picture:
    """Images, and the same images with objects that CAM's labels cut out of each other."""
    cam, cda = stages()
    method = cda.method
    assert isinstance(method, CDA)
    view = WeakView(boats(), ("tags",), cam.scores)
    batch = collate([view[view.ids.index(id)] for id in ids])
    seed_everything(1)
    with torch.inference_mode():
        pasted, tags = method.decouple(batch)
    changed = (tags != batch.tags).any(dim=1).nonzero().flatten().tolist()[:count]
    picture = Picture(figsize=(2.1 * len(changed), 4.4), layout="constrained")
    axes = picture.subplots(2, len(changed), squeeze=False)
    for column, i in enumerate(changed):
        for row, (image, of_image) in enumerate(
            ((batch.image[i], batch.tags[i]), (pasted[i], tags[i]))
        ):
            axis = axes[row, column]
            axis.imshow(image.permute(1, 2, 0).clamp(0, 1).numpy())
            axis.set_xticks([])
            axis.set_yticks([])
            names = [boats().classes[c] for c in of_image.nonzero().flatten().tolist()]
            axis.set_title(" + ".join(names), fontsize=10)
    return picture


def boat_on_water() -> str:
    """The first image that shows a boat, on water, and nothing else."""
    world = boats()
    only = [0.0 if name != "boat" else 1.0 for name in world.classes]
    return next(
        id
        for id in world.ids
        if world.tags(id).tolist() == only and "on the water" in world.caption(id)
    )
