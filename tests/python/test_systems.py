"""Every system of the catalogue: the same bytes however it is run, killed and resumed; and what the papers say of each, through the
binary. Unit tests of the numerics: crates/dynamics/src/tests."""

import math

import numpy as np
import polars as pl
import pytest

from harness import REPOSITORY, assert_same_files, metasweep, mpirun, sweep, table

SWEEPS = REPOSITORY / "tests/python/sweeps"
EVERY = SWEEPS / "every-system.toml"
OBSERVABLES = SWEEPS / "every-observable.toml"
Z = 5.6


@pytest.fixture(scope="module", params=[EVERY, OBSERVABLES], ids=lambda path: path.stem)
def every(request, tmp_path_factory):
    """The sweep, and its dataset by one thread."""
    out = tmp_path_factory.mktemp(request.param.stem) / "out"
    metasweep("run", request.param, "--out", out, "--threads", 1)
    return request.param, out


def test_every_replica_is_well(every):
    file, out = every
    replicas = pl.read_parquet(f"{out}/replicas/**/*.parquet")
    assert (replicas["status"] == "ok").all(), replicas.filter(pl.col("status") != "ok").head()
    assert replicas["cell"].n_unique() >= (130 if file == EVERY else 17)


@pytest.mark.parametrize(
    "arguments,env",
    [
        (["--threads", 2, "--chunk-replicas", 5], {}),
        (["--threads", 1], {"METASWEEP_SIMD": "portable"}),
        (["--threads", 2], {"METASWEEP_CHECKPOINT_EVERY": 7}),
    ],
)
def test_same_bytes(tmp_path, every, arguments, env):
    file, out = every
    metasweep("run", file, "--out", tmp_path / "out", *arguments, env=env)
    assert_same_files(tmp_path / "out", out)


def test_same_bytes_debug_build(tmp_path, every):
    file, out = every
    metasweep("run", file, "--out", tmp_path / "out", "--threads", 2, name="metasweep-debug")
    assert_same_files(tmp_path / "out", out)


def test_same_bytes_on_three_ranks(tmp_path, every):
    file, out = every
    mpirun(3, "run", file, "--out", tmp_path / "out", "--threads", 1, "--chunk-replicas", 4)
    assert_same_files(tmp_path / "out", out)


@pytest.mark.parametrize("failpoint", ["frame.write:3", "compute:10", "seal.rename:2"])
def test_killed_and_resumed(tmp_path, every, failpoint):
    file, reference = every
    out = tmp_path / "out"
    env = {"METASWEEP_FAILPOINT": f"{failpoint}=kill"}
    metasweep("run", file, "--out", out, "--threads", 1, "--chunk-replicas", 4, env=env, code=-9)
    metasweep("run", file, "--out", out)
    assert_same_files(out, reference)


def test_12_one_attention_layer(tmp_path):
    """P2 Theorem 7, at finite n exactly: ⟨θ_i, θ_j⟩ of one layer without residual on equiangular tokens, from the weights
    a = e^β/Z on the token itself and b = e^{βρ}/Z on each other."""
    rho = 0.5
    out = sweep(
        tmp_path,
        'n = [8, 64]\nd = 64\ngamma = [0.5, 2, 4]\ninitial = "equiangular(0.5)"\nresidual = false',
        'horizon = 1\nintegrator = "discrete"\nsample = [0, 1]',
    )
    rows = pl.read_parquet(f"{out}/series/**/*.parquet").filter(pl.col("t") == 1)
    assert len(rows) == 6
    for row in rows.iter_rows(named=True):
        n, beta = row["n"], row["gamma"] * math.log(row["n"])
        z = math.exp(beta) + (n - 1) * math.exp(beta * rho)
        a, b = math.exp(beta) / z, math.exp(beta * rho) / z
        gram = np.full((n, n), rho) + (1 - rho) * np.eye(n)
        weights = np.full((n, n), b) + (a - b) * np.eye(n)
        image = weights @ gram @ weights.T
        expected = image[0, 1] / image[0, 0]
        assert abs(row["mean_cosine_mean"] - expected) < 1e-12


