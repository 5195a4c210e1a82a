//! What kind of particle system a cell is: the choices of docs/models.md that do not depend on the replica.

use serde::{Deserialize, Serialize};

pub use crate::attention::has_plan_without_self;

/// How scores become weights (P0 (SA), (USA)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Normalization {
    /// `w_ij = e^{s_ij} / Σ_k e^{s_ik}` over the unmasked k: SA.
    Softmax,
    /// `w_ij = e^{s_ij} / n`; under the causal mask `e^{s_ij} / i` (i counted from 1): USA.
    Unnormalized,
    /// `w_i·` is uniform over the j with the largest `s_ij` (P0 (8.5), (8.6)).
    Hardmax,
    /// `w` is the doubly stochastic matrix that Sinkhorn's iteration makes of `e^{s_ij}` (P0 Remark 3.4).
    Sinkhorn,
}

/// Points that never move, which every token sees (P3 Thm 5.2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// θ_j, m × d row-major.
    pub points: Vec<f64>,
    /// a_j, m: what each counts for beside a token of mass 1.
    pub weights: Vec<f64>,
}

/// Which tokens a token attends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mask {
    /// All tokens.
    Full,
    /// Token i sees the tokens j ≤ i (P3 (CSA)).
    Causal,
}

/// What moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum System {
    /// Tokens that attend to one another: every equation of docs/models.md but the next two.
    Attention,
    /// Rotors: `θ̇_i = ω_i + K Σ_j w_ij sin(θ_j − θ_i)` (P0 (6.2), (6.5); w_ij = 1/n at β = 0).
    Kuramoto,
    /// `ẋ_i = ∇ log(K * μ)(x_i)` with the kernel `e^{β⟨x, y⟩}` (P2 §5.3): β times SA, each token attending to the
    /// current ones, or to the initial ones.
    MeanShift {
        /// μ = μ_t (blurring) or else μ_0 (fixed).
        blurring: bool,
    },
}

/// Where the tokens live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Geometry {
    /// The unit sphere: `ẋ_i = (1/s_i) P_{x_i} A_i`.
    Sphere,
    /// The unit circle in angles, d = 2: `θ̇_i = (1/s_i) ⟨A_i, (−sin θ_i, cos θ_i)⟩` (P0 (6.1)).
    Circle,
    /// `R^d`: `ẋ_i = A_i` (P0 (8.1), P1 (1.1)).
    Euclidean,
    /// `z_i = e^{−tV} x_i` in R^d: `ż_i = V (Σ_j w_ij z_j − z_i)` (P0 (8.3), P1 (3.1)).
    Rescaled,
    /// The common cosine of equiangular tokens, one number whatever n (P0 (4.8), (4.9)).
    Equiangular,
}

impl Geometry {
    /// Whether tokens are unit vectors.
    #[must_use]
    pub fn is_unit(self) -> bool {
        !matches!(self, Self::Euclidean | Self::Rescaled)
    }
}

/// The layer-norm scheme, which sets the speed `1/s_i` and moves the radius r_i (docs/models.md, P2 §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum LayerNorm {
    /// `s_i = 1`.
    Post,
    /// `s_i = r_i`, `ṙ_i = ⟨θ_i, A_i⟩`.
    Pre,
    /// `post` up to the switch time, then `pre`.
    Mix {
        /// The switch time τ.
        switch: f64,
    },
    /// `s_i = r_i ‖A_i‖`, `ṙ_i = ⟨θ_i, A_i⟩/‖A_i‖`.
    Peri,
    /// `s_i = ‖A_i‖/α`.
    Ngpt {
        /// α.
        alpha: f64,
    },
    /// `s_i = √(t + 1)`.
    Sqrt,
}

impl LayerNorm {
    /// Whether each token has a radius r_i(t).
    #[must_use]
    pub fn has_radius(self) -> bool {
        matches!(self, Self::Pre | Self::Mix { .. } | Self::Peri)
    }

    /// Whether `⟨θ_i, A_i⟩` or `‖A_i‖` counts, and with it the share of the token itself in A_i.
    #[must_use]
    pub fn needs_whole_attention(self) -> bool {
        !matches!(self, Self::Post | Self::Sqrt)
    }

