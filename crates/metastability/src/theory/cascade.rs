//! The pairing cascade: clusters merge, always the fastest pair, and the times add up (P2 Theorem 6, P4 Proposition 3.11; docs/oracles.md, 11).
//!
//! Two clusters of masses m_i, m_j at cosine g, alone, V = QᵀK = I, move towards each other along their geodesic:
//!
//! ```text
//! ġ = (1−g²)(w_i + w_j) ,    w_i = m_j e^{βg} / (m_i e^β + m_j e^{βg})   (SA) ,    m_j e^{βg}   (USA)
//! ```
//!
//! w_i sin φ is the angular speed of i, so that i covers the share ∫ w_i/(w_i+w_j) dφ/φ of the arc φ. At large β the time is
//!
//! ```text
//! SA    e^{β(1−g)} / (β (1−g²) (m_i/m_j + m_j/m_i)) ,   displacements m_j² : m_i²
//! USA   e^{−βg} / (β (1−g²) (m_i + m_j)) ,              displacements m_j : m_i
//! ```
//!
//! and other clusters rest meanwhile, as their times are longer by factors exponential in β. P2 prints the time change of
//! Theorem 6 with the *initial* cosine; it is the current one, g(t), as in P4's proof: with the initial one the rescaled time to a merge
//! goes to zero like 1/β, and there is no limit equation.

use metasweep_dynamics::model::Normalization;

use super::quadrature::integrate;

/// Clusters at rest: unit vectors of one length d, and masses.
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters {
    /// Unit vectors.
    pub positions: Vec<Vec<f64>>,
    /// Positive masses; under USA their sum is the mass of all tokens, which is 1 in the papers.
    pub masses: Vec<f64>,
}

/// By which formula a pair is timed and moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    /// The two clusters' equation in closed quadrature, up to the gap 1 − g = δ; at finite β.
    Exact {
        /// δ.
        delta: f64,
    },
    /// The formulas for large β above.
    LargeBeta,
}

/// One stage of the cascade.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    /// The clusters that merge, by their place in the list of this stage; the merged one takes the first's place, and the
    /// second is taken out.
    pub pair: (usize, usize),
    /// 1 − ⟨x_i, x_j⟩ as the stage begins.
    pub gap: f64,
    /// ln of the time that the stage takes.
    pub ln_duration: f64,
    /// ln of the time since the start at which the clusters merge.
    pub ln_time: f64,
    /// Clusters left.
    pub clusters: usize,
    /// Where they merge.
    pub position: Vec<f64>,
    /// Their mass.
    pub mass: f64,
}

impl Clusters {
    /// Clusters on the circle at these angles.
    #[must_use]
    pub fn on_circle(angles: &[f64], masses: &[f64]) -> Self {
        let position = |angle: &f64| vec![libm::cos(*angle), libm::sin(*angle)];
        Self { positions: angles.iter().map(position).collect(), masses: masses.to_vec() }
    }

    /// 1 − ⟨x_i, x_j⟩, exact where they are close.
    fn gap(&self, i: usize, j: usize) -> f64 {
        let square = |(a, b): (&f64, &f64)| (a - b) * (a - b);
        0.5 * self.positions[i].iter().zip(&self.positions[j]).map(square).sum::<f64>()
    }
}

/// The stages until one cluster is left, or only antipodal ones are, which rest for ever.
///
/// Nothing if the clusters are not unit vectors of one length with as many positive masses, or β is not positive.
///
/// ```
/// use metasweep_dynamics::model::Normalization::Softmax;
/// use metasweep_metastability::theory::cascade::{Clusters, Law, cascade};
///
/// let clusters = Clusters::on_circle(&[0.0, 1.0, 2.5], &[0.25, 0.25, 0.5]);
/// let merges = cascade(&clusters, 20.0, Softmax, Law::Exact { delta: 1e-3 });
/// assert_eq!(merges.len(), 2);
/// assert_eq!(merges[0].pair, (0, 1));
/// // Equal masses meet in the middle: at the angle 1/2, 2.0 away from the third.
/// assert!((merges[1].gap - (1.0 - 2.0_f64.cos())).abs() < 1e-12);
/// ```
#[must_use]
pub fn cascade(clusters: &Clusters, beta: f64, normalization: Normalization, law: Law) -> Vec<Merge> {
    let mut now = clusters.clone();
    let mut merges = Vec::new();
    let mut ln_time = f64::NEG_INFINITY;
    if !(is_possible(clusters) && beta > 0.0 && beta.is_finite()) {
        return merges;
    }
    while now.masses.len() > 1 {
        let Some((i, j, ln_duration)) = fastest(&now, beta, normalization, law) else { return merges };
        let pair = Pair { gap: now.gap(i, j), masses: (now.masses[i], now.masses[j]), beta, normalization };
        let position = between(&now.positions[i], &now.positions[j], pair.share(law));
        ln_time = ln_sum(ln_time, ln_duration);
        let mass = now.masses[i] + now.masses[j];
        now.positions.remove(j);
        now.masses.remove(j);
        now.positions[i].clone_from(&position);
        now.masses[i] = mass;
        let clusters = now.masses.len();
        merges.push(Merge { pair: (i, j), gap: pair.gap, ln_duration, ln_time, clusters, position, mass });
    }
    merges
}

