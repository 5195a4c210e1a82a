//! The attention vector `A_i = Σ_h Σ_j w_ij V_h x_j` of every token of every lane.
//!
//! Called by the integrators through [`VectorField`](crate::integrators::VectorField). Two kernels do the work: [`symmetric`] for
//! B = b·I, [`general`] for everything else; both are generic over how scores become weights.
//! Adding a weight normalization that works row by row: one file with a [`Weighting`], one arm in
//! [`Attention::evaluate`].
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

mod general;
mod gram;
mod heads;
mod maps;
mod softmax;
mod symmetric;
mod unnormalized;
mod weights;

use std::marker::PhantomData;

pub(crate) use gram::Gram;
pub use gram::pair_index;
pub(crate) use weights::weights;

use crate::ensemble::{EnsembleError, Start};
use crate::integrators::{Clock, VectorField};
use crate::model::{Mask, Model, Normalization};
use crate::simd::{Isa, Lanes, Pack, dispatch, exp_scalar};
use general::General;
use heads::{LaneHead, Score, lane_heads};
use maps::{Apply, LaneMap, gather};
use softmax::Softmax;
use symmetric::Symmetric;
use unnormalized::Unnormalized;

/// How a row of scores becomes a row of weights.
pub(crate) trait Weighting: Copy {
    /// Whether rows are divided by the sum of their weights, or else by the number of tokens seen.
    const SUMS: bool;

    /// Turns the scores of one row into weights, and returns what they are to be divided by.
    /// `shift` is subtracted where the normalization does not choose its own.
    fn weigh<L: Lanes<Scalar = f64>>(scores: &mut [Pack], shift: L, group: usize) -> L;
}

/// Where the heads of a layer come from. One draw for all times, for now; matrices drawn afresh for every layer
/// (`sharing = "layer"`, discrete time) become a second variant that looks at the clock.
enum Schedule {
    Constant(Vec<LaneHead>),
}

impl Schedule {
    fn at(&self, _clock: Clock) -> &[LaneHead] {
        match self {
            Self::Constant(heads) => heads,
        }
    }
}

/// The attention vectors of an ensemble.
pub(crate) struct Attention {
    normalization: Normalization,
    causal: bool,
    n: usize,
    d: usize,
    lanes: usize,
    isa: Isa,
    schedule: Schedule,
    /// Whether w_ii V x_i counts where V = c·I.
    self_term: bool,
    /// USA: the common factor e^shift is left out of the weights, so that they stay finite.
    shift: Pack,
    /// e^{shift/2}.
    half_factor: Pack,
    gram: Vec<Pack>,
    queries: Vec<Pack>,
    keys: Vec<Pack>,
    values: Vec<Pack>,
    scratch: Scratch,
}

/// What the kernels of a head write while they work.
pub(crate) struct Scratch {
    /// ROWS × n: the weights of a block of rows.
    weights: Vec<Pack>,
    /// n: Z_i.
    sums: Vec<Pack>,
    /// n × d: Σ_j e^{…} v_j.
    moments: Vec<Pack>,
}

impl Attention {
    /// The attention of `starts` under `model`. `self_term`: whether A_i keeps `w_ii V x_i` where V = c·I
    /// (`P_x x = 0`: a projected velocity leaves it out, it is pure rounding noise there).
    pub(crate) fn new(
        model: &Model,
        starts: &[Start],
        self_term: bool,
        isa: Isa,
    ) -> Result<Self, EnsembleError> {
        let Model { n, d, .. } = *model;
        let heads = lane_heads(starts, d, model.normalization)?;
        let beta = gather(starts, |start| start.beta);
        let mut shift = Pack::ZERO;
        if model.normalization == Normalization::Unnormalized {
            for head in &heads {
                let largest = if matches!(head.score, Score::Symmetric) { head.kappa } else { beta };
                for (shift, largest) in shift.0.iter_mut().zip(largest.0) {
                    *shift = shift.max(largest.abs());
                }
            }
        }
        let symmetric = heads.iter().any(|head| matches!(head.score, Score::Symmetric));
        Ok(Self {
            normalization: model.normalization,
            causal: model.mask == Mask::Causal,
            n,
            d,
            lanes: starts.len(),
            isa,
            schedule: Schedule::Constant(heads),
            self_term,
            shift,
            half_factor: Pack(shift.0.map(|shift| exp_scalar(0.5 * shift))),
            gram: if symmetric { vec![Pack::ZERO; n * (n - 1) / 2] } else { Vec::new() },
            queries: Vec::new(),
            keys: Vec::new(),
            values: Vec::new(),
            scratch: Scratch {
                weights: vec![Pack::ZERO; gram::ROWS * n],
                sums: vec![Pack::ZERO; n],
                moments: vec![Pack::ZERO; n * d],
            },
        })
    }

