"""Every system at the size of its paper: ``build("seam", VOC_CLASSES)``.

What stands on the class (``Method.recipe`` and the keyword defaults) are the paper's settings; here
stands what they are applied to: backbone, decoder, sentences. One ResNet-50 serves all that the
papers did with VGG-16, ResNet-38, -50 or -101, one DeiT-S or ViT-B all plain transformers, and
MiT-B1 what reads a mix transformer, so that systems differ by their ideas alone. With
``pretrained=False`` the same shapes have random weights: no file is needed, and answers are noise.
"""

from collections.abc import Callable, Sequence

from wsss_lib.blocks.regions.panoptic import Reading
from wsss_lib.core import InputError, Method
from wsss_lib.methods.box.bana import BANA
from wsss_lib.methods.box.bbam import BBAM
from wsss_lib.methods.box.bbox_rect import BBoxRect
from wsss_lib.methods.box.bbox_seg import BBoxSeg
from wsss_lib.methods.box.bcm import BCM
from wsss_lib.methods.box.box2seg import Box2Seg
from wsss_lib.methods.box.boxsup import BoxSup
from wsss_lib.methods.box.grabcut import GrabCut
from wsss_lib.methods.box.sdi import SDI
from wsss_lib.methods.box.wssl_em import WSSLEM
from wsss_lib.methods.foundation.clims import CLIMS
from wsss_lib.methods.foundation.clip_es import ClipES
from wsss_lib.methods.foundation.grounded_sam import GroundedSam
from wsss_lib.methods.foundation.mmcst import MMCST
from wsss_lib.methods.foundation.sam_pseudo import SamPseudo
from wsss_lib.methods.image_level.affinity.affinitynet import AffinityNet
from wsss_lib.methods.image_level.affinity.dsrg import DSRG
from wsss_lib.methods.image_level.affinity.edam import EDAM
from wsss_lib.methods.image_level.affinity.gwsm import GWSM
from wsss_lib.methods.image_level.affinity.irnet import IRNet
from wsss_lib.methods.image_level.affinity.mcis import MCIS
from wsss_lib.methods.image_level.affinity.mctformer import MCTformer
from wsss_lib.methods.image_level.affinity.rca import RCA
from wsss_lib.methods.image_level.affinity.sec import SEC
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.image_level.cam.lpcam import LPCAM
from wsss_lib.methods.image_level.cooccurrence.c_cam import CCAM
from wsss_lib.methods.image_level.cooccurrence.cda import CDA
from wsss_lib.methods.image_level.cooccurrence.conta import CONTA
from wsss_lib.methods.image_level.ensemble.ficklenet import FickleNet
from wsss_lib.methods.image_level.ensemble.mdc import MDC
from wsss_lib.methods.image_level.ensemble.oaa import OAA
from wsss_lib.methods.image_level.ensemble.oaa_drop import OAADrop
from wsss_lib.methods.image_level.ensemble.oaa_plus import OAAPlus
from wsss_lib.methods.image_level.erasing.acr import ACR
from wsss_lib.methods.image_level.erasing.ae_psl import AdversarialErasing
from wsss_lib.methods.image_level.erasing.cse import ClassSpecificErasing
from wsss_lib.methods.image_level.erasing.ecs_net import ECSNet
from wsss_lib.methods.image_level.erasing.seenet import SeeNet
from wsss_lib.methods.image_level.erasing.two_phase import TwoPhase
from wsss_lib.methods.image_level.extra_supervision.beco import BECO
from wsss_lib.methods.image_level.extra_supervision.benet import BENet
from wsss_lib.methods.image_level.extra_supervision.eps import EPS
from wsss_lib.methods.image_level.extra_supervision.guided_labels import GuidedLabels
from wsss_lib.methods.image_level.extra_supervision.i2crc import I2CRC
from wsss_lib.methods.image_level.extra_supervision.sance import SANCE
from wsss_lib.methods.image_level.extra_supervision.ssnet import SSNet
from wsss_lib.methods.image_level.online.aalr import AALR
from wsss_lib.methods.image_level.online.afa import AFA
from wsss_lib.methods.image_level.online.mdba import MDBA
from wsss_lib.methods.image_level.online.onestage import OneStage
from wsss_lib.methods.image_level.online.rrm import RRM
from wsss_lib.methods.image_level.online.toco import ToCo
from wsss_lib.methods.image_level.self_supervised.advcam import AdvCAM
from wsss_lib.methods.image_level.self_supervised.c2am import C2AM
from wsss_lib.methods.image_level.self_supervised.cpn import CPN
from wsss_lib.methods.image_level.self_supervised.l2g import L2G
from wsss_lib.methods.image_level.self_supervised.ppc import PPC
from wsss_lib.methods.image_level.self_supervised.puzzle_cam import PuzzleCAM
from wsss_lib.methods.image_level.self_supervised.seam import SEAM
from wsss_lib.methods.image_level.self_supervised.sipe import SIPE
from wsss_lib.methods.image_level.self_supervised.split_merge import SplitMerge
from wsss_lib.methods.image_level.self_supervised.subcat import SubCat
from wsss_lib.methods.image_level.self_supervised.usage import USAGE
from wsss_lib.methods.point.dextr import DEXTR
from wsss_lib.methods.point.extreme_clicking import ExtremeClicking
from wsss_lib.methods.point.panoptic_fcn_point import PanopticFCN
from wsss_lib.methods.point.pcam import PCAM
from wsss_lib.methods.point.pdml import PDML
from wsss_lib.methods.point.whats_the_point import WhatsThePoint
from wsss_lib.methods.refine.densecrf import DenseCRF
from wsss_lib.methods.refine.pamr import PAMR
from wsss_lib.methods.scribble.bpg import BPG
from wsss_lib.methods.scribble.dfr import DFR
from wsss_lib.methods.scribble.ncut_loss import NormalizedCutLoss
from wsss_lib.methods.scribble.pce import PartialCrossEntropy
from wsss_lib.methods.scribble.psi import PSI
from wsss_lib.methods.scribble.rawks import RAWKS
from wsss_lib.methods.scribble.rloss import RegularisedLosses
from wsss_lib.methods.scribble.scribblesup import ScribbleSup
from wsss_lib.methods.scribble.spml import SPML
from wsss_lib.methods.segmentation.segmenter import Segmenter
from wsss_lib.nets.heads.classifier import Classifier
from wsss_lib.nets.heads.collaboration import CollaborativeAttention
from wsss_lib.nets.heads.contrast import ContrastNet
from wsss_lib.nets.heads.correlation import (
    CorrelatedClassifier,
    PixelCorrelation,
    RegionCorrelation,
)
from wsss_lib.nets.heads.fuse import FusedFeatures
from wsss_lib.nets.heads.memory import RegionHeads
from wsss_lib.nets.heads.prototypes import SideFeatures
from wsss_lib.nets.heads.reconstructor import Reconstructor
from wsss_lib.nets.heads.relation import Boundaries, Relations
from wsss_lib.nets.heads.rois import FastRCNN, RoiHead
from wsss_lib.nets.large.extreme_cut import published_extreme_cut
from wsss_lib.nets.marks.embedded import EmbeddingNet
from wsss_lib.nets.marks.guided import GuidedNet
from wsss_lib.nets.marks.panoptic import PanopticNet
from wsss_lib.nets.marks.patterns import PatternNet
from wsss_lib.nets.segmentation.attended import AttendedNet
from wsss_lib.nets.segmentation.contour import ContourNet
from wsss_lib.nets.segmentation.deeplab import DeepLab
from wsss_lib.nets.segmentation.discriminator import Discriminator
from wsss_lib.nets.segmentation.gated import GatedDeepLab
from wsss_lib.nets.segmentation.joint import JointNet
from wsss_lib.nets.segmentation.masked import MaskedNet
from wsss_lib.nets.segmentation.mlp import AffinityFormer
from wsss_lib.nets.segmentation.pair import Pair
from wsss_lib.recipe_parts import BACKGROUNDS, CLIMS_BACKGROUNDS, Parts
from wsss_lib.survey import find_methods


