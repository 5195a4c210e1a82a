"""Runs one peer in a process of its own; called by compare.py.

    worker.py MODULE version
    worker.py MODULE time N D BATCH SECONDS     seconds per system-step of a few repeats
    worker.py MODULE advance TOKENS.npy STEPS   tokens after STEPS steps, to TOKENS.npy

A peer is a module with NAME, VERSION and `prepare(tokens, beta, step) -> advance(steps)`.
Prints one line of JSON.
"""

import importlib
import json
import sys
import time

import numpy as np

BETA, STEP = 4.0, 0.1
REPEATS = 5


def start(systems: int, n: int, d: int) -> np.ndarray:
    """Independent tokens, uniform on the sphere: systems × n × d."""
    x = np.random.default_rng(20231215).standard_normal((systems, n, d))
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def time_steps(peer, n: int, d: int, batch: int, seconds: float) -> list[float]:
    """Seconds per system-step, REPEATS times, each over about `seconds`/REPEATS of work, compilation and first touch left out."""
    advance = peer.prepare(start(batch, n, d), BETA, STEP)
    advance(2)
    steps, elapsed = 1, 0.0
    while True:
        began = time.perf_counter()
        advance(steps)
        elapsed = time.perf_counter() - began
        if elapsed > 0.1 * seconds / REPEATS:
            break
        steps *= 2
    steps = max(1, round(steps * seconds / REPEATS / elapsed))
    samples = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        advance(steps)
        samples.append((time.perf_counter() - began) / (steps * batch))
    return samples


def main() -> None:
    module, action, *arguments = sys.argv[1:]
    peer = importlib.import_module(module)
    if action == "version":
        answer = {"name": peer.NAME, "version": peer.VERSION}
    elif action == "time":
        n, d, batch = (int(a) for a in arguments[:3])
        answer = {"seconds": time_steps(peer, n, d, batch, float(arguments[3]))}
    elif action == "advance":
        path, steps = arguments
        tokens = peer.prepare(np.load(path), BETA, STEP)(int(steps))
        np.save(path, tokens)
        answer = {"shape": list(tokens.shape)}
    else:
        sys.exit(f"worker.py: unknown action {action!r}; there are version, time, advance")
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
