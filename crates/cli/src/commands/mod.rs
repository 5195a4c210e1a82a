//! One file a command.

pub mod archive;
pub mod cancel;
pub mod check;
pub mod completions;
pub mod doctor;
pub mod explain;
pub mod figure;
pub mod link;
pub mod logs;
pub mod man;
pub mod new;
pub mod plan;
pub mod replay;
pub mod report;
pub mod run;
pub mod schema;
pub mod show;
pub mod status;
pub mod submit;
pub mod summary;
pub mod theory;
pub mod verify;