def test_13_noisy_rotors_order_above_the_threshold(tmp_path):
    """P2 §7, β = 0, d = 2: with generator K ⟨·⟩ + (1/κ)Δ the mean field has order r = I_1(κr)/I_0(κr): none for κ ≤ 2. At κ = 8 the
    order parameter, from √(mean cosine), stays at the branch; at κ = 1 it is that of independent rotors, E r² = 1/n.

    n = 300, time averages over t in [20, 40] of 8 replicas: fluctuations are of order 1/√n; five times that is allowed."""
    n = 300
    out = sweep(
        tmp_path,
        f'n = {n}\nd = 2\nbeta = 0\nmodel = "kuramoto"\ngeometry = "circle"\nnormalization = "unnormalized"\nnoise = "brownian"\nkappa = [1, 8]',
        'horizon = 40\nintegrator = "discrete"\nstep = 0.02\nsample = { count = 41 }',
        replicas=8,
    )
    rows = pl.read_parquet(f"{out}/series/**/*.parquet").filter(pl.col("t") >= 20)
    square = {k: rows.filter(pl.col("kappa") == k)["mean_cosine_mean"].mean() for k in (1.0, 8.0)}
    r = 0.9
    for _ in range(200):
        x = 8 * r
        grid = np.linspace(0, math.pi, 20001)
        weight = np.exp(x * (np.cos(grid) - 1))
        r = (np.cos(grid) * weight).sum() / weight.sum()
    assert abs(math.sqrt(square[8.0]) - r) < 5 / math.sqrt(n)
    # κ/2 = 1/2 of the critical coupling: the response multiplies the fluctuation 1/n by 1/(1 − κ/2) = 2.
    assert abs(square[1.0]) < 5 * 2 / n


def expected_cosine(step, kappa, steps):
    """E⟨X_t, X_0⟩ of `projected_euler` in d = 3 without drift, exactly: each step turns X by an independent angle, so that the mean
    cosines multiply. x + sξ has the component 1 + s·z along x and a Rayleigh length s·ρ across it (Gauss–Hermite, Gauss–Laguerre)."""
    s = math.sqrt(2 * step / kappa)
    z, weight = np.polynomial.hermite_e.hermegauss(80)
    half_square, mass = np.polynomial.laguerre.laggauss(80)
    along, across = 1 + s * z[:, None], s * np.sqrt(2 * half_square)[None]
    cosine = along / np.hypot(along, across)
    return float((weight[:, None] / math.sqrt(2 * math.pi) * mass[None] * cosine).sum()) ** steps


def test_the_weak_order_of_noise_is_one(tmp_path):
    """P2 §7, V = 0, d = 3: E⟨X_t, X_0⟩ = e^{−2t/κ} for Brownian motion; the scheme's own mean differs from it by an amount that halves
    with the step. Measured with 10⁵ tokens to 5.6 standard errors, which the bias of the long step exceeds."""
    kappa, horizon = 4.0, 2.0
    exact = math.exp(-2 * horizon / kappa)
    bias = {step: expected_cosine(step, kappa, round(horizon / step)) - exact for step in (1.0, 0.5, 0.25, 2**-8, 2**-9)}
    assert bias[2**-8] / bias[2**-9] == pytest.approx(2, abs=0.05)
    for step in (1.0, 0.5, 0.25):
        out = sweep(
            tmp_path,
            f'n = 50\nd = 3\nbeta = 0\nvalue = "diag(0, 0, 0)"\nnoise = "brownian"\nkappa = {kappa}',
            f'horizon = {horizon}\nintegrator = "projected_euler"\nstep = {step}\nsample = [0, {horizon}]',
            f'series = ["order"]\nplateaus = false\nsnapshots = {{ replicas = 2000, times = [0.0, {horizon}] }}',
            replicas=2000,
            name=f"weak-{step:g}".replace(".", "-"),
        )
        rows = table(out, "tokens").sort("t", "replica", "token")
        before, after = np.split(np.array(rows["x"].to_list()), 2)
        cosines = (before * after).sum(axis=1)
        error = cosines.std(ddof=1) / math.sqrt(len(cosines))
        assert len(cosines) == 100_000
        assert abs(cosines.mean() - exact - bias[step]) < Z * error
        assert step < 1 or abs(bias[step]) > 2 * Z * error


