//! The unit sphere: the projection `P_x y = y − ⟨x,y⟩x`, and steps that end in a normalization.
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

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

/// `x_i ← normalize(x_i + h v_i)`.
///
/// A vector that is zero or not finite has no direction: its lane becomes NaN, and not finite for good. Lengths whose
/// square would overflow or underflow are scaled by a power of two first, so that only the direction counts.
pub(crate) struct Land<'a> {
    pub tokens: &'a mut [Pack],
    pub velocity: &'a [Pack],
    /// h of each lane.
    pub step: &'a Pack,
    pub d: usize,
    pub lanes: usize,
}

/// Squares of lengths between these are left as they are.
const SMALL: f64 = 1e-150;
const LARGE: f64 = 1e150;
/// 2^±600.
const SHRINK: f64 = f64::from_bits((1023 - 600) << 52);
const GROW: f64 = f64::from_bits((1023 + 600) << 52);

/// Tokens that land together, so that the latency of one's sum of squares is another's time.
const ABREAST: usize = 4;

impl Kernel for Land<'_> {
    type Output = Landing;

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) -> Landing {
        let Self { tokens, velocity, step, d, lanes } = self;
        // Every group in turn for a few tokens at a time, so that each line of the cache is read once.
        let mut each = [Landed::new(); LANES];
        let mut tokens = tokens.chunks_exact_mut(ABREAST * d);
        let mut velocity = velocity.chunks_exact(ABREAST * d);
        for (tokens, velocity) in tokens.by_ref().zip(velocity.by_ref()) {
            for group in groups::<L>(lanes) {
                each[group].land::<ABREAST>(tokens, velocity, L::load(step, group), d, group);
            }
        }
        let rest = tokens.into_remainder().chunks_exact_mut(d).zip(velocity.remainder().chunks_exact(d));
        for (token, velocity) in rest {
            for group in groups::<L>(lanes) {
                each[group].land::<1>(token, velocity, L::load(step, group), d, group);
            }
        }
        let mut landing = Landing::default();
        for group in groups::<L>(lanes) {
            let used = u8::MAX >> (LANES - L::WIDTH);
            let moved = L::bits(L::less(each[group].still, L::splat(0.5)));
            landing.moved |= (moved & used) << (group * L::WIDTH);
            landing.finite |= (each[group].finite & used) << (group * L::WIDTH);
        }
        landing
    }
}

/// What has become of the tokens of a group of lanes.
#[derive(Clone, Copy)]
struct Landed<L> {
    /// 1 where no bit has changed, else 0.
    still: L,
    finite: u8,
}

impl<L: Lanes<Scalar = f64>> Landed<L> {
    #[inline(always)]
    fn new() -> Self {
        Self { still: L::splat(1.0), finite: u8::MAX }
    }

    /// `N` tokens.
    #[inline(always)]
    fn land<const N: usize>(
        &mut self,
        tokens: &mut [Pack],
        velocity: &[Pack],
        step: L,
        d: usize,
        group: usize,
    ) {
        let (tokens, velocity) = (&mut tokens[..N * d], &velocity[..N * d]);
        let squares = squares::<L, N>(tokens, velocity, step, d, group);
        for ((token, velocity), square) in
            tokens.chunks_exact_mut(d).zip(velocity.chunks_exact(d)).zip(squares)
        {
            self.settle(token, velocity, step, square, group);
        }
    }

    /// One token, whose new length before the normalization has this square.
    #[inline(always)]
    fn settle(&mut self, token: &mut [Pack], velocity: &[Pack], step: L, mut square: L, group: usize) {
        let used = u8::MAX >> (LANES - L::WIDTH);
        let far = L::bits(L::less(square, L::splat(SMALL))) | L::bits(L::less(L::splat(LARGE), square));
        if far == 0 {
            let inverse = L::splat(1.0) / square.sqrt();
            for (x, v) in token.iter_mut().zip(velocity) {
                let old = L::load(x, group);
                let new = step.mul_add(L::load(v, group), old) * inverse;
                self.still = L::select(L::same_bits(new, old), self.still, L::splat(0.0));
                new.store(x, group);
            }
        } else {
            // One scale a lane: 1, but for lengths far from 1.
            let mut scale = L::splat(1.0);
            scale = L::select(L::less(square, L::splat(SMALL)), L::splat(GROW), scale);
            scale = L::select(L::less(L::splat(LARGE), square), L::splat(SHRINK), scale);
            square = L::splat(0.0);
            for (x, v) in token.iter().zip(velocity) {
                let y = step.mul_add(L::load(v, group), L::load(x, group)) * scale;
                square = y.mul_add(y, square);
            }
            let inverse = L::splat(1.0) / square.sqrt();
            for (x, v) in token.iter_mut().zip(velocity) {
                let old = L::load(x, group);
                let new = step.mul_add(L::load(v, group), old) * scale * inverse;
                self.still = L::select(L::same_bits(new, old), self.still, L::splat(0.0));
                new.store(x, group);
            }
        }
        let positive = L::bits(L::less(L::splat(0.0), square));
        let good = positive & L::bits(L::less(square, L::splat(f64::INFINITY)));
        self.finite &= good;
        // The NaNs of a failed lane have one bit pattern, on every machine.
        if !good & used != 0 {
            for x in token.iter_mut() {
                let new = L::load(x, group);
                L::select(L::less(square, L::splat(f64::INFINITY)), new, L::splat(f64::NAN)).store(x, group);
                let new = L::load(x, group);
                L::select(L::less(L::splat(0.0), square), new, L::splat(f64::NAN)).store(x, group);
            }
        }
    }
}

/// `‖x_i + h v_i‖²` of `N` tokens side by side, each over its coordinates in order.
#[inline(always)]
fn squares<L: Lanes<Scalar = f64>, const N: usize>(
    tokens: &[Pack],
    velocity: &[Pack],
    step: L,
    d: usize,
    group: usize,
) -> [L; N] {
    let (mut places, mut rates) = ([&tokens[..d]; N], [&velocity[..d]; N]);
    for i in 1..N {
        places[i] = &tokens[i * d..][..d];
        rates[i] = &velocity[i * d..][..d];
    }
    let mut squares = [L::splat(0.0); N];
    for k in 0..d {
        for i in 0..N {
            let y = step.mul_add(L::load(&rates[i][k], group), L::load(&places[i][k], group));
            squares[i] = y.mul_add(y, squares[i]);
        }
    }
    squares
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
