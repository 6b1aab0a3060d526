"""Boxes, scribbles and clicks: ``python -m experiments.photographs_by_label DATA``.

DATA is a folder with ``horses`` and ``voc2012``. Boxes become masks without training. One network,
the DeepLab of ``experiments.horses`` with its recipe, learns from GrabCut's masks, from scribbles
and a normalised cut, and from clicks.

- Horses: networks are scored on test photographs, without labels; masks from boxes on the training
  photographs. Image labels and the ceiling come from ``experiments.horses``.
- The 20 photographs of PASCAL VOC are too few to test on: the figures say how well the weak labels
  of these photographs were completed, image labels known. ``--pictures FOLDER`` draws the outcome.
"""

from pathlib import Path
from typing import Annotated

import typer
from tqdm.auto import tqdm

from experiments.imagenet import LONGEST, NETWORK, deeplab, segmenter
from experiments.record import Bench, Record
from wsss_lib.blocks.maps.class_maps import resize_like, to_labels
from wsss_lib.core import Method
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView
from wsss_lib.engine import Stage, infer, seed_everything
from wsss_lib.evaluate import Protocol, evaluate
from wsss_lib.methods.box.grabcut import GrabCut
from wsss_lib.methods.point.whats_the_point import WhatsThePoint
from wsss_lib.methods.scribble.ncut_loss import NormalizedCutLoss
from wsss_lib.show import show_labels

LABELS = {"grabcut": "boxes", "ncut_loss": "scribble", "whats_the_point": "points"}
"""What each system learns from, or is told."""


def system(name: str, num_classes: int) -> Method:
    """One of ``LABELS``; those that learn have the network of ``experiments.horses``."""
    if name == "grabcut":
        return GrabCut(num_classes)
    net = deeplab(num_classes)
    method: Method = (
        NormalizedCutLoss(net) if name == "ncut_loss" else WhatsThePoint(net, num_classes)
    )
    method.recipe = NETWORK
    return method


def trained(name: str, data: SegmentationFolder, folder: Path, seed: int) -> Stage:
    """A system after its training on photographs that show it their labels."""
    view = WeakView(data, ("tags", LABELS[name]), longest=LONGEST)
    seed_everything(seed)
    return Bench(view, None, folder, seed).run(system(name, len(data.classes)))


def ride(record: Record, seed: int, data: SegmentationFolder, folder: Path) -> None:
    """Note the figures of horses: of the networks, and of the masks that taught one of them."""
    test = data.subset(data.ids[2::3])
    train = data.subset([id for id in data.ids if id not in set(test.ids)])
    _, rest = train.held_out()
    cut = trained("grabcut", train, folder, seed=0)  # it draws no random numbers
    record.note("grabcut", cut, evaluate(cut.scores, rest, 0.5), seed=seed)
    seed_everything(seed)
    student = segmenter()
    student.threshold = 0.5
    view = WeakView(train, longest=LONGEST)
    networks = {"segmenter_grabcut": Bench(view, None, folder, seed).run(student, cut.scores)}
    for name in ("ncut_loss", "whats_the_point"):
        networks[name] = trained(name, train, folder, seed)
    blind = WeakView(test, supervision=(), longest=LONGEST)
    for name, stage in networks.items():
        scores = infer(stage.method, blind, stage.folder / "test")
        record.note(name, stage, evaluate(scores, test), seed=seed)


def draw(found: dict[str, Stage], data: SegmentationFolder, folder: Path) -> None:
    """A picture of each photograph with the labels of every system, and the truth."""
    folder.mkdir(parents=True, exist_ok=True)
    for id in data.ids:
        image, labels = data.image(id)[None], {}
        for name, stage in found.items():
            labels[name] = to_labels(resize_like(stage.scores[id][None], image), 0.5)[0]
        picture = show_labels(image[0], {**labels, "truth": data.mask(id)}, data.classes)
        picture.savefig(folder / f"{id}.png")


def main(
    data: Annotated[Path, typer.Argument(help="Folder with horses/ and voc2012/.")],
    folder: Annotated[Path, typer.Option(help="Checkpoints and scores.")] = Path("runs/by_label"),
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results"),
    seeds: Annotated[int, typer.Option(help="Training seeds 0, 1, ...")] = 3,
    pictures: Annotated[Path | None, typer.Option(help="Draw the VOC photographs here.")] = None,
) -> None:
    """Measure boxes, scribbles and clicks on photographs."""
    horses = SegmentationFolder(data / "horses", None, classes=["horse"])
    photographs = SegmentationFolder(data / "voc2012", "photos")
    _, scored = photographs.held_out(share=0.25)  # those of ``experiments.voc_photographs``
    of_horses, of_voc = Record(), Record()
    for seed in tqdm(range(seeds), desc="photographs"):
        found = {}
        for name in LABELS:
            own = 0 if name == "grabcut" else seed
            found[name] = trained(name, photographs, folder / "voc", own)
            of_voc.note(name, found[name], evaluate(found[name].scores, scored, 0.5), seed=seed)
        if pictures:
            draw(found, photographs, pictures)
        ride(of_horses, seed, horses, folder / "horses")
    for record, kind, split in (
        (of_voc, "voc_photographs", f"{len(scored)} photographs"),
        (of_horses, "horses", "test (every third photograph)"),
    ):
        for name in record.runs:
            network = name != "grabcut"
            new = network and kind == "horses"  # photographs without labels
            protocol = Protocol(
                data=kind,
                split="train, last nine tenths" if kind == "horses" and not new else split,
                labels_at_inference=not new,
                threshold_rule="argmax" if network else "fixed",
                supervision=(LABELS[name.removeprefix("segmenter_")],),
                needs=("ImageNet classes",) if network else (),
            )
            record.write(out / kind, name, protocol)


if __name__ == "__main__":
    typer.run(main)
