//! Equiangular tokens under every layer norm (docs/models.md; P2 §6.2): the cosine ρ(t) and the radius r(t).
//!
//! With V = QᵀK = I and mask full, tokens r·θ_i with ⟨θ_i, θ_j⟩ = ρ for i ≠ j and equal radii keep both, and
//!
//! ```text
//! ρ̇ = (1/s) 2 e^{βρ} (1−ρ) ((n−1)ρ + 1) / Z ,      Z = e^β + (n−1) e^{βρ}   (SA),   n   (USA)
//! ⟨θ, A⟩ = (e^β + (n−1) ρ e^{βρ}) / Z
//! ‖A‖²  = (e^{2β} + 2(n−1)ρ e^{β+βρ} + (n−1) e^{2βρ} (1 + (n−2)ρ)) / Z²
//! ```
//!
//! with the speed 1/s and ṙ of each scheme as in [`LayerNorm`]. `post` is in closed quadrature
//! ([`equiangular`](super::equiangular)), and so is `sqrt`, which is `post` at the time 2(√(t+1) − 1); the others are solved in ln(1−ρ)
//! and ln r, to about 10⁻¹⁰ relative.

use metasweep_dynamics::model::{LayerNorm, Normalization};

use super::equiangular::Equiangular;
use super::ode::solve;

/// The equations of n tokens at inverse temperature β.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layers {
    n: f64,
    beta: f64,
    normalization: Normalization,
    layer_norm: LayerNorm,
    post: Equiangular,
}

/// Where equiangular tokens are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// 1 − ρ.
    pub gap: f64,
    /// Their radius; stays where it was under schemes that do not move it.
    pub radius: f64,
}

impl Layers {
    /// n ≥ 2 tokens, β ≥ 0.
    ///
    /// ```
    /// use metasweep_dynamics::model::{LayerNorm, Normalization::Softmax};
    /// use metasweep_metastability::theory::layer_norm::{Layers, State};
    ///
    /// // From orthonormal tokens the initial slope under peri is 2/√(e^{2β} + n − 1).
    /// let peri = Layers::new(32, 2.0, Softmax, LayerNorm::Peri);
    /// assert!((peri.rate(0.0, State { gap: 1.0, radius: 1.0 }).0 - 0.21617).abs() < 5e-6);
    /// let later = peri.at(State { gap: 1.0, radius: 1.0 }, 1.0);
    /// assert!(later.gap < 0.8 && later.radius > 1.0);
    /// ```
    #[must_use]
    pub fn new(n: usize, beta: f64, normalization: Normalization, layer_norm: LayerNorm) -> Self {
        let post = Equiangular::new(n, beta, normalization);
        Self { n: n as f64, beta, normalization, layer_norm, post }
    }

    /// ρ̇ and ṙ at time t.
    #[must_use]
    pub fn rate(&self, t: f64, state: State) -> (f64, f64) {
        let State { gap, radius } = state;
        let (along, length) = self.attention(gap);
        let slope = self.post.rate_at_gap(gap);
        match self.layer_norm {
            LayerNorm::Post => (slope, 0.0),
            LayerNorm::Mix { switch } if t <= switch => (slope, 0.0),
            LayerNorm::Pre | LayerNorm::Mix { .. } => (slope / radius, along),
            LayerNorm::Peri => (slope / (radius * length), along / length),
            LayerNorm::Ngpt { alpha } => (slope * alpha / length, 0.0),
            LayerNorm::Sqrt => (slope / (t + 1.0).sqrt(), 0.0),
        }
    }

    /// ⟨θ, A⟩ and ‖A‖ at this gap.
    #[must_use]
    pub fn attention(&self, gap: f64) -> (f64, f64) {
        let (n, rho, q) = (self.n, 1.0 - gap, libm::exp(-self.beta * gap));
        let along = 1.0 + (n - 1.0) * rho * q;
        let square = 1.0 + 2.0 * (n - 1.0) * rho * q + (n - 1.0) * q * q * (1.0 + (n - 2.0) * rho);
        let scale = match self.normalization {
            // The softmax of equiangular tokens is doubly stochastic already.
            Normalization::Softmax | Normalization::Sinkhorn => 1.0 / (1.0 + (n - 1.0) * q),
            Normalization::Hardmax => f64::NAN,
            Normalization::Unnormalized => libm::exp(self.beta) / n,
        };
        // At ρ = −1/(n−1) and β = 0 the tokens add up to nothing: rounding must not make the square negative.
        (scale * along, scale * square.max(0.0).sqrt())
    }

