//! The complex Schur form of a real matrix, A = Q T Q*, and its reordering.
//!
//! Householder's reduction to Hessenberg form, then the QR iteration with Wilkinson's shifts, one Givens rotation at a time
//! (Golub and Van Loan, *Matrix Computations*, §7.4–7.6). In the complex form every eigenvalue is one diagonal entry, so
//! that bringing some of them to the top takes rotations of neighbours and nothing else.
#![allow(clippy::many_single_char_names, reason = "the letters of the textbook")]

use nalgebra::Complex;

/// A complex number. Only +, −, × and conjugation are taken from the library: they are plain formulas.
pub type C = Complex<f64>;

const ZERO: C = C::new(0.0, 0.0);
const ONE: C = C::new(1.0, 0.0);
/// Iterations for one eigenvalue, after which the matrix is given up (one with numbers that are not finite).
const MOST: usize = 300;

/// A = Q T Q*, T upper triangular.
#[derive(Clone, Debug)]
pub struct Schur {
    d: usize,
    /// T, row-major.
    t: Vec<C>,
    /// Q, row-major: its columns are Schur vectors.
    q: Vec<C>,
}

impl Schur {
    /// The Schur form of a d × d matrix, row-major; `None` if the iteration finds no end.
    #[must_use]
    pub fn of(matrix: &[f64], d: usize) -> Option<Schur> {
        let (h, q) = hessenberg(matrix.to_vec(), d);
        let complex = |numbers: Vec<f64>| numbers.into_iter().map(|x| C::new(x, 0.0)).collect();
        let mut schur = Schur { d, t: complex(h), q: complex(q) };
        schur.iterate().then_some(schur)
    }

    /// The eigenvalues, in the order of the diagonal.
    #[must_use]
    pub fn eigenvalues(&self) -> Vec<C> {
        (0..self.d).map(|k| self.t[k * self.d + k]).collect()
    }

    /// Column k of Q.
    #[must_use]
    pub fn vector(&self, k: usize) -> Vec<C> {
        (0..self.d).map(|i| self.q[i * self.d + k]).collect()
    }

    /// Brings the eigenvalues for which `chosen` holds to the top, in their order: the first columns of Q then span
    /// their invariant subspace. Returns how many there are.
    pub fn bring_to_the_top(&mut self, chosen: &[bool]) -> usize {
        let mut count = 0;
        for (place, _) in chosen.iter().enumerate().filter(|(_, chosen)| **chosen) {
            (count..place).rev().for_each(|k| self.exchange(k));
            count += 1;
        }
        count
    }

    /// Exchanges the eigenvalues k and k + 1.
    fn exchange(&mut self, k: usize) {
        let d = self.d;
        let difference = self.t[(k + 1) * d + k + 1] - self.t[k * d + k];
        let turn = Rotation::onto_first(self.t[k * d + k + 1], difference);
        self.rotate(&turn, k, k, k + 2);
        self.t[(k + 1) * d + k] = ZERO;
    }

    /// T ← G T G*, Q ← Q G* for a rotation G of k and k + 1: rows from column `from` on, columns down to row `to`.
    fn rotate(&mut self, turn: &Rotation, k: usize, from: usize, to: usize) {
        let d = self.d;
        for j in from..d {
            let (x, y) = (self.t[k * d + j], self.t[(k + 1) * d + j]);
            (self.t[k * d + j], self.t[(k + 1) * d + j]) = turn.rows(x, y);
        }
        for i in 0..to {
            let (x, y) = (self.t[i * d + k], self.t[i * d + k + 1]);
            (self.t[i * d + k], self.t[i * d + k + 1]) = turn.columns(x, y);
        }
        for i in 0..d {
            let (x, y) = (self.q[i * d + k], self.q[i * d + k + 1]);
            (self.q[i * d + k], self.q[i * d + k + 1]) = turn.columns(x, y);
        }
    }

    fn iterate(&mut self) -> bool {
        let d = self.d;
        let mut high = d.saturating_sub(1);
        let mut rounds = 0;
        while high > 0 {
            let mut low = high;
            while low > 0 && !self.is_split(low) {
                low -= 1;
            }
            if low > 0 {
                self.t[low * d + low - 1] = ZERO;
            }
            if low == high {
                high -= 1;
                rounds = 0;
                continue;
            }
            if rounds == MOST {
                return false;
            }
            rounds += 1;
            let shift = if rounds % 10 == 0 {
                // Wilkinson's shift may go round in a circle; any other ends it.
                self.t[high * d + high] + C::new(modulus(self.t[high * d + high - 1]), 0.0)
            } else {
                self.shift(high)
            };
            self.chase(low, high, shift);
        }
        true
    }

