"""docs/benchmarks.md from what compare.py measured."""

import statistics
import textwrap

import figure2
import ours


def _spread(samples: list[float]) -> str:
    """First and third quartile in µs."""
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return f"{_figure(1e6 * low)}–{_figure(1e6 * high)}"


def _figure(value: float) -> str:
    """Three significant digits, never in exponential notation."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _limits(sizes, samples, peaks, best, beta) -> list[str]:
    """metasweep's time as a share of what the machine allows."""
    every = [peak for size in sizes for peak in peaks[size]]
    lines = [
        f"What the machine can do at most, measured between metasweep's steps, after each 300 of them for an eighth of their time: {statistics.median(every) / 1e9:.1f}·10⁹ fused "
        "multiply-adds a second (one lane's each, all cores; median). Of the time of each repeat, the share that takes at the rate measured in it: "
        "metasweep's fused multiply-adds (of inner products and sums, 3d a pair); the issue-limited bound of sums over pairs, 3d + 21 "
        "lane operations a pair (Z of both tokens 2, the exponential and its argument 19), each taking the place of a fused multiply-add; and "
        "as many operations as metasweep takes itself, whose exponential is one of 16. Medians. Gram matrix included, d > n in n coordinates. "
        "Others on the same host slow each repeat down by as much as they like. The last two columns are no medians, but the bound's share in the fastest of all "
        "repeats, and in the best moments of all: each core in its fastest 300 steps from a start, while the others work as well or have just finished "
        "a repeat; both at the highest rate of multiply-adds that was measured over a repeat, or between two such stretches, of that size.",
        "",
        "| n, d | share of FMA peak | share of the issue-limited bound | share of its own operations | of the bound, fastest repeat | of the bound, best moments |",
        "|---|---|---|---|---|---|",
    ]
    for n, d in sizes:
        repeats = list(zip(samples["metasweep", n, d], peaks[n, d], strict=True))
        share = lambda count: statistics.median(count / peak / seconds for seconds, peak in repeats)
        operations = ours.operations(n, d, beta)
        fastest = operations[1] / max(peaks[n, d]) / min(samples["metasweep", n, d])
        moments = operations[1] / max(peak for _, peak in best[n, d]) / min(seconds for seconds, _ in best[n, d])
        shares = [f"{100 * value:.0f}%" for value in (*map(share, operations), fastest, moments)]
        lines.append(f"| {n}, {d} | " + " | ".join(shares) + " |")
    series = [f"{ours.orders(n, d, beta)} at n = {n}" for n, d in sizes if ours.orders(n, d, beta)]
    if series:
        lines += [
            "",
            "At d = 2 no exponential of a pair is taken: sums go by Fourier series (docs/models.md, \"Two coordinates\"), 12 operations a token "
            f"and order, ten of them fused multiply-adds. Orders at β = {beta:g}: {', '.join(series)}. The second column there says how "
            "much sooner it is done than any sum over pairs could be.",
        ]
    return [*lines, ""]


def _figure_2(figure) -> list[str]:
    """The section on P0's Figure 2."""
    betas, replicas = figure["betas"], figure["replicas"]
    shares = ", ".join(f"{count} at d = {d}" for d, count in figure["torch_replicas"].items())
    lines = [
        "## P0's Figure 2 whole, statistics included",
        "",
        f"`sweeps/p0-fig2.toml`: {len(figure['dimensions'])} dimensions, {betas} β, {replicas} replicas a cell, {figure['steps']} steps. "
        "torch computes the authors' figure: their step, and the share of pairs within δ at the same times (`torch_figure2.py`). "
        "metasweep computes what the sweep file asks for: clusters and close pairs at those times, and after every step collapse and "
        "plateaus, until all of that is certain; all cells, from the start of the binary to the last Parquet file. torch computes part of "
        f"the replicas ({shares}) at β = {', '.join(f'{beta:g}' for beta in figure['sampled'])}, scaled to all: its time does not depend on "
        f"β. Both took turns, {figure['rounds']} rounds; medians.",
        "",
        "| d | torch, s a cell | metasweep, s a cell | ratio |",
        "|---|---|---|---|",
    ]
    for d in figure["dimensions"]:
        theirs, own = (statistics.median(figure["cells"][name, d]) for name in ("torch", "metasweep"))
        lines.append(f"| {d} | {_figure(theirs)} | {_figure(own)} | {_figure(theirs / own)} |")
    theirs, own = figure2.whole(figure, "torch"), figure2.whole(figure, "metasweep")
    lines.append(f"| whole | {theirs / 3600:.2f} hours | {own:.0f} s | {_figure(theirs / own)} |")
    return [*lines, ""]


