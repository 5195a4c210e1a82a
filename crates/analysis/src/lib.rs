//! What is made of a dataset once it is there: summaries, figures, a report; and the files that `metasweep replay` writes.
//!
//! [`dataset`] reads, [`condition`] chooses cells, [`survival`] estimates, [`summary`] makes a table, [`figure`] pictures, [`report`] a page.

pub mod array_file;
pub mod check;
pub mod condition;
pub mod dataset;
pub mod error;
pub mod figure;
pub mod means;
pub mod moments;
pub mod paired;
pub mod report;
pub mod summary;
pub mod summary_table;
pub mod survival;
pub mod trajectory;
