"""Sections of the gallery for P2: the energy staircase, layer norms, long contexts, noise."""

import math

import polars as pl

from dataset import Dataset


def staircase(dataset: Dataset) -> tuple[str, list[str]]:
    merges = dataset.table("merges").group_by("beta", "replica").agg(pl.len().alias("merges")).collect()
    plateaus = dataset.table("plateaus").collect()
    lines = [
        "The figure shows the energy of five tokens climbing in steps, one a merge, flat in between. Plateaus by number of clusters:",
        "",
        "| β | clusters | plateaus | median lifetime | still on at the horizon | energy: mean |",
        "|---|---|---|---|---|---|",
    ]
    grouped = plateaus.group_by("beta", "clusters").agg(
        pl.len(), pl.col("lifetime").median(), pl.col("censored").sum(), pl.col("energy").mean()
    )
    for beta, clusters, count, lifetime, censored, energy in grouped.sort("beta", "clusters", descending=[False, True]).iter_rows():
        lines.append(f"| {beta:g} | {clusters} | {count} | {lifetime:.3g} | {censored} | {energy:.4f} |")
    for (beta,), rows in merges.group_by(["beta"], maintain_order=True):
        lines += ["", f"At β = {beta:g} a replica has {rows['merges'].mean():.2f} merges on average, of 4 to one cluster."]
    return "P2 Figure 2: the energy staircase", lines


def layer_norms(dataset: Dataset) -> tuple[str, list[str]]:
    rows = dataset.table("series").filter(pl.col("t").is_in([0.0, 2.0, 5.0, 10.0, 20.0])).sort("value", "layer_norm", "t").collect()
    lines = [
        "The figure shows the mean cosine over depth, d = 512, β = √d, random weights: fastest under `post`, delayed by the other layer norms. The weights "
        "are not printed; V here has N(0, 1) entries, so ‖A‖ is of order √d = 23 and schemes that do not divide by it (`post`, `sqrt`, `mix` before its switch) "
        "are that much faster. With V = QᵀK = I and β = √d tokens see little but themselves, and nothing moves. Mean, and the 0.05 and 0.95 quantiles over replicas.",
        "",
        "| QᵀK, V | layer norm | t = 2 | 5 | 10 | 20 |",
        "|---|---|---|---|---|---|",
    ]
    for (value, scheme), group in rows.group_by(["value", "layer_norm"], maintain_order=True):
        cells = []
        for t in (2.0, 5.0, 10.0, 20.0):
            row = group.filter(pl.col("t") == t).row(0, named=True)
            cells.append(f"{row['mean_cosine_mean']:.3f} ({row['mean_cosine_q5']:.3f}–{row['mean_cosine_q95']:.3f})")
        lines.append(f"| {value} | `{scheme}` | " + " | ".join(cells) + " |")
    return "P2 Figure 4: layer norms", lines


def one_layer(n: int, gamma: float, rho: float) -> float:
    """The output cosine of one attention layer on n equiangular tokens, exactly."""
    beta = gamma * math.log(n)
    z = 1 + (n - 1) * math.exp(beta * (rho - 1))
    a, b = 1 / z, math.exp(beta * (rho - 1)) / z
    # x_i ↦ (a − b) x_i + b s, s the sum; ⟨x_i, s⟩ = 1 + (n−1)ρ.
    c, s = a - b, 1 + (n - 1) * rho
    across = c * c * rho + 2 * c * b * s + b * b * n * s
    own = c * c + 2 * c * b * s + b * b * n * s
    return across / own


