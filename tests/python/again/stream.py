"""Keys, ChaCha20, and the numbers of a stream."""

import math
import struct

from blake3 import blake3

from .elementary import MASK, log, log_one_plus, normal_quantile

# The engine of the keys: later ones that draw the same keep it.
ENGINE = 1


def key(seed, purpose, parameters, engine=ENGINE):
    """The 32 bytes of a purpose: BLAKE3 of a text, one line a parameter, sorted by name."""
    lines = ["metasweep", f"engine={engine}", f"seed={seed}", f"purpose={purpose}"]
    for name in sorted(parameters):
        value = str(parameters[name]).replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(f"{name}={value}")
    return blake3("".join(line + "\n" for line in lines).encode()).digest()


def chacha20_block(key_bytes, counter, stream):
    """The 16 words of one block: 64-bit block counter in words 12 and 13, 64-bit stream in words 14 and 15."""
    start = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key_bytes))
    start += [counter & MASK, counter >> 32, stream & MASK, stream >> 32]
    x = start[:]

    def quarter(a, b, c, d):
        for target, other, source, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[target] = (x[target] + x[other]) & MASK
            mixed = x[source] ^ x[target]
            x[source] = ((mixed << turn) | (mixed >> (32 - turn))) & MASK

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for diagonal in range(4):
            quarter(
                diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4
            )
    return [(a + b) & MASK for a, b in zip(x, start)]


class Stream:
    """The numbers of one (key, stream), from the block `counter`."""

    def __init__(self, key_bytes, stream, counter=0):
        self.words = self._words(key_bytes, stream, counter)

    @staticmethod
    def _words(key_bytes, stream, counter):
        while True:
            yield from chacha20_block(key_bytes, counter, stream)
            counter += 1

    def bits(self):
        low = next(self.words)
        return low | next(self.words) << 32

    def uniform(self):
        return ((self.bits() >> 12) * 2 + 1) * 2.0**-53

    def normal(self):
        return normal_quantile(self.uniform())

    def gamma(self, shape):
        a = shape - 1.0 / 3.0
        c = 1.0 / math.sqrt(9.0 * a)
        while True:
            x = self.normal()
            u = self.uniform()
            y = c * x
            if y <= -1.0:
                continue
            excess = y * (3.0 + y * (3.0 + y))
            if log(u) < 0.5 * x * x + a * (3.0 * log_one_plus(y) - excess):
                w = 1.0 + y
                return a * (w * w * w)

    def chi(self, degrees):
        if degrees == 1:
            return abs(self.normal())
        return math.sqrt(2.0 * self.gamma(0.5 * degrees))
