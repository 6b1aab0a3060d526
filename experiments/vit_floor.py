"""The floor of systems on the toy transformer: ``python -m experiments.vit_floor``.

CAM on the toy transformer, not the toy CNN, all else as in ``experiments.systems``: the
same three worlds and seeds, steps, scales and rule for the threshold. Writes
``results/toy/cam_vit.json``.
"""

from pathlib import Path
from typing import Annotated

import typer

from experiments.record import Bench, Record, keep_maps
from experiments.toy import fresh
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy
from wsss_lib.data.view import WeakView
from wsss_lib.engine import seed_everything
from wsss_lib.evaluate import Protocol, evaluate
from wsss_lib.methods.image_level.affinity.mctformer import MCTformer
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.refine.pamr import PAMR
from wsss_lib.nets.backbones.toy import toy_vit


def measure(record: Record, world: int, folder: Path, out: Path) -> None:
    """Note the figures of one world; its number is also the seed."""
    root = write_toy(folder / f"world_{world}", world=world, progress=False)
    train = SegmentationFolder(root, "train")
    held_out, rest = train.held_out()
    c = len(train.classes)
    bench = Bench(WeakView(train), held_out, folder / f"run_{world}_{world}", world)
    seed_everything(world)
    cam = CAM.toy(c, backbone=toy_vit())
    cam.recipe = MCTformer.toy(c).recipe
    stage, cnn = bench.run(cam), bench.run(fresh(CAM, c, world))
    refined = bench.run(fresh(PAMR, c, world), stage.scores)
    found, least, after = (
        evaluate(one.scores, rest, one.threshold or 0.5) for one in (stage, cnn, refined)
    )
    gain = found.miou - least.miou
    figures = {"gain_over_cam": gain, "refined_miou": after.miou}
    if world == 0:
        keep_maps(
            out, "cam_vit", cam, stage.scores, rest, bench.view, found, world=world, seed=world
        )
    record.note("cam_vit", stage, found, world=world, seed=world, **figures)


def main(
    folder: Annotated[Path, typer.Option(help="Worlds and checkpoints.")] = Path("runs/toy"),
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/toy"),
    worlds: Annotated[int, typer.Option(help="Worlds and seeds 0, 1, ...")] = 3,
) -> None:
    """Measure CAM on the toy transformer."""
    record = Record()
    for world in range(worlds):
        measure(record, world, folder, out)
    protocol = Protocol(
        data="toy",
        data_version=str(SegmentationFolder(folder / "world_0").about["version"]),
        split="train, last nine tenths",
        labels_at_inference=True,
        threshold_rule="held-out",
        supervision=("tags",),
        needs=("masks of 51 training images, for the threshold",),
    )
    record.write(out, "cam_vit", protocol)


if __name__ == "__main__":
    typer.run(main)
