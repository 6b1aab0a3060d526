"""Stored maps: what a system says of a few images, kept beside the figures of the same run.

Pages draw from these files and train nothing, so that a picture shows the training that its number
comes from. Every system of a world stores the same images, drawn by lot, twelve and as many more as
show each class twice, and those of its best, its median and its worst answer over the whole split.
"""

import io
import json
import random
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import to_labels
from wsss_lib.core import InputError
from wsss_lib.data.atomic import written_whole
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.results import commit, device_name

COUNT = 12
"""Images that all systems of a world have in common, before rare classes add theirs."""
LIMIT = 100_000
"""Bytes that a file may have."""
PLACES = ("largest", "median", "smallest")


@dataclass(frozen=True)
class Gallery:
    """The stored maps of a system in one world.

    Attributes:
        about: system, world, seed, split, threshold, commit, device, figures of the run.
        common: ids of the images that every system of the world has.
        extremes: ids of the system's own best, median and worst image.
        maps: by image id, scores in [0, 1] by class 1..C, each (H, W).
        extras: by image id, what else the system shows of it, by title, (h, w) in [0, 1].
        iou: by image id, over the whole split, the mean IoU of the classes that the image shows.
    """

    about: dict[str, Any]
    common: tuple[str, ...]
    extremes: tuple[str, ...]
    maps: dict[str, dict[int, Tensor]]
    extras: dict[str, dict[str, Tensor]]
    iou: dict[str, float]

    @property
    def threshold(self) -> float:
        """Where labels are cut from the scores."""
        return float(self.about["threshold"])

    def scores(self, id: str, num_classes: int) -> Tensor:
        """(C, H, W) scores of a stored image; classes without a map score 0.

        Raises:
            InputError: the image is not among those that are stored.
        """
        if id not in self.maps:
            raise InputError(f"{self.about['system']}: no maps of {id!r} are stored.")
        found = self.maps[id]
        size = next(iter(found.values())).shape if found else tuple(self.about["size"])
        scores = torch.zeros(num_classes, *size)
        for c, values in found.items():
            scores[c - 1] = values
        return scores

    def labels(self, id: str, num_classes: int) -> Tensor:
        """(H, W) class indices that the threshold cuts from the stored scores."""
        return to_labels(self.scores(id, num_classes)[None], self.threshold)[0]


def common_ids(dataset: SegmentationFolder) -> tuple[str, ...]:
    """The images that every system of a world stores: drawn by lot, the same lot for all.

    Twelve, and further ones until two show each class, if so many do.
    """
    ordered, lot = sorted(dataset.ids), random.Random(0)
    chosen = lot.sample(ordered, min(COUNT, len(ordered)))
    further = [id for id in lot.sample(ordered, len(ordered)) if id not in chosen]
    for c in range(len(dataset.classes)):
        missing = max(0, 2 - sum(bool(dataset.tags(id)[c]) for id in chosen))
        showing = [id for id in further if dataset.tags(id)[c] and id not in chosen]
        chosen += showing[:missing]
    return tuple(chosen)


def image_iou(truth: Tensor, labels: Tensor, num_classes: int) -> float:
    """Mean IoU of the foreground classes that an image shows.

    Args:
        truth: (H, W) class indices, 255 = left out.
        labels: (H, W) class indices; 255 counts as background.
        num_classes: C.
    """
    counts = confusion_of(truth, labels, num_classes)
    shown = np.flatnonzero(counts.sum(axis=1)[1:]) + 1
    return float(np.mean(ious(counts)[shown])) if len(shown) else float("nan")


def image_ious(scores: Any, dataset: SegmentationFolder, threshold: float) -> dict[str, float]:
    """``image_iou`` by id, of the labels that a threshold cuts from scores (C, H, W) by id."""
    c = len(dataset.classes)
    return {
        id: image_iou(dataset.mask(id), to_labels(scores[id][None].float(), threshold)[0], c)
        for id in dataset.ids
    }


def ranked(values: Mapping[str, float], ids: Sequence[str] | None = None) -> dict[str, str]:
    """The images of the largest, the median and the smallest value, by these words.

    Args:
        values: by image id, such as an IoU or a gain; NaN takes no part.
        ids: among which to choose; None takes all.
    """
    among = [id for id in (values if ids is None else ids) if not np.isnan(values[id])]
    order = sorted(among, key=lambda id: (-values[id], id))
    return {place: order[round(k * (len(order) - 1) / 2)] for k, place in enumerate(PLACES)}


