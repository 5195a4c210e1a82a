"""Random matrices, and the biases of feed-forward layers."""

import math

from .initial import dot, haar_frame, taken_apart
from .stream import ENGINE, Stream, key


def normals(d, stream):
    return [[stream.normal() for _ in range(d)] for _ in range(d)]


def product(left, right):
    columns = list(zip(*right))
    return [[dot(row, column) for column in columns] for row in left]


def blocks(eigenvalues):
    """(first basis vector, a, b) of each eigenvalue a + bi."""
    first = 0
    for text in eigenvalues:
        value = complex(text.replace("i", "j"))
        yield first, value.real, value.imag
        first += 2 if value.imag else 1


def haar_spectrum(eigenvalues, d, stream):
    frame = haar_frame(d, d, stream)
    rows = [[0.0] * d for _ in range(d)]
    for i in range(d):
        for j in range(d):
            for first, a, b in blocks(eigenvalues):
                q = frame[first]
                if b == 0.0:
                    rows[i][j] += a * (q[i] * q[j])
                else:
                    r = frame[first + 1]
                    rows[i][j] += a * (q[i] * q[j] + r[i] * r[j]) + b * (r[i] * q[j] - q[i] * r[j])
    return rows


def gaussian_spectrum(eigenvalues, d, stream):
    """The transpose of X with G·X = W; the rows of W are the images of the rows of G."""
    g = normals(d, stream)
    images = [None] * d
    for first, a, b in blocks(eigenvalues):
        u = g[first]
        if b == 0.0:
            images[first] = [a * x for x in u]
        else:
            v = g[first + 1]
            images[first] = [a * x + b * y for x, y in zip(u, v)]
            images[first + 1] = [a * y - b * x for x, y in zip(u, v)]
    return [list(row) for row in zip(*solve(g, images, d))]


def solve(a, b, d):
    """X with A·X = B by Gaussian elimination with partial pivoting; A and B are overwritten."""
    for k in range(d):
        pivot = max(range(k, d), key=lambda i: (abs(a[i][k]), -i))
        a[k], a[pivot] = a[pivot], a[k]
        b[k], b[pivot] = b[pivot], b[k]
        for i in range(k + 1, d):
            m = a[i][k] / a[k][k]
            for j in range(k + 1, d):
                a[i][j] -= m * a[k][j]
            for j in range(d):
                b[i][j] -= m * b[k][j]
    for i in reversed(range(d)):
        for k in range(i + 1, d):
            for j in range(d):
                b[i][j] -= a[i][k] * b[k][j]
        for j in range(d):
            b[i][j] /= a[i][i]
    return b


def matrix_parameters(family, d, sharing="replica", cell=None, head=0, layer=0):
    """What the key of a matrix, or of a bias, is made of. The first head is not named, nor a layer that has none of its own."""
    parameters = {"family": family, "d": d, "sharing": sharing}
    if sharing == "cell":
        parameters["cell"] = cell
    if sharing == "layer":
        parameters["layer"] = layer
    if head > 0:
        parameters["head"] = head
    return parameters


def matrix_stream(seed, replica, purpose, parameters, engine=ENGINE):
    """Of a replica's own matrices, or number 0 of those that it shares."""
    own = parameters["sharing"] in ("replica", "layer")
    return Stream(key(seed, purpose, parameters, engine), replica if own else 0)


def matrix(seed, replica, purpose, family, d, sharing="replica", cell=None, head=0, layer=0, engine=ENGINE):
    """The matrix that `purpose` draws from `family`, a list of rows: d of them, r for `gaussian(r)` as Q or K.

    `purpose` is matrices.value, .query_key, .query or .key, or feed_forward.weight; heads and layers count from 0.
    """
    parameters = matrix_parameters(family, d, sharing, cell, head, layer)
    stream = matrix_stream(seed, replica, purpose, parameters, engine)
    name, arguments, options = taken_apart(family)
    if name == "uniform":
        low, high = map(float, arguments or ("-1", "1"))
        return [[(high - low) * stream.uniform() + low for _ in range(d)] for _ in range(d)]
    if name == "spectrum":
        oblique = options.get("basis") == "gaussian"
        return (gaussian_spectrum if oblique else haar_spectrum)(arguments, d, stream)
    if name == "gaussian" and purpose != "matrices.query_key":
        rows = int(arguments[0]) if arguments else d
        return [[stream.normal() for _ in range(d)] for _ in range(rows)]
    g = normals(d, stream)
    if family == "goe":
        return [[(g[i][j] + g[j][i]) / math.sqrt(2.0) for j in range(d)] for i in range(d)]
    if family == "gaussian":
        result = product(g, normals(d, stream))
    elif family == "wishart":
        result = product(g, list(zip(*g)))
    else:
        raise ValueError(f"{family} is not re-implemented here")
    root = math.sqrt(float(d))
    return [[a / root for a in row] for row in result]


def normal_bias(seed, replica, d, sharing="replica", cell=None, layer=0, engine=ENGINE):
    """b of a feed-forward layer with `bias=normal`: d normals."""
    parameters = matrix_parameters("normal", d, sharing, cell, 0, layer)
    stream = matrix_stream(seed, replica, "feed_forward.bias", parameters, engine)
    return [stream.normal() for _ in range(d)]