/// ln of the time in which two clusters, alone, come from the cosine 1 − `gap` to 1 − δ, or together at large β.
///
/// ```
/// use metasweep_dynamics::model::Normalization::Softmax;
/// use metasweep_metastability::theory::cascade::{Law, ln_pair_time};
///
/// // Two tokens of equal mass, at right angles: docs/oracles.md, 2.
/// let ln_time = ln_pair_time(9.0, Softmax, 1.0, (0.5, 0.5), Law::Exact { delta: 1e-3 });
/// assert!((ln_time - 466.7106529100294_f64.ln()).abs() < 1e-12);
/// ```
#[must_use]
pub fn ln_pair_time(beta: f64, normalization: Normalization, gap: f64, masses: (f64, f64), law: Law) -> f64 {
    Pair { gap, masses, beta, normalization }.ln_time(law)
}

fn is_possible(clusters: &Clusters) -> bool {
    let length = |position: &[f64]| position.iter().map(|x| x * x).sum::<f64>();
    let d = clusters.positions.first().map_or(0, Vec::len);
    clusters.positions.len() == clusters.masses.len()
        && clusters.positions.iter().all(|x| x.len() == d && (length(x) - 1.0).abs() < 1e-9)
        && clusters.masses.iter().all(|mass| *mass > 0.0 && mass.is_finite())
}

/// The pair that merges first and ln of its time; none if all are antipodal.
fn fastest(
    clusters: &Clusters,
    beta: f64,
    normalization: Normalization,
    law: Law,
) -> Option<(usize, usize, f64)> {
    let count = clusters.masses.len();
    let pairs = (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j)));
    let timed = pairs.map(|(i, j)| {
        let masses = (clusters.masses[i], clusters.masses[j]);
        (i, j, Pair { gap: clusters.gap(i, j), masses, beta, normalization }.ln_time(law))
    });
    timed.filter(|(.., ln_time)| *ln_time < f64::INFINITY).min_by(|a, b| a.2.total_cmp(&b.2))
}

/// ln(e^a + e^b).
fn ln_sum(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + libm::log1p(libm::exp(low - high)) }
}

/// The point that divides the arc from `a` to `b` in the share `share` from a.
fn between(a: &[f64], b: &[f64], share: f64) -> Vec<f64> {
    let chord = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
    let angle = 2.0 * libm::asin((0.5 * chord).min(1.0));
    if angle == 0.0 {
        return a.to_vec();
    }
    let (left, right) = (libm::sin((1.0 - share) * angle), libm::sin(share * angle));
    let point: Vec<f64> = a.iter().zip(b).map(|(a, b)| left * a + right * b).collect();
    let length = point.iter().map(|x| x * x).sum::<f64>().sqrt();
    point.iter().map(|x| x / length).collect()
}

/// Two clusters, alone.
struct Pair {
    gap: f64,
    masses: (f64, f64),
    beta: f64,
    normalization: Normalization,
}

impl Pair {
    fn ln_time(&self, law: Law) -> f64 {
        let Pair { gap, masses: (i, j), beta, normalization } = *self;
        if !(gap > 0.0 && gap < 2.0) {
            return if gap >= 2.0 { f64::INFINITY } else { f64::NEG_INFINITY };
        }
        let exponent = match normalization {
            Normalization::Softmax => beta * gap,
            Normalization::Unnormalized => beta * (gap - 1.0),
            Normalization::Hardmax | Normalization::Sinkhorn => return f64::NAN,
        };
        match law {
            Law::LargeBeta => {
                let masses = if normalization == Normalization::Unnormalized { i + j } else { i / j + j / i };
                exponent - libm::log(beta * gap * (2.0 - gap) * masses)
            }
            Law::Exact { delta } if gap <= delta => f64::NEG_INFINITY,
            Law::Exact { delta } => {
                // dt = e^{exponent} · pace(s) ds with 1 − g = gap·e^{−s}: a smooth integrand of moderate size.
                let pace = |s: f64| {
                    let now = gap * libm::exp(-s);
                    self.scaled_wait(now, libm::exp(beta * gap * libm::expm1(-s))) / (2.0 - now)
                };
                let width = 1.0 / (1.0 + beta * gap);
                exponent + libm::log(integrate(&pace, 0.0, libm::log(gap / delta), width))
            }
        }
    }

