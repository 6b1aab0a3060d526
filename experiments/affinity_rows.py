"""Whom a pixel asks for its new score: ``python -m experiments.affinity_rows``, after the evidence.

What the trained AffinityNet, IRNet and MCTformer of world 0 say of the pictures that the chapter of
affinities opens with, at its home dose, goes to ``results/maps/affinity_rows.npz``: links between
neighbours as stencils and attention as a matrix, in bytes, from which the page lets a pixel walk.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from experiments.contenders import Place, contend
from experiments.doses import FAMILIES
from wsss_lib.blocks.affinity.paths import path_affinity
from wsss_lib.blocks.affinity.random_walk import propagate
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.gallery import ranked, read_gallery
from wsss_lib.results import write_arrays

RESULTS = Path("results")
HOME = FAMILIES["affinity"].doses[FAMILIES["affinity"].home]


def pictures(by: str = "irnet", over: str = "pamr") -> dict[str, str]:
    """The images of the largest, the median and the smallest gain, as the page's first figure."""
    one, other = (read_gallery(RESULTS / "maps" / HOME.where / f"{id}.npz") for id in (by, over))
    return ranked({id: one.iou[id] - other.iou[id] for id in one.extras})


def in_bytes(values: Tensor) -> np.ndarray:
    """Values in [0, 1] of any shape, in steps of 1/255."""
    return (values.clamp(0, 1) * 255).round().byte().numpy()


def main(
    folder: Annotated[Path, typer.Option(help="Worlds and checkpoints.")] = Path("runs/evidence"),
) -> None:
    """Ask the trained systems, and store what they say."""
    place = Place(0, HOME, folder)
    systems: list[Any] = [
        contend(id, place).method.eval() for id in ("affinitynet", "irnet", "mctformer")
    ]
    affinitynet, irnet, mctformer = systems
    walks = {
        "affinitynet": (affinitynet.offsets, affinitynet.beta, affinitynet.walk),
        "irnet": (irnet.near, irnet.beta, irnet.walk),
    }
    arrays: dict[str, np.ndarray] = {}
    shares: dict[str, dict[str, float]] = {}
    found = pictures()
    for id in found.values():
        image = place.train.image(id)[None]
        with torch.inference_mode():
            said = {
                "affinitynet": affinitynet.affinity(image),
                "irnet": path_affinity(irnet.relations.boundary(image), irnet.near),
            }
            _, patches, attention = mctformer.transformer(image)
            between = mctformer.affinity(patches, attention)[0]
        arrays |= {f"{id}/{name}": in_bytes(links[0]) for name, links in said.items()}
        arrays[f"{id}/mctformer"] = in_bytes(between / between.amax(dim=1, keepdim=True))
        shares[id] = {
            name: own_share(links, *walks[name], place.train, id) for name, links in said.items()
        }
    about = {
        "system": "affinity_rows", "data": HOME.where, "world": 0, "seed": 0, "pictures": found,
        "walks": {
            name: {"offsets": offsets, "beta": beta, "steps": steps}
            for name, (offsets, beta, steps) in walks.items()
        },
        "shares": shares,
    }  # fmt: skip
    write_arrays(RESULTS / "maps" / "affinity_rows.npz", arrays, about)


def own_share(
    links: Tensor,
    offsets: list[tuple[int, int]],
    beta: float,
    steps: int,
    data: SegmentationFolder,
    id: str,
) -> float:
    """What objects take from themselves, mean over their area: a check of what bytes cost.

    Args:
        links: (1, K, h, w) affinities as the system says them.
        offsets: of the K planes.
        beta: exponent of the affinities.
        steps: of the walk.
        data: the images and their masks.
        id: of the image.
    """
    truth = data.mask(id)
    masks = torch.stack([(truth == c).float() for c in truth.unique() if 0 < c < 255])
    small = torch.nn.functional.adaptive_avg_pool2d(masks, (links.shape[-2], links.shape[-1]))[None]
    walked = propagate(small, links, offsets, beta, steps)
    return float((walked * small).sum() / small.sum())


if __name__ == "__main__":
    typer.run(main)
