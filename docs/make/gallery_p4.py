"""Sections of the gallery for P4: alignment, diffusion on the circle, the three phases."""

import numpy as np
import polars as pl

from dataset import Dataset

CENTRES = [(0.2, np.pi / 2), (0.5, 0.0), (0.3, 4 * np.pi / 3)]


def alignment(dataset: Dataset) -> tuple[str, list[str]]:
    means = [pl.col(name).mean() for name in ("leading_eigenspace_distance", "order")]
    rows = dataset.table("series").group_by("value", "t").agg(means).sort("value", "t").collect()
    n, replicas = dataset.cells["n"][0], dataset.manifest["replicas"]
    lines = [
        "First phase (Theorem 3.2, Proposition 3.4): tokens follow the linear flow of V KᵀQ, normalized, and collapse on the leading eigenspace: a line, "
        "or for a complex pair a great circle, along which they turn. The paper shows both (N = 10⁴, d = 3, β = 30; its matrices are not printed). "
        "Mean distance of the tokens to the leading eigenspace, and the length of their mean; "
        f"N = {n}{'' if replicas == 1 else f', {replicas} replicas'}:",
        "",
        "| V | t | distance to the leading eigenspace | order |",
        "|---|---|---|---|",
    ]
    for value, t, distance, order in rows.rows():
        lines.append(f"| {value} | {t:g} | {distance:.4f} | {order:.4f} |")
    return "P4 Figure 1: alignment", lines


def density(dataset: Dataset, d: int, t: float) -> tuple[np.ndarray, np.ndarray]:
    """Centres of the azimuth's bins and the normalized density."""
    rows = (
        dataset.table("histogram")
        .filter(pl.col("of") == "azimuth", pl.col("d") == d, (pl.col("t") - t).abs() < 1e-9)
        .sort("bin_low")
        .collect()
    )
    low, high, count = (rows[name].to_numpy() for name in ("bin_low", "bin_high", "count"))
    return (low + high) / 2, count / count.sum() / (high - low)


def mixture(angles: np.ndarray, variance: float) -> np.ndarray:
    """The mixture of wrapped Gaussians with this variance."""
    turns = np.arange(-4, 5) * 2 * np.pi
    total = np.zeros_like(angles)
    for weight, centre in CENTRES:
        for turn in turns:
            total += weight * np.exp(-((angles - centre + turn) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    return total


def variance_after(start: float, beta: float, t: float, sign: int) -> float:
    """The finite-β law ds/dt = ±2s/(1+βs), by small steps; + spreads."""
    s, steps = start, 20000
    for _ in range(steps):
        middle = s + sign * (t / steps / 2) * 2 * s / (1 + beta * s)
        s += sign * (t / steps) * 2 * middle / (1 + beta * middle)
    return s


def backward(dataset: Dataset) -> tuple[str, list[str]]:
    lines = [
        "V = +: the density sharpens (backward heat equation in t/β); the paper's figure (d = 3, β = 10, N = 10⁴) shows clusters at the maxima of the mixture, 0, π/2 = 1.57 "
        "and 4π/3 = 4.19. βσ² is 0.4 there, and ≫ 1 is what the heat limit needs: the circle with β = 200 is added. Places of the histogram's three highest "
        "separate peaks (bins of 0.035), and the share of tokens within 0.3 of a centre:",
        "",
        "| d | β | t | peaks (radians) | share near a centre |",
        "|---|---|---|---|---|",
    ]
    cells = dataset.cells.select("d", "beta").sort("d").rows()
    for d, beta in cells:
        for t in (0.0, 2.0, 8.0):
            angles, found = density(dataset, d, t)
            peaks: list[float] = []
            for index in np.argsort(-found):
                apart = [abs((angles[index] - peak + np.pi) % (2 * np.pi) - np.pi) for peak in peaks]
                if all(distance > 0.6 for distance in apart):
                    peaks.append(float(angles[index]))
                if len(peaks) == 3:
                    break
            near = np.zeros_like(angles, dtype=bool)
            for _, centre in CENTRES:
                near |= np.abs((angles - centre + np.pi) % (2 * np.pi) - np.pi) < 0.3
            share = found[near].sum() / found.sum()
            lines.append(f"| {d} | {beta:g} | {t:g} | {', '.join(f'{p:.2f}' for p in sorted(peaks))} | {share:.3f} |")
    return "P4 Figure 2: backward diffusion", lines


def forward(dataset: Dataset) -> tuple[str, list[str]]:
    beta, start = dataset.cells["beta"][0], 0.3**2
    n = dataset.cells["n"][0]
    lines = [
        "V = −: the density spreads. The paper shows N = 5·10⁴ tokens (dt = 10⁻³), whose histogram matches the forward heat equation; "
        + ("as many here, in angles" if n == 50000 else f"here N = {n}")
        + ". L¹ distance of the histogram "
        "to the mixture with the heat equation's variance s + 2t/β, with the finite-β variance (ds/dt = 2s/(1+βs)), to the initial mixture, and what N "
        "independent samples of the law would be away from it, Σ √(2p(1−p)/πN) over the bins:",
        "",
        "| t | heat equation | finite β | initial | samples |",
        "|---|---|---|---|---|",
    ]
    for t in (0.0, 0.25, 0.5, 1.0):
        angles, found = density(dataset, 2, t)
        width = 2 * np.pi / len(angles)
        laws = [start + 2 * t / beta, variance_after(start, beta, t, 1), start]
        cells = [f"{np.abs(found - mixture(angles, law)).sum() * width:.3f}" for law in laws]
        shares = mixture(angles, laws[0]) * width
        cells.append(f"{np.sqrt(2 * shares * (1 - shares) / (np.pi * n)).sum():.3f}")
        lines.append(f"| {t:g} | " + " | ".join(cells) + " |")
    return "P4 Figure 3: forward diffusion", lines


def phases(dataset: Dataset) -> tuple[str, list[str]]:
    rows = dataset.table("series").filter(pl.col("replica") == 0).sort("t").collect()
    lines = [
        "The figure shows the interaction energy of four wrapped Gaussians over log time, rising in three phases. One replica of ours (n = 400, S = diag(1, 1, 0.1)): "
        "alignment with the leading plane, clusters at the maxima of the density, and merging in steps.",
        "",
        "| t | energy | clusters | distance to the leading eigenspace |",
        "|---|---|---|---|",
    ]
    for index in np.linspace(0, len(rows) - 1, 14).round().astype(int):
        row = rows.row(int(index), named=True)
        lines.append(f"| {row['t']:.3g} | {row['energy']:.5f} | {row['clusters']} | {row['leading_eigenspace_distance']:.4f} |")
    return "P4 Figure 4: three phases", lines


SECTIONS = {"p4-fig1": alignment, "p4-fig2": backward, "p4-fig3": forward, "p4-fig4": phases}
