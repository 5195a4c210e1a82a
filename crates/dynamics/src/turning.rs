//! Tokens that [turn](crate::integrators::VectorField::turn) from step to step without leaving the registers' order: they stand apart behind
//! the Gram matrix, and packs of them are made only if somebody looks.

use std::cell::{Cell, OnceCell};

use crate::attention::Together;
use crate::simd::{Isa, Pack, dispatch};

pub(crate) struct Turning {
    /// Where they land: as long as what the Gram matrix takes.
    next: Vec<Pack>,
    /// Whether they have left the ensemble's state.
    away: bool,
    /// The tokens, where somebody has looked, and room for them.
    packs: OnceCell<Vec<Pack>>,
    spare: Cell<Vec<Pack>>,
}

impl Turning {
    /// Tokens that are where `state` says; `room`: how much their Gram matrix takes.
    pub(crate) fn new(state: &[Pack], room: usize) -> Self {
        let (next, spare) = (vec![Pack::ZERO; room], Cell::new(state.to_vec()));
        Self { next, away: false, packs: OnceCell::new(), spare }
    }

    /// Whether the tokens stand apart behind `gram`, and not in the ensemble's state.
    pub(crate) fn is_away(&self) -> bool {
        self.away
    }

    /// One step by `turn`, from `gram` to what becomes the `gram` of the next state.
    pub(crate) fn step<T>(
        &mut self,
        gram: &mut Vec<Pack>,
        turn: impl FnOnce(&[Pack], &mut [Pack]) -> T,
    ) -> T {
        let landing = turn(gram, &mut self.next);
        std::mem::swap(gram, &mut self.next);
        self.away = true;
        if let Some(packs) = self.packs.take() {
            self.spare.set(packs);
        }
        landing
    }

    /// The tokens that stand apart behind `gram`.
    pub(crate) fn packs(&self, gram: &[Pack], (n, d): (usize, usize), lanes: usize, isa: Isa) -> &[Pack] {
        self.packs.get_or_init(|| {
            let mut tokens = self.spare.take();
            dispatch(Together { known: gram, n, d, lanes, tokens: &mut tokens }, isa);
            tokens
        })
    }
}
