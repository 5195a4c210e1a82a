"""Sections of the gallery for P0: random matrices (Figure 4) and repelling tokens (§8.1)."""

import math

import numpy as np
import polars as pl

from dataset import Dataset

# Minimal configurations: name, and how often each cosine occurs among the ordered pairs of a token.
RHO = 1 / math.sqrt(5)
CONFIGURATIONS = {
    (3, 2): ("simplex", {-1 / 2: 2}),
    (4, 3): ("simplex", {-1 / 3: 3}),
    (5, 4): ("simplex", {-1 / 4: 4}),
    (9, 8): ("simplex", {-1 / 8: 8}),
    (4, 2): ("cross-polytope", {0.0: 2, -1.0: 1}),
    (6, 3): ("cross-polytope", {0.0: 4, -1.0: 1}),
    (8, 4): ("cross-polytope", {0.0: 6, -1.0: 1}),
    (12, 3): ("icosahedron", {RHO: 5, -RHO: 5, -1.0: 1}),
}


def energy(n: int, beta: float, cosines: dict[float, int]) -> float:
    """n^{-2} Σ e^{β(c−1)} over all ordered pairs, the token itself included."""
    return (1 + sum(count * math.exp(beta * (cosine - 1)) for cosine, count in cosines.items())) / n


def random_matrices(dataset: Dataset) -> tuple[str, list[str]]:
    last = (
        dataset.table("series")
        .filter(pl.col("t") == pl.col("t").max())
        .select("query_key", "value", "sharing", "beta", "clusters_mean", "mean_cosine_mean", "span_dimension_mean")
        .sort("query_key", "value", "sharing", "beta")
        .collect()
    )
    lines = [
        "The paper shows that with random (Q, K, V), n = 32, d = 128, clusters and low-dimensional spans emerge, more so along the gradient of the "
        "energy. At t = 30, means over replicas:",
        "",
        "| QᵀK | V | sharing | β | clusters | mean cosine | span dimension |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in last.iter_rows():
        q, v, s, beta, clusters, cosine, span = row
        lines.append(f"| {q} | {v} | {s} | {beta:g} | {clusters:.2f} | {cosine:.3f} | {span:.1f} |")
    return "P0 Figure 4: random matrices", lines


def gradient(x: np.ndarray, beta: float) -> float:
    """Norm of the gradient on the spheres of n^{−2} Σ_ij e^{β(⟨x_i, x_j⟩ − 1)}, all tokens together."""
    pull = np.exp(beta * (x @ x.T - 1)) @ x
    tangent = pull - (pull * x).sum(axis=1, keepdims=True) * x
    return float(2 * beta / len(x) ** 2 * np.linalg.norm(tangent))


def repulsive(dataset: Dataset) -> tuple[str, list[str]]:
    found = (
        dataset.table("replicas")
        .group_by("n", "d", "beta")
        .agg(pl.col("energy_final").min().alias("least"), pl.col("energy_final").max().alias("most"))
        .sort("n", "d", "beta")
        .collect()
    )
    tokens = dataset.table("tokens").sort("replica", "token").collect()
    lines = [
        "V = −I from uniform tokens: known minimizers (Cohn and Kumar) and the energy that the replicas end with, relative to theirs; the largest norm of "
        "the energy's gradient on the spheres at the end, t = 2000.",
        "",
        "| n | d | β | minimizer | its energy | best replica − 1 | worst replica − 1 | gradient |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for n, d, beta, least, most in found.iter_rows():
        name, cosines = CONFIGURATIONS[n, d]
        known = energy(n, beta, cosines)
        of = tokens.filter(pl.col("n") == n, pl.col("d") == d, pl.col("beta") == beta)
        steepest = max(gradient(np.array(x), beta) for _, x in of.group_by("replica").agg(pl.col("x")).iter_rows())
        lines.append(
            f"| {n} | {d} | {beta:g} | {name} | {known:.9f} | {least / known - 1:+.1e} | {most / known - 1:+.1e} | {steepest:.1e} |"
        )
    return "P0 §8.1: repelling tokens", lines


SECTIONS = {"p0-fig4": random_matrices, "p0-repulsive": repulsive}
