"""The random numbers of metasweep again, in plain Python, from docs/determinism.md alone.

Nothing here calls the Rust code: keys, ChaCha20, uniforms, normals, chis, initial laws and random matrices are
written out, so that their bits can be compared (test_initial_tokens.py, and the end-to-end tests through
`metasweep replay --initial`). Python's float arithmetic and math.sqrt are IEEE 754, hence exact; math.log is the
C library's and may differ in the last bit, so the logarithm is written out too.

    >>> tokens(seed=20231215, replica=5, n=3, d=2)          # doctest: +ELLIPSIS
    [[..., ...], [..., ...], [..., ...]]
"""

import math
import struct

from blake3 import blake3

ENGINE = 1

# ---------------------------------------------------------------- keys


def key(seed, purpose, parameters, engine=ENGINE):
    """The 32 bytes of a purpose: BLAKE3 of a text, one line a parameter, sorted by name."""
    lines = ["metasweep", f"engine={engine}", f"seed={seed}", f"purpose={purpose}"]
    for name in sorted(parameters):
        value = str(parameters[name]).replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(f"{name}={value}")
    return blake3("".join(line + "\n" for line in lines).encode()).digest()


# ---------------------------------------------------------------- ChaCha20

MASK = 0xFFFFFFFF


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


# ---------------------------------------------------------------- elementary functions


def log(x):
    """The natural logarithm of FreeBSD's e_log.c (as in musl before 1.2 and in Rust's libm), normal x > 0."""
    if x == 1.0:
        return 0.0
    bits = struct.unpack("<Q", struct.pack("<d", x))[0]
    high = (bits >> 32) + (0x3FF00000 - 0x3FE6A09E)
    k = (high >> 20) - 0x3FF
    high = (high & 0x000FFFFF) + 0x3FE6A09E
    x = struct.unpack("<d", struct.pack("<Q", high << 32 | bits & MASK))[0]
    f = x - 1.0
    hfsq = 0.5 * f * f
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    t1 = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    t2 = z * (
        6.666666666666735130e-01
        + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01))
    )
    r = t2 + t1
    return s * (hfsq + r) + k * 1.90821492927058770002e-10 - hfsq + f + k * 6.93147180369123816490e-01


def log_one_plus(y):
    w = 1.0 + y
    return y if w == 1.0 else log(w) * y / (w - 1.0)


# FreeBSD's kernels of sine and cosine on [-pi/4, pi/4], and pi/2 in three pieces of 33 bits with their rests.
SINE = (-1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04,
        2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10)  # fmt: skip
COSINE = (4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
          -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11)  # fmt: skip
HALF_PI = (
    (1.57079632673412561417e00, 6.07710050650619224932e-11),
    (6.07710050630396597660e-11, 2.02226624879595063154e-21),
    (2.02226624871116645580e-21, 8.47842766036889956997e-32),
)


def sine_kernel(x, y, whole):
    """sin(x + y); `whole` if y is 0 because nothing was taken off."""
    z = x * x
    w = z * z
    r = SINE[1] + z * (SINE[2] + z * SINE[3]) + z * w * (SINE[4] + z * SINE[5])
    v = z * x
    if whole:
        return x + v * (SINE[0] + z * r)
    return x - ((z * (0.5 * y - v * r) - y) - v * SINE[0])


def cosine_kernel(x, y):
    z = x * x
    w = z * z
    r = z * (COSINE[0] + z * (COSINE[1] + z * COSINE[2]))
    r = r + w * w * (COSINE[3] + z * (COSINE[4] + z * COSINE[5]))
    hz = 0.5 * z
    w = 1.0 - hz
    return w + (((1.0 - w) - hz) + (z * r - x * y))


def high_word(x):
    return struct.unpack("<Q", struct.pack("<d", abs(x)))[0] >> 32


def exponent(x):
    return high_word(x) >> 20


