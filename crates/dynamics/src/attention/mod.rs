//! The attention vector `A_i = Σ_h Σ_j w_ij V_h x_j` of every token of every lane.
//!
//! Called by the geometries, whose right sides it is the heart of. Two kernels do the work: [`symmetric`] for
//! B = b·I, [`general`] for everything else; both are generic over how scores become weights.
//! Adding a weight normalization that works row by row: one file with a [`Weighting`], one arm in
//! [`Attention::evaluate`]. Many tokens go through [`tiles`]: the same bits in other loops; on the circle, and on the sphere in two
//! coordinates, through [`fourier`]: other sums, by rules that are part of the engine.
//!
//! What is not plain goes through [`furnished`]: masses, frozen tokens, rows without the token itself and further row rules to
//! [`rows`], doubly stochastic weights to [`sinkhorn`]; [`is_plain`] decides, once for all time, so that the plain kernels know
//! nothing of them.
//! [`feed_forward`] is applied to the sum of the heads, and [`schedule`] says which layer's matrices are at hand.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

pub(crate) mod apart;
mod dual_newton;
mod exponentials;
mod feed_forward;
mod few;
mod fourier;
mod furnished;
mod general;
mod gram;
mod hardmax;
mod heads;
mod maps;
mod pairs;
mod panels;
mod rows;
mod schedule;
mod sinkhorn;
mod softmax;
mod symmetric;
mod tiles;
mod turn;
mod unnormalized;
mod weights;

use std::marker::PhantomData;
use std::sync::Arc;

pub(crate) use apart::Together;
pub use fourier::{abreast_orders, series_orders};
pub use gram::pair_index;
pub(crate) use gram::{Gram, room};
pub(crate) use weights::weights;

use crate::crew::Crew;
use crate::ensemble::{EnsembleError, Start};
use crate::integrators::Clock;
use crate::model::{Mask, Model, Normalization, System};
use crate::simd::{Isa, Lanes, Pack, dispatch, exp_scalar};
use furnished::Furnished;
use general::General;
use hardmax::Hardmax;
use heads::{LaneHead, Score};
pub(crate) use maps::{Apply, LaneMap, gather};
use maps::{image, mapped};
use pairs::Pairs;
use schedule::Schedule;
pub use sinkhorn::has_plan_without_self;
use softmax::Softmax;
pub use tiles::{Evaluation, MOST_IN_PAIRS};
use unnormalized::Unnormalized;

/// How a row of scores becomes a row of weights.
pub(crate) trait Weighting: Copy {
    /// Whether rows are divided by the sum of their weights, or else by the number of tokens seen.
    const SUMS: bool;

    /// Turns the scores of one row into weights, and returns what they are to be divided by.
    /// `shift` is subtracted where the normalization does not choose its own.
    fn weigh<L: Lanes<Scalar = f64>>(scores: &mut [Pack], shift: L, group: usize) -> L;
}

/// What an evaluation looks at; mostly the same tokens three times.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    /// The tokens whose attention vectors are wanted, n × d: the queries.
    pub tokens: &'a [Pack],
    /// Those that they attend to, n × d: the keys.
    pub others: &'a [Pack],
    /// What V acts on, n × d.
    pub values: &'a [Pack],
    /// What [`Gram`] made of `tokens`, if it is known: their products, and behind these possibly the tokens apart.
    pub gram: Option<&'a [Pack]>,
    /// What every score is multiplied by, besides β.
    pub scale: Option<&'a Pack>,
}

/// Whether scores can come from the Gram matrix of unit tokens.
fn is_symmetric(model: &Model) -> bool {
    model.geometry.is_unit() && model.system != (System::MeanShift { blurring: false })
}

/// Whether the weights are those of the plain kernels: softmax or unnormalized, over tokens of mass 1 that see themselves.
fn is_plain(model: &Model) -> bool {
    matches!(model.normalization, Normalization::Softmax | Normalization::Unnormalized)
        && !model.exclude_self
        && model.masses.is_empty()
        && model.frozen.weights.is_empty()
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
    /// Whether tokens are so few that all weights are kept.
    are_few: bool,
    /// Whether they [turn](Self::turn) at once.
    turns: bool,
    /// Whether [`few::Few`] keeps their weights twice.
    twice: bool,
    /// None for the plain kernels.
    furnished: Option<Furnished>,
    evaluation: Evaluation,
    crew: Crew,
    /// Of the lanes that go by series.
    series: Vec<Option<Arc<fourier::Series>>>,
    /// Of those that do so abreast.
    abreast: Option<fourier::Abreast>,
}

