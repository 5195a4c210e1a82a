"""How many clusters replicas have, beside figures computed independently; called by results.py."""

import math
from collections import Counter

# P0 Fig. 3's setting (d = 2, n = 32, δ = 1e-3, Euler step 0.1, 2000 starts), computed once by an independent program before
# this one was written. Share of starts with k clusters, by (β, t); what is left out was not recorded.
INDEPENDENT_STARTS = 2000
INDEPENDENT = {
    (4.0, 18.0): {2: 0.769, 3: 0.228},
    (4.0, 30.0): {1: 0.011, 2: 0.892, 3: 0.098},
    (9.0, 18.0): {2: 0.033, 3: 0.606, 4: 0.354},
    (9.0, 30.0): {2: 0.062, 3: 0.709, 4: 0.230},
}


def shares(counts: list[int]) -> dict[int, float]:
    """Share of replicas with k clusters, by k."""
    return {k: number / len(counts) for k, number in sorted(Counter(counts).items())}


def standard_error(share: float, replicas: int) -> float:
    """Binomial standard error of a share."""
    return math.sqrt(share * (1 - share) / replicas)


def deviation(share: float, replicas: int, other: float, others: int) -> float:
    """Difference of two independent shares in standard errors of that difference, both taken to estimate one probability."""
    pooled = (share * replicas + other * others) / (replicas + others)
    error = math.sqrt(pooled * (1 - pooled) * (1 / replicas + 1 / others))
    return (share - other) / error if error > 0 else 0.0
