"""A vision transformer with two classifiers, a decoder and a head that sums up views."""

from collections.abc import Sequence
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import min_max, resize_like
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_vit


class LargeFOV(nn.Module):
    """Two dilated convolutions and a classifier: the decoder of DeepLab v1.

    Source: Chen et al., ICLR 2015.

    Args:
        width: channels of the tokens.
        num_classes: C, without background.
        dilation: of both 3x3 convolutions.
        hidden: their channels.
        detail: channels of a 3x3 convolution of the image itself, for objects whose outline is
            finer than a patch; 0 leaves it out.
    """

    def __init__(
        self, width: int, num_classes: int, dilation: int = 5, hidden: int = 512, detail: int = 0
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, hidden, 3, padding=dilation, dilation=dilation),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation),
            nn.ReLU(),
        )
        self.detail = (
            nn.Sequential(nn.Conv2d(3, detail, 3, padding=1), nn.ReLU()) if detail else None
        )
        side = 3 if detail else 1
        self.classifier = nn.Conv2d(hidden + detail, num_classes + 1, side, padding=side // 2)

    def forward(self, tokens: Tensor, image: Tensor) -> Tensor:
        """Tokens (B, D, h, w) of the image (B, 3, H, W) -> (B, K, H, W) logits."""
        body = self.body(tokens)
        if self.detail is None:
            return resize_like(self.classifier(body), image)
        return self.classifier(torch.cat([resize_like(body, image), self.detail(image)], dim=1))


class ViewHead(nn.Module):
    """One vector for a view, by a student and by the teacher that follows it.

    A learned query attends to all patch tokens, the class attention of CaiT (Touvron et al.,
    ICCV 2021), for transformers without a class token. Then come two projections of one shape: the
    student learns, the teacher is a moving average of it.

    Args:
        width: channels of the tokens, divisible by ``heads``.
        heads: attention heads.
        momentum: share of the teacher that stays at each step.
    """

    def __init__(self, width: int, heads: int = 4, momentum: float = 0.9) -> None:
        super().__init__()
        self.query = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.student = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.teacher = deepcopy(self.student).requires_grad_(False)
        self.momentum = momentum

    def attend(self, tokens: Tensor) -> Tensor:
        """(B, D, h, w) -> (B, D), the view before its projection."""
        patches = tokens.flatten(2).transpose(1, 2)
        query = self.query.expand(len(patches), -1, -1)
        return self.attention(query, patches, patches, need_weights=False)[0][:, 0]

    @torch.no_grad()
    def follow(self) -> None:
        """Move the weights of the teacher a little towards the student's."""
        pairs = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
        for old, new in pairs:
            old.lerp_(new, 1 - self.momentum)

    def forward(self, tokens: Tensor, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Compare a whole image with its crops; in training the teacher takes a step first.

        Args:
            tokens: (B, D, h, w) of the images.
            crops: (B * n, D, h', w') of n crops each, those of an image together.

        Returns:
            The teacher's vector (B, D) of each image, without gradient, and the student's vectors
            (B, 1 + n, D) of the image and its crops.
        """
        if self.training:
            self.follow()
        whole = self.attend(tokens)
        local = self.attend(crops).unflatten(0, (len(tokens), -1))
        views = self.student(torch.cat([whole[:, None], local], dim=1))
        return self.teacher(whole.detach()), views


class ContrastNet(nn.Module):
    """A backbone with class maps at two depths, a LargeFOV decoder and a head for views.

    Source: the network of ToCo (Ru et al., CVPR 2023).

    Args:
        backbone: a vision transformer; other backbones work too.
        num_classes: C, without background.
        level: feature map that the auxiliary classifier reads.
        dilation: of the decoder.
        hidden: channels of the decoder.
        detail: see ``LargeFOV``.
        momentum: see ``ViewHead``.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        level: int = -3,
        dilation: int = 5,
        hidden: int = 512,
        detail: int = 0,
        momentum: float = 0.9,
    ) -> None:
        super().__init__()
        self.backbone, self.level = backbone, level
        width = backbone.channels[-1]
        self.classifier = nn.Conv2d(width, num_classes, 1, bias=False)
        self.auxiliary = nn.Conv2d(backbone.channels[level], num_classes, 1, bias=False)
        self.decoder = LargeFOV(width, num_classes, dilation, hidden, detail)
        self.views = ViewHead(width, momentum=momentum)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> tokens (B, D, h, w) of the last layer, and of the middle one."""
        features = self.backbone(image)
        return features[-1], features[self.level]

    def tag_logits(self, tokens: Tensor, middle: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B, C) of the tags at both depths, from what ``forward`` answers.

        Each channel of the features is pooled by its maximum, and then they are classified: up to D
        patches speak for a class, where the maximum of its class map would be one patch.
        """
        last, early = (F.adaptive_max_pool2d(maps, 1) for maps in (tokens, middle))
        return self.classifier(last)[..., 0, 0], self.auxiliary(early)[..., 0, 0]

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 2 C, h, w) raw class maps: C of the last layer, C of the middle."""
        tokens, middle = self(image)
        early = resize_like(self.auxiliary(middle), tokens)
        return torch.cat([self.classifier(tokens), early], dim=1)

    @torch.no_grad()
    def scores(self, image: Tensor, tags: Tensor, scales: Sequence[float]) -> tuple[Tensor, Tensor]:
        """What both depths say of the present classes, for labels: no gradient flows.

        Args:
            image: (B, 3, H, W) in [0, 1].
            tags: (B, C), 1 where the class is present.
            scales: sizes at which the image and its mirror image are looked at.

        Returns:
            (B, C, H, W) in [0, 1] of the last layer, and of the middle one: rectified class maps
            are added up over the looks, then min-max normalised.
        """
        last, early = multi_scale_flip(self.class_maps, image, scales).chunk(2, dim=1)
        return min_max(last, tags), min_max(early, tags)

    def segment(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, K, H, W) logits, background first."""
        return self.decoder(self.backbone(image)[-1], image)

    def extra_repr(self) -> str:
        """What the weights do not show."""
        return f"level={self.level}, momentum={self.views.momentum}"


def toy_contrast_net(num_classes: int, backbone: Backbone | None = None) -> ContrastNet:
    """The network of the toy world.

    Args:
        num_classes: C, without background.
        backbone: None takes the toy transformer.
    """
    return ContrastNet(
        backbone or toy_vit(), num_classes, level=-2, dilation=1, hidden=64, detail=12
    )
