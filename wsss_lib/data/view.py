"""What a method may see of a data set: images and the weak labels that were asked for."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from wsss_lib.blocks.maps import resize
from wsss_lib.core import Batch, InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.weak import boxes_from_masks

AVAILABLE = ("tags", "boxes", "captions")
"""Kinds of supervision that can be read or made from masks so far."""


class WeakView:
    """A data set without its ground truth.

    Methods are trained and asked through views only. A view hands out batches of one image, whose
    fields are the image, the weak labels in ``supervision``, and the scores of an earlier stage.

    Args:
        dataset: where images and weak labels come from.
        supervision: which weak labels to show; ``()`` shows images alone, as at test time.
        scores: what an earlier stage said, by image id.
        longest: resize images to this longest side in pixels; None keeps their size.
        cache_mb: memory for decoded images; the rest is read again every time.

    Raises:
        InputError: a kind of supervision that cannot be had.
    """

    def __init__(
        self,
        dataset: SegmentationFolder,
        supervision: Sequence[str] = ("tags",),
        scores: Mapping[str, Tensor] | Any = None,
        longest: int | None = None,
        cache_mb: int = 512,
    ) -> None:
        unknown = sorted(set(supervision) - set(AVAILABLE))
        if unknown:
            raise InputError(f"Supervision {unknown} is not available; choose from {AVAILABLE}.")
        self._dataset = dataset
        self.supervision = tuple(supervision)
        self.scores = scores
        self.longest = longest
        self.cache_mb = cache_mb
        self._cache: dict[int, Batch] = {}
        self._room = cache_mb * 2**20

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the images."""
        return tuple(self._dataset.ids)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the C foreground classes."""
        return self._dataset.classes

    @property
    def name(self) -> str:
        """Data set and split."""
        return f"{self._dataset.name}/{self._dataset.split}"

    @property
    def digest(self) -> str:
        """Stands for the content of the data set: two toy worlds share their name and ids."""
        return self._dataset.digest()

    def with_scores(self, scores: Mapping[str, Tensor] | Any) -> Self:
        """The same view, with the scores of a stage."""
        return type(self)(self._dataset, self.supervision, scores, self.longest, self.cache_mb)

    def __len__(self) -> int:
        """Number of images."""
        return len(self._dataset)

    def __getitem__(self, index: int) -> Batch:
        """One image as a batch of one."""
        if index in self._cache:
            return self._cache[index]
        batch = self._read(self._dataset.ids[index])
        used = sum(t.numel() * 4 for t in (batch.image, batch.scores) if t is not None)
        if used <= self._room:
            self._room -= used
            self._cache[index] = batch
        return batch

    def _read(self, id: str) -> Batch:
        source, image = self._dataset, self._dataset.image(id)
        factor = self.longest / max(image.shape[-2:]) if self.longest else 1.0
        size = (max(1, round(image.shape[-2] * factor)), max(1, round(image.shape[-1] * factor)))
        weak: dict[str, Any] = {}
        if "tags" in self.supervision:
            weak["tags"] = source.tags(id)[None]
            if not weak["tags"].any() and not source.allows_empty:
                raise InputError(
                    f"Image {id!r} has no class in its label. Correct the label, or set "
                    '"allows_empty": true in dataset.json if images without objects are meant.'
                )
        if "boxes" in self.supervision:
            boxes = boxes_from_masks(source.mask(id), source.layer("SegmentationObject", id))
            boxes[:, :4] = (boxes[:, :4] * factor).round().to(boxes)
            weak["boxes"] = (boxes,)
        if "captions" in self.supervision:
            weak["captions"] = (source.caption(id),)
        if self.scores is not None:
            weak["scores"] = resize(self.scores[id][None], size)
        return Batch(ids=(id,), image=resize(image[None], size).clamp(0, 1), **weak)


def collate(batches: Sequence[Batch]) -> Batch:
    """Join batches of images of one size.

    Raises:
        InputError: the images have different sizes.
    """
    sizes = {tuple(batch.image.shape[-2:]) for batch in batches}
    if len(sizes) > 1:
        raise InputError(
            f"A batch holds images of different sizes {sorted(sizes)[:3]}: give the recipe a crop, "
            "or use a batch size of 1."
        )

    def join(name: str) -> Any:
        values = [getattr(batch, name) for batch in batches]
        if values[0] is None:
            return None
        return torch.cat(values) if isinstance(values[0], Tensor) else sum(values, start=())

    return Batch(**{name: join(name) for name in Batch.__dataclass_fields__})
