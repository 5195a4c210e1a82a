"""Logarithm, sine, cosine and the normal quantile, written out: the C library's may differ in the last bit."""

import math
import struct

MASK = 0xFFFFFFFF


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
