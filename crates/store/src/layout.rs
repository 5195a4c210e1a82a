//! Where things are inside a dataset's folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// `manifest.json`: what this dataset is.
#[must_use]
pub fn manifest(dir: &Path) -> PathBuf {
    dir.join("manifest.json")
}
/// `journal/`: receipts and provenance.
#[must_use]
pub fn journal(dir: &Path) -> PathBuf {
    dir.join("journal")
}
/// `staging/`: frames that are not sealed yet. Gone once the dataset is complete.
#[must_use]
pub fn staging(dir: &Path) -> PathBuf {
    dir.join("staging")
}
/// `inputs/`: files that the sweep reads, by content.
#[must_use]
pub fn inputs(dir: &Path) -> PathBuf {
    dir.join("inputs")
}
/// `journal/owner`: who runs here.
#[must_use]
pub fn owner(dir: &Path) -> PathBuf {
    journal(dir).join("owner")
}
/// `journal/extension.json`: present while an extension is under way.
#[must_use]
pub fn extension(dir: &Path) -> PathBuf {
    journal(dir).join("extension.json")
}
/// `staging/next/`: the tables of an extension until they are swapped in.
#[must_use]
pub fn next(dir: &Path) -> PathBuf {
    staging(dir).join("next")
}
/// `staging/old/`: the tables that an extension swapped out.
#[must_use]
pub fn old(dir: &Path) -> PathBuf {
    staging(dir).join("old")
}

/// The tables that this engine writes (docs/dataset.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// One row a cell; never partitioned.
    Cells,
    /// One row a replica.
    Replicas,
    /// One row a cell (or replica) and sample time.
    Series,
    /// One row a plateau.
    Plateaus,
    /// One row a merge.
    Merges,
    /// One row a token, at the times asked for.
    Tokens,
    /// One row a pair of tokens and head, at the times asked for.
    Attention,
    /// One row a bin, sample time and cell.
    Histogram,
}

impl Table {
    /// Every table.
    pub const ALL: [Table; 8] = [
        Table::Cells,
        Table::Replicas,
        Table::Series,
        Table::Plateaus,
        Table::Merges,
        Table::Tokens,
        Table::Attention,
        Table::Histogram,
    ];

    /// Its folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Table::Cells => "cells",
            Table::Replicas => "replicas",
            Table::Series => "series",
            Table::Plateaus => "plateaus",
            Table::Merges => "merges",
            Table::Tokens => "tokens",
            Table::Attention => "attention",
            Table::Histogram => "histogram",
        }
    }
}

/// Path of a part below the folder that holds the tables: `replicas/normalization=softmax/part-00003.parquet`.
#[must_use]
pub fn part(table: Table, partition: &str, part: u32) -> PathBuf {
    Path::new(table.name()).join(partition).join(format!("part-{part:05}.parquet"))
}

/// Where new parts go: beside the manifest, or (while an extension is under way) under `staging/next`.
#[must_use]
pub fn tables(dir: &Path, extending: bool) -> PathBuf {
    if extending { next(dir) } else { dir.to_owned() }
}

/// Processes of a run whose files lie in `journal/` and `staging/` themselves.
const FLAT: u32 = 64;
/// Processes whose files share a folder below.
const TOGETHER: u32 = 1000;

/// Below `folder`, where the files of a process of the run `nonce` lie. Shared file systems slow down in folders of many entries: of
/// many processes those after the first few have folders by run and thousand, two levels down.
fn place(folder: PathBuf, nonce: u64, process: u32) -> PathBuf {
    if process < FLAT || process == crate::writer::IMPORTER {
        return folder;
    }
    // Without a lead each process is a run of its own: they are spread over 256 folders.
    folder.join(format!("{:02x}", nonce >> 56)).join(format!("{nonce:016x}-{}", process / TOGETHER))
}

/// Whether [`place`] may have made a folder of this name.
pub(crate) fn is_place(name: &str) -> bool {
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let of_a_run = |(nonce, thousand): (&str, &str)| {
        nonce.len() == 16 && hexadecimal(nonce) && thousand.bytes().all(|byte| byte.is_ascii_digit())
    };
    name.len() == 2 && hexadecimal(name) || name.split_once('-').is_some_and(of_a_run)
}

/// A staging file: written by one process of one run, and by nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FrameFile {
    /// The run.
    pub nonce: u64,
    /// The process of that run (its MPI rank).
    pub process: u32,
    /// Counts up as files fill.
    pub number: u32,
}

impl FrameFile {
    /// Its path.
    #[must_use]
    pub fn path(self, dir: &Path) -> PathBuf {
        let FrameFile { nonce, process, number } = self;
        place(staging(dir), nonce, process).join(format!("{nonce:016x}-{process}-{number}.frames"))
    }
}

/// The journal of one process of one run.
#[must_use]
pub fn journal_file(dir: &Path, nonce: u64, process: u32) -> PathBuf {
    place(journal(dir), nonce, process).join(format!("{nonce:016x}-{process}.journal"))
}

/// Where and when a run took place that has no lead but is one of many: its `process`'s share of a sweep. Of a run with a lead `process` is 0.
#[must_use]
pub fn provenance_file(dir: &Path, nonce: u64, process: u32) -> PathBuf {
    place(journal(dir), nonce, process).join(format!("{nonce:016x}-provenance.json"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn fullest(paths: impl Iterator<Item = PathBuf>) -> usize {
        let mut entries: HashMap<PathBuf, std::collections::HashSet<PathBuf>> = HashMap::new();
        for path in paths {
            for inside in path.ancestors() {
                if let Some(folder) = inside.parent() {
                    entries.entry(folder.to_owned()).or_default().insert(inside.to_owned());
                }
            }
        }
        entries.values().map(std::collections::HashSet::len).max().unwrap_or(0)
    }

    /// A hundred thousand ranks, twenty times; and an array of a hundred thousand elements, each a run of its own.
    #[test]
    fn no_folder_holds_more_than_ten_thousand_entries() {
        let dir = Path::new("/d");
        let nonce = |run: u64| run.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let ranks =
            (1..=20).flat_map(|run| (0..100_000).map(move |rank| journal_file(dir, nonce(run), rank)));
        assert!(fullest(ranks) <= 10_000);
        let frames =
            |rank| (0..2).map(move |number| FrameFile { nonce: nonce(1), process: rank, number }.path(dir));
        assert!(fullest((0..100_000).flat_map(frames)) <= 10_000);
        let elements = (0..100_000).flat_map(|element| {
            let nonce = nonce(u64::from(element) + 1);
            [journal_file(dir, nonce, element), provenance_file(dir, nonce, element)]
        });
        assert!(fullest(elements) <= 10_000);
    }

    #[test]
    fn folders_of_processes_are_told_from_others() {
        for process in [64, 999, 1000, 99_999] {
            let path = journal_file(Path::new("/d"), 0x00ab_0000_0000_0001, process);
            let folders: Vec<_> = path
                .ancestors()
                .skip(1)
                .take(2)
                .map(|one| one.file_name().unwrap().to_str().unwrap().to_owned())
                .collect();
            assert!(folders.iter().all(|name| is_place(name)), "{folders:?}");
        }
        for other in [
            "next",
            "old",
            "owner",
            "0",
            "extension.json",
            "x0",
            "0123456789abcdef-provenance.json",
            "0123456789abcdef-0-0.frames",
        ] {
            assert!(!is_place(other), "{other}");
        }
    }
}
