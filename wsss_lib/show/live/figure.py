"""What a page shows of a live figure: a JavaScript module, its data, and a picture for paper."""

import base64
import hashlib
import io
import json
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from wsss_lib.core import InputError
from wsss_lib.show.picture import Picture, pixels

IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";$', re.MULTILINE)
PAGE = """<div class="live" data-figure="{id}">
<div class="live-root"></div>
<img class="live-fallback" src="{picture}" alt="{alt}">
<script type="application/json">{data}</script>
<script type="module">
const figure = document.querySelector(".live[data-figure='{id}']:not(.taken)");
figure.classList.add("taken"); // the same figure may stand on a page twice
const data = JSON.parse(figure.querySelector("script").textContent);
const model = {{
  get: (key) => data[key], set: (key, value) => {{ data[key] = value; }},
  on() {{}}, off() {{}}, save_changes() {{}},
}};
const {{ default: module }} = await import("{module}");
await module.render({{ model, el: figure.querySelector(".live-root") }});
figure.classList.add("ready");
</script>
</div>"""


@dataclass(frozen=True)
class LiveFigure:
    """What a page shows: the module with its data; without scripts and on paper, the picture.

    Attributes:
        module: name of a JavaScript module beside this file; it exports anywidget's ``render``.
        data: what the module's model holds, by name; JSON.
        picture: stands in where no script runs.
        alt: says in words what the picture shows.

    Raises:
        InputError: the data holds NaN or infinity.
    """

    module: str
    data: dict[str, Any]
    picture: Picture
    alt: str

    def __post_init__(self) -> None:
        """Refuse what a page could not read, where it is made and not where it is shown."""
        try:
            json.dumps(self.data, allow_nan=False)
        except ValueError as error:
            raise InputError(
                f"live figure {self.module!r}: its data holds NaN or infinity; give it finite "
                "numbers alone."
            ) from error

    def _repr_html_(self) -> str:
        """Everything inline: pages are read from files, where no module can be fetched."""
        source = source_of(self.module)
        data = json.dumps(self.data).replace("<", "\\u003c")  # "<!--" would swallow the page
        return PAGE.format(
            id=hashlib.sha256((source + data).encode()).hexdigest()[:12],
            picture=light(self.picture),
            alt=escape(self.alt, quote=True),
            data=data,
            module=uri("text/javascript", source.encode()),
        )


def source_of(module: str) -> str:
    """The JavaScript of a live figure, by the name of its module; an ``_esm`` of anywidget.

    What it imports from files beside it stands where the import stood: there is nothing to fetch.
    """
    source = Path(__file__).with_name(f"{module}.js").read_text(encoding="utf-8")
    return IMPORT.sub(lambda found: source_of(found[1]), source)


def light(picture: Picture) -> str:
    """A data URI of a picture for paper: a fraction of the size that it has as PNG."""
    content = io.BytesIO()
    with Image.open(io.BytesIO(picture.png())) as drawn:
        drawn.convert("RGBA").save(content, "WEBP", quality=85)
    return uri("image/webp", content.getvalue())


def jpeg(image: Tensor, quality: int = 85) -> str:
    """A data URI of a picture.

    Args:
        image: (3, H, W) RGB in [0, 1].
        quality: of JPEG, 1 to 95.
    """
    content = io.BytesIO()
    Image.fromarray((pixels(image) * 255).round().astype(np.uint8)).save(
        content, "JPEG", quality=quality
    )
    return uri("image/jpeg", content.getvalue())


def decoded(address: str) -> Tensor:
    """(3, H, W) RGB in [0, 1] of a picture in a data URI: what a page computes with."""
    content = base64.b64decode(address.partition(",")[2])
    with Image.open(io.BytesIO(content)) as picture:
        return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1) / 255


def runs_of(labels: Tensor) -> list[int]:
    """Labels row by row as value, how often it follows, value, how often, ...: masks are short so.

    Args:
        labels: (H, W), whole numbers.
    """
    values, counts = torch.unique_consecutive(labels.flatten().long(), return_counts=True)
    return torch.stack([values, counts], dim=1).flatten().tolist()


def text_of(content: bytes) -> str:
    """Base64, as JSON can carry it."""
    return base64.b64encode(content).decode("ascii")


def uri(kind: str, content: bytes) -> str:
    """A data URI.

    Args:
        kind: media type, such as "image/png".
        content: of the file.
    """
    return f"data:{kind};base64,{text_of(content)}"
