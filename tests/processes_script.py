"""What tests/test_processes.py launches.

Arguments: a data folder, one for the answers, batches of a step, seconds to wait at each of them.
"""

import json
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from accelerate import PartialState

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.test_engine import SGD, Calm
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView
from wsss_lib.engine import chain

seen = 0


class Counting(Calm):
    """Counts the images that it learns from; one of its terms waits for its turn."""

    def __init__(self):
        super().__init__()
        self.late = torch.nn.Parameter(torch.zeros(1))

    def loss(self, batch):
        global seen
        seen += len(batch.ids)
        time.sleep(pause)
        terms = super().loss(batch)
        if self.progress >= 0.5:
            terms["late"] = (self.late.sum() - 1).square()
        return terms


data, out, accumulate, pause = *sys.argv[1:4], float(sys.argv[4])
chain.fit = partial(chain.fit, save_every=1)
method = Counting()
method.recipe = replace(SGD, batch_size=3, accumulate=int(accumulate))
stage = chain.run([method], WeakView(SegmentationFolder(data)), folder=out, cpu=True)[0]
state = PartialState()
found = {
    "processes": state.num_processes,
    "seen": seen,
    "answered": method.answered,
    "losses": stage.fitted.losses,
    "weights": [weight.flatten().tolist() for weight in method.parameters()],
    "scores": {id: stage.scores[id].mean().item() for id in stage.scores},
}
Path(out, f"found_{state.process_index}.json").write_text(json.dumps(found))
