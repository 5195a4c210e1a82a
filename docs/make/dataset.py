"""A finished dataset as results.py reads it: opened only if it is complete and the one the page is about."""

import fractions
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

import polars as pl


class Refused(Exception):
    """The folder is not what a result page can be made from; the message says why and what to do."""


@dataclass
class Dataset:
    """One dataset folder, checked."""

    folder: Path
    manifest: dict
    cells: pl.DataFrame

    def table(self, name: str) -> pl.LazyFrame:
        """A table, all its parts."""
        return pl.scan_parquet(self.folder / name / "**" / "*.parquet", hive_partitioning=True)

    def parts(self) -> list[Path]:
        """Every sealed part."""
        tables = [
            self.folder / name
            for name in ("cells", "replicas", "series", "plateaus", "merges", "tokens", "attention", "histogram")
        ]
        return sorted(path for table in tables for path in table.glob("**/*.parquet"))

    def rows(self) -> dict[str, int]:
        """Rows of each table that is there."""
        names = sorted({path.relative_to(self.folder).parts[0] for path in self.parts()})
        return {name: self.table(name).select(pl.len()).collect().item() for name in names}


def axis(value: object) -> list[float]:
    """The values of a numeric axis of a sweep file: a number, a list, or a linear range in exact decimals."""
    if isinstance(value, dict):
        low, high, count = fractions.Fraction(str(value["from"])), fractions.Fraction(str(value["to"])), value["count"]
        return [float(low + (high - low) * k / (count - 1)) for k in range(count)]
    return [float(v) for v in (value if isinstance(value, list) else [value])]


def points(sweep: dict) -> set[tuple[float, float, float]]:
    """The (n, d, β) of every cell of a parsed sweep file."""
    return {
        (n, d, beta)
        for grid in sweep["grid"]
        for n in axis(grid["n"])
        for d in axis(grid["d"])
        for beta in axis(grid["beta"])
    }


def open_dataset(folder: Path, sweep_file: Path) -> Dataset:
    """The dataset in `folder`, if it holds the whole of `sweep_file`; else Refused."""
    run = f"`metasweep run {sweep_file} --out {folder}`"
    if not (folder / "manifest.json").is_file():
        raise Refused(f"{folder} is no dataset: it has no manifest.json. Make it with {run}.")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    with open(sweep_file, "rb") as file:
        sweep = tomllib.load(file)
    if manifest["name"] != sweep["name"]:
        raise Refused(f"{folder} holds the sweep {manifest['name']!r}, not {sweep['name']!r} of {sweep_file}.")
    if manifest["state"] != "complete":
        raise Refused(f"{folder} is incomplete. Finish it with {run}.")
    cells = pl.read_parquet(folder / "cells" / "**" / "*.parquet")

    found = set(cells.select(pl.col("n", "d", "beta").cast(pl.Float64)).rows())
    expected = points(sweep)
    if found != expected:
        raise Refused(
            f"{folder} holds another sweep than {sweep_file}: {len(expected - found)} of the {len(expected)} points (n, d, β) of the file "
            f"are missing there, {len(found - expected)} are not in the file."
        )
    for column, value in {
        "seed": sweep["seed"],
        "step": sweep["time"]["step"],
        "horizon": sweep["time"]["horizon"],
    }.items():
        if others := sorted(set(cells[column].to_list()) - {value}):
            raise Refused(
                f"{folder} holds another sweep than {sweep_file}: `{column}` is {others[0]} there and {value} in the file."
            )
    if others := sorted(set(cells["replicas"].to_list()) - {sweep["replicas"]}):
        raise Refused(
            f"{folder} has {others[0]} replicas a cell and {sweep_file} asks for {sweep['replicas']}. Extend it with {run} --extend."
        )
    if manifest["replicas_failed"]:
        raise Refused(
            f"{manifest['replicas_failed']} replicas of {folder} failed; `metasweep status {folder} --failed` says why."
        )
    return Dataset(folder, manifest, cells)
