"""docs/benchmarks.md says what was measured: the page of benches/peers, from fabricated samples."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benches" / "peers"))

import page  # noqa: E402
import reference  # noqa: E402


def test_medians_and_ratios_reach_the_page():
    text = page.render(
        date="2000-01-01",
        machine={"processor": "Abacus", "cores": 2, "system": "Linux 6", "python": "3.11"},
        others=0.012,
        versions={"p": {"name": "peer", "version": "peer 1.0"}},
        about={"isa": "avx2", "threads": 2},
        sizes=[(32, 2), (32, 3)],
        batches={("p", 32, 2): 256, ("p", 32, 3): 64},
        samples={
            ("p", 32, 2): [4e-6, 6e-6, 8e-6],
            ("metasweep", 32, 2): [0.4e-6, 0.5e-6, 0.6e-6],
            ("p", 32, 3): [4e-6, 6e-6, 8e-6],
            ("metasweep", 32, 3): [0.9e-6, 2e-6, 1e-6],
        },
        differences={"metasweep": 1e-14, "p": 2e-14},
        # Of repeats that each took as long, as the machine was slower: the median is that of the ratios.
        peaks={(32, 2): [1.25e10, 1e10, 0.8e10], (32, 3): [3e10, 1.5e10, 3e10]},
        best={(32, 2): [(0.3e-6, 1.5e10), (0.35e-6, 1.6e10)], (32, 3): [(0.8e-6, 3.1e10), (0.7e-6, 2.9e10)]},
        figure={
            "cells": {("torch", 2): [80.0, 90.0], ("metasweep", 2): [0.4, 0.6], ("torch", 8): [275.0], ("metasweep", 8): [0.5]},
            "dimensions": [2, 8],
            "betas": 10,
            "sampled": [1.0],
            "replicas": 1024,
            "torch_replicas": {2: 256, 8: 64},
            "steps": 300,
            "rounds": 1,
        },
        tried="* Nothing.",
        protocol={"rounds": 1, "steps": 20, "beta": 4.0, "step": 0.1, "repeats": 3},
    )
    assert "2000-01-01 · Abacus, 2 cores" in text and "Other processes took 1.2% of the machine" in text.replace(
        "\n", " "
    )
    assert "| 32, 2 | 6 (5–7, batch 256) | 0.5 (0.45–0.55) |" in text
    assert "| 32, 2 | 12 |" in text
    # d = 3, thrice: 27, 30 and 30 thousand operations; of a pair's 30 nine are products and sums, 27 all that metasweep takes.
    # The fastest repeat, where the machine is at its best: 27 thousand.
    # The best moments, both of all repeats: 0.7 µs at 31 thousand a µs.
    shares = [f"{100 * 496 * count / 30000:.0f}%" for count in (9, 30, 27)]
    shares += [f"{100 * 496 * 30 / operations:.0f}%" for operations in (27000, 0.7 * 31000)]
    assert f"| 32, 3 | {' | '.join(shares)} |" in text
    # d = 2: 22 orders at β = 4, of ten fused multiply-adds and twelve operations a token; 5, 5 and 4.8 thousand in the time of a repeat.
    shares = [f"{100 * count / 5000:.0f}%" for count in (32 * 22 * 10, 496 * 27, 32 * 22 * 12)]
    shares += [f"{100 * 496 * 27 / operations:.0f}%" for operations in (5000, 0.3 * 16000)]
    assert f"| 32, 2 | {' | '.join(shares)} |" in text and "Orders at β = 4: 22 at n = 32." in text.replace("\n", " ")
    assert "| 2 | 85 | 0.5 | 170 |" in text and "| 8 | 275 | 0.5 | 550 |" in text
    assert "| whole | 1.00 hours | 10 s | 360 |" in text and text.rstrip().endswith("* Nothing.")
    assert "metasweep 1e-14, peer 2e-14" in text.replace("\n", " ")


def test_the_reference_takes_the_authors_step():
    """Two tokens on the circle, β = 0: each moves by η times the mean of both, then back to the circle."""
    angle, step = 0.8, 0.1
    x = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
    moved = x[0] + step * (x[0] + x[1]) / 2
    assert np.allclose(reference.advance(x, 0.0, step, 1)[0], moved / np.linalg.norm(moved), atol=1e-15)
    turned = x @ np.array([[0.6, -0.8], [0.8, 0.6]])
    assert reference.largest_difference(x, turned) < 1e-15
