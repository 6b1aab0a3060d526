"""What a method may see of a data set: images and the weak labels that were asked for.

============ =================================================================
supervision  where it comes from
============ =================================================================
tags         the table of tags, or the masks
captions     ``captions.csv``
saliency     files (``wsss_lib.data.drawn``); never made from masks
scribble     files; where there are none, made from the masks
boxes        likewise, with ``SegmentationObject`` where it is there
points       likewise
objects      made from the masks, and points with them where both are asked for
extremes     made from the masks, and boxes with them where both are asked for
============ =================================================================
"""

import hashlib
import pickle
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils.data import Dataset

from wsss_lib.core import Batch, InputError
from wsss_lib.data.drawn import DrawnLabels
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.move import rescale, resize_present
from wsss_lib.data.weak import MADE, Annotator

AVAILABLE = ("tags", "captions", "saliency", *MADE)
"""Kinds of supervision that can be read or made from masks."""
_OBJECTS = "SegmentationObject"


class WeakView(Dataset[Batch]):
    """A data set without its ground truth.

    Methods are trained and asked through views only. A view hands out batches of one image, whose
    fields are the image, the weak labels in ``supervision``, and the scores of an earlier stage.

    Args:
        dataset: where images and weak labels come from.
        supervision: which weak labels to show; ``()`` shows images alone, as at test time.
        scores: what an earlier stage said, by image id.
        longest: resize images to this longest side in pixels; None keeps their size.
        cache_mb: memory of a process for decoded images; the rest is read again every time.
        annotator: who labels the masks where weak labels are made from them.

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
        annotator: Annotator | None = None,
    ) -> None:
        if isinstance(supervision, str):
            raise InputError(f"supervision is a tuple: write supervision=({supervision!r},).")
        unknown = sorted(set(supervision) - set(AVAILABLE))
        if unknown:
            raise InputError(f"Supervision {unknown} is not available; choose from {AVAILABLE}.")
        self._dataset = dataset
        self.supervision = tuple(supervision)
        self.scores = scores
        self.longest = longest
        self.cache_mb = cache_mb
        self.annotator = annotator or Annotator()
        self._seen = ""
        self._forget()

    def _forget(self) -> None:
        """Begin with nothing read."""
        self._files = DrawnLabels(self._dataset)
        self._cache: dict[int, Batch] = {}
        self._made: dict[tuple[str, str], bytes] = {}
        self._room = self.cache_mb * 2**20

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
        """Stands for everything that the view shows, scores aside.

        That is the content of images and of the files that weak labels come from, masks among them
        where labels are made from masks, and then the annotator too. Files that changed since they
        were last asked for are read again from then on.
        """
        source, masks = self._dataset, [self._dataset.masks.name]
        made = any(kind in MADE and self._is_made(kind) for kind in self.supervision)
        if made and (source.root / _OBJECTS).is_dir():
            masks.append(_OBJECTS)
        seen: list[Any] = [source.digest(masks if made else ())]
        seen += self._files.digest(self.supervision, self.ids)
        if made:
            seen.append(self.annotator)
        if "captions" in self.supervision:
            seen += [source.caption(id) for id in self.ids]
        digest = seen[0]
        if len(seen) > 1:
            digest = hashlib.sha256(repr(seen).encode()).hexdigest()[:12]
        if digest != self._seen:
            self._forget()
            self._seen = digest
        return digest

    def check(self) -> None:
        """Look for what would stop a training midway, short of opening every image.

        Raises:
            InputError: an image without its label, or a label that cannot be used.
        """
        for id in self.ids if "tags" in self.supervision else ():
            self._tags(id)
        for kind in self.supervision:
            if kind == "saliency" or (kind in MADE and not self._is_made(kind)):
                self._files.check(kind)
            elif kind in MADE:
                for id in self.ids:
                    self._require_mask(kind, id)

    def with_scores(self, scores: Mapping[str, Tensor] | Any) -> Self:
        """The same view, with the scores of a stage."""
        return type(self)(
            self._dataset, self.supervision, scores, self.longest, self.cache_mb, self.annotator
        )

    def __len__(self) -> int:
        """Number of images."""
        return len(self._dataset)

    def tags(self, index: int) -> Tensor:
        """(C,), 1 where the class is present; the image itself is not opened.

        Raises:
            InputError: the view shows no tags.
        """
        if "tags" not in self.supervision:
            raise InputError(
                f"The view {self.name} shows no tags: open the data with "
                "WeakView(..., supervision=('tags',))."
            )
        return self._tags(self._dataset.ids[index])

    def __getitem__(self, index: int) -> Batch:
        """One image as a batch of one."""
        if index in self._cache:
            return self._cache[index]
        batch = self._read(self._dataset.ids[index])
        maps = (batch.image, batch.scores, batch.saliency, batch.scribble)
        used = sum(t.numel() * t.element_size() for t in maps if t is not None)
        if used <= self._room:
            self._room -= used
            self._cache[index] = batch
        return batch

    def _read(self, id: str) -> Batch:
        source, image = self._dataset, self._dataset.image(id, self.longest)
        # Very large images come smaller; what is said about them still counts all their pixels.
        h, w = source.size(id) if self.longest else image.shape[-2:]
        factor = self.longest / max(h, w) if self.longest else 1.0
        size = (max(1, round(h * factor)), max(1, round(w * factor)))
        weak: dict[str, Any] = {}
        if "tags" in self.supervision:
            weak["tags"] = self._tags(id)[None]
        if "captions" in self.supervision:
            weak["captions"] = (source.caption(id),)
        if "saliency" in self.supervision:
            weak["saliency"] = self._files.label("saliency", id, (h, w))[None]
        for kind in MADE:
            if kind in self.supervision:
                label = self._drawn(kind, id, (h, w))
                weak[kind] = label[None] if kind == "scribble" else (label,)
        batch = rescale(Batch(ids=(id,), image=image[None], **weak), size, of=(h, w))
        scores = None if self.scores is None else resize_present(self.scores[id][None], size)
        return replace(batch, scores=scores)

    def _tags(self, id: str) -> Tensor:
        tags = self._dataset.tags(id)
        if not tags.any() and not self._dataset.allows_empty:
            self._dataset.check_masks()
            raise InputError(
                f"Image {id!r} has no class in its label. Correct the label, or set "
                '"allows_empty": true in dataset.json if images without objects are meant.'
            )
        return tags

    def _drawn(self, kind: str, id: str, size: tuple[int, ...]) -> Tensor:
        """A label that somebody drew, or that the annotator makes from the mask."""
        if not self._is_made(kind):
            return self._files.label(kind, id, size)
        # Strokes take longer to draw than to learn from, and are small when packed.
        if (kind, id) not in self._made:
            label = self._made_from_mask(kind, id)
            self._made[kind, id] = zlib.compress(pickle.dumps(label), level=1)
        return pickle.loads(zlib.decompress(self._made[kind, id]))

    def _is_made(self, kind: str) -> bool:
        """Whether a kind of label is made from masks."""
        # Extreme points are made, and are understood by the boxes that are made with them; which
        # object a point lies on is known of points that are made.
        partner = {"boxes": "extremes", "points": "objects"}.get(kind)
        return partner in self.supervision or kind not in self._files.kinds

    def _require_mask(self, kind: str, id: str) -> None:
        if not self._dataset.has_mask(id):
            raise InputError(
                f"Supervision {kind!r} is made from masks, and {self._dataset.masks} has none of "
                f"image {id!r}: add the mask, or open the data with other supervision."
            )

    def _made_from_mask(self, kind: str, id: str) -> Tensor:
        source = self._dataset
        self._require_mask(kind, id)
        source.check_masks()
        numbered = (source.root / _OBJECTS).is_dir()
        instances = source.layer(_OBJECTS, id) if numbered else None
        return self.annotator.label(kind, id, source.mask(id), instances)


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