    /// 1/(w_i + w_j) at 1 − g = `now`, over e^{exponent}; `fallen` is e^{β(now − gap)}.
    fn scaled_wait(&self, now: f64, fallen: f64) -> f64 {
        let (i, j) = self.masses;
        match self.normalization {
            Normalization::Unnormalized => fallen / (i + j),
            Normalization::Hardmax | Normalization::Sinkhorn => f64::NAN,
            Normalization::Softmax => {
                // With q = e^{−β·now} and c = m_i/m_j + m_j/m_i it is (1 + cq + q²)/(q (c + 2q)).
                let (ratio, q) = (i / j + j / i, libm::exp(-self.beta * now));
                fallen * (1.0 + ratio * q + q * q) / (ratio + 2.0 * q)
            }
        }
    }

    /// The share of the arc that i covers.
    fn share(&self, law: Law) -> f64 {
        let (i, j) = self.masses;
        let large = match self.normalization {
            Normalization::Softmax => j * j / (i * i + j * j),
            Normalization::Unnormalized => j / (i + j),
            Normalization::Hardmax | Normalization::Sinkhorn => return f64::NAN,
        };
        if law == Law::LargeBeta || self.normalization == Normalization::Unnormalized || self.gap <= 0.0 {
            return large;
        }
        // w_i/(w_i + w_j) = (E/a + 1)/(cE + 2), a = m_i/m_j, c = a + 1/a, over the arc; its change is where φ² ~ 1/β.
        let (a, ratio) = (i / j, i / j + j / i);
        let arc = 2.0 * libm::asin((0.5 * self.gap).sqrt());
        let weight = |phi: f64| {
            let half = libm::sin(0.5 * phi);
            let inverse = libm::exp(-2.0 * self.beta * half * half);
            (1.0 / a + inverse) / (ratio + 2.0 * inverse)
        };
        integrate(&weight, 0.0, arc, f64::min(arc, 0.5 / self.beta.sqrt())) / arc
    }
}

#[cfg(test)]
mod tests {
    use super::super::ode::solve;
    use super::super::pair_collapse::pair_collapse_time;
    use super::*;
    use Normalization::{Softmax, Unnormalized};

    /// Weighted tokens on the circle, by their own equation: all pairs, self terms in Z, nothing left out.
    fn velocity(theta: &[f64], masses: &[f64], beta: f64, normalization: Normalization) -> Vec<f64> {
        let of = |i: usize| {
            let (mut pull, mut whole) = (0.0, 0.0);
            for (other, mass) in theta.iter().zip(masses) {
                // Over e^β for SA.
                let shift = if normalization == Softmax { 1.0 } else { 0.0 };
                let weight = mass * libm::exp(beta * (libm::cos(other - theta[i]) - shift));
                pull += weight * libm::sin(other - theta[i]);
                whole += weight;
            }
            if normalization == Softmax { pull / whole } else { pull }
        };
        (0..theta.len()).map(of).collect()
    }

    /// Two clusters of unequal mass: the time, the place, both laws of weights.
    #[test]
    fn a_pair_follows_its_equation() {
        for normalization in [Softmax, Unnormalized] {
            for masses in [(0.5, 0.5), (0.2, 0.8), (0.7, 0.3)] {
                let (beta, arc) = (3.0, 1.3);
                let pair = Pair { gap: 1.0 - libm::cos(arc), masses, beta, normalization };
                let law = Law::Exact { delta: 1e-6 };
                let right =
                    |_: f64, theta: &[f64]| velocity(theta, &[masses.0, masses.1], beta, normalization);
                let end = solve(&right, 0.0, libm::exp(pair.ln_time(law)), &[0.0, arc]);
                let gap = 1.0 - libm::cos(end[1] - end[0]);
                assert!((gap / 1e-6 - 1.0).abs() < 1e-3, "{normalization:?} {masses:?}: {gap}");
                // Half of the last √(2δ) may be on either side.
                let place = pair.share(law) * arc;
                assert!((end[0]..end[1]).contains(&place), "{normalization:?} {masses:?}: {place} {end:?}");
            }
        }
    }

    #[test]
    fn equal_masses_are_two_tokens() {
        for normalization in [Softmax, Unnormalized] {
            for (beta, gap) in [(1.0, 1.0), (9.0, 1.4), (40.0, 0.3)] {
                let found =
                    libm::exp(ln_pair_time(beta, normalization, gap, (0.5, 0.5), Law::Exact { delta: 1e-3 }));
                let exact = pair_collapse_time(beta, normalization, 1.0 - gap, 1e-3);
                assert!((found / exact - 1.0).abs() < 1e-12, "{beta} {gap} {normalization:?}");
            }
        }
    }

