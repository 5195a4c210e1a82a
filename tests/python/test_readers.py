"""polars, pandas, pyarrow.dataset and DuckDB open every table, also while it is being written; float predicates prune."""

import json
import subprocess

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from harness import SAME_BYTES, binary, environment, metasweep

TABLES = ["cells", "replicas", "series", "plateaus", "merges"]


def read_everywhere(out, table):
    """The table by four readers, as pandas frames sorted the same way."""
    glob = f"{out}/{table}/**/*.parquet"
    frames = {
        "polars": pl.read_parquet(glob, hive_partitioning=True).to_pandas(),
        "pandas": pd.read_parquet(f"{out}/{table}"),
        "pyarrow": ds.dataset(f"{out}/{table}", partitioning="hive").to_table().to_pandas(),
        "duckdb": duckdb.sql(f"SELECT * FROM read_parquet('{glob}', hive_partitioning = true)").df(),
    }
    return frames


@pytest.mark.parametrize("table", TABLES)
def test_every_reader_sees_the_same(reference, table):
    frames = read_everywhere(reference, table)
    rows = {name: len(frame) for name, frame in frames.items()}
    assert len(set(rows.values())) == 1 and rows["polars"] > 0, rows
    columns = {name: sorted(map(str, frame.columns)) for name, frame in frames.items()}
    assert len({tuple(c) for c in columns.values()}) == 1, columns
    for column in columns["polars"]:
        nulls = {name: int(frame[column].isna().sum()) for name, frame in frames.items()}
        assert len(set(nulls.values())) == 1, (column, nulls)


def test_types(reference):
    schema = ds.dataset(f"{reference}/replicas", partitioning="hive").schema
    assert pa.types.is_floating(schema.field("beta").type)
    assert pa.types.is_integer(schema.field("n").type)
    assert pa.types.is_integer(schema.field("replica").type)
    assert pa.types.is_string(schema.field("cell").type)
    assert pa.types.is_boolean(schema.field("censored").type)
    assert pa.types.is_boolean(schema.field("hemisphere_initial").type)
    assert pa.types.is_floating(schema.field("collapse_time").type)
    assert pa.types.is_string(schema.field("status").type)
    assert "normalization" in schema.names and "value" in schema.names


def test_partition_columns_are_in_the_path_only(reference):
    for table in ("replicas", "series", "plateaus", "merges"):
        for file in reference.glob(f"{table}/**/*.parquet"):
            assert not {"normalization", "value"} & set(pq.read_schema(file).names)
    for file in reference.glob("cells/**/*.parquet"):
        assert {"normalization", "value", "beta", "step", "step_rule", "replicas_done"} <= set(pq.read_schema(file).names)


def test_missing_is_null_and_never_nan(reference):
    for table in TABLES:
        frame = pl.read_parquet(f"{reference}/{table}/**/*.parquet")
        for column, kind in frame.schema.items():
            if kind == pl.Float64:
                assert not frame[column].is_nan().any(), (table, column)
    replicas = pl.read_parquet(f"{reference}/replicas/**/*.parquet")
    assert (replicas["collapse_time"].is_null() == (replicas["end"] != "collapsed")).all()
    assert (replicas["censored"] == (replicas["end"] == "horizon")).all()
    assert replicas["collapse_time"].null_count() > 0


def test_rows_are_sorted(reference):
    """n, d, beta, the other parameters by name, cell, replica, t — within a partition."""
    for table, last in (("replicas", []), ("series", ["t"])):
        for folder in {file.parent for file in reference.glob(f"{table}/**/*.parquet")}:
            frame = pl.concat([pl.read_parquet(file, hive_partitioning=False) for file in sorted(folder.glob("*.parquet"))])
            parameters = frame.columns[: frame.columns.index("cell")]
            assert parameters[:3] == ["n", "d", "beta"] and parameters[3:] == sorted(parameters[3:])
            keys = parameters + ["cell"] + (["replica"] if "replica" in frame.columns else []) + last
            assert frame.select(keys).equals(frame.select(keys).sort(keys, nulls_last=False)), folder


