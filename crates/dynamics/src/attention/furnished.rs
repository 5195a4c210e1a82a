//! Attention beyond the plain kernels: masses, frozen tokens, rows without the token itself, hardmax, doubly stochastic weights.
//!
//! [`Furnished`] holds what only [`super::rows`] and [`super::sinkhorn`] know of; [`Attention`] has one where its model is not plain, and
//! comes here then.

use std::marker::PhantomData;

use super::heads::Score;
use super::rows::{RowRule, Rows};
use super::sinkhorn::{Plan, Sinkhorn};
use super::{Attention, LaneMap, ONE, Sources, image, mapped, scaled};
use crate::model::{Model, Normalization};
use crate::simd::{Pack, dispatch};

/// What only those two know of.
pub(super) struct Furnished {
    exclude_self: bool,
    /// m × d.
    frozen: Vec<Pack>,
    /// Of the frozen tokens, then of the others: m + n.
    masses: Vec<Pack>,
    /// Frozen and other tokens in one: (m + n) × d; empty if none is frozen.
    others: Vec<Pack>,
    values: Vec<Pack>,
    /// Of `sinkhorn`.
    plan: Option<Plan>,
}

impl Furnished {
    pub(super) fn new(model: &Model) -> Self {
        let Model { n, d, .. } = *model;
        let frozen: Vec<Pack> = model.frozen.points.iter().map(|x| Pack::splat(*x)).collect();
        let mut masses: Vec<Pack> = model.frozen.weights.iter().map(|mass| Pack::splat(*mass)).collect();
        masses.extend((0..n).map(|i| Pack::splat(model.masses.get(i).copied().unwrap_or(1.0))));
        let mut joined = frozen.clone();
        if !frozen.is_empty() {
            joined.resize(frozen.len() + n * d, Pack::ZERO);
        }
        Self {
            exclude_self: model.exclude_self,
            masses,
            others: joined.clone(),
            values: joined,
            frozen,
            plan: (model.normalization == Normalization::Sinkhorn).then(|| Plan::new(n)),
        }
    }
}

/// The frozen tokens and then `tokens`, in `buffer`, which begins with the frozen ones; or `tokens`, if there are none.
fn joined<'a>(frozen: usize, tokens: &'a [Pack], buffer: &'a mut [Pack]) -> &'a [Pack] {
    if frozen == 0 {
        return tokens;
    }
    buffer[frozen..].copy_from_slice(tokens);
    buffer
}

impl Attention {
    /// The attention vectors through [`super::rows`].
    pub(super) fn evaluate_rows<W: RowRule>(&mut self, sources: Sources<'_>, out: &mut [Pack]) {
        let Self { causal, n, d, lanes, isa, .. } = *self;
        let Some(furnished) = &mut self.furnished else { return };
        let Furnished { exclude_self, frozen, masses, others, values: carried, .. } = furnished;
        let others = joined(frozen.len(), sources.others, others);
        let carried = joined(frozen.len(), sources.values, carried);
        for (index, head) in self.schedule.current().heads.iter().enumerate() {
            let (values, factor, self_term) = match &head.value {
                LaneMap::Scalar(c) => (carried, c, self.self_term),
                map => (image(map, carried, d, lanes, isa, &mut self.values), &ONE, true),
            };
            let Score::Mapped { query, key } = &head.score else { continue };
            let queries = mapped(query.as_ref(), sources.tokens, d, lanes, isa, &mut self.queries);
            let keys = mapped(key.as_ref(), others, d, lanes, isa, &mut self.keys);
            dispatch(
                Rows::<W> {
                    queries,
                    keys,
                    rank: queries.len() / n,
                    values,
                    masses,
                    n,
                    frozen: frozen.len() / d,
                    d,
                    lanes,
                    causal,
                    self_term,
                    exclude_self: *exclude_self,
                    kappa: &scaled(head, sources.scale),
                    shift: &self.shift,
                    factor,
                    add: index > 0,
                    scratch: &mut self.scratch,
                    out,
                    rule: PhantomData,
                },
                isa,
            );
        }
    }

    /// The attention vectors through [`super::sinkhorn`].
    pub(super) fn evaluate_sinkhorn(&mut self, sources: Sources<'_>, out: &mut [Pack]) {
        let Self { n, d, lanes, isa, .. } = *self;
        let Some(Furnished { exclude_self, masses, plan: Some(plan), .. }) = &mut self.furnished else {
            return;
        };
        for (index, head) in self.schedule.current().heads.iter().enumerate() {
            let (values, factor, self_term) = match &head.value {
                LaneMap::Scalar(c) => (sources.values, c, self.self_term),
                map => (image(map, sources.values, d, lanes, isa, &mut self.values), &ONE, true),
            };
            let Score::Mapped { query, key } = &head.score else { continue };
            let queries = mapped(query.as_ref(), sources.tokens, d, lanes, isa, &mut self.queries);
            let keys = mapped(key.as_ref(), sources.others, d, lanes, isa, &mut self.keys);
            dispatch(
                Sinkhorn {
                    queries,
                    keys,
                    rank: queries.len() / n,
                    values,
                    masses,
                    n,
                    d,
                    lanes,
                    self_term,
                    exclude_self: *exclude_self,
                    is_positive: head.is_positive,
                    kappa: &scaled(head, sources.scale),
                    factor,
                    add: index > 0,
                    plan,
                    moments: &mut self.scratch.moments,
                    out,
                },
                isa,
            );
        }
    }
}