def render(
    *,
    date,
    machine,
    others,
    versions,
    about,
    sizes,
    batches,
    samples,
    differences,
    peaks,
    best,
    figure,
    tried,
    protocol,
) -> str:
    """The whole page. `samples`: seconds per system-step by (competitor, n, d), `peaks`: fused multiply-adds a second by (n, d), `best`: both in the best moments by (n, d); the other arguments as in compare.main."""
    peers = list(versions)
    lines = [
        "# Benchmarks",
        "",
        "Written by `benches/peers/run` (see benches/README.md); no figure here was typed in.",
        "",
        f"{date} · {machine['processor']}, {machine['cores']} cores · {machine['system']} · Python {machine['python']} · "
        + " · ".join(versions[peer]["version"] for peer in peers)
        + f" · metasweep with {about['isa']}, {about['threads']} threads. "
        f"Other processes took {100 * others:.1f}% of the machine meanwhile.",
        "",
        "## One step of the authors' scheme",
        "",
        f"x ← normalize(x + η softmax(β x xᵀ) x), f64, V = B = I, β = {protocol['beta']:g}, η = {protocol['step']:g}. Time of one step of "
        "one system in µs, many systems at once on all cores, without statistics. All competitors took turns in one run: "
        f"{protocol['rounds']} rounds, {protocol['repeats']} repeats each; median, and the quartiles of all repeats in brackets. Each "
        "peer at the batch size at which it is fastest here.",
        "",
        "| n, d | " + " | ".join(versions[peer]["name"] for peer in peers) + " | metasweep |",
        "|---|" + "---|" * (len(peers) + 1),
    ]
    for n, d in sizes:
        cells = []
        for name in [*peers, "metasweep"]:
            measured = samples[name, n, d]
            batch = f", batch {batches[name, n, d]}" if name in peers else ""
            cells.append(f"{_figure(1e6 * statistics.median(measured))} ({_spread(measured)}{batch})")
        lines.append(f"| {n}, {d} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Times as long as metasweep, medians over medians:",
        "",
        "| n, d | " + " | ".join(versions[peer]["name"] for peer in peers) + " |",
        "|---|" + "---|" * len(peers),
    ]
    for n, d in sizes:
        own = statistics.median(samples["metasweep", n, d])
        ratios = [f"{_figure(statistics.median(samples[peer, n, d]) / own)}" for peer in peers]
        lines.append(f"| {n}, {d} | " + " | ".join(ratios) + " |")
    lines += ["", *_limits(sizes, samples, peaks, best, protocol["beta"])]
    agreement = ", ".join(
        f"{'metasweep' if name == 'metasweep' else versions[name]['name']} {value:.0e}"
        for name, value in differences.items()
    )
    lines += [
        "Where d > n metasweep works in the n coordinates of the tokens' span, which is the same system exactly.",
        "",
        f"All compute the same thing: from the same tokens (drawn by metasweep, where d > n in their span), after {protocol['steps']} steps, no "
        f"cosine of two tokens differs from a plain numpy loop's by more than: {agreement}.",
        "",
        *_figure_2(figure),
        "## What was tried and did not help",
        "",
        *tried.strip().splitlines(),
        "",
    ]
    # Prose is wrapped for people who read the source; tables and headings are not.
    whole = ("|", "#", "*")
    return "\n".join(x if x.startswith(whole) else textwrap.fill(x, 120, break_on_hyphens=False) for x in lines)
