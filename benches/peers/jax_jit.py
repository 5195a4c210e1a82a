"""The authors' step in JAX: one jitted loop over the steps, batched over systems."""

import functools

import jax
import numpy as np
from jax import numpy as jnp

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)

NAME = "JAX, jit"
VERSION = f"jax {jax.__version__}"


@functools.partial(jax.jit, donate_argnums=0)
def loop(x, beta, step, steps):
    """`steps` steps of `x` (systems × n × d); compiled once for a shape, whatever the number of steps."""

    def one_step(_, x):
        weights = jax.nn.softmax(beta * jnp.einsum("bik,bjk->bij", x, x), axis=-1)
        moved = x + step * jnp.einsum("bij,bjk->bik", weights, x)
        return moved / jnp.linalg.norm(moved, axis=-1, keepdims=True)

    return jax.lax.fori_loop(0, steps, one_step, x)


def prepare(tokens: np.ndarray, beta: float, step: float):
    """`advance(steps)` moves `tokens` (systems × n × d, unit rows) on and returns them."""
    x = jnp.array(tokens)

    def advance(steps: int) -> np.ndarray:
        nonlocal x
        x = loop(x, beta, step, steps).block_until_ready()
        return np.array(x)

    return advance
