//! The right side for V = c·I, QᵀK = b·I: how points pull at one another.
//!
//! ```text
//! ẋ_i = (1/Z_i) P_{x_i} Σ_{j≠i} m_j e^{−β(1−g_ij)} (x_j − x_i) ,    1 − g_ij = ‖x_i − x_j‖²/2
//! ```
//!
//! Everything is made of differences x_j − x_i, which are exact where points are close, so every sum has terms of the size of its
//! result: a drift of e^{−600} is as accurate as one of order one. A point adds exactly zero to its own velocity, and its mass to Z_i.
//!
//! Points stand in lanes and each lane takes its partners in order, whatever the width: the same bits on every machine.
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]
#![allow(clippy::needless_range_loop, reason = "index loops over registers, unrolled whole")]

use crate::simd::{Kernel, LANES, Lanes, Pack, exps_below_overflow, groups};

/// Partners whose exponentials are computed side by side.
const ABREAST: usize = 4;

/// Velocities of all points.
pub(super) struct Pull<'a> {
    /// The points, `[coordinate][point]`, every row filled up to whole packs.
    pub state: &'a [Pack],
    /// The points, `[point][coordinate]`.
    pub rows: &'a [f64],
    pub masses: &'a [f64],
    pub d: usize,
    pub beta: f64,
    /// Whether Z_i divides: SA.
    pub divides: bool,
    /// As `state`.
    pub velocity: &'a mut [Pack],
    /// `(1/Z_i) Σ_j m_j e^{−β(1−g_ij)} (1−g_ij)` of each point: the size of what its velocity is made of.
    pub force: &'a mut [Pack],
    /// `(1/Z_i) Σ_{j≠i} m_j e^{−β(1−g_ij)}` of each point.
    pub bonds: &'a mut [Pack],
    /// Room for a weight of each partner.
    pub weights: &'a mut [Pack],
}

impl Kernel for Pull<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(mut self) {
        for group in groups_of::<L>(self.masses.len()) {
            match self.d {
                2 => self.few::<L, 2>(group),
                3 => self.few::<L, 3>(group),
                4 => self.few::<L, 4>(group),
                5 => self.few::<L, 5>(group),
                6 => self.few::<L, 6>(group),
                7 => self.few::<L, 7>(group),
                8 => self.few::<L, 8>(group),
                _ => self.many::<L>(group),
            }
        }
    }
}

/// The groups of lanes that hold so many points, over all packs.
#[inline(always)]
fn groups_of<L: Lanes>(points: usize) -> std::ops::Range<usize> {
    let whole = points / LANES * (LANES / L::WIDTH);
    0..whole + groups::<L>(points % LANES).end
}

