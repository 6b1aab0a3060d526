"""Widgets that show the pictures of a folder and write down what a person says about them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from matplotlib.colors import to_hex
from torch import Tensor

from wsss_lib.annotate.files import PAINTED, LabelFile, Mark
from wsss_lib.annotate.preview import check_preview, completed, tinted
from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import InputError
from wsss_lib.data.files.names import id_of
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.show.live.figure import LiveFigure, jpeg, source_of
from wsss_lib.show.panels import Panel, show_panels
from wsss_lib.show.picture import COLOURS

SHOWN = 640
"""Pixels of the longest side of a picture, as a browser gets it."""
STYLE = """
.annotator { max-width: 34rem; padding: 0.3rem; font-family: sans-serif; line-height: 1.4; }
.annotator canvas { display: block; max-width: 100%; border-radius: 0.3rem; }
.annotator canvas:focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
.annotator-head { display: flex; justify-content: space-between; gap: 1rem; margin-bottom: 0.4rem; }
.annotator-clock { font-variant-numeric: tabular-nums; opacity: 0.75; }
.annotator-classes, .annotator-buttons { display: flex; flex-wrap: wrap; gap: 0.5rem; margin-top: 0.6rem; }
.annotator label, .annotator button {
  display: inline-flex; align-items: center; gap: 0.4rem; margin: 0; padding: 0.4rem 0.7rem; font: inherit;
  box-sizing: border-box; min-height: 2.4rem; color: inherit; background: none; cursor: pointer;
  border: 1px solid #8888; border-radius: 0.3rem;
}
.annotator label:has(:checked) { border-color: #0072b2; box-shadow: inset 0 0 0 1px #0072b2; font-weight: 600; }
.annotator label:has(:focus-visible), .annotator button:focus-visible { outline: 3px solid #0072b2; }
.annotator button[hidden] { display: none; }
.annotator i { width: 0.8em; height: 0.8em; border-radius: 50%; border: 1px solid #8888; }
.annotator-how { margin: 0.6rem 0 0; font-size: 0.9em; opacity: 0.75; }
.annotator-note { margin: 0.3rem 0 0; font-weight: 600; }
"""  # noqa: E501


STILL = """<style>{style}</style><div inert>{figure}</div>
<p>A still of the widget. Where the notebook runs, it answers, and writes down what you say.</p>"""
"""What a page shows that has no Python behind it."""


class Annotator(anywidget.AnyWidget):
    """Pictures one after another, to be labelled by mouse, finger or keyboard.

    What is drawn is written after every mark, into the files that ``SegmentationFolder`` and
    ``DrawnLabels`` read. It begins at the first picture without a label.

    Args:
        folder: a data folder, or one with pictures in ``images`` and nothing else yet.
        classes: names of the C foreground classes.
        kind: "tags", "points", "boxes", "extremes" (four clicks, stored as the box they span),
            "scribble" or "masks" (outlines).
        preview: "grabcut", "walker" or "crf" lays over the picture what that way makes of the
            marks, after each of them; see ``wsss_lib.annotate.preview``.

    Raises:
        InputError: a folder that ``SegmentationFolder`` refuses, an unknown kind or preview, or a
            table of labels with other classes.
    """

    _esm = source_of("annotator")
    _css = STYLE
    kind = traitlets.Unicode().tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    colours = traitlets.List(traitlets.Unicode()).tag(sync=True)
    count = traitlets.Int().tag(sync=True)
    place = traitlets.Int().tag(sync=True)
    picture = traitlets.Dict().tag(sync=True)
    drawn = traitlets.Dict().tag(sync=True)
    overlay = traitlets.Unicode().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        folder: Path | str,
        classes: Sequence[str],
        kind: str,
        preview: str | None = None,
    ) -> None:
        if preview is not None:
            check_preview(preview, kind)
        self._way = preview
        self._data = SegmentationFolder(folder, None, classes)
        self._file = LabelFile(self._data, kind)
        self.seconds: dict[str, float] = {}
        """Seconds from when a picture appeared to its last mark, by id."""
        done = {*self._file.done}
        ids = self._data.ids
        first = next((place for place, id in enumerate(ids) if id not in done), 0)
        super().__init__(
            kind=kind,
            names=["background", *self._data.classes],
            colours=["#f5f5f5", *(to_hex(colour) for colour in COLOURS)],
            count=len(ids),
            place=first,
        )
        self._show()
        self.observe(lambda change: self._show(), "place")
        self.observe(self._take, "drawn")

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget, and for pages without Python what its own script draws of it, as a still."""
        data, about = super()._repr_mimebundle_(**kwargs) or ({}, {})
        state = (
            "kind", "names", "colours", "count", "place", "picture", "drawn", "overlay", "note",
        )  # fmt: skip
        id = self.picture["id"]
        figure = LiveFigure(
            "annotator", {name: getattr(self, name) for name in state},
            show_panels([Panel(self._image(id), title=id)]),
            f"Picture {self.place + 1} of {self.count}, with buttons for {', '.join(self.names)}.",
        )  # fmt: skip
        still = STILL.format(style=STYLE, figure=figure._repr_html_())
        return {**data, "text/html": still}, about

    @property
    def ids(self) -> tuple[str, ...]:
        """The pictures, in the order in which they are shown."""
        return self._data.ids

    @property
    def done(self) -> tuple[str, ...]:
        """Pictures with a label of this kind."""
        return self._file.done

    def marks(self, id: str) -> list[Mark]:
        """What is drawn on a picture."""
        return self._file.marks(id)

    def draw(self, id: str, marks: Sequence[Mark]) -> None:
        """Label a picture from code, as a hand would: what was there is replaced.

        Raises:
            InputError: a picture, class or place that is not there.
        """
        self._file.replace(id, marks)
        if id_of(id, self._data.pictures) == self.picture["id"]:
            self._show()

    def _image(self, id: str) -> Tensor:
        """(3, h, w) of a picture with a longest side of at most ``SHOWN`` pixels."""
        image = self._data.image(id, SHOWN)
        share = min(1.0, SHOWN / max(image.shape[1:]))
        height, width = (max(1, round(side * share)) for side in image.shape[1:])
        return resize(image[None], (height, width))[0]

    def _show(self) -> None:
        """Hand the browser a picture with its marks, all at once."""
        id = self.ids[self.place]
        self._file.read()
        height, width = self._data.size(id)
        self.picture = {
            "id": id, "width": width, "height": height, "image": jpeg(self._image(id)),
            "marks": [
                {"label": mark.label, "places": mark.places} for mark in self._file.marks(id)
            ],
        }  # fmt: skip
        self._lay_over(id)

    def _lay_over(self, id: str) -> None:
        """What is seen over a picture: the preview, or strokes and outlines of an earlier day.

        A preview that fails is no reason to refuse the label, which is written already.
        """
        marks, labels, note = self._file.marks(id), None, ""
        if marks and self._way:
            size = self._data.size(id)
            try:
                labels = completed(self._way, self.kind, self._image(id), size, marks).numpy()
            except InputError as error:
                note = f"The label is written, but there is no preview: {error}"
        elif self.kind in PAINTED:
            labels = self._file.before(id)
        self.overlay = "" if labels is None else tinted(labels, COLOURS)
        self.note = note

    def _take(self, change: dict[str, Any]) -> None:
        """Write what the browser drew; where that fails, the browser shows why."""
        drawn = change["new"]
        marks = [
            Mark(mark["label"], tuple((x, y) for x, y in mark["places"])) for mark in drawn["marks"]
        ]
        try:
            self._file.replace(drawn["id"], marks)
        except (InputError, OSError) as error:
            self.note = str(error)
            raise
        self.seconds[drawn["id"]] = drawn["seconds"]
        self._lay_over(drawn["id"])


class Tagger(Annotator):
    """Pictures one after another, with a box to tick for each class.

    Digits tick, the arrow keys turn pages. The tags are written to the table of image labels
    (``labels.csv``) after every tick and with every page, so that a picture that was turned over
    without a tick is known to show none of the classes. As long as there is no such table, classes
    that a mask shows are ticked, and the first correction writes down the tags of all masks.

    Args:
        folder: a data folder, or one with pictures in ``images`` and nothing else yet.
        classes: names of the C foreground classes.

    Raises:
        InputError: see ``Annotator``.
    """

    def __init__(self, folder: Path | str, classes: Sequence[str]) -> None:
        super().__init__(folder, classes, "tags")

    @property
    def tags(self) -> dict[str, list[str]]:
        """Names of the classes in every picture that is tagged, by id."""
        return {id: [self.names[mark.label] for mark in self.marks(id)] for id in self.done}

    def tag(self, id: str, names: Sequence[str]) -> None:
        """Tag a picture from code; what was ticked before is replaced.

        Raises:
            InputError: no such picture, or a name that is no class.
        """
        unknown = [name for name in names if name not in self._data.classes]
        if unknown:
            raise InputError(f"{unknown[0]!r} is no class; there are {self._data.classes}.")
        self.draw(id, [Mark(self.names.index(name)) for name in names])
