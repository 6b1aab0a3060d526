"""Sentences of CLIP as tokens of another network."""

from collections.abc import Sequence

from torch import Tensor, nn

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.nets.large.clip import Clip


class TextTokens(nn.Module):
    """A token for each sentence, and what CLIP says of the sentence and an image.

    Embeddings of length one are stretched until the mean square of their coordinates is 1, so that
    linear layers find them as large as their other inputs. The mean of the product of two of them
    is their cosine.

    Source: a reconstruction of the textual tokens and their image-language context in MMCST (Xu et
    al., CVPR 2023), of which no details could be read.

    Args:
        clip: frozen.
        classes: C sentences.
        width: D, channels of a token.
    """

    def __init__(self, clip: Clip, classes: Sequence[str], width: int) -> None:
        super().__init__()
        self.clip = clip
        text = clip.text_features(classes)
        self.text = nn.Buffer(_stretched(text), persistent=False)
        self.words = nn.Linear(text.shape[1], width)
        self.fit = nn.Linear(text.shape[1], width, bias=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) -> tokens (C, D), and what each image adds to them, (B, C, D)."""
        seen = self.clip.image_features(resize(image, (self.clip.size, self.clip.size)))
        return self.words(self.text), self.fit(_stretched(seen)[:, None] * self.text)


def _stretched(unit: Tensor) -> Tensor:
    return unit * unit.shape[1] ** 0.5
