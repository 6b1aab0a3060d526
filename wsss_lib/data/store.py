"""Scores on disk: half precision, present classes only, one small file per image."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import resize, to_labels
from wsss_lib.core import InputError
from wsss_lib.data.atomic import written_whole
from wsss_lib.data.files.checksums import checksums
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import read_labels, write_labels

BAND = 2**26
"""So many scores of a large image are looked at together: 256 MB of them."""
TOLERANCE = 1e-4
"""So far scores may leave [0, 1] by rounding."""


class ScoreStore:
    """What a stage said of each image.

    A file appears under its final name only when it is complete, so an interrupted run leaves no
    half-written scores behind.

    Args:
        folder: where the files lie; made when the first scores are put.
        num_classes: C.
        made_by: fingerprint of the stage that writes them, "" where nobody knows it.
    """

    def __init__(self, folder: Path | str, num_classes: int, made_by: str = "") -> None:
        self.folder = Path(folder)
        self.num_classes = num_classes
        self.made_by = made_by

    def __contains__(self, id: str) -> bool:
        """Whether the scores of an image are here."""
        return self._path(id).is_file()

    def __iter__(self) -> Iterator[str]:
        """The ids that are here, sorted."""
        return iter(sorted(path.stem for path in self.folder.glob("*.safetensors")))

    def digest(self) -> str:
        """Stands for the content: the stage that made it, or else that of all its files."""
        if self.made_by:
            return self.made_by
        ids = [*self]
        seen = repr([ids, checksums([self._path(id) for id in ids])])
        return hashlib.sha256(seen.encode()).hexdigest()[:12]

    def put(self, id: str, scores: Tensor) -> None:
        """Keep (C, H, W) scores in [0, 1]; classes that score 0 everywhere take no room.

        Raises:
            InputError: wrong number of classes, or scores that are not finite or leave [0, 1].
        """
        if scores.ndim != 3 or len(scores) != self.num_classes:
            raise InputError(
                f"Scores of {id!r} are {tuple(scores.shape)}; expected ({self.num_classes}, H, W)."
            )
        low, high = scores.aminmax()
        if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):  # also refuses NaN
            raise InputError(f"Scores of {id!r} leave [0, 1]: from {low:.3g} to {high:.3g}.")
        present = scores.flatten(1).any(dim=1).nonzero().flatten()
        content = {
            "scores": scores[present].clamp(0, 1).half().cpu().contiguous(),
            "classes": present.cpu(),
            "size": torch.tensor(scores.shape[-2:]),
        }
        with written_whole(self._path(id)) as partial:
            save_file(content, partial)

    def __getitem__(self, id: str) -> Tensor:
        """(C, H, W) float scores of an image.

        Raises:
            InputError: nothing is stored for it, or its file is damaged.
        """
        path = self._path(id)
        try:
            content = load_file(path)
        except FileNotFoundError as error:
            raise InputError(
                f"No scores of {id!r} in {self.folder}: run the stage on this image first."
            ) from error
        except SafetensorError as error:
            raise InputError(f"{path} is damaged ({error}); delete it and run again.") from error
        if {*content} != {"scores", "classes", "size"}:
            raise InputError(
                f"{path} holds {', '.join(sorted(content)[:5])}, not the scores of an image: name "
                "a folder that a stage of `wsss run` wrote."
            )
        if content["classes"].numel() and content["classes"].max() >= self.num_classes:
            raise InputError(
                f"{path} has scores of more than {self.num_classes} classes: it is of other data."
            )
        h, w = content["size"].tolist()
        scores = torch.zeros(self.num_classes, h, w)
        scores[content["classes"]] = content["scores"].float()
        return scores

    def _path(self, id: str) -> Path:
        return self.folder / f"{id}.safetensors"


class LabelStore:
    """What a stage's scores say at a threshold: label images, a few kilobytes each.

    The scores of a network that is not told what is in an image are those of all classes, 50 MB
    for an image of COCO; where only its labels are wanted, they are all that is kept.

    Args:
        folder: where the PNG files lie; made when the first labels are put.
        threshold: between background and classes.
        dataset: whose images are labelled, each at its size.
    """

    def __init__(self, folder: Path | str, threshold: float, dataset: SegmentationFolder) -> None:
        self.folder = Path(folder)
        self.threshold = threshold
        self.dataset = dataset

    def __contains__(self, id: str) -> bool:
        """Whether the labels of an image are here."""
        return self._path(id).is_file()

    def put(self, id: str, scores: Tensor) -> None:
        """Keep what (C, H, W) scores in [0, 1] say, at the size of the image."""
        labels = _labels_at(scores, self.dataset.size(id), self.threshold)
        write_labels(self._path(id), labels.cpu().numpy())

    def __getitem__(self, id: str) -> Tensor:
        """(H, W) int64 class indices of an image, 255 = undecided."""
        return torch.from_numpy(read_labels(self._path(id))).long()

    def _path(self, id: str) -> Path:
        return self.folder / f"{id}.png"


def _labels_at(scores: Tensor, size: tuple[int, int], threshold: float) -> Tensor:
    """(H, W) uint8 labels of (C, h, w) scores, at another size.

    The labels of a large image are made in bands of rows: its scores in full would take gigabytes.
    """
    (count, low, _), (high, wide) = scores.shape, size
    rows = max(1, BAND // (count * wide))
    if rows >= high or high < low:
        return to_labels(resize(scores[None], size), threshold)[0].byte()
    place = ((torch.arange(high, dtype=torch.float64) + 0.5) * low / high - 0.5).clamp(0, low - 1)
    above = place.floor().long()
    below, share = (above + 1).clamp(max=low - 1), (place - above).float()
    labels = torch.empty(high, wide, dtype=torch.uint8)
    for start in range(0, high, rows):
        part = slice(start, start + rows)
        band = torch.lerp(scores[:, above[part]], scores[:, below[part]], share[part, None])
        across = resize(band[None], (band.shape[1], wide))
        labels[part] = to_labels(across, threshold)[0]
    return labels