    /// Where tokens are at time t ≥ 0 that are at `start` at time 0, 0 < gap < n/(n−1), radius > 0.
    #[must_use]
    pub fn at(&self, start: State, t: f64) -> State {
        let nothing = State { gap: f64::NAN, radius: f64::NAN };
        if !(t >= 0.0 && t.is_finite() && self.is_possible(start)) {
            return nothing;
        }
        match self.layer_norm {
            LayerNorm::Post => State { gap: self.post.gap(start.gap, t), ..start },
            LayerNorm::Sqrt => {
                // 2(√(t+1) − 1) without cancellation.
                let slowed = 2.0 * t / ((t + 1.0).sqrt() + 1.0);
                State { gap: self.post.gap(start.gap, slowed), ..start }
            }
            LayerNorm::Mix { switch } => {
                let before = State { gap: self.post.gap(start.gap, t.min(switch)), ..start };
                let after = Self { layer_norm: LayerNorm::Pre, ..*self };
                if t <= switch { before } else { after.at(before, t - switch) }
            }
            LayerNorm::Pre | LayerNorm::Peri | LayerNorm::Ngpt { .. } => self.solved(start, t),
        }
    }

    /// The time at which the gap is `to` ≤ start.gap; infinite where it exceeds the largest f64.
    #[must_use]
    pub fn time(&self, start: State, to: f64) -> f64 {
        if !(self.is_possible(start) && to > 0.0 && to <= start.gap) {
            return f64::NAN;
        }
        match self.layer_norm {
            LayerNorm::Post => self.post.time(start.gap, to),
            LayerNorm::Sqrt => {
                let slowed = self.post.time(start.gap, to);
                slowed + 0.25 * slowed * slowed
            }
            LayerNorm::Mix { switch } => {
                let direct = self.post.time(start.gap, to);
                if direct <= switch {
                    return direct;
                }
                let at_switch = State { gap: self.post.gap(start.gap, switch), ..start };
                switch + Self { layer_norm: LayerNorm::Pre, ..*self }.time(at_switch, to)
            }
            LayerNorm::Pre | LayerNorm::Peri | LayerNorm::Ngpt { .. } => self.waited(start, to),
        }
    }

    fn is_possible(&self, start: State) -> bool {
        self.n >= 2.0
            && self.beta >= 0.0
            && self.beta.is_finite()
            && start.gap > 0.0
            && start.gap * (self.n - 1.0) < self.n
            && start.radius > 0.0
            && start.radius.is_finite()
    }

    /// The autonomous schemes, in ln(1−ρ) and ln r.
    fn solved(&self, start: State, t: f64) -> State {
        let right = |_: f64, y: &[f64]| {
            let state = State { gap: libm::exp(y[0]), radius: libm::exp(y[1]) };
            let (cosine, radius) = self.rate(0.0, state);
            vec![-cosine / state.gap, radius / state.radius]
        };
        let end = solve(&right, 0.0, t, &[libm::log(start.gap), libm::log(start.radius)]);
        State { gap: libm::exp(end[0]), radius: libm::exp(end[1]) }
    }

