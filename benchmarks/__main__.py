"""``python -m benchmarks [NAME...]``: print one table, write ``results/bench/*.json``."""

from pathlib import Path
from statistics import median
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from tqdm.auto import tqdm

from benchmarks import cases, map_cases
from benchmarks.timing import measure
from wsss_lib.core import InputError
from wsss_lib.results import commit, cpu_name, summarise, write_json

CASES = cases.CASES | map_cases.CASES


def line(found: dict[str, Any]) -> list[str]:
    """The cells of one row of the table."""
    mine = median(run["ours_seconds"] for run in found["runs"])
    other = median(run["peer_seconds"] for run in found["runs"])
    gpu = f"{found['gpu']['seconds']:.3g} s" if "gpu" in found else "–"
    return [
        found["operation"],
        found["size"],
        f"{mine:.3g} s",
        f"{found['peer']}: {other:.3g} s",
        f"{found['ratio']:.2f} ×",
        f"{found['ratio_one_thread']:.2f} ×",
        f"{found['difference']:.1e}",
        f"{found['ours_peak_mb']:.0f} / {found['peer_peak_mb']:.0f} MiB",
        gpu,
    ]


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Cases to run; all if none.")] = None,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/bench"),
) -> None:
    """Time our blocks against their peers."""
    unknown = set(names or ()) - set(CASES)
    if unknown:
        raise InputError(f"no such case: {', '.join(sorted(unknown))}; there are {list(CASES)}.")
    table = Table(
        "operation",
        "size",
        "ours",
        "peer",
        "ratio",
        "one thread each",
        "difference",
        "peak memory",
        "GPU",
    )
    for name in tqdm(names or CASES, desc="bench"):
        case = CASES[name]()
        found = measure(case)
        table.add_row(*line(found))
        write_json(
            out / f"{name}.json",
            {
                "method": name,
                **found,
                "summary": summarise(found["runs"]),
                "device": cpu_name(),
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
                "commit": commit(),
            },
        )
    Console(width=160).print(table)


if __name__ == "__main__":
    typer.run(main)
