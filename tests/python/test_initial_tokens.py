"""The Python re-implementation draws the bits that the Rust tests committed (crates/sweep/tests/golden/draws.json)."""

import json
import math
import pathlib
import re
import struct
import textwrap

import pytest
from blake3 import blake3

import again

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = json.loads((ROOT / "crates/sweep/tests/golden/draws.json").read_text())
PAGE = (ROOT / "docs/determinism.md").read_text()
STREAM = GOLDEN["stream"]


def summary(values):
    """As the golden file has it: the first nine numbers as bits, all of them as one hash."""
    return {
        "first": [struct.pack(">d", value).hex() for value in values[:9]],
        "blake3": blake3(b"".join(struct.pack("<d", value) for value in values)).hexdigest(),
    }


def flat(rows):
    return [value for row in rows for value in row]


def fresh():
    return again.Stream(bytes.fromhex(STREAM["key"]), STREAM["stream"])


def draw(golden):
    """(key, numbers) of one entry of the golden file."""
    seed, replica = GOLDEN["seed"], golden["replica"]
    if golden["purpose"] == "initial":
        parameters = {name: golden[name] for name in ("n", "d", "initial", "construction")}
        rows = again.tokens(seed, replica, **parameters)
    elif golden["purpose"] == "noise":
        n, coordinates, step = golden["n"], golden["coordinates"], golden["step"]
        rows = [again.noise_increments(seed, replica, n, coordinates, step, k) for k in golden["steps"]]
        base, _ = again.noise_base(step)
        parameters = {"n": n, "coordinates": coordinates, "base": again.number_text(base)}
    elif golden["purpose"] == "frequencies":
        parameters = {"n": golden["n"], "law": golden["law"]}
        rows = [again.normal_frequencies(seed, replica, golden["n"], golden["law"])]
    else:
        about = {name: golden[name] for name in ("d", "family", "sharing", "cell", "head", "layer") if name in golden}
        parameters = again.matrix_parameters(**about)
        if golden["purpose"] == "feed_forward.bias":
            drawn = {name: about[name] for name in about if name not in ("family", "head")}
            rows = [again.normal_bias(seed, replica, **drawn)]
        else:
            rows = again.matrix(seed, replica, golden["purpose"], **about)
    return again.key(seed, golden["purpose"], parameters), flat(rows)


def name(golden):
    about = (golden.get(part) for part in ("initial", "family", "construction", "n", "d", "head", "layer"))
    return golden["purpose"] + "-" + "-".join(str(part) for part in about if part is not None)


def test_engine():
    assert GOLDEN["engine"] == again.ENGINE


def test_the_key_printed_on_the_page():
    """The indented text under "Keys" hashes to the key that the page gives, and to ours."""
    block = re.search(r"(?:^    .*\n)+", PAGE[PAGE.index("## Keys") :], re.MULTILINE)[0]
    hashed = blake3(textwrap.dedent(block).encode()).hexdigest()
    parameters = {"n": 3, "d": 2, "initial": "uniform_sphere", "construction": "direct"}
    assert hashed == again.key(20231215, "initial", parameters).hex()
    assert f"`{hashed}`" in PAGE


def test_chacha20_is_the_published_one():
    """RFC 8439 §2.3.2: its 32-bit counter and 96-bit nonce are our 64-bit counter and stream, split elsewhere."""
    words = again.chacha20_block(
        bytes(range(32)), 1 | 0x09000000 << 32, 0x4A000000 | 0x00000000 << 32
    )
    assert [f"{word:08x}" for word in words[:4]] == ["e4e7f110", "15593bd1", "1fdd0f50", "c47120a3"]


def test_bits():
    stream = fresh()
    assert [f"{stream.bits():016x}" for _ in STREAM["bits"]] == STREAM["bits"]


def test_uniform():
    stream = fresh()
    assert summary([stream.uniform() for _ in range(1000)]) == STREAM["uniform"]


def test_normal():
    stream = fresh()
    assert summary([stream.normal() for _ in range(1000)]) == STREAM["normal"]


@pytest.mark.parametrize("golden", STREAM["chi"], ids=lambda golden: str(golden["degrees"]))
def test_chi(golden):
    stream = fresh()
    assert summary([stream.chi(golden["degrees"]) for _ in range(40)]) == golden["values"]


@pytest.mark.parametrize("x", [0.0, 1e-9, 0.7, 1.5707963, 2.0, 3.1415926, 4.71, 5.0, 6.2831853, 7.5, 1e3, 1e6])
def test_sine_and_cosine(x):
    """Within one unit in the last place of the C library's, which is within one of the truth."""
    for x in (x, -x):
        for mine, theirs in ((again.sin(x), math.sin(x)), (again.cos(x), math.cos(x))):
            assert abs(mine - theirs) <= 2.0 * math.ulp(theirs)


@pytest.mark.parametrize("golden", GOLDEN["draws"], ids=name)
def test_purpose(golden):
    key, values = draw(golden)
    assert key.hex() == golden["key"]
    assert summary(values) == golden["values"]


def test_the_key_lines_of_heads_and_layers():
    """The first head is what a single head would be; a layer is named under `sharing = "layer"` alone. The page has both lines."""
    single = again.matrix_parameters("goe", 3)
    assert single == again.matrix_parameters("goe", 3, head=0, layer=5) == {"family": "goe", "d": 3, "sharing": "replica"}
    assert again.matrix_parameters("goe", 3, "layer", head=2, layer=5) == {
        "family": "goe", "d": 3, "sharing": "layer", "head": 2, "layer": 5
    }  # fmt: skip
    assert "* `head`:" in PAGE and "`layer`:" in PAGE


def test_every_purpose_of_the_page_is_in_the_golden_file():
    """The first column of the table under "Keys" names the purposes."""
    table = re.search(r"\| purpose \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE)[1]
    purposes = {purpose for line in table.splitlines() for purpose in re.findall(r"`([^`]+)`", line.split("|")[1])}
    assert purposes == {golden["purpose"] for golden in GOLDEN["draws"]}