def without_quarter_turns(x):
    """(n, y0, y1): x = n·pi/2 + y0 + y1 for |x| < 2^20·pi/2, as e_rem_pio2.c has it."""
    high = high_word(x)
    near = (high & 0xFFFFF) == 0x921FB if high <= 0x400F6A7A else high in (0x4012D97C, 0x401921FB)
    if high <= 0x401C463B and not near:
        limits = (0x4002D97C, 0x400F6A7A, 0x4015FDBC, 0x401C463B)
        n = float(1 + next(k for k, limit in enumerate(limits) if high <= limit))
        n = n if x > 0.0 else -n
        z = x - n * HALF_PI[0][0]
        y0 = z - n * HALF_PI[0][1]
        return int(n), y0, (z - y0) - n * HALF_PI[0][1]
    assert high < 0x413921FB, "so many turns are not re-implemented here"
    to_integer = 1.5 / 2.0**-52
    n = x * 6.36619772367581382433e-01 + to_integer - to_integer
    r = x - n * HALF_PI[0][0]
    w = n * HALF_PI[0][1]
    y0 = r - w
    for lost, (piece, rest) in zip((16, 49), HALF_PI[1:]):
        if exponent(x) - exponent(y0) <= lost:
            break
        t = r
        w = n * piece
        r = t - w
        w = n * rest - ((t - r) - w)
        y0 = r - w
    return int(n), y0, (r - y0) - w


def cos(x):
    """The cosine of FreeBSD's s_cos.c, as in Rust's libm."""
    if high_word(x) <= 0x3FE921FB:
        return 1.0 if high_word(x) < 0x3E46A09E else cosine_kernel(x, 0.0)
    n, y0, y1 = without_quarter_turns(x)
    value = sine_kernel(y0, y1, False) if n % 2 else cosine_kernel(y0, y1)
    return -value if n % 4 in (1, 2) else value


def sin(x):
    """The sine of FreeBSD's s_sin.c, as in Rust's libm."""
    if high_word(x) <= 0x3FE921FB:
        return x if high_word(x) < 0x3E500000 else sine_kernel(x, 0.0, True)
    n, y0, y1 = without_quarter_turns(x)
    value = cosine_kernel(y0, y1) if n % 2 else sine_kernel(y0, y1, False)
    return -value if n % 4 in (2, 3) else value


def horner(coefficients, r):
    total = coefficients[0]
    for coefficient in coefficients[1:]:
        total = total * r + coefficient
    return total


# Wichura's AS 241 (PPND16): numerator and denominator on each range, highest power first.
CENTRE = (
    (2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987,
     13731.69376550946, 1971.5909503065513, 133.14166789178438, 3.3871328727963665),
    (5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597,
     5394.196021424751, 687.1870074920579, 42.31333070160091, 1.0),
)  # fmt: skip
SHOULDER = (
    (0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684,
     3.6478483247632045, 5.769497221460691, 4.630337846156546, 1.4234371107496835),
    (1.0507500716444169e-09, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008,
     0.6897673349851, 1.6763848301838038, 2.053191626637759, 1.0),
)  # fmt: skip
TAIL = (
    (2.0103343992922881e-07, 2.7115555687434876e-05, 0.0012426609473880784, 0.026532189526576124,
     0.29656057182850487, 1.7848265399172913, 5.463784911164114, 6.657904643501103),
    (2.0442631033899397e-15, 1.421511758316446e-07, 1.8463183175100548e-05, 0.0007868691311456133,
     0.014875361290850615, 0.1369298809227358, 0.599832206555888, 1.0),
)  # fmt: skip


def normal_quantile(p):
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return horner(CENTRE[0], r) * q / horner(CENTRE[1], r)
    r = math.sqrt(-log(p if q < 0.0 else 1.0 - p))
    ratio, r = (SHOULDER, r - 1.6) if r <= 5.0 else (TAIL, r - 5.0)
    magnitude = horner(ratio[0], r) / horner(ratio[1], r)
    return -magnitude if q < 0.0 else magnitude


# ---------------------------------------------------------------- initial laws


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


# ---------------------------------------------------------------- matrices


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


# ---------------------------------------------------------------- frequencies and noise


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
