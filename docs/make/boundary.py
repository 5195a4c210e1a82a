"""The curve Γ_{∞,δ} of P0 (4.11), to which the boundary of the phase diagram tends as d grows; called by results.py.

For d → ∞ independent tokens are orthogonal, and a system that starts so stays equiangular: one cosine γ(t) tells it all.
"""

import math

import mpmath


def gamma_time(beta: float, n: int, delta: float) -> float:
    """The t with γ_β(t) = 1 − δ, where γ(0) = 0 and γ' = 2 e^{βγ} (1−γ) ((n−1)γ + 1) / (e^β + (n−1) e^{βγ}) (P0 (4.8)), to 1e-10."""

    def reciprocal_speed(g):
        lag = mpmath.exp(beta * (1 - g))
        return (lag + n - 1) / (2 * (1 - g) * ((n - 1) * g + 1))

    # The integrand is steep where γ ~ 1/n, and has a pole at γ = 1: intervals that grow geometrically from both ends.
    end = 1 - delta
    from_below = [2.0**k / n for k in range(-2, int(math.log2(n)))]
    from_above = [1 - 2.0**-k for k in range(1, int(-math.log2(delta)) + 1)]
    points = sorted({0.0, end, *(x for x in from_below + from_above if 0 < x < end)})
    with mpmath.workdps(20):
        value, error = mpmath.quad(reciprocal_speed, points, error=True)
    if not error < 1e-10 * max(1, value):
        raise ArithmeticError(f"the quadrature of Γ at β = {beta} is good to {float(error):.1e} only; wanted is 1e-10")
    return float(value)


def gamma_time_euler(beta: float, n: int, delta: float, step: float, horizon: float = math.inf) -> float | None:
    """The same for the authors' scheme x ← normalize(x + η softmax(β x xᵀ) x): the boundary at d = ∞ of what was computed.

    Linear in γ within the step. None if γ stays below 1 − δ up to `horizon`.
    """
    g, t = 0.0, 0.0
    while t < horizon:
        lag = math.exp(beta * (g - 1))
        total = 1 + (n - 1) * lag
        own, other = 1 + step / total, step * lag / total  # y_i = own·x_i + other·Σ_{j≠i} x_j
        dot = own**2 * g + 2 * own * other * (1 + (n - 2) * g) + other**2 * (n - 2 + (n * n - 3 * n + 3) * g)
        square = own**2 + 2 * own * other * (n - 1) * g + other**2 * (n - 1) * (1 + (n - 2) * g)
        after = dot / square
        if after >= 1 - delta:
            return t + step * (1 - delta - g) / (after - g)
        g, t = after, t + step
    return None


def crossing(times: list[float], values: list[float], level: float) -> float | None:
    """Where `values` first reaches `level` from below, linear between the times; None if it never does."""
    if values and values[0] >= level:
        return times[0]
    for (t0, v0), (t1, v1) in zip(zip(times, values), zip(times[1:], values[1:])):
        if v0 < level <= v1:
            return t0 + (t1 - t0) * (level - v0) / (v1 - v0)
    return None


def state_time(t: float, step: float) -> float:
    """When the state in the row of t was reached: fixed steps give the state after ⌊t/η + 1e-9⌋ of them."""
    return math.floor(t / step + 1e-9) * step
