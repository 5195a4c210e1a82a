"""The pairing cascade from given tokens, in any dimension (P2 Theorem 6, P4 Proposition 3.11): the time in which all have met.

Clusters rest but for the fastest pair, which meets alone, by SA's equation for two clusters of masses m_i, m_j at the gap 1 − g:

    ġ = (1 − g²)(w_i + w_j),    w_i = m_j e^{βg} / (m_i e^β + m_j e^{βg})
"""

import numpy as np

#: Nodes of the quadrature over s, 1 − g = gap·e^{−s}; the integrand falls like e^{−βgap·s} at first.
NODES = 2001


def waits(gap: np.ndarray, left: np.ndarray, right: np.ndarray, beta: float) -> np.ndarray:
    """ln of the times of pairs by the formula for large β: enough to tell which one is fastest."""
    return beta * gap - np.log(beta * gap * (2 - gap) * (left / right + right / left))


def exact(gap: float, left: float, right: float, beta: float, delta: float) -> tuple[float, float]:
    """ln of the time from the gap to δ, and the share of the arc that the left one covers; by Simpson's rule, fine where time passes."""
    if gap <= delta:
        return -np.inf, right**2 / (left**2 + right**2)
    last = np.log(gap / delta)
    # s = last·u³ puts the nodes where the integrand falls.
    u = np.linspace(0.0, 1.0, NODES)
    s = last * u**3
    now = gap * np.exp(-s)
    ratio, q = left / right + right / left, np.exp(-beta * now)
    wait = np.exp(beta * (now - gap)) * (1 + ratio * q + q * q) / (ratio + 2 * q) / (2 - now) * 3 * last * u**2
    weights = np.full(NODES, 2.0)
    weights[1::2], weights[[0, -1]] = 4.0, 1.0
    ln_time = beta * gap + np.log(np.sum(weights * wait) / (3 * (NODES - 1)))
    # Angular speeds w_i, relative to their sum, over the arc.
    angle = 2 * np.arcsin(np.sqrt(np.append(now, 0.0) / 2))
    wide = np.append(q, 1.0)
    speed = right / (left + right * wide)
    share = speed / (speed + left / (right + left * wide))
    covered = np.sum((share[1:] + share[:-1]) / 2 * -np.diff(angle)) / angle[0]
    return float(ln_time), float(covered)


def ln_collapse_time(points: np.ndarray, beta: float, delta: float = 1e-3) -> float:
    """ln of the time in which the points (n × d, unit rows of equal mass, 1 in sum) have become one by the cascade."""
    points, masses = points.copy(), np.full(len(points), 1 / len(points))
    total = -np.inf
    while len(points) > 1:
        gap = np.maximum(1 - points @ points.T, 1e-300)
        rows, columns = np.triu_indices(len(points), 1)
        at = int(np.argmin(waits(gap[rows, columns], masses[rows], masses[columns], beta)))
        i, j = int(rows[at]), int(columns[at])
        wait, share = exact(float(gap[i, j]), masses[i], masses[j], beta, delta)
        total = np.logaddexp(total, wait)
        angle = np.arccos(np.clip(1 - gap[i, j], -1, 1))
        if angle > 1e-12:
            met = (np.sin((1 - share) * angle) * points[i] + np.sin(share * angle) * points[j]) / np.sin(angle)
            points[i] = met / np.linalg.norm(met)
        masses[i] += masses[j]
        points, masses = np.delete(points, j, 0), np.delete(masses, j)
    return total
