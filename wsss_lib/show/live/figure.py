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
from PIL import Image
from torch import Tensor

from wsss_lib.show.picture import Picture, pixels

IMPORT = re.compile(r'^import {[^}]*} from "\./(?P<module>\w+)\.js";$', re.MULTILINE)
PAGE = """<div class="live" id="{id}">
<div class="live-root"></div>
<img class="live-fallback" src="{picture}" alt="{alt}">
<script type="application/json">{data}</script>
<script type="module">
const figure = document.getElementById("{id}");
const data = JSON.parse(figure.querySelector("script").textContent);
const model = {{
  get: (key) => data[key], set: (key, value) => {{ data[key] = value; }},
  on() {{}}, off() {{}}, save_changes() {{}},
}};
const {{ default: module }} = await import("{module}");
module.render({{ model, el: figure.querySelector(".live-root") }});
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
    """

    module: str
    data: dict[str, Any]
    picture: Picture
    alt: str

    def _repr_html_(self) -> str:
        """Everything inline: pages are read from files, where no module can be fetched."""
        source = source_of(self.module)
        data = json.dumps(self.data).replace("</", "<\\/")
        return PAGE.format(
            id=f"live-{hashlib.sha256((source + data).encode()).hexdigest()[:12]}",
            picture=uri("image/png", self.picture.png()),
            alt=escape(self.alt, quote=True),
            data=data,
            module=uri("text/javascript", source.encode()),
        )


def source_of(module: str) -> str:
    """The JavaScript of a live figure, by the name of its module; an ``_esm`` of anywidget.

    A line ``import { ... } from "./other.js";`` gives way to that module, whole: pages and widgets
    have no address from which they could fetch it.
    """
    source = Path(__file__).with_name(f"{module}.js").read_text(encoding="utf-8")
    return IMPORT.sub(lambda found: source_of(found["module"]), source)


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