    /// Whether the speed does not depend on the size of A_i.
    #[must_use]
    pub fn is_normalized(self) -> bool {
        matches!(self, Self::Peri | Self::Ngpt { .. })
    }
}

/// How time is stepped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Integrator {
    /// The authors' scheme `x ← normalize(x + η A/s)`: no tangent projection, self term kept.
    ProjectedEuler,
    /// Classical Runge–Kutta on `P_x A`, renormalized after the step; for V = c·I the self term is left out.
    Rk4,
    /// Layers: `x ← x + η A/s`, then normalized where tokens are unit vectors (P1 (1.3)).
    Discrete {
        /// Whether x is part of the sum; else `x ← A` (P2 Thm 7).
        residual: bool,
    },
    /// Adaptive steps for any smooth right side: a [`Trajectory`](crate::trajectory::Trajectory), not an ensemble.
    Adaptive,
    /// Adaptive steps, merging, drifts of any smallness: a trajectory too.
    Multiscale,
}

/// All replicas in one ensemble share this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Number of tokens.
    pub n: usize,
    /// Number of coordinates a token carries (n for tokens drawn in the span, d otherwise).
    pub d: usize,
    /// What moves.
    pub system: System,
    /// Weight normalization.
    pub normalization: Normalization,
    /// Mask.
    pub mask: Mask,
    /// Whether no token sees itself: j = i is left out of sum and Z (P2 §5.2).
    pub exclude_self: bool,
    /// α_j, the mass of each token in every sum (P4 Assumption 5, P2 (6)); empty if all are 1.
    pub masses: Vec<f64>,
    /// Frozen tokens.
    pub frozen: Frozen,
    /// Whether matrices are drawn afresh for every layer ([`Start::layers`](crate::ensemble::Start::layers)).
    pub layered: bool,
    /// Geometry.
    pub geometry: Geometry,
    /// Layer norm.
    pub layer_norm: LayerNorm,
    /// Integrator.
    pub integrator: Integrator,
}

impl Integrator {
    /// Whether it chooses its steps.
    #[must_use]
    pub fn is_adaptive(self) -> bool {
        matches!(self, Self::Adaptive | Self::Multiscale)
    }
}

impl Model {
    /// SA on the sphere by the authors' scheme: n tokens of d coordinates, every other choice at its default.
    #[must_use]
    pub fn new(n: usize, d: usize) -> Self {
        Self {
            n,
            d,
            system: System::Attention,
            normalization: Normalization::Softmax,
            mask: Mask::Full,
            exclude_self: false,
            masses: Vec::new(),
            frozen: Frozen::default(),
            layered: false,
            geometry: Geometry::Sphere,
            layer_norm: LayerNorm::Post,
            integrator: Integrator::ProjectedEuler,
        }
    }

    /// Number and length of the tokens that observers see.
    #[must_use]
    pub fn shown(&self) -> (usize, usize) {
        if self.geometry == Geometry::Equiangular { (2, 2) } else { (self.n, self.d) }
    }

    /// How many of the numbers that move are places of tokens; radii follow them.
    #[must_use]
    pub fn places(&self) -> usize {
        match self.geometry {
            Geometry::Equiangular => 1,
            Geometry::Circle => self.n,
            Geometry::Sphere | Geometry::Euclidean | Geometry::Rescaled => self.n * self.d,
        }
    }

    /// Whether the right side does not depend on time: then a state that a step leaves as it is stays for ever.
    #[must_use]
    pub fn is_autonomous(&self) -> bool {
        self.geometry != Geometry::Rescaled
            && !self.layered
            && !matches!(self.layer_norm, LayerNorm::Sqrt | LayerNorm::Mix { .. })
    }

    /// How many radii move.
    #[must_use]
    pub fn radii(&self) -> usize {
        match (self.layer_norm.has_radius(), self.geometry) {
            (false, _) => 0,
            (true, Geometry::Equiangular) => 1,
            (true, _) => self.n,
        }
    }
}
