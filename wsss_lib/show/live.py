"""Figures that answer without a kernel: a JavaScript module, its data, and a picture for paper."""

import base64
import hashlib
import io
import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from wsss_lib.core import IGNORE, InputError
from wsss_lib.show.panels import Panel, show_panels
from wsss_lib.show.picture import Picture, pixels

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
        source = Path(__file__).with_name(f"{self.module}.js").read_bytes()
        data = json.dumps(self.data).replace("</", "<\\/")
        return PAGE.format(
            id=f"live-{hashlib.sha256(source + data.encode()).hexdigest()[:12]}",
            picture=_uri("image/png", self.picture.png()),
            alt=escape(self.alt, quote=True),
            data=data,
            module=_uri("text/javascript", source),
        )


def live_threshold(
    image: Tensor, score: Tensor, truth: Tensor, name: str, start: float = 0.5
) -> LiveFigure:
    """A threshold to drag over a score.

    Args:
        image: (3, H, W) RGB in [0, 1].
        score: (H, W) in [0, 1] of one class; shown in steps of 1/255.
        truth: (H, W), 1 on the class, 0 elsewhere, 255 where nobody can tell.
        name: of the class.
        start: threshold to begin with.

    Raises:
        InputError: sizes differ.
    """
    if not image.shape[1:] == score.shape == truth.shape:
        raise InputError(
            f"live_threshold: image {tuple(image.shape[1:])}, score {tuple(score.shape)} and truth "
            f"{tuple(truth.shape)} must have one size."
        )
    levels = (score.clamp(0, 1) * 255).round().byte()
    photograph = io.BytesIO()
    Image.fromarray((pixels(image) * 255).round().astype(np.uint8)).save(
        photograph, "JPEG", quality=85
    )
    cuts = [
        Panel(image, region=score > t, title=f"above {t:.1f}") for t in (0.1, 0.3, 0.5, 0.7)
    ] + [Panel(image, region=(truth == 1) & (truth != IGNORE), title="truth")]
    data = {
        "width": image.shape[2], "height": image.shape[1], "name": name,
        "start": round(start * 100), "image": _uri("image/jpeg", photograph.getvalue()),
        "score": _text(levels.numpy().tobytes()),
        "truth": _text(truth.byte().numpy().tobytes()),
    }  # fmt: skip
    alt = (
        f"The photograph five times, with a line around where the score of {name} exceeds 0.1, "
        f"0.3, 0.5 and 0.7, and around the {name} itself."
    )
    return LiveFigure("threshold", data, show_panels(cuts), alt)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{_text(content)}"