/// What the kernels of a head write while they work.
pub(crate) struct Scratch {
    /// The weights of a block of rows (as long as m + n with m frozen tokens), or those of all pairs of few tokens.
    weights: Vec<Pack>,
    /// n: Z_i.
    sums: Vec<Pack>,
    /// n × d: Σ_j e^{…} v_j.
    moments: Vec<Pack>,
    /// n × d: the values as the symmetric kernel takes them.
    tiles: Vec<Pack>,
    /// The values as [`few::Few`] takes them.
    apart: Vec<Pack>,
}

impl Attention {
    /// The attention of `starts` under `model`. `self_term`: whether A_i keeps `w_ii V x_i` where V = c·I
    /// (`P_x x = 0`: a projected velocity leaves it out, it is pure rounding noise there).
    pub(crate) fn new(
        model: &Model,
        starts: &[Start],
        self_term: bool,
        isa: Isa,
        evaluation: Evaluation,
    ) -> Result<Self, EnsembleError> {
        let Model { n, d, .. } = *model;
        let schedule = Schedule::new(model, starts)?;
        let heads = &schedule.current().heads;
        // Behind a feed-forward layer P_x does not take the self term away.
        let self_term = self_term || schedule.current().feed_forward.is_some();
        let beta = gather(starts, |start| start.beta);
        let mut shift = Pack::ZERO;
        if model.normalization == Normalization::Unnormalized {
            for head in heads {
                let largest = if matches!(head.score, Score::Symmetric) { head.kappa } else { beta };
                for (shift, largest) in shift.0.iter_mut().zip(largest.0) {
                    *shift = shift.max(largest.abs());
                }
            }
        }
        let symmetric = heads.iter().any(|head| matches!(head.score, Score::Symmetric));
        let series = fourier::series(model, heads, is_plain(model), starts.len());
        let abreast = fourier::abreast(model, heads, is_plain(model), starts.len()).filter(|_| self_term);
        let all_abreast = abreast.as_ref().is_some_and(|series| series.is_for_all(starts.len()));
        let direct = series.iter().any(Option::is_none) && !all_abreast;
        let pairs = evaluation == Evaluation::Pairs;
        let keeps_pairs = symmetric && pairs && direct;
        let frozen = model.frozen.weights.len();
        let sees_all =
            is_plain(model) && self_term && model.mask == Mask::Full && turn::is_for(model, &schedule);
        let rows = if keeps_pairs { symmetric::rows_together(n) } else { gram::ROWS };
        // What few tokens need; the others, and those that do not see themselves, go the other way.
        let are_few = keeps_pairs && few::are_few(n, d);
        let twice = are_few && few::are_kept_twice(n, d);
        let weights = rows * (n + frozen);
        let weights = if are_few { few::weights(n, twice).max(weights) } else { weights };
        Ok(Self {
            normalization: model.normalization,
            causal: model.mask == Mask::Causal,
            n,
            d,
            lanes: starts.len(),
            isa,
            schedule,
            self_term,
            shift,
            half_factor: Pack(shift.0.map(|shift| exp_scalar(0.5 * shift))),
            gram: if keeps_pairs { vec![Pack::ZERO; gram::room(n, d)] } else { Vec::new() },
            queries: Vec::new(),
            keys: Vec::new(),
            values: Vec::new(),
            scratch: Scratch {
                weights: vec![Pack::ZERO; weights],
                sums: vec![Pack::ZERO; n],
                moments: vec![Pack::ZERO; n.next_multiple_of(gram::ROWS) * d],
                tiles: if keeps_pairs { vec![Pack::ZERO; n * d] } else { Vec::new() },
                apart: if are_few || abreast.is_some() { vec![Pack::ZERO; n * d] } else { Vec::new() },
            },
            are_few,
            // Lanes of both kinds go the long way, and many tokens, whose pairs nobody is to keep.
            turns: sees_all && pairs && few::are_few(n, d) && (all_abreast || abreast.is_none()),
            twice,
            furnished: (!is_plain(model)).then(|| Furnished::new(model)),
            evaluation,
            crew: Crew::default(),
            series,
            abreast,
        })
    }