    /// Whether the entry below the diagonal of row k is as good as zero.
    fn is_split(&self, k: usize) -> bool {
        let d = self.d;
        let beside = modulus(self.t[(k - 1) * d + k - 1]) + modulus(self.t[k * d + k]);
        let below = modulus(self.t[k * d + k - 1]);
        below <= f64::EPSILON * beside || below < f64::MIN_POSITIVE
    }

    /// The eigenvalue of the last two rows and columns of the active block that is nearer to its last entry.
    fn shift(&self, high: usize) -> C {
        let d = self.d;
        let at = |i: usize, j: usize| self.t[i * d + j];
        let (a, e) = (at(high - 1, high - 1), at(high, high));
        let product = at(high - 1, high) * at(high, high - 1);
        let half = (a - e) * 0.5;
        let root = square_root(half * half + product);
        let (plus, minus) = (half + root, half - root);
        let larger = if modulus(plus) >= modulus(minus) { plus } else { minus };
        if modulus(larger) == 0.0 { e } else { e - quotient(product, larger) }
    }

    /// One QR step with this shift on the rows and columns low … high.
    fn chase(&mut self, low: usize, high: usize, shift: C) {
        let d = self.d;
        let (mut x, mut y) = (self.t[low * d + low] - shift, self.t[(low + 1) * d + low]);
        for k in low..high {
            let turn = Rotation::onto_first(x, y);
            let from = if k > low { k - 1 } else { k };
            self.rotate(&turn, k, from, (k + 3).min(high + 1));
            if k > low {
                self.t[(k + 1) * d + k - 1] = ZERO;
            }
            if k + 1 < high {
                (x, y) = (self.t[(k + 1) * d + k], self.t[(k + 2) * d + k]);
            }
        }
    }
}

/// G = [c s; −s̄ c].
struct Rotation {
    c: f64,
    s: C,
}

impl Rotation {
    /// The rotation that takes (x, y) to (r, 0).
    fn onto_first(x: C, y: C) -> Self {
        let (a, b) = (modulus(x), modulus(y));
        if b == 0.0 {
            return Self { c: 1.0, s: ZERO };
        }
        if a == 0.0 {
            return Self { c: 0.0, s: y.conj() * (1.0 / b) };
        }
        let length = (a * a + b * b).sqrt();
        Self { c: a / length, s: x * (1.0 / a) * y.conj() * (1.0 / length) }
    }

    fn rows(&self, x: C, y: C) -> (C, C) {
        (x * self.c + self.s * y, y * self.c - self.s.conj() * x)
    }

    /// By G*.
    fn columns(&self, x: C, y: C) -> (C, C) {
        (x * self.c + self.s.conj() * y, y * self.c - self.s * x)
    }
}

/// |z|.
#[must_use]
pub fn modulus(z: C) -> f64 {
    (z.re * z.re + z.im * z.im).sqrt()
}

fn quotient(a: C, b: C) -> C {
    a * b.conj() * (1.0 / (b.re * b.re + b.im * b.im))
}

/// The square root with real part ≥ 0.
fn square_root(z: C) -> C {
    let length = modulus(z);
    if length == 0.0 {
        return ZERO;
    }
    let larger = (0.5 * (length + z.re.abs())).sqrt();
    let smaller = 0.5 * z.im.abs() / larger;
    let sign = if z.im < 0.0 { -1.0 } else { 1.0 };
    if z.re >= 0.0 { C::new(larger, sign * smaller) } else { C::new(smaller, sign * larger) }
}

/// H and Q of A = Q H Qᵀ, H zero below the first subdiagonal; row-major.
fn hessenberg(mut a: Vec<f64>, d: usize) -> (Vec<f64>, Vec<f64>) {
    let mut q = vec![0.0; d * d];
    (0..d).for_each(|i| q[i * d + i] = ONE.re);
    let mut v = vec![0.0; d];
    for k in 0..d.saturating_sub(2) {
        // The reflection that maps column k below the diagonal onto a multiple of its first unit vector.
        let mut square = 0.0;
        for i in k + 1..d {
            v[i] = a[i * d + k];
            square += v[i] * v[i];
        }
        let head = v[k + 1];
        if square - head * head == 0.0 {
            continue;
        }
        let image = if head > 0.0 { -square.sqrt() } else { square.sqrt() };
        v[k + 1] = head - image;
        let h = square - head * image;
        for j in 0..d {
            let along = (k + 1..d).fold(0.0, |sum, i| sum + v[i] * a[i * d + j]) / h;
            (k + 1..d).for_each(|i| a[i * d + j] -= along * v[i]);
        }
        for matrix in [&mut a, &mut q] {
            for row in matrix.chunks_exact_mut(d) {
                let along = (k + 1..d).fold(0.0, |sum, j| sum + row[j] * v[j]) / h;
                (k + 1..d).for_each(|j| row[j] -= along * v[j]);
            }
        }
        a[(k + 1) * d + k] = image;
        (k + 2..d).for_each(|i| a[i * d + k] = 0.0);
    }
    (a, q)
}

