//! Random numbers whose bits hold everywhere: ChaCha20, uniforms from integers, normals by their quantile function.
//!
//! The initial laws and the matrix families draw from a [`Stream`]; the sweep crate makes its key
//! (`metasweep_sweep::seeds`). docs/determinism.md describes every number so that it can be computed again elsewhere.
//!
//! ```
//! use metasweep_dynamics::random::Stream;
//! let mut replica_seven = Stream::new([1; 32], 7);
//! let mut again = Stream::new([1; 32], 7);
//! assert_eq!(replica_seven.normal(), again.normal());
//! ```

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::quantile::normal_quantile;

const TWO_TO_MINUS_53: f64 = f64::EPSILON / 2.0;

/// The numbers of one (key, stream): the key says for what, the stream is the replica.
#[derive(Clone, Debug)]
pub struct Stream {
    generator: ChaCha20Rng,
}

impl Stream {
    /// ChaCha20 with this 256-bit key and 64-bit stream number (the nonce), from block 0.
    #[must_use]
    pub fn new(key: [u8; 32], stream: u64) -> Self {
        let mut generator = ChaCha20Rng::from_seed(key);
        generator.set_stream(stream);
        Self { generator }
    }

    /// Goes to word `position` of the key stream, from 0: what follows depends on nothing that was drawn before.
    pub fn seek(&mut self, position: u128) {
        self.generator.set_word_pos(position);
    }

    /// 64 random bits: the next two 32-bit words of the key stream, the low half first.
    pub fn bits(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// Uniform in (0, 1): `(k + ½)·2^−52`, k the upper 52 of the next 64 bits.
    ///
    /// Every such number and its complement to one is a double: nothing is rounded, 0 and 1 never occur, and the law
    /// is symmetric about ½. (With 53 bits half of the midpoints would not be doubles, and the last would round to 1.)
    pub fn uniform(&mut self) -> f64 {
        let odd = (self.bits() >> 12) * 2 + 1;
        odd as f64 * TWO_TO_MINUS_53
    }

    /// Standard normal: the quantile Φ⁻¹ of the next [`uniform`](Self::uniform), so each takes exactly 64 bits.
    ///
    /// |value| ≤ 8.21; the distribution function differs from Φ by less than 2^−52.
    pub fn normal(&mut self) -> f64 {
        normal_quantile(self.uniform())
    }

    /// Gamma with this shape ≥ 1 and scale 1, by the rejection of Marsaglia and Tsang (*ACM TOMS* 26 (2000) 363):
    /// the exact law at any shape, 1.05 attempts on average at most, each of one normal and one uniform.
    pub fn gamma(&mut self, shape: f64) -> f64 {
        debug_assert!(shape >= 1.0);
        let a = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * a).sqrt();
        loop {
            let x = self.normal();
            let u = self.uniform();
            let y = c * x;
            if y <= -1.0 {
                continue;
            }
            // With v = (1 + y)³ the acceptance is ln u < x²/2 + a(1 − v + ln v); v − 1 is expanded and the logarithm
            // taken of 1 + y, since at shape 10^9 the terms cancel to 10^−9 of their size.
            let excess = y * (3.0 + y * (3.0 + y));
            if libm::log(u) < 0.5 * x * x + a * (3.0 * log_one_plus(y) - excess) {
                let w = 1.0 + y;
                return a * (w * w * w);
            }
        }
    }

    /// The length of a standard normal vector of R^k, k ≥ 1: √(2·gamma(k/2)), and for k = 1 the modulus of a normal.
    /// Takes a few numbers whatever k.
    pub fn chi(&mut self, degrees: u64) -> f64 {
        debug_assert!(degrees >= 1);
        if degrees == 1 { self.normal().abs() } else { (2.0 * self.gamma(0.5 * degrees as f64)).sqrt() }
    }
}

/// ln(1 + y) for y > −1 from `libm::log` alone (Kahan): the rounding error of 1 + y is divided out again.
fn log_one_plus(y: f64) -> f64 {
    let w = 1.0 + y;
    if w == 1.0 { y } else { libm::log(w) * y / (w - 1.0) }
}
