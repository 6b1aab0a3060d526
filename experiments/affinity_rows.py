"""Whom a pixel asks for its new score: ``python -m experiments.affinity_rows``, after the evidence.

What every system with an affinity inside one image says of the pictures that the chapter of
affinities opens with, in world 0 at its home dose, goes to ``results/maps/affinity_rows.npz``:
links between neighbours as stencils, or the boundaries that bar them, and relations of all pairs as
a matrix, in bytes, from which the page lets a pixel walk.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from experiments.contenders import Place, contend
from experiments.doses import FAMILIES
from wsss_lib.blocks.affinity.attention import attention_affinity
from wsss_lib.blocks.affinity.relations import near_pairs
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.gallery import ranked, read_gallery
from wsss_lib.methods.foundation.clip_es import ClipES
from wsss_lib.results import write_arrays
from wsss_lib.show.live import Walk
from wsss_lib.show.live.affinity import shrunk

RESULTS = Path("results")
HOME = FAMILIES["affinity"].doses[FAMILIES["affinity"].home]
Asked = Callable[[Any, Tensor], Tensor]
"""A system and an image (1, 3, H, W) -> what it says, in [0, 1]."""
BARRED: dict[str, Asked] = {
    "irnet": lambda method, image: method.relations.boundary(image)[0, 0],
    "benet": lambda method, image: method.boundaries.boundary(image)[0, 0],
    "sance": lambda method, image: method.net(image)[1][0, 0],
}
"""Boundaries (h, w), which a walk does not pass."""


def attention_of_patches(method: Any, image: Tensor) -> Tensor:
    """MCTformer's mean over its layers and heads (N, N), 1 where a patch looks most."""
    _, patches, attention = method.transformer(image)
    rows: Tensor = method.affinity(patches, attention)[0]
    return rows / rows.amax(dim=1, keepdim=True)


def cosines_of_places(method: Any, image: Tensor) -> Tensor:
    """SEAM's rectified cosines (N, N): its rows before they are divided by their sums."""
    rows: Tensor = method.correlation(image, method.backbone(image))[0]
    return rows / rows.diagonal()[:, None]


def affinities_of_pairs(method: Any, image: Tensor) -> Tensor:
    """AFA's learned affinities (N, N) as its step weighs them, 1 where a patch is closest to."""
    features, affinity = method.net.attend(image)
    near = near_pairs(features[-1].shape[-2:], method.radius, affinity.device)
    rows: Tensor = (affinity[0] * near) ** 2
    return rows / rows.amax(dim=1, keepdim=True)


def attention_of_clip(method: Any, image: Tensor) -> Tensor:
    """What CLIP-ES makes of the attention of its CLIP (N, N), 1 where it is highest."""
    layers = [seen[..., 1:, 1:] for seen in method.clip.look(image).attentions[-method.layers :]]
    found = attention_affinity(torch.stack(layers).mean(dim=(0, 2)))[0]
    return found / found.max()


MATRICES: dict[str, tuple[Asked, str, int]] = {
    "mctformer": (attention_of_patches, "matrix", 1),
    "seam": (cosines_of_places, "likeness", 1),
    "clip_es": (attention_of_clip, "likeness", 2),
    "afa": (affinities_of_pairs, "matrix", 1),
}
"""Relations of all pairs, up to a factor for each row; their kind; the steps along them."""
COARSE = 23
"""Steps in which likeness is stored: 16 x 16 places have too many pairs for 255 of them, and in 15
objects already keep half a percent more to themselves than the system says."""


def pictures(by: str = "irnet", over: str = "pamr") -> dict[str, str]:
    """The images of the largest, the median and the smallest gain, as the page's first figure."""
    one, other = (read_gallery(RESULTS / "maps" / HOME.where / f"{id}.npz") for id in (by, over))
    return ranked({id: one.iou[id] - other.iou[id] for id in one.extras})


def in_bytes(values: Tensor, steps: int = 255) -> np.ndarray:
    """Values in [0, 1] of any shape, in steps of 1/``steps``, each as the nearest of 256 bytes."""
    return ((values.clamp(0, 1) * steps).round() * (255 / steps)).round().byte().numpy()


def main(
    folder: Annotated[Path, typer.Option(help="Worlds and checkpoints.")] = Path("runs/evidence"),
) -> None:
    """Ask the trained systems, and store what they say."""
    place = Place(0, HOME, folder)
    arrays: dict[str, np.ndarray] = {}
    walks: dict[str, dict[str, Any]] = {}
    found = pictures()
    shares: dict[str, dict[str, float]] = {id: {} for id in found.values()}
    for name in ("affinitynet", *BARRED, *MATRICES):
        # CLIP comes as it is: there is nothing to train, and no map of it is asked for.
        method = place.make(ClipES) if name == "clip_es" else contend(name, place).method.eval()
        if name in MATRICES:
            ask, kind, steps = MATRICES[name]
            walks[name] = {"kind": kind, "steps": steps}
        else:
            own = name == "affinitynet"
            ask = (lambda one, image: one.affinity(image)[0]) if own else BARRED[name]
            kind, offsets = ("links", method.offsets) if own else ("paths", method.near)
            walks[name] = {
                "kind": kind, "steps": method.walk, "beta": method.beta, "offsets": offsets,
            }  # fmt: skip
        for id in found.values():
            with torch.inference_mode():
                said = ask(method, place.train.image(id)[None])
            byte = in_bytes(said, COARSE if kind == "likeness" else 255)
            if kind == "likeness":  # rounding may have told the halves apart
                byte = np.tril(byte) + np.tril(byte, -1).T
            arrays[f"{id}/{name}"] = byte
            shares[id][name] = own_share(Walk(name, "", **walks[name]), said, place.train, id)
    about = {
        "system": "affinity_rows", "data": HOME.where, "world": 0, "seed": 0, "pictures": found,
        "walks": walks, "shares": shares,
    }  # fmt: skip
    write_arrays(RESULTS / "maps" / "affinity_rows.npz", arrays, about)


def own_share(walk: Walk, said: Tensor, data: SegmentationFolder, id: str) -> float:
    """What objects take from themselves, mean over their area: a check of what bytes cost.

    Args:
        walk: how scores move.
        said: links, boundaries or matrix, as the system says them.
        data: the images and their masks.
        id: of the image.
    """
    image, truth = data.image(id), data.mask(id)
    size = walk.size(image, said)
    small = torch.stack([shrunk(truth == c, size) for c in truth.unique() if 0 < c < 255])
    walked = walk.move(small, image, said, walk.steps)
    return float((walked * small).sum() / small.sum())


if __name__ == "__main__":
    typer.run(main)
