//! The unit sphere: the projection `P_x y = y − ⟨x,y⟩x`, and steps that end in a normalization.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use super::landing::{GROW, LARGE, Land, SHRINK, SMALL};
use crate::attention::{Attention, Sources};
use crate::integrators::{Clock, Landing, Rates, VectorField};
use crate::layer_norm::{Scheme, Sight};
use crate::simd::{Isa, Kernel, LANES, Lanes, Pack, dispatch, groups};

/// Tokens on the sphere, and behind them their radii where the layer norm moves these.
pub(crate) struct Sphere {
    pub attention: Attention,
    pub layer_norm: Box<dyn Scheme>,
    /// What the attention is multiplied by: β for mean shift, else 1.
    pub speed: Option<Pack>,
    /// What the tokens attend to, where it is not themselves: the initial tokens of mean shift.
    pub targets: Option<Vec<Pack>>,
    /// Whether the layer norm makes the speed independent of the size of A.
    pub is_normalized: bool,
    pub n: usize,
    pub d: usize,
    pub lanes: usize,
    pub isa: Isa,
}

impl VectorField for Sphere {
    fn push(&mut self, clock: &Clock, state: &[Pack], gram: Option<&[Pack]>, out: &mut [Pack]) {
        let (directions, radii) = state.split_at(self.n * self.d);
        let (attention, growth) = out.split_at_mut(self.n * self.d);
        let others = self.targets.as_deref().unwrap_or(directions);
        let sources = Sources { tokens: directions, others, values: others, gram, scale: None };
        self.attention.attention(clock, sources, attention);
        let sight = Sight { directions, radii, d: self.d, lanes: self.lanes, isa: self.isa };
        self.layer_norm.apply(clock, sight, attention, growth);
    }

    fn slope(&mut self, clock: &Clock, state: &[Pack], gram: Option<&[Pack]>, out: &mut [Pack]) {
        self.push(clock, state, gram, out);
        let (tokens, velocity) = (&state[..self.n * self.d], &mut out[..self.n * self.d]);
        dispatch(Project { tokens, velocity, d: self.d, lanes: self.lanes }, self.isa);
    }

    fn land(
        &mut self,
        clock: &Clock,
        state: &mut [Pack],
        rates: &[Pack],
        kind: Rates,
        step: &Pack,
    ) -> Landing {
        let Self { n, d, lanes, isa, .. } = *self;
        let (tokens, radii) = state.split_at_mut(n * d);
        let (velocity, growth) = rates.split_at(n * d);
        let mut landing = Landing { moved: 0, finite: u8::MAX };
        if !radii.is_empty() {
            landing = match kind {
                Rates::Slope => dispatch(Grow { radii, growth, step, lanes }, isa),
                Rates::Push => {
                    let moving = self.layer_norm.moves_radii(clock);
                    dispatch(Stretch { radii, tokens, velocity, step, moving: &moving, d, lanes }, isa)
                }
            };
        }
        let turned = dispatch(Land { tokens, velocity, step, d, lanes }, isa);
        Landing { moved: landing.moved | turned.moved, finite: landing.finite & turned.finite }
    }

    fn turns(&self) -> bool {
        self.layer_norm.is_identity() && self.targets.is_none() && self.attention.turns()
    }

    fn turn(&mut self, clock: &Clock, gram: &[Pack], next: &mut [Pack], step: &Pack) -> Landing {
        self.attention.turn(clock, gram, next, step)
    }

    fn forget(&self, state: &mut [Pack]) {
        state[..self.n * self.d].fill(Pack::ZERO);
    }

    fn uses_gram(&self) -> bool {
        self.attention.uses_gram()
    }

    fn scaled_step(&self, step: &Pack) -> Pack {
        let mut scaled = if self.is_normalized { *step } else { self.attention.scaled_step(step) };
        if let Some(speed) = &self.speed {
            scaled.0.iter_mut().zip(speed.0).for_each(|(step, speed)| *step *= speed);
        }
        scaled
    }
}

/// `r_i ← r_i + h ṙ_i`. A radius that is not positive any more has no direction: its lane has failed.
struct Grow<'a> {
    radii: &'a mut [Pack],
    growth: &'a [Pack],
    step: &'a Pack,
    lanes: usize,
}