def _seam(parts: Parts) -> SEAM:
    net = parts.resnet(8)
    return SEAM(net, parts.count, PixelCorrelation(net))


def _ppc(parts: Parts) -> PPC:
    net = parts.resnet(8)
    return PPC(net, parts.count, PixelCorrelation(net))


def _sipe(parts: Parts) -> SIPE:
    net = parts.resnet()
    return SIPE(net, parts.count, SideFeatures(net))


def _cpn(parts: Parts) -> CPN:
    net = parts.resnet(8)
    return CPN(net, parts.count, RegionCorrelation(net))


def _bbam(parts: Parts) -> BBAM:
    net = parts.resnet()
    return BBAM(FastRCNN(net, RoiHead(net.channels[-1], parts.count)), parts.count)


def _l2g(parts: Parts) -> L2G:
    whole = CorrelatedClassifier(parts.resnet(8), parts.count + 1)
    return L2G(whole, CorrelatedClassifier(parts.resnet(8), parts.count))


def _acr(parts: Parts) -> ACR:
    rival = Reconstructor(parts.resnet(8), parts.count)
    return ACR(Classifier(parts.resnet(8), parts.count), rival)


def _edam(parts: Parts) -> EDAM:
    net = parts.resnet(8)
    return EDAM(net, CollaborativeAttention(net.channels[-1], parts.count), parts.count)


