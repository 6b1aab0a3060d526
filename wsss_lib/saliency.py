"""Saliency maps of a data set, written where views look for them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from wsss_lib.data.atomic import written_whole
from wsss_lib.data.drawn import FILES
from wsss_lib.data.folder import SegmentationFolder


def write_saliency(data: SegmentationFolder, net: Callable[[Tensor], Tensor]) -> Path:
    """Write ``Saliency/<id>.png`` for each image of a split; maps that are there are left alone.

    Args:
        data: a split of a data set.
        net: (B, 3, H, W) images -> (B, 1, H, W) in [0, 1].

    Returns:
        The folder of the maps.
    """
    folder = data.root / FILES["saliency"]
    folder.mkdir(exist_ok=True)
    todo = [id for id in data.ids if not (folder / f"{id}.png").is_file()]
    with torch.inference_mode():
        for id in tqdm(todo, desc="saliency", leave=False):
            grey = (255 * net(data.image(id)[None])[0, 0]).round().byte().cpu().numpy()
            with written_whole(folder / f"{id}.png") as partial:
                Image.fromarray(grey.astype(np.uint8)).save(partial, format="PNG")
    return folder
