"""OpenAI's CLIP and Meta's SAM for a notebook, or tiny random ones in their place.

Their files are a gigabyte. They are fetched on Colab, and taken elsewhere where an earlier download
has left them; the build of the book and the tests fetch nothing.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsss_lib.core import InputError
from wsss_lib.nets.large.clip import Clip, load_clip
from wsss_lib.nets.large.sam import Sam, load_sam, toy_sam
from wsss_lib.nets.large.untrained import small_untrained_clip

CLIP = "openai/clip-vit-base-patch16"
SAM = "facebook/sam-vit-base"
FILES = f"  {CLIP}: CLIP, 0.6 GB\n  {SAM}: SAM, 0.4 GB"
"""What is fetched, and how much that is."""


@dataclass(frozen=True)
class Models:
    """A CLIP and a SAM.

    Attributes:
        clip: frozen.
        sam: frozen.
        real: with the weights that their makers have published; else random.
    """

    clip: Clip
    sam: Sam
    real: bool

    def say(self) -> None:
        """Remind the reader of what stands below a picture."""
        if not self.real:
            print("Random weights: this picture means nothing.")  # noqa: T201 - to the reader


def clip_and_sam(clip: str | Path = CLIP, sam: str | Path = SAM) -> Models:
    """The real models, or random ones; it says which, and what to do for the real ones.

    Args:
        clip: name on huggingface.co, or a folder with the files of such a model.
        sam: likewise.
    """
    try:
        if not ("google.colab" in sys.modules or (_is_here(clip) and _is_here(sam))):
            raise InputError("outside of Colab this notebook fetches nothing by itself.")
        models = Models(load_clip(clip), load_sam(sam), real=True)
    except InputError as error:
        print(  # noqa: T201
            f"No real models: {error}\nSo tiny ones with random weights stand in. Every line runs, "
            "and no picture below\nmeans anything. For the real ones, from huggingface.co:\n"
            f"{FILES}\nopen the notebook on Colab, or run once, where there is a network:\n"
            f'  load_clip("{CLIP}")\n  load_sam("{SAM}")\n'
            "Where there is none, bring the files of both pages along in two folders:\n"
            '  clip_and_sam("my_clip", "my_sam")'
        )
        return Models(small_untrained_clip(), _frozen(toy_sam(pretrained=False)), real=False)
    print(f"CLIP: {clip}\nSAM:  {sam}")  # noqa: T201
    return models


def _is_here(name: str | Path) -> bool:
    """Whether a model lies in a folder, or has been fetched before."""
    if Path(name).is_dir():
        return True
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(str(name), "model.safetensors"), str)


def _frozen(model: Any) -> Any:
    return model.requires_grad_(False).eval()
