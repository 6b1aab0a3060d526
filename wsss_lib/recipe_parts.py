"""What recipes put together: the networks of papers, and lists of sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from wsss_lib.nets.backbones.mit import MiT, load_mit
from wsss_lib.nets.backbones.resnet import ResNet
from wsss_lib.nets.backbones.vit import ViT, load_vit
from wsss_lib.nets.large.clip import Clip, load_clip
from wsss_lib.nets.large.detector import Detector, load_detector
from wsss_lib.nets.large.sam import Sam, load_sam
from wsss_lib.nets.large.untrained import untrained_clip, untrained_detector, untrained_sam
from wsss_lib.nets.segmentation.deeplab import DeepLab

BACKGROUNDS = (
    "ground", "land", "grass", "tree", "building", "wall", "sky", "lake", "water", "river", "sea",
    "railway", "railroad", "keyboard", "helmet", "cloud", "house", "mountain", "ocean", "road",
    "rock", "street", "valley", "bridge", "sign",
)  # fmt: skip
"""What is no class of PASCAL VOC; list of CLIP-ES (Lin et al., CVPR 2023, appendix)."""

CLIMS_BACKGROUNDS = (
    "tree", "river", "sea", "lake", "water", "railway", "railroad", "track", "stone", "rocks",
)  # fmt: skip
"""What classes of PASCAL VOC appear with; list of CLIMS (Xie et al., CVPR 2022, released code)."""


@dataclass(frozen=True)
class Parts:
    """The networks that systems of a paper's size are made of.

    Attributes:
        classes: names of the C foreground classes.
        pretrained: weights from the model zoos; else random ones.
    """

    classes: Sequence[str]
    pretrained: bool

    @property
    def count(self) -> int:
        """C."""
        return len(self.classes)

    def resnet(self, stride: int = 16) -> ResNet:
        """ResNet-50."""
        return ResNet(50, stride, self.pretrained)

    def deeplab(self) -> DeepLab:
        """DeepLab on ResNet-50."""
        return DeepLab(self.resnet(), self.count)

    def deit_small(self) -> ViT:
        """DeiT-S/16."""
        return load_vit() if self.pretrained else ViT(384, 12, 6)

    def vit_base(self) -> ViT:
        """DeiT-B/16."""
        return load_vit("facebook/deit-base-patch16-224") if self.pretrained else ViT()

    def mit_b1(self) -> MiT:
        """MiT-B1 whose last two stages share a grid, at a stride of 16."""
        strides = (4, 2, 2, 1)
        return load_mit(strides=strides) if self.pretrained else MiT(strides=strides)

    def clip(self, patch: int) -> Clip:
        """CLIP ViT-B/16 or /32."""
        name = f"openai/clip-vit-base-patch{patch}"
        return load_clip(name) if self.pretrained else untrained_clip(patch)

    def sam(self) -> Sam:
        """SAM ViT-B."""
        return load_sam("facebook/sam-vit-base") if self.pretrained else untrained_sam()

    def detector(self) -> Detector:
        """OWL-ViT B/32."""
        name = "google/owlvit-base-patch32"
        return load_detector(name) if self.pretrained else untrained_detector()

    def sentences(self, pattern: str) -> list[str]:
        """One sentence a class."""
        return [pattern.format(name) for name in self.classes]
