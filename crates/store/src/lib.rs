//! The dataset on disk: frames, journal, sealed Parquet parts, manifest; resumed, extended, verified.
//!
//! Rank 0 opens a [`Dataset`] and learns what is [missing](Dataset::missing). Every process that computes has a
//! [`Writer`]; what it [commits](Writer::commit) comes back to rank 0 as a small [`Receipt`], which
//! [`Dataset::accept`] turns into [`Job`]s once a part's rows are all there. Any process [performs](perform) them. At the end
//! rank 0 [finishes](Dataset::finish). Kill any of it at any instant: the next [`Dataset::open`] goes on from what is on disk.

pub mod failpoint;
pub mod layout;
pub mod owner;
pub mod schema;
mod sections;
pub mod status;
pub mod trace;

mod aggregate;
mod archive;
mod books;
mod courier;
mod cursor;
mod dataset;
mod encoding;
mod error;
mod extend;
mod files;
mod frame;
mod frames;
mod import;
mod journal;
mod ledger;
mod log;
mod manifest;
mod open;
mod parquet_file;
mod perform;
mod plan;
mod receipt;
mod resume;
mod row_hash;
mod rows;
mod scratch;
mod tables;
mod verify;
mod writer;

pub use self::archive::{Archived, archive};
pub use self::courier::Courier;
pub use self::dataset::{Dataset, OpenMode, Opened, Progress};
pub use self::error::{Result, StoreError};
pub use self::files::{create_folder, files_of_processes, replace};
pub use self::manifest::{FORMAT, Manifest, SCHEMA, State, sweep_of, sweep_to_repeat};
pub use self::open::{fresh_nonce, prepare};
pub use self::perform::{perform, read_checkpoint};
pub use self::receipt::{CheckpointRef, Entry, FrameRef, Job, Kind, Receipt, SealRecord, SeriesForm};
pub use self::resume::survey;
pub use self::scratch::Scratch;
pub use self::status::status;
pub use self::verify::{Report, compare, segments_to_recompute, verify};
pub use self::writer::Writer;
