"""What a dataset is and where it was made: the first table of a result page; called by results.py."""

import datetime
import json

import polars as pl

from dataset import Dataset


def size(bytes_: float) -> str:
    """Bytes for people, in powers of ten."""
    for unit in ("B", "kB", "MB", "GB"):
        if bytes_ < 1000:
            return f"{bytes_:.3g} {unit}"
        bytes_ /= 1000
    return f"{bytes_:.3g} TB"


def grouped(count: int) -> str:
    """1234567 as 1 234 567."""
    return f"{count:,}".replace(",", " ")


def team(processes: list[dict]) -> str:
    """`2 ranks × 1 thread`, with what they computed on."""
    threads = sorted({process["threads"] for process in processes})
    ranks = "1 process" if len(processes) == 1 else f"{len(processes)} ranks"
    each = "–".join(map(str, threads))
    kinds = sorted({f"{process['cpu']}, {process['isa']}" for process in processes})
    hosts = len({process["host"] for process in processes})
    on = "" if hosts == 1 else f" on {hosts} hosts"
    return f"{ranks} × {each} thread{'' if each == '1' else 's'}{on} ({'; '.join(kinds)})"


def runs(dataset: Dataset) -> list[dict]:
    """What the journal says of every run that worked on this dataset, the first one first."""
    records = [
        json.loads(path.read_text(encoding="utf-8")) for path in dataset.folder.glob("journal/**/*-provenance.json")
    ]
    return sorted(records, key=lambda record: record["started"])


def history(dataset: Dataset) -> dict[str, str]:
    """When, where and how long it was computed."""
    records = runs(dataset)
    if not records:
        return {}
    dates = sorted(
        {datetime.datetime.fromtimestamp(r["started"], datetime.timezone.utc).date().isoformat() for r in records}
    )
    known = [record for record in records if record["wall_seconds"] is not None]
    wall = sum(record["wall_seconds"] for record in known)
    cpu = sum(record["cpu_seconds"] for record in known)
    killed = len(records) - len(known)
    note = (
        ""
        if len(records) == 1
        else f" ({len(records)} runs" + (f", {killed} killed and not counted)" if killed else ")")
    )
    said = {
        "computed by": "; ".join(dict.fromkeys(record["program"] for record in records)),
        "on": " … ".join(dict.fromkeys([dates[0], dates[-1]])),
        "with": "; ".join(dict.fromkeys(team(record["processes"]) for record in records)),
        "wall time": f"{wall:.1f} s{note}",
        "CPU time": f"{cpu:.1f} s",
    }
    if not killed:
        steps = dataset.table("replicas").select(pl.col("steps").cast(pl.Int64).sum()).collect().item()
        said["system-steps"] = grouped(steps)
        said["wall time a system-step, all statistics included"] = f"{1e6 * wall / steps:.3g} µs"
    return said


def describe(dataset: Dataset) -> dict[str, str]:
    """What there is to say of one dataset, by the label of its row."""
    parts = dataset.parts()
    return {
        "sweep": f"`{dataset.manifest['identity'][:16]}…`",
        "engine": str(dataset.manifest["engine"]),
        **history(dataset),
        "cells": grouped(dataset.cells.height),
        "replicas of a cell": grouped(dataset.manifest["replicas"]),
        **{f"rows of `{name}`": grouped(count) for name, count in dataset.rows().items()},
        "bytes": size(sum(path.stat().st_size for path in parts)),
        "files": str(len(parts)),
    }


def table(datasets: list[Dataset]) -> list[str]:
    """One column a dataset."""
    columns = [describe(dataset) for dataset in datasets]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    names = " | ".join(f"`{dataset.manifest['name']}`" for dataset in datasets)
    lines = [f"| | {names} |", "|" + "---|" * (len(datasets) + 1)]
    return lines + [
        f"| {label} | " + " | ".join(column.get(label, "–") for column in columns) + " |" for label in labels
    ]
