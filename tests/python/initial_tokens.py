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
    """The numbers of one (key, stream), from block 0."""

    def __init__(self, key_bytes, stream):
        self.words = self._words(key_bytes, stream)

    @staticmethod
    def _words(key_bytes, stream):
        counter = 0
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


def uniform_direct(n, d, stream):
    return [normalized([stream.normal() for _ in range(d)]) for _ in range(n)]


def uniform_bartlett(n, d, stream):
    rows = []
    for i in range(n):
        row = [stream.normal() for _ in range(i)]
        row.append(stream.chi(d - i))
        rows.append(normalized(row + [0.0] * (n - 1 - i)))
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


def tokens(seed, replica, n, d, initial="uniform_sphere", construction=None, engine=ENGINE):
    """The initial tokens of one replica, a list of n rows.

    `initial` in canonical form: uniform_sphere, orthonormal or equiangular(rho). `construction` is `direct` or
    `bartlett` (column initial_construction of table cells); None means bartlett for uniform_sphere with d > n, which
    is right for V = c·I and QᵀK = b·I.
    """
    if construction is None:
        construction = "bartlett" if initial == "uniform_sphere" and d > n else "direct"
    parameters = {"n": n, "d": d, "initial": initial, "construction": construction}
    stream = Stream(key(seed, "initial", parameters, engine), replica)
    if initial == "uniform_sphere":
        return (uniform_bartlett if construction == "bartlett" else uniform_direct)(n, d, stream)
    if initial == "orthonormal":
        return haar_frame(n, d, stream)
    if initial.startswith("equiangular("):
        return equiangular(float(initial[len("equiangular(") : -1]), n, d, stream)
    raise ValueError(f"{initial} is not re-implemented here")


# ---------------------------------------------------------------- matrices


def normals(d, stream):
    return [[stream.normal() for _ in range(d)] for _ in range(d)]


def product(left, right):
    columns = list(zip(*right))
    return [[dot(row, column) for column in columns] for row in left]


def matrix(seed, replica, purpose, family, d, sharing="replica", cell=None, engine=ENGINE):
    """The matrix that `purpose` (matrices.value or matrices.query_key) draws from `family`, a list of d rows."""
    parameters = {"family": family, "d": d, "sharing": sharing}
    if sharing == "cell":
        parameters["cell"] = cell
    stream = Stream(key(seed, purpose, parameters, engine), replica if sharing == "replica" else 0)
    g = normals(d, stream)
    if family == "gaussian" and purpose == "matrices.value":
        return g
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
