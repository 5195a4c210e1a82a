"""Initial laws: the tokens of a replica."""

import math

from .elementary import cos, sin
from .stream import ENGINE, Stream, key


def dot(a, b):
    total = 0.0
    for x, y in zip(a, b):
        total += x * y
    return total


def normalized(row):
    length = math.sqrt(dot(row, row))
    return [x / length for x in row]


def normal_rows(n, d, construction, stream):
    """Rows of normals, or of their Bartlett factor."""
    if construction == "direct":
        return [[stream.normal() for _ in range(d)] for _ in range(n)]
    rows = []
    for i in range(n):
        row = [stream.normal() for _ in range(i)]
        row.append(stream.chi(d - i))
        rows.append(row + [0.0] * (n - 1 - i))
    return rows


def uniform_sphere(n, d, construction, stream):
    return [normalized(row) for row in normal_rows(n, d, construction, stream)]


def gaussian(sigma, n, d, construction, stream):
    return [[x * sigma for x in row] for row in normal_rows(n, d, construction, stream)]


def hemisphere(n, d, construction, stream):
    pole = [stream.normal() for _ in range(n if construction == "bartlett" else d)]
    rows = uniform_sphere(n, d, construction, stream)
    return [[-x for x in row] if dot(pole, row) < 0.0 else row for row in rows]


def symmetric_uniform(stream):
    """Uniform in (-1, 1); exact."""
    return 2.0 * stream.uniform() - 1.0


def hypercube(a, n, d, stream):
    return [[a * symmetric_uniform(stream) for _ in range(d)] for _ in range(n)]


def wrapped_normal_mixture(components, sigma, elevation, n, d, stream):
    rows = []
    for _ in range(n):
        u = stream.uniform()
        total = 0.0
        for weight, centre in components:
            total += weight
            if u <= total:
                break
        azimuth = centre + sigma * stream.normal()
        circle, others = [cos(azimuth), sin(azimuth)], [0.0] * (d - 2)
        if elevation > 0.0:
            phi = elevation * symmetric_uniform(stream)
            up = [1.0] if d == 3 else normalized([stream.normal() for _ in range(d - 2)])
            circle = [x * cos(phi) for x in circle]
            others = [x * sin(phi) for x in up]
        rows.append(circle + others)
    return rows


def haar_frame(k, d, stream):
    frame = []
    for _ in range(k):
        row = [stream.normal() for _ in range(d)]
        for _ in range(2):
            for vector in frame:
                overlap = dot(vector, row)
                row = [x - overlap * a for x, a in zip(row, vector)]
        frame.append(normalized(row))
    return frame


def equiangular(rho, n, d, stream):
    smallest = 1.0 + (n - 1.0) * rho
    span = 1 if rho == 1.0 else n - 1 if abs(smallest) <= 4.0 * 2.0**-52 else n
    frame = haar_frame(span, d, stream)
    columns = [(1.0, rho)]
    for j in range(1, span):
        before = 1.0 + (j - 1.0) * rho
        diagonal = math.sqrt((1.0 - rho) * (1.0 + j * rho) / before)
        columns.append((diagonal, rho * (1.0 - rho) / (before * diagonal)))
    rows = []
    for i in range(n):
        row = [0.0] * d
        for j, vector in enumerate(frame):
            weight = columns[j][0] if i == j else columns[j][1] if i > j else 0.0
            row = [x + weight * a for x, a in zip(row, vector)]
        rows.append(normalized(row))
    return rows


def taken_apart(call):
    """(name, arguments, options) of a canonical text: texts, and a dictionary of texts."""
    name, _, rest = call.partition("(")
    arguments, _, options = rest.removesuffix(")").partition("; ")
    pairs = (option.split("=") for option in options.split(", ") if option)
    return name, [text for text in arguments.split(", ") if text], dict(pairs)


def tokens(seed, replica, n, d, initial="uniform_sphere", construction=None, engine=ENGINE):
    """The initial tokens of one replica, a list of n rows.

    `initial` in canonical form; `file(…)` is not for here. `construction` is `direct` or `bartlett` (column
    initial_construction of table cells); None means bartlett for uniform_sphere, hemisphere and gaussian with d > n,
    which is right for V = c·I and QᵀK = b·I.
    """
    name, arguments, options = taken_apart(initial)
    if construction is None:
        in_span = name in ("uniform_sphere", "hemisphere", "gaussian") and d > n
        construction = "bartlett" if in_span else "direct"
    parameters = {"n": n, "d": d, "initial": initial, "construction": construction}
    stream = Stream(key(seed, "initial", parameters, engine), replica)
    if name == "uniform_sphere":
        return uniform_sphere(n, d, construction, stream)
    if name == "hemisphere":
        return hemisphere(n, d, construction, stream)
    if name == "gaussian":
        return gaussian(float(arguments[0]) if arguments else 1.0, n, d, construction, stream)
    if name == "hypercube":
        return hypercube(float(arguments[0]), n, d, stream)
    if name == "orthonormal":
        return haar_frame(n, d, stream)
    if name == "equiangular":
        return equiangular(float(arguments[0]), n, d, stream)
    if name == "angles":
        return [[cos(float(angle)), sin(float(angle))] for angle in arguments]
    if name == "wrapped_normal_mixture":
        components = [tuple(map(float, component.split("@"))) for component in arguments]
        sigma, elevation = float(options["sigma"]), float(options.get("elevation", "0"))
        return wrapped_normal_mixture(components, sigma, elevation, n, d, stream)
    raise ValueError(f"{initial} is not re-implemented here")
