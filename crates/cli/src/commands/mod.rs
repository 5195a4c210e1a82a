//! One file a command.

pub mod cancel;
pub mod doctor;
pub mod explain;
pub mod link;
pub mod logs;
pub mod new;
pub mod plan;
pub mod replay;
pub mod run;
pub mod status;
pub mod submit;
pub mod theory;
pub mod verify;