#[cfg(test)]
mod tests {
    use metasweep_dynamics::random::Stream;

    use super::*;

    fn normals(d: usize, seed: u8) -> Vec<f64> {
        let mut stream = Stream::new([seed; 32], 0);
        (0..d * d).map(|_| stream.normal()).collect()
    }

    /// The largest entry of A − Q T Q*, and of Q*Q − I.
    fn errors(a: &[f64], schur: &Schur) -> (f64, f64) {
        let d = schur.d;
        let (mut backward, mut unitary) = (0.0_f64, 0.0_f64);
        for i in 0..d {
            for j in 0..d {
                let mut sum = ZERO;
                let mut product = ZERO;
                for k in 0..d {
                    product += schur.q[k * d + i].conj() * schur.q[k * d + j];
                    for l in k..d {
                        sum += schur.q[i * d + k] * schur.t[k * d + l] * schur.q[j * d + l].conj();
                    }
                }
                backward = backward.max(modulus(sum - C::new(a[i * d + j], 0.0)));
                unitary = unitary.max(modulus(product - if i == j { ONE } else { ZERO }));
            }
        }
        (backward, unitary)
    }

    fn check(a: &[f64], schur: &Schur) {
        let d = schur.d;
        let norm = a.iter().map(|x| x * x).sum::<f64>().sqrt();
        // Backward stable: a modest multiple of d·ε·‖A‖, by the number of transformations of each entry (about 4d).
        let tolerance = 20.0 * d as f64 * f64::EPSILON;
        let (backward, unitary) = errors(a, schur);
        assert!(backward <= tolerance * norm, "d = {d}: {backward:e}");
        assert!(unitary <= tolerance, "d = {d}: {unitary:e}");
        for i in 0..d {
            for j in 0..i {
                assert_eq!(schur.t[i * d + j], ZERO);
            }
        }
    }

    #[test]
    fn the_matrix_comes_back() {
        for d in [1, 2, 3, 4, 7, 16, 33] {
            for seed in 0..4 {
                let a = normals(d, seed);
                check(&a, &Schur::of(&a, d).unwrap());
            }
        }
        // A cyclic shift: unshifted QR stands still on it.
        let d = 6;
        let cycle: Vec<f64> = (0..d * d).map(|k| f64::from(u8::from(k / d == (k % d + 1) % d))).collect();
        check(&cycle, &Schur::of(&cycle, d).unwrap());
        check(&[0.0; 9], &Schur::of(&[0.0; 9], 3).unwrap());
        assert!(Schur::of(&[f64::NAN; 9], 3).is_none());
    }

    #[test]
    fn eigenvalues_known_by_hand() {
        // A rotation by a right angle, and 3.
        let mut found = Schur::of(&[0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 3.0], 3).unwrap().eigenvalues();
        found.sort_by(|a, b| a.im.total_cmp(&b.im));
        for (found, wanted) in found.iter().zip([C::new(0.0, -1.0), C::new(3.0, 0.0), C::new(0.0, 1.0)]) {
            assert!(modulus(found - wanted) < 1e-14, "{found}");
        }
    }

    #[test]
    fn reordering_keeps_the_matrix_and_brings_the_chosen_to_the_top() {
        for d in [2, 5, 12] {
            let a = normals(d, 9);
            let mut schur = Schur::of(&a, d).unwrap();
            let before = schur.eigenvalues();
            let chosen: Vec<bool> = before.iter().map(|value| value.re > 0.0).collect();
            let count = schur.bring_to_the_top(&chosen);
            check(&a, &schur);
            let after = schur.eigenvalues();
            assert_eq!(count, chosen.iter().filter(|chosen| **chosen).count());
            assert!(after.iter().enumerate().all(|(k, value)| (value.re > 0.0) == (k < count)), "{after:?}");
        }
    }
}