    /// The formulas for large β: the exact ones tend to them, with a relative error of order 1/β (Laplace's method).
    #[test]
    fn large_beta_is_the_limit() {
        for normalization in [Softmax, Unnormalized] {
            for masses in [(0.5, 0.5), (0.1, 0.9)] {
                let errors = [100.0, 200.0, 400.0].map(|beta| {
                    let time = |law| ln_pair_time(beta, normalization, 0.8, masses, law);
                    time(Law::Exact { delta: 1e-3 }) - time(Law::LargeBeta)
                });
                assert!(errors[2].abs() < 0.01, "{errors:?}");
                for pair in errors.windows(2) {
                    assert!((1.8..2.2).contains(&(pair[0] / pair[1])), "{errors:?}");
                }
                let pair = Pair { gap: 0.8, masses, beta: 1e6, normalization };
                let (exact, large) = (pair.share(Law::Exact { delta: 1e-3 }), pair.share(Law::LargeBeta));
                assert!((exact - large).abs() < 2e-3, "{exact} {large}");
            }
        }
    }

    /// Three clusters, all forces: the first merge is the cascade's up to e^{−β(difference of the gaps)}, here 10⁻⁶.
    #[test]
    fn three_clusters_follow_their_equation() {
        let (angles, masses, beta) = ([0.0, 0.9, 2.4], [0.3, 0.2, 0.5], 20.0);
        let merges =
            cascade(&Clusters::on_circle(&angles, &masses), beta, Softmax, Law::Exact { delta: 1e-4 });
        let right = |_: f64, theta: &[f64]| velocity(theta, &masses, beta, Softmax);
        let first = solve(&right, 0.0, libm::exp(merges[0].ln_time), &angles);
        let gap = 1.0 - libm::cos(first[1] - first[0]);
        assert!((gap / 1e-4 - 1.0).abs() < 0.05, "{gap}");
        let place = libm::atan2(merges[0].position[1], merges[0].position[0]);
        assert!((first[0] - 1e-4..first[1] + 1e-4).contains(&place), "{place} {first:?}");
        assert!((first[2] - 2.4).abs() < 1e-4, "{first:?}");
        assert_eq!((merges[1].clusters, merges[1].mass), (1, 1.0));
        // The second stage: two clusters of equal mass from where the first left them.
        let rest = 1.0 - libm::cos(2.4 - place);
        let second = ln_pair_time(beta, Softmax, rest, (0.5, 0.5), Law::Exact { delta: 1e-4 });
        assert!((merges[1].ln_duration - second).abs() < 1e-9);
        assert!((merges[1].ln_time - ln_sum(merges[0].ln_time, second)).abs() < 1e-9);
    }

    /// P2 Theorem 6 as printed: with the initial cosine in the time change the rescaled time to the merge goes to zero, while the
    /// limit equation printed there, ġ = 2(1−g²), takes a time that does not depend on β.
    #[test]
    fn the_time_change_of_theorem_six() {
        let gap = 0.7;
        let rescaled = [50.0, 100.0, 200.0].map(|beta| {
            let law = Law::Exact { delta: 0.05 };
            libm::exp(ln_pair_time(beta, Softmax, gap, (0.5, 0.5), law) - beta * gap)
        });
        for pair in rescaled.windows(2) {
            assert!((1.8..2.2).contains(&(pair[0] / pair[1])), "{rescaled:?}");
        }
    }

    #[test]
    fn times_beyond_floating_point() {
        let clusters = Clusters::on_circle(&[0.0, 1.0, 2.5], &[1.0, 1.0, 1.0]);
        let merges = cascade(&clusters, 1e4, Softmax, Law::Exact { delta: 1e-3 });
        assert!(merges[1].ln_time > 1e4 && merges[1].ln_time.is_finite());
    }

    #[test]
    fn what_cannot_be() {
        let at = |angles: &[f64], masses: &[f64], beta| {
            cascade(&Clusters::on_circle(angles, masses), beta, Softmax, Law::LargeBeta).len()
        };
        assert_eq!(at(&[0.0, 1.0], &[1.0], 1.0), 0);
        assert_eq!(at(&[0.0, 1.0], &[1.0, -1.0], 1.0), 0);
        assert_eq!(at(&[0.0, 1.0], &[1.0, 1.0], 0.0), 0);
        assert_eq!(at(&[0.0], &[1.0], 1.0), 0);
        // Antipodal clusters rest; coincident ones are one at once.
        let antipodal = Clusters { positions: vec![vec![1.0, 0.0], vec![-1.0, 0.0]], masses: vec![1.0, 1.0] };
        assert_eq!(cascade(&antipodal, 5.0, Softmax, Law::LargeBeta), []);
        assert_eq!(at(&[0.3, 0.3], &[1.0, 1.0], 5.0), 1);
    }
}
