//! One file to keep and to cite: `metasweep archive`. A tar with the parts, the manifest, the sweep, checksums, how to cite it and how to
//! compute it again. Unpacked it is a dataset. Equal datasets give equal archives.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use crate::error::{Context, Result, StoreError};
use crate::files::{rename, sync_file, sync_folder};
use crate::layout;
use crate::manifest::{Manifest, State};
use crate::parquet_file::part_path;
use crate::verify::verify;

/// What was archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Archived {
    /// Files, those that only the archive has included.
    pub files: u64,
    /// Bytes of the archive.
    pub bytes: u64,
}

/// Verifies the dataset in `dir`, then writes it to `out`, which must not be there yet; a reader never sees half of it.
///
/// # Errors
/// If the dataset is not complete or not whole, if `out` is there, or if the disk refuses.
pub fn archive(dir: &Path, out: &Path) -> Result<Archived> {
    let manifest = Manifest::read(dir)?.ok_or_else(|| StoreError::Missing { path: dir.to_owned() })?;
    if manifest.state != State::Complete {
        let what = "only a complete dataset can be archived; run the sweep to its end first".to_owned();
        return Err(StoreError::Unfinished { path: dir.to_owned(), what });
    }
    let report = verify(dir, &mut |_, _| {})?;
    if let Some(problem) = report.problems.first() {
        return Err(StoreError::damaged(dir, problem.clone()));
    }
    if out.exists() {
        let source = io::Error::from(io::ErrorKind::AlreadyExists);
        return Err(StoreError::Io { action: "create", path: out.to_owned(), source });
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = write(dir, &manifest, &temporary);
    if written.is_err() {
        // What stopped it is what is told.
        let _ = std::fs::remove_file(&temporary);
    }
    let files = written?;
    let bytes = std::fs::metadata(&temporary).context("examine", &temporary)?.len();
    rename(&temporary, out)?;
    sync_folder(folder)?;
    Ok(Archived { files, bytes })
}

/// Everything the archive holds of the dataset: its path there, and on disk.
fn contents(dir: &Path, manifest: &Manifest) -> Vec<(String, PathBuf)> {
    let mut files = vec![("manifest.json".to_owned(), layout::manifest(dir))];
    for (name, hash) in &manifest.inputs {
        files.push((format!("inputs/{hash}"), layout::inputs(dir).join(hash)));
        // Once more under the name by which sweep.toml, beside it, reads it.
        files.push((name.clone(), layout::inputs(dir).join(hash)));
    }
    for seal in &manifest.parts {
        let relative = layout::part(seal.table, &seal.partition, seal.part);
        files.push((relative.to_string_lossy().into_owned(), part_path(dir, seal)));
    }
    files.sort();
    files.dedup();
    files
}

fn write(dir: &Path, manifest: &Manifest, path: &Path) -> Result<u64> {
    let file = File::create(path).context("create", path)?;
    let mut tar = Builder::new(BufWriter::new(file));
    let root = &manifest.name;
    let (mut sums, mut files) = (String::new(), 0);
    for (name, source) in contents(dir, manifest) {
        let file = File::open(&source).context("open", &source)?;
        let length = file.metadata().context("examine", &source)?.len();
        let mut hashing = Hashing { file, hasher: blake3::Hasher::new() };
        append(&mut tar, &format!("{root}/{name}"), length, &mut hashing).context("write", path)?;
        sums += &format!("{}  {name}\n", hashing.hasher.finalize().to_hex());
        files += 1;
    }
    let texts = [
        ("sweep.toml", manifest.sweep.clone()),
        ("README.md", readme(manifest)),
        ("CITATION.cff", citation(manifest)),
    ];
    for (name, text) in texts {
        sums += &format!("{}  {name}\n", blake3::hash(text.as_bytes()).to_hex());
        append(&mut tar, &format!("{root}/{name}"), text.len() as u64, text.as_bytes())
            .context("write", path)?;
        files += 1;
    }
    append(&mut tar, &format!("{root}/BLAKE3SUMS"), sums.len() as u64, sums.as_bytes())
        .context("write", path)?;
    let file =
        tar.into_inner().and_then(|buffer| buffer.into_inner().map_err(io::IntoInnerError::into_error));
    sync_file(&file.context("write", path)?, path, "archive.sync")?;
    Ok(files + 1)
}

/// One entry, without times, owners or modes of this machine.
fn append(tar: &mut Builder<impl Write>, name: &str, length: u64, data: impl Read) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_size(length);
    tar.append_data(&mut header, name, data)
}

/// Hashes what is read.
struct Hashing {
    file: File,
    hasher: blake3::Hasher,
}

impl Read for Hashing {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(bytes)?;
        self.hasher.update(&bytes[..read]);
        Ok(read)
    }
}

fn readme(manifest: &Manifest) -> String {
    let Manifest { name, engine, identity, .. } = manifest;
    let (replicas, cells) = (manifest.replicas, manifest.cells.len());
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "# {name}\n\n\
         A dataset of metasweep: {cells} cells, {replicas} replicas each, engine {engine}.\n\n\
         * Open it: `polars.read_parquet(\"{name}/replicas/**/*.parquet\")`; likewise `series`, `plateaus`, `cells` and the other folders.\n\
         * Check it: `b3sum --check BLAKE3SUMS` in this folder, or `metasweep verify {name}`.\n\
         * Compute it again, byte for byte, with metasweep {version} or any other of engine {engine}:\n\n      \
         metasweep run sweep.toml\n\n\
         Files that the sweep reads lie beside it. Identity of the sweep: {identity}.\n"
    )
}

fn citation(manifest: &Manifest) -> String {
    let Manifest { name, engine, identity, .. } = manifest;
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "cff-version: 1.2.0\n\
         message: \"If you use this dataset, please cite it, and the program that computed it.\"\n\
         type: dataset\n\
         title: \"{name}: a metasweep dataset\"\n\
         version: \"engine {engine}\"\n\
         identifiers:\n  - type: other\n    value: \"{identity}\"\n    description: \"BLAKE3 of the sweep\"\n\
         authors:\n  - name: \"(write who ran it here)\"\n\
         references:\n  - type: software\n    title: metasweep\n    version: \"{version}\"\n    authors:\n      - name: \"the metasweep developers\"\n"
    )
}