def long_context(dataset: Dataset) -> tuple[str, list[str]]:
    rho, critical = 0.5, 2.0
    rows = dataset.table("series").filter(pl.col("geometry") == "sphere", pl.col("t") == 1.0).sort("gamma", "n").collect()
    sizes = sorted(set(rows["n"].to_list()))
    worst = 0.0
    lines = [
        f"Theorem 7, one layer without residual on equiangular tokens, ρ = {rho:g}, β = γ log n: as n grows the output cosine tends to 1, to "
        f"4ρ/(1+3ρ) = {4 * rho / (1 + 3 * rho):g} and to ρ for γ below, at and above 1/(1−ρ) = {critical:g}.",
        "",
        "| γ | limit | " + " | ".join(f"n = {n}" for n in sizes) + " |",
        "|---|---|" + "---|" * len(sizes),
    ]
    for (gamma,), group in rows.group_by(["gamma"], maintain_order=True):
        limit = 1 if gamma < critical else rho if gamma > critical else 4 * rho / (1 + 3 * rho)
        values = []
        for n in sizes:
            value = group.filter(pl.col("n") == n)["mean_cosine"][0]
            worst = max(worst, abs(value - one_layer(n, gamma, rho)))
            values.append(f"{value:.4f}")
        lines.append(f"| {gamma:g} | {limit:g} | " + " | ".join(values) + " |")
    lines += ["", f"The largest difference to the exact formula at finite n is {worst:.1e}. The flow (equiangular, d = n, t = 20), cosine:", ""]
    flow = dataset.table("series").filter(pl.col("geometry") == "equiangular", pl.col("t") == 20.0).sort("gamma", "n").collect()
    sizes = sorted(set(flow["n"].to_list()))
    lines += ["| γ | " + " | ".join(f"n = {n}" for n in sizes) + " |", "|---|" + "---|" * len(sizes)]
    for (gamma,), group in flow.group_by(["gamma"], maintain_order=True):
        lines.append(f"| {gamma:g} | " + " | ".join(f"{value:.4f}" for value in group.sort("n")["mean_cosine"]) + " |")
    return "P2 §6.3: long contexts", lines


def branch(kappa: float, d: int) -> float:
    """The order r > 0 of the stationary branch at β = 0: r = I_{d/2}(κr)/I_{d/2−1}(κr), by the integral over the angle."""
    r = 1.0
    for _ in range(2000):
        steps = 4000
        top = bottom = 0.0
        for k in range(steps):
            angle = math.pi * (k + 0.5) / steps
            weight = math.exp(kappa * r * (math.cos(angle) - 1)) * math.sin(angle) ** (d - 2)
            top += math.cos(angle) * weight
            bottom += weight
        before, r = r, top / bottom
        if abs(before - r) < 1e-10:
            break
    return r


def noise(dataset: Dataset) -> tuple[str, list[str]]:
    rows = (
        dataset.table("series")
        .filter(pl.col("t") >= 20)
        .group_by("d", "beta", "kappa")
        .agg(pl.col("mean_cosine_mean").mean(), pl.col("n").first())
        .sort("d", "beta", "kappa")
        .collect()
    )
    lines = [
        "At β = 0 the uniform law is the only stationary one for κ ≤ d; above, a branch with order r = I_{d/2}(κr)/I_{d/2−1}(κr) appears (P2 §7 for d = 2). "
        "Here r is the root of the mean of ‖(1/n)Σx_i‖² = 1/n + (1 − 1/n)·`mean_cosine` over t ∈ [20, 40] and replicas; of independent tokens it is 1/√n = "
        f"{1 / math.sqrt(rows['n'][0]):.2f}.",
        "",
        "| d | β | κ | order | branch |",
        "|---|---|---|---|---|",
    ]
    for d, beta, kappa, cosine, n in rows.iter_rows():
        order = math.sqrt(max(0.0, 1 / n + (1 - 1 / n) * cosine))
        theory = f"{branch(kappa, d) if kappa > d else 0.0:.3f}" if beta == 0 else "–"
        lines.append(f"| {d} | {beta:g} | {kappa:g} | {order:.3f} | {theory} |")
    return "P2 §7: noise", lines


SECTIONS = {"p2-fig2": staircase, "p2-fig4": layer_norms, "p2-long-context": long_context, "p2-noise": noise}