def _rca(parts: Parts) -> RCA:
    net = parts.resnet()
    return RCA(net, RegionHeads(net.channels[-1], parts.count))


def _spml(parts: Parts) -> SPML:
    embeds = DeepLab(parts.resnet(), 63)  # 64 values of a pixel, in the place of logits
    return SPML(EmbeddingNet(embeds, parts.count))


def _panoptic(parts: Parts) -> PanopticFCN:
    reading = Reading(parts.count, tuple(range(1, parts.count + 1)))  # of VOC all are things
    return PanopticFCN(PanopticNet(DeepLab(parts.resnet(), 63), 64, parts.count, 1), reading)


def _clip_es(parts: Parts) -> ClipES:
    sentence = "a clean origami {}."
    backgrounds = [sentence.format(name) for name in BACKGROUNDS]
    return ClipES(parts.clip(16), parts.sentences(sentence), backgrounds)


def _clims(parts: Parts) -> CLIMS:
    sentence = "a photo of {}."
    backgrounds = [sentence.format(name) for name in CLIMS_BACKGROUNDS]
    return CLIMS(parts.resnet(), parts.clip(32), parts.sentences(sentence), backgrounds)


def _mmcst(parts: Parts) -> MMCST:
    return MMCST(parts.deit_small(), parts.clip(16), parts.sentences("a photo of a {}."))


def _grounded_sam(parts: Parts) -> GroundedSam:
    return GroundedSam(parts.detector(), parts.sam(), [[name] for name in parts.classes])


