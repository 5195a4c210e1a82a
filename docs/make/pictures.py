"""Writes docs/pictures.md and docs/pictures/*.png: what the papers draw, each by a sweep file and one `figure` command."""

import shlex
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/python"))

from harness import metasweep  # noqa: E402
from markdown import wrapped  # noqa: E402

# Sweep, replicas here, then for each picture: its name, the figure with its flags, what the paper shows there.
PICTURES = [
    ("p0-fig2", 48, [("p0-fig2", "phase-diagram", "P0, Figure 2: the share of pairs that are together, over t and β; six dimensions, Γ dashed")]),
    ("p0-fig3", 50, [("p0-fig3", "clusters --replica 3", "P0, Figure 3: on the circle two clusters at β = 4 and three at β = 9, for long")]),
    (
        "collapse-law",
        8,
        [
            ("collapse-law", "collapse-law --where 'd = 2'", "collapse times against β, up to 10^150: log T is linear in β (P2, P4)"),
            ("lifetime-law", "lifetime-law --where 'n = 16 and beta > 5'", "lifetimes against β(1 − closest cosine): slope one (P2 Theorem 6)"),
        ],
    ),
    ("p1-fig5", 4, [("p1-fig5", "trajectory", "P1, Figure 5: rescaled tokens of R^3 go to the vertices of a polytope")]),
    (
        "p2-fig2",
        16,
        [
            ("p2-fig2", "energy --replica 3", "P2, Figure 2: the energy climbs a staircase, one step a merge"),
        ],
    ),
    (
        "quickstart",
        256,
        [
            ("merge-tree", "merge-tree --where 'd = 8 and beta = 4' --replica 1", "which clusters of a replica merged when"),
            ("survival", "survival --where 'd = 8 and beta in (2, 3, 4, 5)'", "the share of replicas that have not collapsed, by Kaplan–Meier"),
            ("count-law", "count-law", "how many clusters the first plateau has, against √β (P2, P3)"),
        ],
    ),
    ("p2-fig4", 4, [("p2-fig4", "rates --where 'value = gaussian'", "P2, Figure 4: how fast tokens align under each layer norm")]),
    ("p3-fig1", 8, [("p3-fig1", "trajectory", "P3, Figure 1: causal attention, tokens at the beginning and at the end")]),
    ("p3-fig3", 100, [("p3-fig3", "captured", "P3, Figure 3: the share of tokens that Rényi centres have captured")]),
    ("p4-fig3", 1, [("p4-fig3", "histogram", "P4, Figure 3: for V = −I the density on the circle spreads as heat does")]),
    ("p4-fig4", 4, [("p4-fig4", "energy", "P4, Figure 4: the energy over logarithmic time, through alignment, heat and pairing")]),
]


def main():
    folder = REPOSITORY / "docs/pictures"
    folder.mkdir(exist_ok=True)
    lines = [
        "# Pictures",
        "",
        "Made by `docs/make/pictures`: every picture is one `figure` command on the dataset of one sweep file, with fewer replicas than the file says. How far "
        "the numbers agree with the papers stands in [gallery.md](gallery.md); what each figure shows in [figures.md](figures.md).",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        for sweep, replicas, pictures in PICTURES:
            out = Path(scratch) / sweep
            metasweep("run", REPOSITORY / f"sweeps/{sweep}.toml", "--set", f"replicas={replicas}", "--out", out, timeout=3600)
            for name, figure, caption in pictures:
                metasweep("figure", *shlex.split(figure)[:1], out, *shlex.split(figure)[1:], "--out", folder / f"{name}.png")
                first, *flags = figure.split(" ", 1)
                command = f"metasweep figure {first} out/{sweep} {' '.join(flags)} --out {name}.png".replace("  ", " ")
                run = f"metasweep run sweeps/{sweep}.toml --set replicas={replicas}"
                lines += ["", f"## {caption}", "", f"![{caption}](pictures/{name}.png)", "", f"    {run}", f"    {command}"]
                print(name, flush=True)
    (REPOSITORY / "docs/pictures.md").write_text(wrapped(lines) + "\n")


main()