impl Pull<'_> {
    /// Few coordinates: all of a point's sums stay in registers.
    #[inline(always)]
    fn few<L: Lanes<Scalar = f64>, const D: usize>(&mut self, group: usize) {
        let (blocks, block) = (self.force.len(), group * L::WIDTH / LANES);
        let mut x = [L::splat(0.0); D];
        for c in 0..D {
            x[c] = L::load(&self.state[c * blocks + block], group);
        }
        let zero = L::splat(0.0);
        let mut sums = Sums { along: [zero; D], partition: zero, force: zero, bonds: zero };
        let (rows, _) = self.rows.as_chunks::<D>();
        let (quads, rest) = rows.as_chunks::<ABREAST>();
        let (masses, masses_left) = self.masses.as_chunks::<ABREAST>();
        for (rows, masses) in quads.iter().zip(masses) {
            sums.add(&x, rows, masses, self.beta);
        }
        for (row, mass) in rest.iter().zip(masses_left) {
            sums.add(&x, &[*row], &[*mass], self.beta);
        }
        let scale = if self.divides { L::splat(1.0) / sums.partition } else { L::splat(1.0) };
        let mut radial = L::splat(0.0);
        for c in 0..D {
            sums.along[c] = sums.force.mul_add(x[c], sums.along[c]) * scale;
            radial = sums.along[c].mul_add(x[c], radial);
        }
        for c in 0..D {
            (-radial).mul_add(x[c], sums.along[c]).store(&mut self.velocity[c * blocks + block], group);
        }
        (sums.force * scale).store(&mut self.force[block], group);
        (sums.bonds * scale).store(&mut self.bonds[block], group);
    }

    /// Many coordinates: first all weights, then coordinate after coordinate.
    #[inline(always)]
    fn many<L: Lanes<Scalar = f64>>(&mut self, group: usize) {
        let (blocks, block, d) = (self.force.len(), group * L::WIDTH / LANES, self.d);
        let (mut partition, mut force, mut bonds) = (L::splat(0.0), L::splat(0.0), L::splat(0.0));
        let count = self.masses.len();
        let mut first = 0;
        while first < count {
            let abreast = ABREAST.min(count - first);
            let mut square = [L::splat(0.0); ABREAST];
            for c in 0..d {
                let x = L::load(&self.state[c * blocks + block], group);
                for k in 0..ABREAST {
                    // Places beyond the last partner repeat it, and are left out below.
                    let j = first + k.min(abreast - 1);
                    let apart = L::splat(self.rows[j * d + c]) - x;
                    square[k] = apart.mul_add(apart, square[k]);
                }
            }
            let mut gaps = square;
            for k in 0..ABREAST {
                gaps[k] = square[k] * L::splat(0.5);
                square[k] = gaps[k] * L::splat(-self.beta);
            }
            let weights = exps_below_overflow(square);
            for k in 0..abreast {
                let weight = weights[k] * L::splat(self.masses[first + k]);
                partition = partition + weight;
                force = weight.mul_add(gaps[k], force);
                bonds = bonds + of_others(gaps[k], weight);
                weight.store(&mut self.weights[first + k], group);
            }
            first += abreast;
        }
        let scale = if self.divides { L::splat(1.0) / partition } else { L::splat(1.0) };
        let mut radial = L::splat(0.0);
        let mut c = 0;
        while c < d {
            let wide = ABREAST.min(d - c);
            let (mut x, mut along) = ([L::splat(0.0); ABREAST], [L::splat(0.0); ABREAST]);
            for k in 0..wide {
                x[k] = L::load(&self.state[(c + k) * blocks + block], group);
            }
            for j in 0..count {
                let weight = L::load(&self.weights[j], group);
                for k in 0..ABREAST {
                    let at = j * d + c + k.min(wide - 1);
                    along[k] = weight.mul_add(L::splat(self.rows[at]) - x[k], along[k]);
                }
            }
            for k in 0..wide {
                let velocity = force.mul_add(x[k], along[k]) * scale;
                radial = velocity.mul_add(x[k], radial);
                velocity.store(&mut self.velocity[(c + k) * blocks + block], group);
            }
            c += wide;
        }
        for c in 0..d {
            let x = L::load(&self.state[c * blocks + block], group);
            let velocity = &mut self.velocity[c * blocks + block];
            (-radial).mul_add(x, L::load(velocity, group)).store(velocity, group);
        }
        (force * scale).store(&mut self.force[block], group);
        (bonds * scale).store(&mut self.bonds[block], group);
    }
}

/// What a lane adds up over its partners.
struct Sums<L, const D: usize> {
    /// Σ_j w_ij (x_j − x_i).
    along: [L; D],
    /// Σ_j w_ij.
    partition: L,
    /// Σ_j w_ij (1 − g_ij).
    force: L,
    /// Σ_{j≠i} w_ij.
    bonds: L,
}

/// The weight, or nothing if it is a point's own: two points at one place have merged.
#[inline(always)]
fn of_others<L: Lanes<Scalar = f64>>(gap: L, weight: L) -> L {
    L::select(L::splat(0.0).less(gap), weight, L::splat(0.0))
}

impl<L: Lanes<Scalar = f64>, const D: usize> Sums<L, D> {
    #[inline(always)]
    fn add<const K: usize>(&mut self, x: &[L; D], rows: &[[f64; D]; K], masses: &[f64; K], beta: f64) {
        let mut gaps = [L::splat(0.0); K];
        let mut scores = [L::splat(0.0); K];
        for k in 0..K {
            for c in 0..D {
                let apart = L::splat(rows[k][c]) - x[c];
                gaps[k] = apart.mul_add(apart, gaps[k]);
            }
            gaps[k] = gaps[k] * L::splat(0.5);
            scores[k] = gaps[k] * L::splat(-beta);
        }
        let weights = exps_below_overflow(scores);
        for k in 0..K {
            let weight = weights[k] * L::splat(masses[k]);
            self.partition = self.partition + weight;
            self.force = weight.mul_add(gaps[k], self.force);
            self.bonds = self.bonds + of_others(gaps[k], weight);
            for c in 0..D {
                self.along[c] = weight.mul_add(L::splat(rows[k][c]) - x[c], self.along[c]);
            }
        }
    }
}
