"""Writes docs/results.md from the datasets of sweeps/p0-fig2.toml and sweeps/p0-fig3.toml; run it by `docs/make/results`."""

import argparse
import sys
from pathlib import Path

import polars as pl

import boundary
import clusters
import markdown
import provenance
from dataset import Dataset, Refused, open_dataset

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "results.md"
DELTA = 1e-3
BETAS = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5]


def number(value: float | None, digits: int = 2) -> str:
    """A figure in a table; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def boundaries(fig2: Dataset, betas: list[float]) -> dict[tuple[int, float], float | None]:
    """By (d, β): the time at which the mean pair_fraction reaches 1/2, in the time of the states, not of the samples."""
    step = fig2.cells["step"][0]
    rows = (
        fig2.table("series")
        .select("cell", "t", "pair_fraction_mean")
        .join(
            fig2.cells.lazy().select(
                "cell", pl.col("d").alias("dimension"), pl.col("beta").alias("inverse_temperature")
            ),
            on="cell",
        )
        .filter(pl.col("inverse_temperature").is_in(betas))
        .sort("t")
        .collect()
    )
    found = {}
    for (d, beta), group in rows.group_by(["dimension", "inverse_temperature"], maintain_order=True):
        times = [boundary.state_time(t, step) for t in group["t"]]
        found[int(d), beta] = boundary.crossing(times, group["pair_fraction_mean"].to_list(), 0.5)
    return found


def boundary_section(fig2: Dataset, betas: list[float]) -> list[str]:
    """The boundary of the phase diagram beside Γ, and how far from it, by d."""
    n, step, horizon = (fig2.cells[name][0] for name in ("n", "step", "horizon"))
    dimensions = sorted(set(fig2.cells["d"].to_list()))
    found = boundaries(fig2, betas)
    limit = {beta: boundary.gamma_time(beta, n, DELTA) for beta in betas}
    euler = {beta: boundary.gamma_time_euler(beta, n, DELTA, step) for beta in betas}
    lines = [
        "## The boundary of the phase diagram and Γ",
        "",
        f"The time at which the mean of `pair_fraction` (δ = {DELTA:g}) reaches 1/2, linear between the sampled states; a dash: not by "
        f"t = {horizon:g}. Γ is the curve Γ_{{∞,δ}} of P0 (4.11): γ_β(t) = 1 − δ, with γ the common cosine of orthogonal tokens in "
        f"continuous time, (4.8). Γ_η is the same for the authors' scheme with its step η = {step:g}, that is the boundary at "
        "d = ∞ of what was computed here; the differences are taken to it, so that they show the dimension alone.",
        "",
        "| β | Γ | Γ_η | "
        + " | ".join(f"d = {d}" for d in dimensions)
        + " | "
        + " | ".join(f"d = {d}: − Γ_η" for d in dimensions)
        + " |",
        "|" + "---|" * (3 + 2 * len(dimensions)),
    ]
    for beta in betas:
        times = [found.get((d, beta)) for d in dimensions]
        differences = [None if t is None else t - euler[beta] for t in times]
        cells = [
            f"{beta:g}",
            number(limit[beta], 3),
            number(euler[beta], 3),
            *(number(t) for t in times),
            *(number(x) for x in differences),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "How the difference shrinks with d, over the β at which the boundary is reached for this d and for the one before it in the table:",
        "",
    ]
    lines += ["| d | β | mean of \\|t − Γ_η\\|/Γ_η | over that of the d before |", "|---|---|---|---|"]
    for rank, d in enumerate(dimensions):
        before = dimensions[rank - 1] if rank else d
        common = [beta for beta in betas if found.get((d, beta)) is not None and found.get((before, beta)) is not None]
        if not common:
            lines.append(f"| {d} | – | – | – |")
            continue
        mean = {e: sum(abs(found[e, beta] / euler[beta] - 1) for beta in common) / len(common) for e in (before, d)}
        ratio = f"{mean[d] / mean[before]:.3f}" if rank else "–"
        lines.append(f"| {d} | {common[0]:g} … {common[-1]:g} ({len(common)}) | {100 * mean[d]:.2f}% | {ratio} |")
    return [*lines, ""]


def counts_at(fig3: Dataset, beta: float, t: float, replicas: int | None = None) -> list[int]:
    """Number of clusters of each replica (the first `replicas`, or all) of the cell at β, in the row of t."""
    cell = fig3.cells.filter(pl.col("beta") == beta)["cell"][0]
    rows = fig3.table("series").filter((pl.col("cell") == cell) & ((pl.col("t") - t).abs() < 1e-9))
    rows = rows.select("replica", "clusters").sort("replica").collect()
    return [int(k) for k in rows["clusters"].to_list()[:replicas]]


def same_trajectories(fig2: Dataset, fig3: Dataset) -> float:
    """Largest difference between the mean cluster counts of one set of replicas in the two datasets, at t = 18; 0 up to rounding.

    Both sweeps have the same seed, so the replicas of fig2 are the first ones of fig3. Refused where they are not.
    """
    step, replicas = fig2.cells["step"][0], fig2.cells["replicas"][0]
    largest = 0.0
    for beta in (4.0, 9.0):
        cell = fig2.cells.filter((pl.col("d") == 2) & (pl.col("beta") == beta))["cell"][0]
        rows = fig2.table("series").filter(pl.col("cell") == cell).select("t", "clusters_mean").collect()
        state = next(mean for t, mean in rows.iter_rows() if abs(boundary.state_time(t, step) - 18.0) < 1e-6)
        counts = counts_at(fig3, beta, 18.0, replicas)
        largest = max(largest, abs(state - sum(counts) / len(counts)))
    if largest > 1e-9:
        raise Refused(
            f"{fig2.folder} and {fig3.folder} do not hold the same replicas: at t = 18 their mean cluster counts differ by {largest:.2g}. "
            "They come from different seeds or engines; compute both anew."
        )
    return largest


def clusters_section(fig2: Dataset, fig3: Dataset) -> list[str]:
    """Shares of replicas with k clusters beside the independent figures."""
    replicas = fig3.cells["replicas"][0]
    same_trajectories(fig2, fig3)
    lines = [
        "## Clusters on the circle",
        "",
        f"Share of replicas with k clusters (components of cosine ≥ 1 − δ, δ = {DELTA:g}), n = 32, d = 2, ± one binomial standard error. "
        f"Independent: another program's {clusters.INDEPENDENT_STARTS} starts with the same scheme, to the 0.1% they were noted with; "
        "the last column is the difference of the two shares in standard errors of that difference. The "
        f"{fig2.cells['replicas'][0]} replicas of p0-fig2 are the first of p0-fig3's {replicas}, and this command checks that their mean "
        "counts agree at t = 18 (180 steps; in p0-fig2 the row t = 18.09).",
        "",
        "| β | t | clusters | replicas | here | independent | difference / s.e. |",
        "|---|---|---|---|---|---|---|",
    ]
    for (beta, t), independent in clusters.INDEPENDENT.items():
        here = clusters.shares(counts_at(fig3, beta, t))
        for k in sorted(set(here) | set(independent)):
            share, other = here.get(k, 0.0), independent.get(k)
            error = clusters.standard_error(share, replicas)
            deviation = (
                None if other is None else clusters.deviation(share, replicas, other, clusters.INDEPENDENT_STARTS)
            )
            noted = "–" if other is None else f"{100 * other:.1f}%"
            signed = "–" if deviation is None else f"{deviation:+.1f}"
            lines.append(
                f"| {beta:g} | {t:g} | {k} | {round(share * replicas)} | {100 * share:.1f}% ± {100 * error:.1f} | {noted} | {signed} |"
            )
    return [*lines, ""]


def page(fig2: Dataset, fig3: Dataset) -> str:
    """The whole page."""
    command = f"docs/make/results {fig2.folder} {fig3.folder}"
    lines = [
        "# Results",
        "",
        f"Written by `{command}` from the datasets that `metasweep run sweeps/p0-fig2.toml` and `metasweep run sweeps/p0-fig3.toml` "
        "make, never by hand. P0 is *A mathematical perspective on Transformers* (Geshkovski, Letrouit, Polyanskiy, Rigollet).",
        "",
        "## The datasets",
        "",
        *provenance.table([fig2, fig3]),
        "",
        *boundary_section(fig2, BETAS),
        *clusters_section(fig2, fig3),
    ]
    return markdown.wrapped(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="docs/make/results", description=__doc__)
    parser.add_argument(
        "fig2", nargs="?", type=Path, default=Path("out/p0-fig2"), help="dataset of sweeps/p0-fig2.toml"
    )
    parser.add_argument(
        "fig3", nargs="?", type=Path, help="dataset of sweeps/p0-fig3.toml (default: p0-fig3 beside the first)"
    )
    options = parser.parse_args()
    try:
        fig2 = open_dataset(options.fig2, Path("sweeps/p0-fig2.toml"))
        fig3 = open_dataset(options.fig3 or options.fig2.parent / "p0-fig3", Path("sweeps/p0-fig3.toml"))
        text = page(fig2, fig3)
    except Refused as refusal:
        sys.exit(f"docs/make/results: {refusal}")
    PAGE.write_text(text, encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
