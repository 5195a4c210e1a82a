"""The random numbers of metasweep again, in plain Python, from docs/determinism.md alone.

Nothing here calls the Rust code: keys, ChaCha20, uniforms, normals, chis, initial laws and random matrices are
written out, so that their bits can be compared (test_initial_tokens.py, and the end-to-end tests through
`metasweep replay --initial`). Python's float arithmetic and math.sqrt are IEEE 754, hence exact; math.log is the
C library's and may differ in the last bit, so the logarithm is written out too.

    >>> tokens(seed=20231215, replica=5, n=3, d=2)          # doctest: +ELLIPSIS
    [[..., ...], [..., ...], [..., ...]]
"""

from .elementary import cos, sin
from .initial import tokens
from .matrices import matrix, matrix_parameters, normal_bias
from .noise import noise_base, noise_increments, normal_frequencies, number_text
from .stream import ENGINE, Stream, chacha20_block, key

__all__ = [
    "ENGINE",
    "Stream",
    "chacha20_block",
    "cos",
    "key",
    "matrix",
    "matrix_parameters",
    "noise_base",
    "noise_increments",
    "normal_bias",
    "normal_frequencies",
    "number_text",
    "sin",
    "tokens",
]
