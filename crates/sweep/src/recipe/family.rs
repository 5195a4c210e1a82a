//! A family of matrices with its canonical text.

use metasweep_dynamics::call::{CallError, Piece};
use metasweep_dynamics::matrices::{self, MatrixFamily, Role};

/// A family with its canonical text.
#[derive(Debug)]
pub(super) struct Family {
    pub text: String,
    pub family: Box<dyn MatrixFamily>,
}

impl Family {
    pub(super) fn parse(text: &str, role: Role) -> Result<Self, CallError> {
        let family = matrices::parse(text, role)?;
        Ok(Self { text: family.canonical(), family })
    }

    /// The family that stands within a longer text.
    pub(super) fn part(piece: &Piece<'_>, role: Role) -> Result<Self, CallError> {
        Self::parse(piece.text, role)
            .map_err(|error| CallError { position: error.position + piece.position, ..error })
    }

    /// The files that it reads.
    pub(super) fn files(&self) -> Vec<String> {
        self.family.files().into_iter().map(str::to_owned).collect()
    }
}
