//! Layer-norm schemes (docs/models.md, P2 §6.2): the speed `1/s_i` at which token i follows its attention vector, and the
//! growth `ṙ_i` of its radius.
//!
//! Adding one: a file with a [`Scheme`], an arm in [`scheme`]. Most are a [`TokenRule`], which sees one token at a time.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

pub(crate) mod mix;
mod ngpt;
mod peri;
mod post;
mod pre;
mod sqrt;

use crate::integrators::Clock;
use crate::model::LayerNorm;
use crate::simd::{Isa, Kernel, Lanes, Pack, dispatch, groups};

/// Tokens in lanes, as a scheme sees them.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    /// θ_i, n × d.
    pub directions: &'a [Pack],
    /// r_i, n; empty where radii do not move.
    pub radii: &'a [Pack],
    pub d: usize,
    pub lanes: usize,
    pub isa: Isa,
}

/// What a scheme makes of the attention vectors.
pub(crate) trait Scheme: Send {
    /// Divides `attention` (n × d) by `s_i`, in place, and writes `ṙ_i` to `growth` (n, or empty).
    fn apply(&self, clock: &Clock, sight: Sight<'_>, attention: &mut [Pack], growth: &mut [Pack]);

    /// Whether [`apply`](Self::apply) does nothing.
    fn is_identity(&self) -> bool {
        false
    }

    /// 1 in the lanes whose radii move now, else 0.
    fn moves_radii(&self, _clock: &Clock) -> Pack {
        Pack::splat(1.0)
    }
}

/// The scheme of this name.
pub(crate) fn scheme(layer_norm: LayerNorm) -> Box<dyn Scheme> {
    match layer_norm {
        LayerNorm::Post => Box::new(post::Post),
        LayerNorm::Pre => Box::new(pre::Pre),
        LayerNorm::Mix { switch } => Box::new(mix::Mix { switch }),
        LayerNorm::Peri => Box::new(peri::Peri),
        LayerNorm::Ngpt { alpha } => Box::new(ngpt::Ngpt { alpha }),
        LayerNorm::Sqrt => Box::new(sqrt::Sqrt),
    }
}

/// A scheme that looks at one token at a time.
pub(crate) trait TokenRule: Copy {
    /// (1/s, ṙ) of a token from ⟨θ, A⟩, ‖A‖, r (1 where radii do not move) and 1 in lanes that are past the switch.
    fn speed<L: Lanes<Scalar = f64>>(self, along: L, length: L, radius: L, past: L) -> (L, L);
}

/// Applies a rule to every token.
pub(crate) fn each_token<R: TokenRule>(
    rule: R,
    past: &Pack,
    sight: Sight<'_>,
    attention: &mut [Pack],
    growth: &mut [Pack],
) {
    dispatch(EachToken { rule, past, sight, attention, growth }, sight.isa);
}

struct EachToken<'a, R> {
    rule: R,
    past: &'a Pack,
    sight: Sight<'a>,
    attention: &'a mut [Pack],
    growth: &'a mut [Pack],
}

impl<R: TokenRule> Kernel for EachToken<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        let Self { rule, past, sight, attention, growth } = self;
        let Sight { directions, radii, d, lanes, .. } = sight;
        for group in groups::<L>(lanes) {
            let past = L::load(past, group);
            for (i, (theta, a)) in directions.chunks_exact(d).zip(attention.chunks_exact_mut(d)).enumerate() {
                let (mut along, mut square) = (L::splat(0.0), L::splat(0.0));
                for (x, y) in theta.iter().zip(&*a) {
                    let y = L::load(y, group);
                    along = L::load(x, group).mul_add(y, along);
                    square = y.mul_add(y, square);
                }
                let radius = radii.get(i).map_or(L::splat(1.0), |radius| L::load(radius, group));
                let (speed, rate) = rule.speed(along, square.sqrt(), radius, past);
                for y in a {
                    (speed * L::load(y, group)).store(y, group);
                }
                if let Some(growth) = growth.get_mut(i) {
                    rate.store(growth, group);
                }
            }
        }
    }
}
