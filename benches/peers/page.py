"""docs/benchmarks.md from what compare.py measured."""

import statistics
import textwrap


def _spread(samples: list[float]) -> str:
    """First and third quartile in µs."""
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return f"{_figure(1e6 * low)}–{_figure(1e6 * high)}"


def _figure(value: float) -> str:
    """Three significant digits, never in exponential notation."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def render(*, date, machine, others, versions, about, sizes, batches, samples, differences, protocol) -> str:
    """The whole page. `samples`: seconds per system-step by (competitor, n, d); the other arguments as in compare.main."""
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
    agreement = ", ".join(
        f"{'metasweep' if name == 'metasweep' else versions[name]['name']} {value:.0e}"
        for name, value in differences.items()
    )
    lines += [
        "",
        "Where d > n metasweep works in the n coordinates of the tokens' span, which is the same system exactly.",
        "",
        f"All compute the same thing: from the same tokens (drawn by metasweep, where d > n in their span), after {protocol['steps']} steps, no "
        f"cosine of two tokens differs from a plain numpy loop's by more than: {agreement}.",
        "",
    ]
    # Prose is wrapped for people who read the source; tables and headings are not.
    whole = ("|", "#")
    return "\n".join(x if x.startswith(whole) else textwrap.fill(x, 120, break_on_hyphens=False) for x in lines)
