"""The commands as a user types them: new, plan, status, replay, --set, exit codes, messages."""

import contextlib
import json
import os
import pty
import re
import subprocess

import numpy as np
import polars as pl
import pytest

from harness import REPOSITORY, SAME_BYTES, assert_same_files, binary, data_hashes, environment, metasweep, status

from again import tokens as python_tokens


def test_help_and_version():
    assert "Exit codes" in metasweep("--help").stdout
    assert metasweep("--version").stdout.startswith("metasweep ")
    for command in ("run", "plan", "status", "verify", "replay", "new"):
        assert "Usage" in metasweep(command, "--help").stdout


def test_bad_usage():
    for arguments in ([], ["walk"], ["run"], ["run", "a.toml", "--threads", "0"], ["run", "a.toml", "--walltime", "soon"]):
        assert metasweep(*arguments, code=2).stderr


def test_new_writes_a_sweep_that_runs(tmp_path):
    metasweep("new", "first", cwd=tmp_path)
    assert (tmp_path / "first.toml").exists()
    again = metasweep("new", "first", cwd=tmp_path, code=2)
    assert "first.toml" in again.stderr
    metasweep("plan", "first.toml", cwd=tmp_path)
    metasweep("run", "first.toml", "--set", "replicas=2", "--set", "time.horizon=1", cwd=tmp_path)
    assert status(tmp_path / "out/first")["state"] == "complete"
    for name in ("a/b", ".hidden", "", "two words"):
        metasweep("new", name, cwd=tmp_path, code=2)


def test_plan_runs_nothing(tmp_path):
    plan = json.loads(metasweep("plan", SAME_BYTES, "--json", "--ranks", 4, "--threads", 2, cwd=tmp_path).stdout)
    assert plan["cells"] == 2 * 2 * 3 * 2 * 2 * 2 + 5 + 6
    assert plan["replicas"] == 20 * plan["cells"]
    assert plan["chunks"] > 0 and plan["bytes"] > 0 and plan["core_hours"] > 0
    assert not list(tmp_path.iterdir())
    assert "core-hours" in metasweep("plan", SAME_BYTES, cwd=tmp_path).stdout


def test_plan_counts_the_rows_that_come(reference):
    plan = json.loads(metasweep("plan", SAME_BYTES, "--json").stdout)
    for table in ("cells", "replicas", "series"):
        assert plan["tables"][table]["rows"] == len(pl.read_parquet(f"{reference}/{table}/**/*.parquet"))


def test_status_of_a_complete_dataset(reference):
    state = status(reference)
    assert state["state"] == "complete"
    assert state["replicas_done"] == state["replicas_total"] == 20 * 107
    assert state["replicas_failed"] == 0
    assert state["chunks_done"] == state["chunks_total"] > 0
    assert "complete" in metasweep("status", reference).stdout


def test_running_a_complete_dataset_again(reference):
    before = data_hashes(reference)
    assert "complete" in metasweep("run", SAME_BYTES, "--out", reference).stderr
    assert data_hashes(reference) == before


def test_the_closing_message_opens_the_data(tmp_path):
    """Where the data is, and three lines that open it in polars: they are run."""
    done = metasweep("run", SAME_BYTES, "--out", tmp_path / "out", "--set", "replicas=2")
    assert str(tmp_path / "out") in done.stderr
    lines = [line.strip() for line in done.stderr.splitlines()]
    begin = next(i for i, line in enumerate(lines) if line.startswith("import polars"))
    exec("\n".join(lines[begin : begin + 3]), {})  # noqa: S102


def test_quiet_is_quiet(tmp_path):
    for position in (["-q", "run"], ["run", "-q"]):
        out = tmp_path / "-".join(position)
        first, *rest = position
        arguments = [*position, SAME_BYTES] if first == "-q" else ["run", SAME_BYTES, "-q"]
        assert metasweep(*arguments, "--out", out, "--set", "replicas=1").stderr == ""


def test_default_folder(tmp_path):
    metasweep("run", SAME_BYTES, "--set", "replicas=1", cwd=tmp_path)
    assert (tmp_path / "out/same-bytes/manifest.json").exists()


