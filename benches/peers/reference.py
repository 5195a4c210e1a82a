"""The authors' scheme in plain numpy, one system at a time: what every competitor must agree with."""

import numpy as np


def advance(tokens: np.ndarray, beta: float, step: float, steps: int) -> np.ndarray:
    """x ← normalize(x + η softmax(β x xᵀ) x), `steps` times; tokens n × d, unit rows (P0 (SA), the authors' scheme)."""
    x = tokens.copy()
    for _ in range(steps):
        scores = beta * (x @ x.T)
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        x = x + step * (weights @ x)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x


def largest_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference of a pair's cosine between two systems of n tokens; rotations do not matter."""
    return float(np.abs(a @ a.T - b @ b.T).max())
