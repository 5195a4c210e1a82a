//! A step of `projected_euler` in one pass: few tokens of one head with V = c·I, B = b·I land as soon
//! as their rows of A are there. What is computed is the same, bit by bit; but A never goes through the caches.

use std::marker::PhantomData;

use super::few::Onto;
use super::fourier::Attend;
use super::heads::{LaneHead, Score};
use super::pairs::Pairs;
use super::schedule::Schedule;
use super::softmax::Softmax;
use super::unnormalized::Unnormalized;
use super::{Attention, LaneMap, Weighting, gram};
use crate::integrators::{Clock, Landing};
use crate::model::{Model, Normalization};
use crate::simd::{Pack, dispatch};

/// Whether the heads of a model's plain kernels are one that turns tokens at once, if these are few.
pub(super) fn is_for(model: &Model, schedule: &Schedule) -> bool {
    let one =
        |head: &LaneHead| matches!(head.score, Score::Symmetric) && matches!(head.value, LaneMap::Scalar(_));
    let current = schedule.current();
    matches!(&current.heads[..], [head] if one(head)) && current.feed_forward.is_none() && !model.layered
}

impl Attention {
    /// Whether there is such a pass.
    pub(crate) fn turns(&self) -> bool {
        self.turns
    }

    /// `x_i ← normalize(x_i + h A_i)` for all tokens: `gram` is what [`Gram`](super::Gram) made of them, `next` where they land, apart as
    /// there, `step` h with the common factor. Where there is no such pass all is lost.
    pub(crate) fn turn(&mut self, clock: &Clock, gram: &[Pack], next: &mut [Pack], step: &Pack) -> Landing {
        self.schedule.advance(clock.layer);
        match self.normalization {
            Normalization::Softmax => self.turn_by::<Softmax>(gram, next, step),
            Normalization::Unnormalized => self.turn_by::<Unnormalized>(gram, next, step),
            Normalization::Hardmax | Normalization::Sinkhorn => Landing::LOST,
        }
    }

    fn turn_by<W: Weighting>(&mut self, gram: &[Pack], next: &mut [Pack], step: &Pack) -> Landing {
        let Self { n, d, lanes, isa, .. } = *self;
        let (products, Some((apart, longest))) = gram::parts(gram, n) else { return Landing::LOST };
        let [LaneHead { kappa, value: LaneMap::Scalar(factor), .. }] = &self.schedule.current().heads[..]
        else {
            return Landing::LOST;
        };
        let Some((next, landed)) = gram::apart_mut(next, n) else { return Landing::LOST };
        let mut landing = Landing::NONE;
        let onto = Onto { apart: next, step, landing: &mut landing };
        if let Some(series) = &mut self.abreast {
            let (rates, out, onto) = (&mut self.scratch.moments[..], &mut [][..], Some(onto));
            let weighting = PhantomData::<W>;
            dispatch(Attend { series, apart, n, lanes, factor, rates, out, onto, weighting }, isa);
        } else {
            Pairs {
                products,
                longest: Some(longest),
                values: &[],
                apart: Some(apart),
                n,
                d,
                lanes,
                causal: false,
                self_term: true,
                few: true,
                twice: self.twice,
                kappa,
                shift: if W::SUMS { kappa } else { &self.shift },
                factor,
                add: false,
            }
            .turn::<W>(&mut self.scratch, onto, isa);
        }
        // Nobody need look for the longest token: all have length 1 now.
        for (lane, square) in landed.0.iter_mut().enumerate() {
            *square = if landing.finite >> lane & 1 == 1 { 1.0 } else { f64::NAN };
        }
        landing
    }
}