def test_set_is_the_same_as_writing_it(tmp_path):
    text = SAME_BYTES.read_text().replace("horizon = 12.0", "horizon = 3.0").replace("replicas = 20", "replicas = 3")
    (tmp_path / "other.toml").write_text(text)
    metasweep("run", tmp_path / "other.toml", "--out", tmp_path / "a")
    metasweep("run", SAME_BYTES, "--out", tmp_path / "b", "--set", "time.horizon=3", "--set", "replicas=3")
    assert_same_files(tmp_path / "b", tmp_path / "a")


@pytest.mark.parametrize("wrong,word", [("betta=3", "beta"), ("time.horison=3", "horizon"), ("beta", "="), ("beta=", "expression")])
def test_a_wrong_set(tmp_path, wrong, word):
    done = metasweep("run", SAME_BYTES, "--out", tmp_path / "out", "--set", wrong, code=2)
    assert word in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_reader_that_has_seen_enough(reference):
    """`| head` ends the command quietly."""
    command = f"'{binary()}' status '{reference}' --json --cells | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "{" and done.stderr == ""


def test_more_tokens_than_fit_are_refused(tmp_path):
    done = metasweep("run", SAME_BYTES, "--out", tmp_path / "out", "--set", "n=1000000", "--set", "d=3", code=2)
    assert "memory" in done.stderr and "1000000" in done.stderr
    assert not (tmp_path / "out").exists()


def test_level_replica_of_a_file_with_quantiles(tmp_path):
    quickstart = REPOSITORY / "sweeps/quickstart.toml"
    metasweep("run", quickstart, "--out", tmp_path / "out", "--set", "observe.level=replica", "--set", "replicas=2")
    assert "replica" in pl.read_parquet(f"{tmp_path}/out/series/**/*.parquet").columns


def test_strict_and_quiet(tmp_path):
    """USA with a step far too long: replicas fail, are counted, and with --strict give 1, said even with -q."""
    sweep = tmp_path / "fails.toml"
    sweep.write_text(
        'name = "fails"\nseed = 1\nreplicas = 4\n[[grid]]\nn = 4\nd = 2\nbeta = 300\nnormalization = "unnormalized"\n'
        '[time]\nhorizon = 20\nintegrator = "rk4"\nstep = 1\nsample = { count = 3 }\n'
    )
    metasweep("run", sweep, "--out", tmp_path / "a")
    state = status(tmp_path / "a")
    assert state["state"] == "complete" and state["replicas_failed"] > 0
    replicas = pl.read_parquet(f"{tmp_path}/a/replicas/*.parquet")
    failed = replicas.filter(pl.col("status") != "ok")
    assert len(failed) == state["replicas_failed"] and failed["energy_final"].null_count() == len(failed)
    assert "not finite" in metasweep("status", tmp_path / "a", "--failed").stdout
    done = metasweep("run", sweep, "--out", tmp_path / "b", "--strict", "-q", code=1)
    assert "failed" in done.stderr


def test_a_sweep_file_that_is_not_there(tmp_path):
    done = metasweep("run", tmp_path / "nothing.toml", code=2)
    assert "nothing.toml" in done.stderr


def test_replay_is_the_same_run(tmp_path, reference):
    """The replayed trajectory gives the numbers of the dataset, and the Python re-implementation its first tokens."""
    replicas = pl.read_parquet(f"{reference}/replicas/**/*.parquet", hive_partitioning=True)
    row = replicas.filter(
        pl.col("n") == 17, pl.col("d") == 3, pl.col("value") == "identity", pl.col("mask") == "full",
        pl.col("normalization") == "softmax", pl.col("beta") == 4.5, pl.col("replica") == 3,
    ).row(0, named=True)  # fmt: skip
    out = tmp_path / "x.npy"
    metasweep("replay", reference, "--cell", row["cell"], "--replica", 3, "--out", out)
    tokens = np.load(out)
    assert tokens.shape == (31, 17, 3)
    cosines = tokens[-1] @ tokens[-1].T
    assert abs(cosines[~np.eye(17, dtype=bool)].min() - row["min_cosine_final"]) < 1e-12
    expected = np.array(python_tokens(seed=20261122, replica=3, n=17, d=3))
    assert tokens[0].tobytes() == expected.tobytes()

    metasweep("replay", reference, "--cell", row["cell"], "--replica", 3, "--initial", "--out", tmp_path / "i.npy")
    assert np.load(tmp_path / "i.npy").tobytes() == expected.tobytes()

    metasweep("replay", reference, "--cell", row["cell"], "--replica", 3, "--times", "0,12", "--out", tmp_path / "x.parquet")
    frame = pl.read_parquet(tmp_path / "x.parquet")
    assert frame["t"].unique().to_list() == [0.0, 12.0] or sorted(frame["t"].unique()) == [0.0, 12.0]
    last = np.array(frame.filter(pl.col("t") == 12.0).sort("token")["x"].to_list())
    assert last.tobytes() == np.ascontiguousarray(tokens[-1]).tobytes()


def test_replay_of_what_is_not_there(reference, tmp_path):
    assert metasweep("replay", reference, "--cell", "zzzz", "--replica", 0, "--out", tmp_path / "x.npy", code=2).stderr
    cell = pl.read_parquet(f"{reference}/cells/*.parquet")["cell"][0]
    done = metasweep("replay", reference, "--cell", cell, "--replica", 20, "--out", tmp_path / "x.npy", code=2)
    assert "20" in done.stderr
    metasweep("replay", reference, "--cell", cell, "--replica", 0, "--out", tmp_path / "x.csv", code=2)


def test_the_sweeps_that_ship_are_right():
    for path in sorted((REPOSITORY / "sweeps").glob("*.toml")):
        metasweep("plan", path)


def test_a_plan_for_a_cluster(tmp_path):
    """Links, efficiency and load by simulation; the head of a job script that sbatch could read; times that are too short are said."""
    quickstart = REPOSITORY / "sweeps/quickstart.toml"
    arguments = ("plan", quickstart, "--set", "replicas=200000", "--ranks", 4, "--threads", 2)
    whole = json.loads(metasweep(*arguments, "--json").stdout)
    paper = whole["forecast"]
    assert paper["links"] == 1 and paper["finishes"] and 0.9 < paper["efficiency"] <= 1
    assert whole["makespan"] == paper["makespan"] > whole["core_hours"] * 3600 / 8
    assert paper["messages"] > 3 * whole["chunks"] and paper["lead_busy"] < 0.1
    assert whole["metadata_operations_per_second"] > 0 and whole["queue_calls_per_hour"] > 0
    assert re.fullmatch(r"(#SBATCH --[a-z-]+=[^ ]+\n)+", whole["sbatch"]) and "--ntasks=4\n" in whole["sbatch"]
    # The same speeds give the same plan, wherever it is made.
    (tmp_path / "there.json").write_text(json.dumps(whole))
    again = json.loads(metasweep(*arguments, "--json", "--calibration", tmp_path / "there.json").stdout)
    assert again == whole
    (tmp_path / "none.json").write_text("{}")
    assert "holds no calibration" in metasweep(*arguments, "--calibration", tmp_path / "none.json", code=2).stderr
    third = f"{max(2, round(paper['makespan'] / 3))}s"
    said = metasweep(*arguments, "--walltime", third).stdout
    jobs = int(re.search(r"(\d+) jobs of", said).group(1))
    assert 3 <= jobs <= 8, said
    assert "are too short" in metasweep(*arguments, "--walltime", "1s").stdout


@pytest.mark.parametrize("arguments", [("--help",), ("plan", "bad.toml"), ("nonsense",)])
def test_no_color(tmp_path, arguments):
    """On a terminal messages are coloured, unless NO_COLOR says otherwise (no-color.org)."""
    (tmp_path / "bad.toml").write_text('name = "x"\nreplicas = 1\n')

    def said(extra):
        leader, follower = pty.openpty()
        variables = environment({"TERM": "xterm-256color", **extra})
        process = subprocess.Popen([binary(), *arguments], cwd=tmp_path, env=variables, stdin=follower, stdout=follower, stderr=follower)
        os.close(follower)
        text = b""
        # A terminal whose other end is closed is an error on Linux, and the end.
        with contextlib.suppress(OSError):
            while chunk := os.read(leader, 65536):
                text += chunk
        process.wait(timeout=30)
        os.close(leader)
        return text

    assert said({}).count(b"\x1b[") > 5
    plain = said({"NO_COLOR": "1"})
    assert b"\x1b" not in plain and len(plain) > 40
