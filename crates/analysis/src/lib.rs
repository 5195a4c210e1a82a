//! What is made of a dataset once it is there: for now, the files that `metasweep replay` writes.

pub mod array_file;
pub mod trajectory;