impl Kernel for Grow<'_> {
    type Output = Landing;

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) -> Landing {
        let mut landing = Landing::default();
        for group in groups::<L>(self.lanes) {
            let step = L::load(self.step, group);
            let mut lane = Settled::new();
            for (radius, growth) in self.radii.iter_mut().zip(self.growth) {
                let old = L::load(radius, group);
                lane.settle(radius, old, step.mul_add(L::load(growth, group), old), group);
            }
            lane.report::<L>(&mut landing, group);
        }
        landing
    }
}

/// `r_i ← ‖r_i θ_i + r_i h v_i‖`, the length of the token after the step, in the lanes that are moving: before [`Land`].
struct Stretch<'a> {
    radii: &'a mut [Pack],
    tokens: &'a [Pack],
    velocity: &'a [Pack],
    step: &'a Pack,
    moving: &'a Pack,
    d: usize,
    lanes: usize,
}

impl Kernel for Stretch<'_> {
    type Output = Landing;

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) -> Landing {
        let mut landing = Landing::default();
        for group in groups::<L>(self.lanes) {
            let step = L::load(self.step, group);
            let moving = L::less(L::splat(0.5), L::load(self.moving, group));
            let mut lane = Settled::new();
            let tokens = self.tokens.chunks_exact(self.d).zip(self.velocity.chunks_exact(self.d));
            for (radius, (token, velocity)) in self.radii.iter_mut().zip(tokens) {
                let mut square = L::splat(0.0);
                for (x, v) in token.iter().zip(velocity) {
                    let y = step.mul_add(L::load(v, group), L::load(x, group));
                    square = y.mul_add(y, square);
                }
                // Lengths whose square is out of range are measured at another scale, as [`Land`] does.
                let mut length = square.sqrt();
                let (small, large) = (L::less(square, L::splat(SMALL)), L::less(L::splat(LARGE), square));
                if L::bits(small) | L::bits(large) != 0 {
                    let one = L::splat(1.0);
                    let scale = L::select(small, L::splat(GROW), L::select(large, L::splat(SHRINK), one));
                    let back = L::select(small, L::splat(SHRINK), L::select(large, L::splat(GROW), one));
                    let mut square = L::splat(0.0);
                    for (x, v) in token.iter().zip(velocity) {
                        let y = step.mul_add(L::load(v, group), L::load(x, group)) * scale;
                        square = y.mul_add(y, square);
                    }
                    length = square.sqrt() * back;
                }
                let old = L::load(radius, group);
                let new = L::select(moving, old * length, old);
                lane.settle(radius, old, new, group);
            }
            lane.report::<L>(&mut landing, group);
        }
        landing
    }
}

/// What has become of the radii of a group of lanes.
struct Settled {
    moved: u8,
    good: u8,
}

impl Settled {
    fn new() -> Self {
        Self { moved: 0, good: u8::MAX }
    }

    /// Stores a new radius; NaN, of one bit pattern, if it is not positive and finite.
    #[inline(always)]
    fn settle<L: Lanes<Scalar = f64>>(&mut self, radius: &mut Pack, old: L, new: L, group: usize) {
        let positive = L::less(L::splat(0.0), new);
        let finite = L::less(new, L::splat(f64::INFINITY));
        self.good &= L::bits(positive) & L::bits(finite);
        let new = L::select(finite, L::select(positive, new, L::splat(f64::NAN)), L::splat(f64::NAN));
        self.moved |= !L::bits(L::same_bits(new, old));
        new.store(radius, group);
    }

    #[inline(always)]
    fn report<L: Lanes<Scalar = f64>>(&self, landing: &mut Landing, group: usize) {
        let used = u8::MAX >> (LANES - L::WIDTH);
        landing.moved |= (self.moved & used) << (group * L::WIDTH);
        landing.finite |= (self.good & used) << (group * L::WIDTH);
    }
}

/// `v_i ← P_{x_i} v_i`, in place.
pub(crate) struct Project<'a> {
    pub tokens: &'a [Pack],
    pub velocity: &'a mut [Pack],
    pub d: usize,
    pub lanes: usize,
}

impl Kernel for Project<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Self { tokens, velocity, d, lanes } = self;
        for group in groups::<L>(lanes) {
            for (token, velocity) in tokens.chunks_exact(d).zip(velocity.chunks_exact_mut(d)) {
                let mut along = L::splat(0.0);
                for (x, v) in token.iter().zip(&*velocity) {
                    along = L::load(x, group).mul_add(L::load(v, group), along);
                }
                for (x, v) in token.iter().zip(velocity) {
                    (-along).mul_add(L::load(x, group), L::load(v, group)).store(v, group);
                }
            }
        }
    }
}
