//! One file a command.

pub mod explain;
pub mod new;
pub mod plan;
pub mod replay;
pub mod run;
pub mod status;
pub mod theory;
pub mod verify;
