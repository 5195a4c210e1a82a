"""P0's Figure 2 in torch, one cell of it: the authors' step and their statistic, batched over systems; called by figure2.py.

    torch_figure2.py N D BETA REPLICAS BATCH SAMPLES.json    the share of pairs i ≠ j with ⟨x_i, x_j⟩ ≥ 1 − δ after so many steps each

SAMPLES.json: {"step": η, "delta": δ, "steps": [number of steps before each sample, ascending]}. Prints one line of JSON: the seconds it
took, drawing the tokens included and torch's start left out, and the mean share at each sample.
"""

import json
import sys
import time

import torch


@torch.inference_mode()
def cell(n: int, d: int, beta: float, replicas: int, batch: int, step: float, delta: float, steps: list[int]) -> list[float]:
    """Mean share of close pairs at each sample."""
    generator = torch.Generator().manual_seed(20231215)
    close = torch.zeros(len(steps), dtype=torch.float64)
    for first in range(0, replicas, batch):
        systems = min(batch, replicas - first)
        x = torch.nn.functional.normalize(torch.randn(systems, n, d, dtype=torch.float64, generator=generator), dim=-1)
        taken = 0
        for sample, wanted in enumerate(steps):
            while taken < wanted:
                weights = torch.softmax(beta * (x @ x.transpose(1, 2)), dim=-1)
                x = torch.nn.functional.normalize(x + step * (weights @ x), dim=-1)
                taken += 1
            near = torch.count_nonzero(x @ x.transpose(1, 2) >= 1 - delta)
            # A token is always near itself, up to rounding: not a pair.
            near -= torch.count_nonzero((x * x).sum(-1) >= 1 - delta)
            close[sample] += near
    return (close / (replicas * n * (n - 1))).tolist()


def main() -> None:
    n, d, beta, replicas, batch, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        samples = json.load(file)
    cell(int(n), int(d), float(beta), 1, 1, samples["step"], samples["delta"], [0, 2])
    began = time.perf_counter()
    shares = cell(int(n), int(d), float(beta), int(replicas), int(batch), **samples)
    print(json.dumps({"seconds": time.perf_counter() - began, "shares": shares}))


if __name__ == "__main__":
    main()
