"""An answer that is refined step by step, beside a branch that draws boundaries."""

import pytest
import torch
from torch import nn

from tests.loops import one_at_another_size
from wsss_lib.nets.backbones.toy import ToyCNN
from wsss_lib.nets.marks.guided import GuidedNet, Refinement, toy_guided


def test_a_step_adds_shallow_features_and_reads_classes_again():
    torch.manual_seed(0)
    step = Refinement(3, 4, 2, num_classes=2).eval()
    coarse, shallow, edges = (
        torch.rand(2, 4, 3, 3),
        torch.rand(2, 3, 6, 5),
        torch.rand(2, 2, 12, 10),
    )
    refined, answer = step(coarse, shallow, edges)
    for b in range(2):
        projected = step.project(shallow[b : b + 1])[0]
        fused = one_at_another_size(coarse[b], (6, 5)) + projected
        fused = torch.cat([fused, one_at_another_size(edges[b], (6, 5))])
        wanted = step.mix(fused[None])[0]
        assert torch.allclose(refined[b], wanted, atol=1e-5)
        assert torch.allclose(answer[b], step.classifier(wanted[None])[0], atol=1e-5)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (1, 1)])
def test_steps_grow_finer_and_the_last_one_answers(size):
    torch.manual_seed(0)
    net = GuidedNet(ToyCNN(), 3, (1, 2), width=8, levels=(1, 0), detail=5, edges=4).eval()
    image = torch.rand(2, 3, *size)
    answers, boundary = net.read(image)
    heights = [answer.shape[2] for answer in answers]
    assert len(answers) == 4
    assert heights == sorted(heights)
    assert answers[-1].shape == (2, 4, *size)
    assert torch.equal(net(image), answers[-1])
    assert boundary.shape[:2] == (2, 1)
    half = nn.functional.interpolate(image, size, mode="bilinear")
    assert torch.equal(net(half), net(image))


def test_without_detail_the_answer_is_brought_to_the_size_of_the_image():
    net = GuidedNet(ToyCNN(), 3, (1,), width=8, edges=4).eval()
    image = torch.rand(1, 3, 32, 32)
    answers, _ = net.read(image)
    assert answers[-1].shape == (1, 4, 16, 16)
    assert torch.allclose(net(image)[0], one_at_another_size(answers[-1][0], (32, 32)), atol=1e-5)


def test_boundaries_guide_every_step_of_the_refinement_and_not_the_pyramid():
    torch.manual_seed(0)
    net, image = toy_guided(2).eval(), torch.rand(1, 3, 32, 32)
    answers, _ = net.read(image)
    with torch.no_grad():
        net.perception.read.bias += 1
    moved, _ = net.read(image)
    assert [torch.equal(*pair) for pair in zip(answers, moved, strict=True)] == [True, False, False]


def test_without_boundaries_the_rest_is_the_same_network():
    whole, bare = toy_guided(2), toy_guided(2, edges=0)
    assert bare.eval().read(torch.rand(1, 3, 16, 16))[1] is None
    shapes = [
        {name: weight.shape for name, weight in net.named_parameters() if ".mix.0" not in name}
        for net in (whole, bare)
    ]
    branch = {name for name in shapes[0] if name.split(".")[0] in ("perception", "boundary")}
    assert branch
    assert {name: shapes[0][name] for name in shapes[0] if name not in branch} == shapes[1]