    /// The same with ln(1−ρ) as the clock: state ln r and ln(1 + t), both of which may be large where t is beyond f64.
    fn waited(&self, start: State, to: f64) -> f64 {
        let right = |s: f64, y: &[f64]| {
            let state = State { gap: start.gap * libm::exp(-s), radius: 1.0 };
            // Both rates are those of r = 1; the speed is 1/r under pre and peri.
            let (cosine, radius) = self.rate(0.0, state);
            let pace = state.gap / cosine;
            let slowed = if self.layer_norm.has_radius() { y[0] } else { 0.0 };
            vec![pace * radius, pace * libm::exp(slowed - y[1])]
        };
        let end = solve(&right, 0.0, libm::log(start.gap / to), &[libm::log(start.radius), 0.0]);
        libm::expm1(end[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Normalization::{Softmax, Unnormalized};

    const START: State = State { gap: 1.0, radius: 1.0 };
    const MOVING: [LayerNorm; 3] = [LayerNorm::Pre, LayerNorm::Peri, LayerNorm::Mix { switch: 2.0 }];

    /// Initial slopes from orthonormal tokens, r = 1: docs/models.md.
    #[test]
    fn initial_slopes() {
        let (n, beta) = (32.0_f64, 2.0);
        let slow = 2.0 / (libm::exp(beta) + n - 1.0);
        let fast = 2.0 / (libm::exp(2.0 * beta) + n - 1.0).sqrt();
        for (layer_norm, slope) in [
            (LayerNorm::Post, slow),
            (LayerNorm::Sqrt, slow),
            (LayerNorm::Pre, slow),
            (LayerNorm::Mix { switch: 1.0 }, slow),
            (LayerNorm::Peri, fast),
            (LayerNorm::Ngpt { alpha: 1.0 }, fast),
            (LayerNorm::Ngpt { alpha: 0.5 }, 0.5 * fast),
        ] {
            let found = Layers::new(32, beta, Softmax, layer_norm).rate(0.0, START).0;
            assert!((found / slope - 1.0).abs() < 1e-14, "{layer_norm:?}: {found} {slope}");
        }
    }

    /// The formulas of ⟨θ, A⟩, ‖A‖ and ρ̇ against sums over tokens: for V = I, ρ̇ = 2⟨P_{θ_1} A_1, θ_2⟩ by symmetry.
    #[test]
    fn attention_is_that_of_tokens() {
        let (n, beta, rho) = (5_usize, 1.7, 0.3);
        for normalization in [Softmax, Unnormalized] {
            let layers = Layers::new(n, beta, normalization, LayerNorm::Post);
            let cosine = |i: usize, j: usize| if i == j { 1.0 } else { rho };
            let total: f64 = (0..n).map(|j| libm::exp(beta * cosine(0, j))).sum();
            let whole = if normalization == Softmax { total } else { n as f64 };
            let weight = |j: usize| libm::exp(beta * cosine(0, j)) / whole;
            let along: f64 = (0..n).map(|j| weight(j) * cosine(0, j)).sum();
            let square: f64 = (0..n)
                .flat_map(|j| (0..n).map(move |k| (j, k)))
                .map(|(j, k)| weight(j) * weight(k) * cosine(j, k))
                .sum();
            let towards: f64 = (0..n).map(|j| weight(j) * (cosine(1, j) - rho * cosine(0, j))).sum();
            let (found_along, found_length) = layers.attention(1.0 - rho);
            assert!((found_along - along).abs() < 1e-14 && (found_length - square.sqrt()).abs() < 1e-14);
            assert!(
                (layers.rate(0.0, State { gap: 1.0 - rho, radius: 1.0 }).0 - 2.0 * towards).abs() < 1e-14
            );
        }
    }

    /// Terminal rates of 1 − ρ: e^{−2αt} under ngpt, e^{−4√(t+1)} under sqrt, t^{−2} where radii grow (P2 §6.2).
    #[test]
    fn terminal_rates() {
        let at = |layer_norm, t| Layers::new(32, 2.0, Softmax, layer_norm).at(START, t).gap;
        for alpha in [0.5, 1.0] {
            let ngpt = LayerNorm::Ngpt { alpha };
            let ratio = at(ngpt, 21.0 / alpha) / at(ngpt, 20.0 / alpha);
            assert!((ratio / libm::exp(-2.0) - 1.0).abs() < 1e-8, "{alpha}: {ratio}");
        }
        let ratio = at(LayerNorm::Sqrt, 224.0) / at(LayerNorm::Sqrt, 195.0);
        assert!((ratio / libm::exp(-4.0) - 1.0).abs() < 1e-8, "{ratio}");
        for layer_norm in MOVING {
            // The correction is of relative order 1/t.
            let ratio = at(layer_norm, 2e6) / at(layer_norm, 1e6);
            assert!((ratio - 0.25).abs() < 1e-4, "{layer_norm:?}: {ratio}");
        }
    }

    /// Under pre and under peri ln r moves by the same amount while ρ moves: d ln r/dρ = ⟨θ, A⟩/(s ρ̇).
    #[test]
    fn radii_are_one_function_of_the_cosine() {
        let radius = |layer_norm| {
            let layers = Layers::new(8, 1.0, Softmax, layer_norm);
            layers.at(START, layers.time(START, 1e-2)).radius
        };
        let (pre, peri) = (radius(LayerNorm::Pre), radius(LayerNorm::Peri));
        assert!((pre / peri - 1.0).abs() < 1e-9, "{pre} {peri}");
    }

    /// Where the speed is divided by ‖A‖, SA and USA are one: A is the same up to a factor.
    #[test]
    fn normalized_speeds_do_not_know_the_weights() {
        for layer_norm in [LayerNorm::Peri, LayerNorm::Ngpt { alpha: 0.7 }] {
            let at = |normalization| Layers::new(16, 3.0, normalization, layer_norm).at(START, 5.0);
            let (sa, usa) = (at(Softmax), at(Unnormalized));
            assert!((sa.gap / usa.gap - 1.0).abs() < 1e-11, "{layer_norm:?}");
            assert!((sa.radius / usa.radius - 1.0).abs() < 1e-11, "{layer_norm:?}");
        }
    }

    /// `at` and `time` are found differently and invert each other; `mix` is `post`, then `pre` from there.
    #[test]
    fn times_and_states_agree() {
        for normalization in [Softmax, Unnormalized] {
            for layer_norm in MOVING.into_iter().chain([
                LayerNorm::Post,
                LayerNorm::Sqrt,
                LayerNorm::Ngpt { alpha: 1.3 },
                LayerNorm::Mix { switch: 1e3 },
            ]) {
                let layers = Layers::new(32, 2.0, normalization, layer_norm);
                let start = State { gap: 0.9, radius: 1.5 };
                for gap in [0.5, 1e-2, 1e-4] {
                    let found = layers.at(start, layers.time(start, gap)).gap;
                    assert!(
                        (found / gap - 1.0).abs() < 1e-9,
                        "{layer_norm:?} {normalization:?} {gap}: {found}"
                    );
                }
            }
        }
    }

    const STATES: [(LayerNorm, Normalization, f64, f64); 6] = [
        (LayerNorm::Pre, Softmax, 0.206_047_252_386_697, 2.687_185_235_854_582_5),
        (LayerNorm::Pre, Unnormalized, 0.052_204_384_262_273_967, 5.400_937_024_302_658),
        (LayerNorm::Peri, Softmax, 0.121_380_057_890_552_45, 3.524_721_891_309_299_9),
        (LayerNorm::Peri, Unnormalized, 0.121_380_057_890_552_45, 3.524_721_891_309_299_9),
        (LayerNorm::Ngpt { alpha: 1.0 }, Softmax, 0.007_211_196_218_276_713, 1.0),
        (LayerNorm::Ngpt { alpha: 1.0 }, Unnormalized, 0.007_211_196_218_276_713, 1.0),
    ];

    /// Independent values: mpmath's Taylor series with 30 digits, n = 8, β = 1, from orthonormal tokens with r = 1 to t = 3.
    #[test]
    fn states_are_right() {
        for (layer_norm, normalization, gap, radius) in STATES {
            let found = Layers::new(8, 1.0, normalization, layer_norm).at(START, 3.0);
            assert!((found.gap / gap - 1.0).abs() < 1e-10, "{layer_norm:?} {normalization:?}: {found:?}");
            assert!(
                (found.radius / radius - 1.0).abs() < 1e-10,
                "{layer_norm:?} {normalization:?}: {found:?}"
            );
        }
    }

    #[test]
    fn out_of_range_is_nan() {
        let layers = Layers::new(3, 1.0, Softmax, LayerNorm::Pre);
        for start in [
            State { gap: 0.0, radius: 1.0 },
            State { gap: 1.5, radius: 1.0 },
            State { gap: 1.0, radius: 0.0 },
        ] {
            assert!(layers.at(start, 1.0).gap.is_nan() && layers.time(start, 1e-3).is_nan());
        }
        assert!(layers.at(START, -1.0).gap.is_nan() && layers.time(START, 1.1).is_nan());
    }
}