BUILDERS: dict[str, Callable[[Parts], Method]] = {
    "cam": lambda parts: CAM(parts.resnet(), parts.count),
    "lpcam": lambda parts: LPCAM(parts.resnet(), parts.count),
    "oaa": lambda parts: OAA(parts.resnet(), parts.count),
    "oaa_drop": lambda parts: OAADrop(parts.resnet(), parts.count),
    "oaa_plus": lambda parts: OAAPlus(parts.resnet(), parts.count),
    "ficklenet": lambda parts: FickleNet(parts.resnet(), parts.count),
    "mdc": lambda parts: MDC(parts.resnet(), parts.count),
    "two_phase": lambda parts: TwoPhase(parts.resnet(), parts.count),
    "seenet": lambda parts: SeeNet(parts.resnet(), parts.count),
    "cse": lambda parts: ClassSpecificErasing(parts.resnet(8), parts.count),
    "ae_psl": lambda parts: AdversarialErasing(parts.deeplab(), parts.resnet(), parts.count),
    "ecs_net": lambda parts: ECSNet(parts.resnet(8), parts.count),
    "acr": _acr,
    "cda": lambda parts: CDA(parts.resnet(), parts.count),
    "conta": lambda parts: CONTA(parts.deeplab(), parts.resnet(), parts.count),
    "c_cam": lambda parts: CCAM(parts.resnet(), parts.count),
    "sec": lambda parts: SEC(parts.deeplab()),
    "dsrg": lambda parts: DSRG(parts.deeplab()),
    "affinitynet": lambda parts: AffinityNet(FusedFeatures(parts.resnet(8))),
    "irnet": lambda parts: IRNet(Relations(parts.resnet())),
    "mcis": lambda parts: MCIS(parts.resnet(8), parts.count),
    "gwsm": lambda parts: GWSM(parts.resnet(8), parts.count),
    "mctformer": lambda parts: MCTformer(parts.deit_small(), parts.count),
    "edam": _edam,
    "rca": _rca,
    "benet": lambda parts: BENet(Boundaries(parts.resnet())),
    "sance": lambda parts: SANCE(ContourNet(parts.deeplab())),
    "beco": lambda parts: BECO(Pair(parts.deeplab(), parts.deeplab())),
    "eps": lambda parts: EPS(parts.resnet(8), parts.count),
    "guided_labels": lambda parts: GuidedLabels(),
    "ssnet": lambda parts: SSNet(JointNet(parts.resnet(), parts.count)),
    "i2crc": lambda parts: I2CRC(parts.resnet(), parts.count),
    "seam": _seam,
    "ppc": _ppc,
    "c2am": lambda parts: C2AM(parts.resnet()),
    "sipe": _sipe,
    "puzzle_cam": lambda parts: PuzzleCAM(parts.resnet(), parts.count),
    "cpn": _cpn,
    "l2g": _l2g,
    "usage": lambda parts: USAGE(parts.resnet(8), parts.count),
    "advcam": lambda parts: AdvCAM(parts.resnet(), parts.count),
    "split_merge": lambda parts: SplitMerge(parts.resnet(), parts.count),
    "subcat": lambda parts: SubCat(parts.resnet(8), parts.count),
    "onestage": lambda parts: OneStage(GatedDeepLab(parts.resnet(), parts.count)),
    "rrm": lambda parts: RRM(parts.deeplab(), parts.count),
    "aalr": lambda parts: AALR(parts.deeplab(), parts.count),
    "afa": lambda parts: AFA(AffinityFormer(parts.mit_b1(), parts.count)),
    "toco": lambda parts: ToCo(ContrastNet(parts.vit_base(), parts.count)),
    "mdba": lambda parts: MDBA(parts.deeplab(), Discriminator(parts.count)),
    "bbox_rect": lambda parts: BBoxRect(parts.count),
    "bbox_seg": lambda parts: BBoxSeg(parts.count),
    "wssl_em": lambda parts: WSSLEM(parts.deeplab()),
    "boxsup": lambda parts: BoxSup(parts.deeplab()),
    "sdi": lambda parts: SDI(parts.deeplab()),
    "grabcut": lambda parts: GrabCut(parts.count),
    "bana": lambda parts: BANA(parts.resnet(8), parts.count),
    "bbam": _bbam,
    "bcm": lambda parts: BCM(MaskedNet(parts.deeplab(), parts.count), parts.count),
    "box2seg": lambda parts: Box2Seg(AttendedNet(parts.deeplab(), parts.count)),
    "pce": lambda parts: PartialCrossEntropy(parts.deeplab()),
    "ncut_loss": lambda parts: NormalizedCutLoss(parts.deeplab()),
    "scribblesup": lambda parts: ScribbleSup(parts.deeplab()),
    "bpg": lambda parts: BPG(GuidedNet(parts.resnet(), parts.count)),
    "dfr": lambda parts: DFR(parts.deeplab()),
    "rloss": lambda parts: RegularisedLosses(parts.deeplab()),
    "rawks": lambda parts: RAWKS(ContourNet(parts.deeplab())),
    "spml": _spml,
    "psi": lambda parts: PSI(PatternNet(parts.deeplab(), parts.count)),
    "whats_the_point": lambda parts: WhatsThePoint(parts.deeplab(), parts.count),
    "extreme_clicking": lambda parts: ExtremeClicking(parts.count),
    "pcam": lambda parts: PCAM(parts.resnet(), parts.count),
    "pdml": lambda parts: PDML(parts.deeplab()),
    "panoptic_fcn_point": _panoptic,
    "dextr": lambda parts: DEXTR(published_extreme_cut(parts.pretrained), parts.count),
    "clip_es": _clip_es,
    "clims": _clims,
    "mmcst": _mmcst,
    "sam_pseudo": lambda parts: SamPseudo(parts.sam()),
    "grounded_sam": _grounded_sam,
    "pamr": lambda parts: PAMR(),
    "densecrf": lambda parts: DenseCRF(),
    "segmenter": lambda parts: Segmenter(parts.deeplab()),
}
"""How each system is put together; a test holds the list against the cards."""


