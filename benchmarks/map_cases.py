"""Class maps and metrics beside their peers."""

from collections.abc import Callable
from importlib.metadata import version

import cv2
import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torchmetrics.classification import MulticlassJaccardIndex
from torchvision.models import resnet18

from benchmarks.inputs import SIZE, as_tensor, blobs, largest, photograph
from benchmarks.timing import Case
from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.blocks.maps.gradcam import grad_cam
from wsss_lib.evaluate import STEPS, ious, sweep_of

PRESENT = (3, 17, 42, 100, 250)


def _network() -> tuple[nn.Module, nn.Module]:
    """ResNet-18 cut below its last stage; random weights, which are as fast as any others."""
    torch.manual_seed(0)
    net = resnet18().eval()
    below = nn.Sequential(*list(net.children())[:-3])
    return below, nn.Sequential(net.layer4, net.avgpool, nn.Flatten(), net.fc)


def class_maps() -> Case:
    """Grad-CAM of five classes of one image, at the last but one stage."""
    below, above = _network()
    image = resize(as_tensor(photograph()), (448, 448))
    tags = torch.zeros(1, 1000)
    tags[0, PRESENT] = 1

    def ours(device: torch.device) -> Callable[[], Tensor]:
        one, two = below.to(device), above.to(device)
        pixels, present = image.to(device), tags.to(device)

        def work() -> Tensor:
            with torch.no_grad():
                features = one(pixels)
            return grad_cam(two, features, present)[0, PRESENT, :]

        return work

    def theirs() -> np.ndarray:
        whole = nn.Sequential(below.cpu(), above.cpu())
        with GradCAM(whole, [below[-1]]) as cam:  # type: ignore[index]
            return np.stack([cam(image, [ClassifierOutputTarget(c)])[0] for c in PRESENT])

    def difference(one: Tensor, other: np.ndarray) -> float:
        """After dividing our maps by their range and enlarging them, as the peer does."""
        found = []
        for each in one.detach().cpu().numpy():
            scaled = (each - each.min()) / (1e-7 + np.ptp(each))
            scaled = cv2.resize(scaled, (448, 448))
            found.append((scaled - scaled.min()) / (1e-7 + np.ptp(scaled)))
        return largest(torch.from_numpy(np.stack(found)), other)

    return Case(
        "grad_cam", "Grad-CAM of 5 classes, ResNet-18", "448 × 448",
        f"grad-cam {version('grad-cam')}", ours, theirs, difference,
    )  # fmt: skip


def sweep() -> Case:
    """Mean IoU at 101 thresholds; ten of the peer's passes are timed."""
    scores = blobs(20, *SIZE)[0] * 4
    truth = blobs(21, *SIZE)[0].argmax(dim=0)

    def ours(device: torch.device) -> Callable[[], np.ndarray]:
        del device  # counting is done on the CPU, where masks are
        return lambda: np.array([np.nanmean(ious(counts)) for counts in sweep_of(truth, scores)])

    def theirs() -> np.ndarray:
        found = []
        for step in range(0, STEPS + 1, 10):
            peak, winner = scores.max(dim=0)
            labels = torch.where(peak > step / STEPS, winner + 1, 0)
            metric = MulticlassJaccardIndex(21, validate_args=False)
            metric.update(labels[None], truth[None])
            found.append(float(metric.compute()))
        return np.array(found)

    def difference(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.abs(one[::10] - other).max())

    return Case(
        "sweep", "mean IoU at 101 thresholds", "20 × 375 × 500",
        f"torchmetrics {version('torchmetrics')} (11 timed)", ours, theirs, difference,
        share=11 / 101,
    )  # fmt: skip


CASES: dict[str, Callable[[], Case]] = {"grad_cam": class_maps, "sweep": sweep}
