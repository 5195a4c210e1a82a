//! Series against direct sums, whoever computes them, and the rules that say where they are taken.

mod abreast;
mod blocks;