    fn evaluate<W: Weighting + Send + Sync + 'static>(&mut self, sources: Sources<'_>, out: &mut [Pack]) {
        if self.series.iter().any(Option::is_none) && !self.goes_abreast() {
            self.evaluate_directly::<W>(sources, out);
        }
        self.evaluate_series::<W>(sources.tokens, out);
        self.evaluate_abreast::<W>(sources.tokens, out);
    }

    fn evaluate_directly<W: Weighting + Send + Sync + 'static>(
        &mut self,
        sources: Sources<'_>,
        out: &mut [Pack],
    ) {
        if self.evaluation == Evaluation::Tiles {
            return self.evaluate_tiles::<W>(sources, out);
        }
        let Self { causal, n, d, lanes, isa, .. } = *self;
        let Sources { tokens, others, values: carried, gram, scale } = sources;
        let heads = &self.schedule.current().heads;
        let known = gram.unwrap_or_else(|| {
            formed(Gram { tokens: Some(tokens), n, d, lanes, products: &mut self.gram }, isa)
        });
        let (products, kept) = gram::parts(known, n);
        let longest = kept.map(|(_, longest)| longest);
        let own = kept.map(|(apart, _)| apart).filter(|_| std::ptr::eq(carried, tokens));
        for (index, head) in heads.iter().enumerate() {
            let (values, factor, self_term, apart) = match &head.value {
                LaneMap::Scalar(c) => (carried, c, self.self_term, own),
                map => (image(map, carried, d, lanes, isa, &mut self.values), &ONE, true, None),
            };
            let kappa = &scaled(head, scale);
            let (add, scratch, weighting) = (index > 0, &mut self.scratch, PhantomData::<W>);
            match &head.score {
                Score::Symmetric => {
                    let shift = if W::SUMS { kappa } else { &self.shift };
                    let (few, twice) = (self.are_few, self.twice);
                    Pairs {
                        products,
                        longest,
                        values,
                        apart,
                        n,
                        d,
                        lanes,
                        causal,
                        self_term,
                        few,
                        twice,
                        kappa,
                        shift,
                        factor,
                        add,
                    }
                    .attend::<W>(scratch, out, isa);
                }
                Score::Mapped { query, key } => {
                    let queries = mapped(query.as_ref(), tokens, d, lanes, isa, &mut self.queries);
                    let keys = mapped(key.as_ref(), others, d, lanes, isa, &mut self.keys);
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

/// The products of pairs and what is behind them, computed; nothing where they are not kept.
fn formed(gram: Gram<'_>, isa: Isa) -> &[Pack] {
    let Gram { tokens, n, d, lanes, products } = gram;
    if !products.is_empty() {
        dispatch(Gram { tokens, n, d, lanes, products: &mut *products }, isa);
    }
    products
}

/// κ of a head, times what the scores are multiplied by besides.
fn scaled(head: &LaneHead, scale: Option<&Pack>) -> Pack {
    let one = |scale: &Pack| Pack(std::array::from_fn(|lane| head.kappa.0[lane] * scale.0[lane]));
    scale.map_or(head.kappa, one)
}

const ONE: Pack = Pack::splat(1.0);

impl Attention {
    /// `A_i` (n × d), up to the factor that [`scaled_step`](Self::scaled_step) knows.
    pub(crate) fn attention(&mut self, clock: &Clock, sources: Sources<'_>, out: &mut [Pack]) {
        self.schedule.advance(clock.layer);
        match (self.normalization, self.furnished.is_none()) {
            (Normalization::Softmax, true) => self.evaluate::<Softmax>(sources, out),
            (Normalization::Unnormalized, true) => self.evaluate::<Unnormalized>(sources, out),
            (Normalization::Softmax, false) => self.evaluate_rows::<Softmax>(sources, out),
            (Normalization::Unnormalized, false) => self.evaluate_rows::<Unnormalized>(sources, out),
            (Normalization::Hardmax, _) => self.evaluate_rows::<Hardmax>(sources, out),
            (Normalization::Sinkhorn, _) => self.evaluate_sinkhorn(sources, out),
        }
        if let Some(layer) = &self.schedule.current().feed_forward {
            // σ is not linear: here A is whole.
            for pack in out.iter_mut() {
                *pack = times(pack, &self.half_factor);
            }
            self.values.resize(out.len(), Pack::ZERO);
            layer.apply(out, &mut self.values[..], self.d, self.lanes, self.isa);
        }
        if self.schedule.failed() {
            out.fill(Pack::splat(f64::NAN));
        }
    }

    /// Whether the Gram matrix of the tokens is made use of.
    pub(crate) fn uses_gram(&self) -> bool {
        !self.gram.is_empty()
    }

    /// `η e^shift`, in two halves: neither e^β alone nor a product on the way overflows where the result does not.
    pub(crate) fn scaled_step(&self, step: &Pack) -> Pack {
        if self.schedule.current().feed_forward.is_some() {
            return *step;
        }
        times(step, &self.half_factor)
    }
}

/// `pack · half²`, in two halves.
fn times(pack: &Pack, half: &Pack) -> Pack {
    Pack(std::array::from_fn(|lane| pack.0[lane] * half.0[lane] * half.0[lane]))
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
