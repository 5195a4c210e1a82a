"""The authors' step in numba: fastmath, one thread a core, each taking whole systems through all steps.

Tokens are kept coordinate by coordinate, so that every inner loop runs over neighbouring numbers and LLVM can vectorize it; what it
cannot vectorize is `exp`, since the wheels of llvmlite come without SVML.
"""

import numba
import numpy as np

NAME = "numba, fastmath, parallel"
VERSION = f"numba {numba.__version__}"


@numba.njit(parallel=True, fastmath=True, cache=True)
def loop(tokens, beta, step, steps):
    """`steps` steps of `tokens` (systems × n × d), in place."""
    systems, n, d = tokens.shape
    for b in numba.prange(systems):
        x = np.ascontiguousarray(tokens[b].T)
        moved = np.empty((d, n))
        weights = np.empty(n)
        for _ in range(steps):
            for i in range(n):
                weights[:] = 0.0
                for k in range(d):
                    x_ik = x[k, i]
                    for j in range(n):
                        weights[j] += x_ik * x[k, j]
                for j in range(n):
                    weights[j] = np.exp(beta * (weights[j] - 1.0))
                total = 0.0
                for j in range(n):
                    total += weights[j]
                length = 0.0
                for k in range(d):
                    attention = 0.0
                    for j in range(n):
                        attention += weights[j] * x[k, j]
                    y = x[k, i] + step * attention / total
                    moved[k, i] = y
                    length += y * y
                length = 1.0 / np.sqrt(length)
                for k in range(d):
                    moved[k, i] *= length
            x, moved = moved, x
        tokens[b] = x.T


def prepare(tokens: np.ndarray, beta: float, step: float):
    """`advance(steps)` moves `tokens` (systems × n × d, unit rows) on and returns them."""
    x = tokens.copy()

    def advance(steps: int) -> np.ndarray:
        loop(x, beta, step, steps)
        return x

    return advance