def test_tables_agree_with_each_other(reference):
    cells = pl.read_parquet(f"{reference}/cells/*.parquet")
    replicas = pl.read_parquet(f"{reference}/replicas/**/*.parquet")
    series = pl.read_parquet(f"{reference}/series/**/*.parquet")
    assert cells["cell"].n_unique() == len(cells)
    assert set(replicas["cell"]) == set(cells["cell"]) == set(series["cell"])
    assert len(replicas) == 20 * len(cells) and len(series) == 31 * len(cells)
    assert (cells["replicas_done"] == 20).all()
    last = series.filter(pl.col("t") == 12.0).select("cell", "clusters_mean")
    final = replicas.group_by("cell").agg(pl.col("clusters_final").mean())
    joined = last.join(final, on="cell")
    assert np.abs(joined["clusters_mean"].to_numpy() - joined["clusters_final"].to_numpy()).max() < 1e-12


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """At least 400,000 rows of series in one partition."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "large.toml").write_text(
        """
        name = "large"
        seed = 3
        replicas = 50
        [[grid]]
        n = 3
        d = 2
        beta = { from = 0.1, to = 9.0, count = 90 }
        [time]
        horizon = 10
        integrator = "projected_euler"
        step = 0.1
        sample = { count = 101 }
        [observe]
        series = ["clusters", "min_cosine"]
        level = "replica"
        plateaus = false
        """
    )
    metasweep("run", folder / "large.toml", "--out", folder / "out")
    return folder / "out"


def test_a_float_predicate_prunes_row_groups(large):
    dataset = ds.dataset(f"{large}/series", partitioning="hive")
    rows = dataset.count_rows()
    assert rows >= 400_000
    predicate = ds.field("beta") == 0.3
    groups = kept = 0
    for fragment in dataset.get_fragments():
        groups += fragment.num_row_groups
        kept += fragment.subset(predicate).num_row_groups
    assert groups >= 3 and kept == 1, (groups, kept)
    assert dataset.to_table(filter=predicate).num_rows == 50 * 101

    glob = f"{large}/series/**/*.parquet"
    statistics = duckdb.sql(
        f"SELECT stats_min_value, stats_max_value, row_group_num_rows FROM parquet_metadata('{glob}') WHERE path_in_schema = 'beta'"
    ).fetchall()
    holding = sum(int(size) for low, high, size in statistics if float(low) <= 0.3 <= float(high))
    assert holding < rows / 2
    profile = duckdb.connect()
    profile.execute(f"PRAGMA enable_profiling = 'json'; PRAGMA profiling_output = '{large.parent}/profile.json'")
    count = profile.execute(f"SELECT count(min_cosine) FROM read_parquet('{glob}') WHERE beta = 0.3").fetchall()[0][0]
    profile.close()
    assert count == 50 * 101
    query = json.loads((large.parent / "profile.json").read_text())["query"]
    assert query["total_row_groups_to_scan"] >= 3 and query["total_row_groups_scanned"] == 1, query


def test_reading_while_it_is_written(tmp_path):
    """Whatever is there at any instant opens, and holds whole parts only."""
    out = tmp_path / "out"
    command = [binary(), "run", str(SAME_BYTES), "--out", str(out), "--threads", "1", "--set", "replicas=200"]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
    seen = set()
    while process.poll() is None:
        for table in TABLES:
            if not list(out.glob(f"{table}/**/*.parquet")):
                continue
            rows = len(pl.read_parquet(f"{out}/{table}/**/*.parquet"))
            later = duckdb.sql(f"SELECT count(*) FROM '{out}/{table}/**/*.parquet'").fetchall()[0][0]
            assert rows <= later, "parts are added, never taken away"
            ds.dataset(f"{out}/{table}", partitioning="hive").count_rows()
            pd.read_parquet(f"{out}/{table}")
            if process.poll() is None:
                seen.add(table)
    assert process.returncode == 0
    for table in TABLES:
        parts = f"{out}/{table}/**/*.parquet"
        assert len(pl.read_parquet(parts)) == duckdb.sql(f"SELECT count(*) FROM '{parts}'").fetchall()[0][0]
    assert "series" in seen or "replicas" in seen, "nothing was readable before the end"
