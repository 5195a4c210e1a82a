//! Eigenvalues, invariant subspaces and ranks of the small matrices that observables look at.
//!
//! Written out with every sum in index order: libraries choose kernels by CPU, and their bits with them. Called where a
//! replica begins ([`crate::fixed`]) and by the observables of the attention matrix.

pub mod leading;
pub mod rank;
pub mod schur;