def test_halving_the_step_refines_the_same_path(tmp_path):
    """Noise with step η and η/2 is the same path: ends of the replicas are closer than two independent ends are."""
    cell = 'n = 5\nd = 3\nbeta = 1\nnoise = "brownian"\nkappa = 4\nstep = [0.04, 0.02, 0.01]'
    out = sweep(
        tmp_path,
        cell,
        'horizon = 2\nintegrator = "projected_euler"\nsample = [0, 2]',
        'series = ["energy"]\nlevel = "replica"\nplateaus = false',
        replicas=64,
    )
    rows = pl.read_parquet(f"{out}/series/**/*.parquet").filter(pl.col("t") == 2)
    end = {s: rows.filter(pl.col("step") == s).sort("replica")["energy"].to_numpy() for s in (0.04, 0.02, 0.01)}
    paired = np.abs(end[0.02] - end[0.01]).mean()
    independent = np.abs(np.roll(end[0.02], 1) - end[0.01]).mean()  # replica r − 1 beside replica r
    assert paired < independent / 3
    assert paired < np.abs(end[0.04] - end[0.01]).mean()

    other = (tmp_path / "sweep.toml").read_text().replace("0.02, 0.01]", "0.02, 0.013]")
    (tmp_path / "other.toml").write_text(other)
    refused = metasweep("plan", tmp_path / "other.toml", code=2)
    assert "steps 0.04 and 0.013 of one noisy system cannot be" in refused.stderr


def test_equiangular_tokens_of_a_million(tmp_path):
    """n = 10⁶ costs what n = 2 does, and follows P0 (4.8): here against rk4 of the equation in numpy."""
    n, beta = 1_000_000, 10.0
    out = sweep(
        tmp_path,
        f'n = {n}\nd = {n}\nbeta = {beta}\ngeometry = "equiangular"\ninitial = "orthonormal"',
        'horizon = 6\nintegrator = "rk4"\nstep = 0.01\nsample = [0, 2, 4, 6]',
        'series = ["mean_cosine", "clusters", "energy"]\nlevel = "replica"\nplateaus = false',
    )
    rows = pl.read_parquet(f"{out}/series/**/*.parquet").sort("t")

    def rate(g):
        return 2 * (1 - g) * ((n - 1) * g + 1) / (math.exp(beta * (1 - g)) + n - 1)

    g, h = 0.0, 0.001
    for k in range(6000):
        if k % 2000 == 0:
            row = rows.filter(pl.col("t") == k // 1000)
            assert abs(row["mean_cosine"][0] - g) < 1e-8
            assert abs(row["energy"][0] - (1 / n + (1 - 1 / n) * math.exp(beta * (g - 1)))) < 1e-7
            assert row["clusters"][0] == n
        k1 = rate(g)
        k2 = rate(g + h / 2 * k1)
        k3 = rate(g + h / 2 * k2)
        k4 = rate(g + h * k3)
        g += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def test_repelling_tokens_of_the_plane(tmp_path):
    """P1 Table 1: V = −I, QᵀK = I: the tokens of R^d go to the origin."""
    out = sweep(
        tmp_path,
        'n = 10\nd = 2\nbeta = 1\nvalue = "-identity"\ngeometry = "euclidean"\ninitial = "hypercube(1)"',
        'horizon = 400\nintegrator = "rk4"\nstep = 0.1\nsample = [0, 400]',
        'series = ["min_cosine"]\nlevel = "replica"\nplateaus = false',
        replicas=8,
    )
    rows = pl.read_parquet(f"{out}/series/**/*.parquet")
    start, end = (rows.filter(pl.col("t") == t)["min_cosine"].to_numpy() for t in (0, 400))
    # 1 − min is half the squared diameter. Near 0 all weights are 1/n and ẋ = −mean: deviations shrink slowly, never grow.
    assert ((1 - end) < 0.25 * (1 - start)).all()
