"""Frequencies of rotors and increments of Brownian paths."""

import math

from .stream import ENGINE, Stream, key


def number_text(value):
    """The shortest decimal that reads back; whole numbers without a point."""
    assert 1e-5 <= abs(value) < 1e16
    return str(int(value)) if value == int(value) else repr(value)


def normal_frequencies(seed, replica, n, law, engine=ENGINE):
    """`normal(mean, deviation)`: one normal a rotor."""
    mean, deviation = (float(part) for part in law.removeprefix("normal(").removesuffix(")").split(","))
    stream = Stream(key(seed, "frequencies", {"n": n, "law": law}, engine), replica)
    return [mean + deviation * stream.normal() for _ in range(n)]


def noise_base(step):
    """The length of the base intervals, and how often it is halved to give the step."""
    length, depth = step, 0
    while length < 1024.0:
        length, depth = 2.0 * length, depth + 1
    return length, depth


def noise_increments(seed, replica, n, coordinates, step, number, engine=ENGINE):
    """The n·coordinates increments of a Brownian path over one step."""
    base, depth = noise_base(step)
    parameters = {"n": n, "coordinates": coordinates, "base": number_text(base)}
    key_bytes = key(seed, "noise", parameters, engine)
    count = n * coordinates
    interval, place = number >> depth, number & ((1 << depth) - 1)

    def normals(node):
        blocks = -(-2 * count // 16)
        stream = Stream(key_bytes, replica, blocks * (2**32 * interval + node))
        return [stream.normal() for _ in range(count)]

    increments = [math.sqrt(base) * z for z in normals(0)]
    for level in range(1, depth + 1):
        parent, right = place >> (depth - level + 1), place >> (depth - level) & 1
        spread = 0.5 * math.sqrt(base * 2.0 ** (1 - level))
        left = [0.5 * w + spread * z for w, z in zip(increments, normals(2 ** (level - 1) + parent))]
        increments = [w - x for w, x in zip(increments, left)] if right else left
    return increments