def write_gallery(
    path: Path | str,
    scores: Any,
    dataset: SegmentationFolder,
    threshold: float,
    about: Mapping[str, Any],
    extras: Mapping[str, Mapping[str, Tensor]] | None = None,
) -> None:
    """Store maps of the common images and of the best, the median and the worst.

    Args:
        path: the file to write, atomically.
        scores: (C, H, W) in [0, 1] by image id.
        dataset: the split that the system is scored on.
        threshold: where its labels are cut.
        about: system, world, seed and figures of the run.
        extras: by image id and title, (h, w) in [0, 1]; what else the system shows.

    Raises:
        InputError: the file would be larger than ``LIMIT``.
    """
    iou = image_ious(scores, dataset, threshold)
    common = common_ids(dataset)
    extremes = tuple(ranked(iou).values())
    arrays: dict[str, np.ndarray] = {}
    size: tuple[int, ...] = ()
    for id in dict.fromkeys((*common, *extremes, *(extras or {}))):
        said = scores[id].float()
        size = tuple(said.shape[-2:])
        labels = to_labels(said[None], threshold)[0].numpy()
        kept = _ranked_bytes(said, labels)
        for c in range(1, len(dataset.classes) + 1):
            if dataset.tags(id)[c - 1] or (labels == c).any():
                arrays[f"{id}/{c}"] = kept[c - 1]
    for id, shown in (extras or {}).items():
        arrays |= {f"{id}/{title}": _bytes(values) for title, values in shown.items()}
    content = {
        **about,
        "threshold": threshold,
        "common": common,
        "extremes": extremes,
        "size": size,
        "iou": {id: round(value, 3) for id, value in iou.items() if not np.isnan(value)},
        "device": device_name(),
        "commit": commit(),
    }
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("about.json", json.dumps(content))
        for name, values in arrays.items():
            one = io.BytesIO()
            np.save(one, values, allow_pickle=False)
            archive.writestr(f"{name}.npy", one.getvalue())
    if written.tell() > LIMIT:
        raise InputError(f"{path} would have {written.tell()} bytes; store less than {LIMIT}.")
    with written_whole(Path(path)) as partial:
        partial.write_bytes(written.getvalue())


def read_gallery(path: Path | str) -> Gallery:
    """Read stored maps.

    Raises:
        InputError: there are none, or the file is damaged.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read("about.json"))
            arrays = {
                name.removesuffix(".npy"): np.load(io.BytesIO(archive.read(name)))
                for name in archive.namelist()
                if name.endswith(".npy")
            }
    except FileNotFoundError as error:
        raise InputError(
            f"No maps at {path}: `python -m experiments.evidence` stores them."
        ) from error
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}); store it anew.") from error
    maps: dict[str, dict[int, Tensor]] = {id: {} for id in (*about["common"], *about["extremes"])}
    extras: dict[str, dict[str, Tensor]] = {}
    for name, values in arrays.items():
        id, _, title = name.rpartition("/")
        scores = torch.from_numpy(values).float() / 255
        if title.isdigit():
            maps.setdefault(id, {})[int(title)] = scores
        else:
            extras.setdefault(id, {})[title] = scores
    iou = about.pop("iou")
    common, extremes = tuple(about.pop("common")), tuple(about.pop("extremes"))
    return Gallery(about, common, extremes, maps, extras, iou)


def _ranked_bytes(scores: Tensor, labels: np.ndarray) -> np.ndarray:
    """(C, h, w) scores in bytes, of which the class of (h, w) labels is still the largest.

    Sure scores of two classes, .999 and .998, are the same byte.
    """
    found = _bytes(scores)
    where = (labels > 0) & (labels <= len(found))  # elsewhere two classes tie, or none wins
    winner = np.where(where, labels, 1)[None].astype(np.int64) - 1
    most = np.take_along_axis(found, winner, axis=0)
    loses = where & (np.arange(len(found))[:, None, None] != winner)
    return np.where(loses & (found >= most), np.maximum(most, 1) - 1, found).astype(np.uint8)


def _bytes(values: Tensor) -> np.ndarray:
    return (values.detach().float().cpu().clamp(0, 1) * 255).round().to(torch.uint8).numpy()
