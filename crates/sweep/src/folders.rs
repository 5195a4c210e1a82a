//! No folder of a dataset gets more entries than shared file systems bear well.

use std::collections::BTreeSet;

use crate::diagnostic::{Place, Problem, Problems};
use crate::document::{Entry, entry};
use crate::plan::tables;
use crate::sweep::Sweep;

/// Entries of a folder, at most. Lustre and NFS list, create and remove slowly beyond.
pub const MOST_ENTRIES: u64 = 10_000;

/// Reports tables that would be cut into too many parts or partitions; `output` is the section of that name.
pub(crate) fn check(sweep: &Sweep, output: Option<&Entry>, problems: &mut Problems) {
    let start = Place { source: 0, span: 0..0 };
    let entries = output.and_then(|section| section.value.table("output").ok()).unwrap_or(&[]);
    let place = |key: &str| entry(entries, key).map_or_else(|| start.clone(), |entry| entry.key_at.clone());
    let fullest = tables(sweep).into_iter().max_by_key(|(_, table)| table.files_in_a_folder);
    if let Some((name, table)) = fullest.filter(|(_, table)| table.files_in_a_folder > MOST_ENTRIES) {
        let (files, each) = (table.files_in_a_folder, sweep.output.rows_per_part);
        let enough = each.saturating_mul(files.div_ceil(MOST_ENTRIES));
        let message =
            format!("with {each} rows a part the table `{name}` would have {files} files in one folder");
        problems.push(Problem::new(&place("rows_per_part"), message).help(format!(
            "at most {MOST_ENTRIES}: take `rows_per_part = {enough}` or more, or partition the tables by more keys"
        )));
    }
    for key in &sweep.output.partition_by {
        let values = sweep.cells.iter().map(|cell| cell.text(key)).collect::<BTreeSet<_>>().len() as u64;
        if values > MOST_ENTRIES {
            let message = format!("`{key}` has {values} values, and each would be a folder");
            let help = format!("at most {MOST_ENTRIES}: partition by a key with fewer values");
            problems.push(Problem::new(&place("partition_by"), message).help(help));
        }
    }
}