def build(id: str, classes: Sequence[str], pretrained: bool = True) -> Method:
    """A system at the size of its paper, with the paper's training recipe.

    Args:
        id: of its card.
        classes: names of the foreground classes; systems that read use them.
        pretrained: load the published weights; False draws random ones.

    Raises:
        InputError: no such system, or weights that are neither here nor to be had.
    """
    _check(id)
    return BUILDERS[id](Parts(tuple(classes), pretrained))


BEFORE = {
    "oaa_plus": "oaa", "beco": "pamr", "sdi": "grabcut", "box2seg": "grabcut", "bcm": "grabcut",
}  # fmt: skip
"""What makes the scores that a system needs, where that is not CAM."""

AFTER = {
    "cda": "affinitynet",
    "cse": "affinitynet",
    "ecs_net": "affinitynet",
    "acr": "affinitynet",
    "mctformer": "affinitynet",
    "seam": "affinitynet",
    "subcat": "affinitynet",
    "ppc": "affinitynet",
    "sipe": "irnet",
    "puzzle_cam": "affinitynet",
    "usage": "affinitynet",
    "cpn": "irnet",
    "advcam": "irnet",
    "lpcam": "irnet",
    "pcam": "irnet",
    "clims": "irnet",
    "mmcst": "affinitynet",
}
"""Systems whose papers refine their maps by another paper's affinities."""


def stages_before(id: str) -> tuple[str, ...]:
    """The systems whose scores a system needs, the first one first; none for most."""
    if not find_methods()[id].card.needs_scores:
        return ()
    needed = BEFORE.get(id, "cam")
    return (*stages_before(needed), needed)


def chain(id: str) -> tuple[str, ...]:
    """The stages of a system's recipe: what it needs, itself, what its paper put behind, a network.

    Raises:
        InputError: no such system.
    """
    _check(id)
    card = find_methods()[id].card
    before = stages_before(id)
    after = (AFTER[id],) if id in AFTER else ()
    return (*before, id) if card.is_network else (*before, id, *after, "segmenter")


def _check(id: str) -> None:
    if id not in BUILDERS:
        raise InputError(f"No recipe {id!r}; there are: {', '.join(sorted(BUILDERS))}.")