    fn evaluate<W: Weighting>(
        &mut self,
        clock: Clock,
        tokens: &[Pack],
        gram: Option<&[Pack]>,
        out: &mut [Pack],
    ) {
        let Self { causal, n, d, lanes, isa, .. } = *self;
        let heads = self.schedule.at(clock);
        let products = match gram {
            Some(gram) => gram,
            None if self.gram.is_empty() => &[],
            None => {
                dispatch(Gram { tokens, n, d, lanes, products: &mut self.gram }, isa);
                &self.gram
            }
        };
        for (index, head) in heads.iter().enumerate() {
            let (values, factor, self_term) = match &head.value {
                LaneMap::Scalar(c) => (tokens, c, self.self_term),
                map => (image(map, tokens, d, lanes, isa, &mut self.values), &ONE, true),
            };
            let (kappa, add, scratch, weighting) =
                (&head.kappa, index > 0, &mut self.scratch, PhantomData::<W>);
            match &head.score {
                Score::Symmetric => {
                    let shift = if W::SUMS { kappa } else { &self.shift };
                    macro_rules! symmetric {
                        ($causal:literal) => {
                            dispatch(
                                Symmetric::<W, $causal> {
                                    products,
                                    values,
                                    n,
                                    d,
                                    lanes,
                                    self_term,
                                    kappa,
                                    shift,
                                    factor,
                                    add,
                                    scratch,
                                    out,
                                    weighting,
                                },
                                isa,
                            )
                        };
                    }
                    if causal { symmetric!(true) } else { symmetric!(false) }
                }
                Score::Mapped { query, key } => {
                    let queries = mapped(query.as_ref(), tokens, d, lanes, isa, &mut self.queries);
                    let keys = mapped(key.as_ref(), tokens, d, lanes, isa, &mut self.keys);
                    let (rank, shift) = (keys.len() / n, &self.shift);
                    dispatch(
                        General::<W> {
                            queries,
                            keys,
                            rank,
                            values,
                            n,
                            d,
                            lanes,
                            causal,
                            self_term,
                            kappa,
                            shift,
                            factor,
                            add,
                            scratch,
                            out,
                            weighting,
                        },
                        isa,
                    );
                }
            }
        }
    }
}

const ONE: Pack = Pack::splat(1.0);

/// `map` applied to all tokens, or the tokens themselves.
fn mapped<'a>(
    map: Option<&LaneMap>,
    tokens: &'a [Pack],
    d: usize,
    lanes: usize,
    isa: Isa,
    buffer: &'a mut Vec<Pack>,
) -> &'a [Pack] {
    map.map_or(tokens, |map| image(map, tokens, d, lanes, isa, buffer))
}

/// `map` applied to all tokens, into `buffer`.
fn image<'a>(
    map: &LaneMap,
    tokens: &[Pack],
    d: usize,
    lanes: usize,
    isa: Isa,
    buffer: &'a mut Vec<Pack>,
) -> &'a [Pack] {
    buffer.resize(tokens.len() / d * map.rows(d), Pack::ZERO);
    dispatch(Apply { map, tokens, d, lanes, image: buffer }, isa);
    buffer
}

impl VectorField for Attention {
    fn attention(&mut self, clock: Clock, tokens: &[Pack], gram: Option<&[Pack]>, out: &mut [Pack]) {
        match self.normalization {
            Normalization::Softmax => self.evaluate::<Softmax>(clock, tokens, gram, out),
            Normalization::Unnormalized => self.evaluate::<Unnormalized>(clock, tokens, gram, out),
        }
    }

    fn uses_gram(&self) -> bool {
        !self.gram.is_empty()
    }

    /// `η e^shift`, in two halves: neither e^β alone nor a product on the way overflows where the result does not.
    fn scaled_step(&self, step: &Pack) -> Pack {
        let mut scaled = *step;
        for (step, half) in scaled.0.iter_mut().zip(self.half_factor.0) {
            *step = *step * half * half;
        }
        scaled
    }
}

/// `coefficient · moment` of one token, into `out` or added to it.
#[inline(always)]
fn deliver<L: Lanes<Scalar = f64>>(
    moments: &[Pack],
    coefficient: L,
    add: bool,
    out: &mut [Pack],
    group: usize,
) {
    for (moment, out) in moments.iter().zip(out) {
        let moment = L::load(moment, group);
        let result =
            if add { coefficient.mul_add(moment, L::load(out, group)) } else { coefficient * moment };
        result.store(out, group);
    }
}
