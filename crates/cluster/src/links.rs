//! The lines between the lead and the members, as the two loops see them.
//!
//! Over MPI they are [`crate::mpi_run`]'s; the tests use channels between threads; a run on one machine has [`Nobody`].

use crate::messages::{Down, Up};
use crate::work::Failure;

/// The lead's end of all lines. Members are numbered 1 … count, like their ranks.
pub trait Peers<T, R> {
    /// Number of members.
    fn count(&self) -> usize;
    /// Sends, without waiting for the member to listen.
    ///
    /// # Errors
    /// If the message cannot be encoded.
    fn send(&mut self, member: usize, message: &Down<T>) -> Result<(), Failure>;
    /// The next message, if one has arrived, and from whom.
    ///
    /// # Errors
    /// If it cannot be decoded.
    fn receive(&mut self) -> Result<Option<(usize, Up<R>)>, Failure>;
}

/// A member's end of its line.
pub trait Line<T, R> {
    /// Sends, without waiting for the lead to listen.
    ///
    /// # Errors
    /// If the message cannot be encoded.
    fn send(&mut self, message: &Up<R>) -> Result<(), Failure>;
    /// The next message, if one has arrived.
    ///
    /// # Errors
    /// If it cannot be decoded.
    fn receive(&mut self) -> Result<Option<Down<T>>, Failure>;
}

/// A lead without members.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl<T, R> Peers<T, R> for Nobody {
    fn count(&self) -> usize {
        0
    }
    fn send(&mut self, _member: usize, _message: &Down<T>) -> Result<(), Failure> {
        Ok(())
    }
    fn receive(&mut self) -> Result<Option<(usize, Up<R>)>, Failure> {
        Ok(None)
    }
}
