"""The pictures of the gallery: for each sweep file how many replicas are drawn, and the figures made of them."""

import shlex
from typing import NamedTuple


class Picture(NamedTuple):
    """A figure of a sweep: the file's name, the command's arguments, what it shows."""

    name: str
    figure: str
    caption: str


class Pictures(NamedTuple):
    """Those of a sweep, run with so many replicas."""

    replicas: int
    figures: list[Picture]
    #: What else is set.
    more: tuple[str, ...] = ()

    def settings(self) -> list[str]:
        """The flags of `metasweep run`."""
        return [word for one in (f"replicas={self.replicas}", *self.more) for word in ("--set", one)]


PICTURES = {
    "p0-fig2": Pictures(48, [Picture("p0-fig2", "phase-diagram", "The share of pairs that are together, over t and β; six dimensions, Γ dashed")]),
    "p0-fig2-usa": Pictures(8, [Picture("p0-fig2-usa", "phase-diagram", "The same for unnormalized weights, t to 1")]),
    "p0-fig3": Pictures(
        50,
        [
            Picture("p0-fig3", "clusters --replica 3", "On the circle: two clusters at β = 4 and three at β = 9, for long"),
            Picture("p0-fig3-tokens-4", "trajectory --where 'beta = 4' --replica 3", "The tokens of a replica at β = 4"),
            Picture("p0-fig3-tokens-9", "trajectory --where 'beta = 9' --replica 3", "The tokens of a replica at β = 9"),
        ],
        ("observe.snapshots={ replicas = 4, times = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 18.0, 21.0, 24.0, 27.0, 30.0] }",),
    ),
    "p0-fig4": Pictures(8, [Picture("p0-fig4", "against --observable clusters --where 'sharing = replica and query_key in (goe, wishart)'", "Clusters at t = 30 against β")]),
    "p0-repulsive": Pictures(4, [Picture("p0-repulsive", "trajectory --where 'n = 12 and beta = 4'", "Twelve tokens end at the vertices of an icosahedron (x₃ < 0 lighter)")]),
    "p1-fig3": Pictures(4, [Picture("p1-fig3", "clusters --observable attention_rank", "The rank of the attention matrix falls to two")]),
    "p1-fig5": Pictures(4, [Picture("p1-fig5", "trajectory", "Rescaled tokens of R³ go to the vertices of a polytope")]),
    "p1-hyperplanes": Pictures(
        4,
        [
            Picture("p1-fig6", "trajectory --where 'd = 2'", "Figure 6: tokens of the plane go to at most three parallel lines"),
            Picture("p1-fig7", "trajectory --where 'value = \"spectrum(1.96, -0.22, 0.25)\"'", "Figure 7: in R³ to at most three planes, seen along one of them"),
            Picture("p1-fig8", "trajectory --where 'value = \"diag(1, 1, -0.5)\"'", "Figure 8: two equal leading eigenvalues, a polygon times a line (seen from above)"),
            Picture("p1-fig12", "trajectory --where 'value = \"spectrum(1, 0.1+0.08i; basis=gaussian)\"'", "Figure 12: a complex pair that is smaller than the leading eigenvalue"),
            Picture("p1-fig13", "trajectory --where 'value = \"spectrum(1, -0.05+0.25i; basis=gaussian)\"'", "Figure 13: a complex pair that decays"),
        ],
    ),
    "p1-fig11": Pictures(4, [Picture("p1-fig11", "clusters --observable attention_rank", "The rank of the attention matrix in 10, 40, 80 dimensions")]),
    "p1-repulsive": Pictures(4, [Picture("p1-repulsive", "trajectory --where 'd = 2'", "V = −I: tokens of the plane go to the origin (mind the axes)")]),
    "p2-fig2": Pictures(16, [Picture("p2-fig2", "energy --replica 3", "The energy climbs a staircase, one step a merge")]),
    "p2-fig4": Pictures(4, [Picture("p2-fig4", "rates --where 'value = gaussian'", "How fast tokens align under each layer norm")]),
    "p2-long-context": Pictures(
        1,
        [
            Picture("p2-one-layer", "against --observable mean_cosine --against gamma --where 'integrator = discrete'", "One layer: the mean cosine against γ, sharper the more tokens"),
            Picture("p2-many-layers", "against --observable mean_cosine --against gamma --where 'integrator = rk4'", "Many layers, t = 20"),
        ],
    ),
    "p2-noise": Pictures(4, [Picture("p2-noise", "against --observable order --against kappa", "The order parameter at t = 40 against κ")]),
    "p3-fig1": Pictures(8, [Picture("p3-fig1", "trajectory", "Causal attention: tokens at the beginning and at the end")]),
    "p3-fig3": Pictures(
        100,
        [
            Picture("p3-fig2", "trajectory", "Figure 2: causal tokens on the circle gather at leaders"),
            Picture("p3-fig3", "captured", "Figure 3: the share of tokens that Rényi centres have captured"),
        ],
        ("observe.snapshots={ replicas = 1, times = [0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 50.0] }",),
    ),
    "p4-fig1": Pictures(1, [Picture("p4-fig1", "clusters --observable leading_eigenspace_distance", "Tokens align with the leading eigenspace")]),
    "p4-fig2": Pictures(
        1,
        [
            Picture("p4-fig2", "histogram --where 'd = 3'", "The density of the azimuth sharpens as under the backward heat equation"),
            Picture("p4-fig2-circle", "histogram --where 'd = 2'", "On the circle with βσ² ≫ 1"),
        ],
    ),
    "p4-fig3": Pictures(1, [Picture("p4-fig3", "histogram", "For V = −I the density on the circle spreads as heat does")]),
    "p4-fig4": Pictures(4, [Picture("p4-fig4", "energy", "The energy over logarithmic time, through alignment, heat and pairing")]),
    "collapse-law": Pictures(
        8,
        [
            Picture("collapse-law", "collapse-law --where 'd = 2'", "Collapse times against β, up to 10^150: log T is linear in β"),
            Picture("lifetime-law", "lifetime-law --where 'n = 16 and beta > 5'", "Lifetimes against β(1 − closest cosine): slope one"),
        ],
    ),
    "quickstart": Pictures(
        256,
        [
            Picture("merge-tree", "merge-tree --where 'd = 8 and beta = 4' --replica 1", "Which clusters of a replica merged when"),
            Picture("survival", "survival --where 'd = 8 and beta in (2, 3, 4, 5)'", "The share of replicas that have not collapsed, by Kaplan–Meier"),
            Picture("count-law", "count-law", "How many clusters the first plateau has, against √β"),
        ],
    ),
}


def lines(sweep: str) -> list[str]:
    """The pictures of a sweep for a page, each with the commands that draw it."""
    pictures = PICTURES.get(sweep, Pictures(0, []))
    run = f"metasweep run sweeps/{sweep}.toml {shlex.join(pictures.settings())}"
    found = []
    for name, figure, caption in pictures.figures:
        kind, _, flags = figure.partition(" ")
        command = f"metasweep figure {kind} out/{sweep} {flags} --out {name}.png".replace("  ", " ")
        found += ["", f"![{caption}](pictures/{name}.png)", "", f"{caption}:", "", f"    {run}", f"    {command}"]
    return found[1:]
