//! Wendel's formula: how often uniform points lie in a common hemisphere (P0 Theorem 4.5; docs/oracles.md, 4).

/// `2^{−(n−1)} Σ_{k<d} C(n−1, k)`: the probability that n independent uniform points of S^{d−1} lie in an open hemisphere,
/// n ≥ 1, d ≥ 1; 0 if d is 0.
///
/// Computed in whole numbers of n bits, then rounded once: correct to the last bit (unless below 10⁻³⁰⁷). Work and
/// memory are those of n²/64 and n/32 words: a few milliseconds at n = 10⁴.
///
/// ```
/// use metasweep_metastability::theory::wendel::hemisphere_probability;
///
/// assert_eq!(hemisphere_probability(3, 2), 0.75);
/// assert_eq!(hemisphere_probability(32, 32), 1.0);
/// ```
#[must_use]
pub fn hemisphere_probability(n: usize, d: usize) -> f64 {
    if d >= n {
        return 1.0;
    }
    let trials = n - 1;
    let mut binomial = Natural::one();
    let mut sum = Natural::zero();
    for k in 0..d {
        sum.add(&binomial);
        binomial.multiply((trials - k) as u64);
        binomial.divide(k as u64 + 1);
    }
    sum.rounded(trials)
}

/// A natural number of any size: 64-bit digits, the lowest first, the highest not zero.
struct Natural {
    digits: Vec<u64>,
}

impl Natural {
    fn zero() -> Self {
        Self { digits: Vec::new() }
    }

    fn one() -> Self {
        Self { digits: vec![1] }
    }

    fn add(&mut self, other: &Self) {
        if self.digits.len() < other.digits.len() {
            self.digits.resize(other.digits.len(), 0);
        }
        let mut carry = 0;
        for (k, digit) in self.digits.iter_mut().enumerate() {
            let sum = u128::from(*digit) + u128::from(other.digits.get(k).copied().unwrap_or(0)) + carry;
            *digit = sum as u64;
            carry = sum >> 64;
        }
        self.push(carry as u64);
    }

    fn multiply(&mut self, factor: u64) {
        let mut carry = 0;
        for digit in &mut self.digits {
            let product = u128::from(*digit) * u128::from(factor) + carry;
            *digit = product as u64;
            carry = product >> 64;
        }
        self.push(carry as u64);
    }

    /// Exact: the remainder is known to be 0.
    fn divide(&mut self, divisor: u64) {
        let mut remainder = 0;
        for digit in self.digits.iter_mut().rev() {
            let dividend = remainder << 64 | u128::from(*digit);
            *digit = (dividend / u128::from(divisor)) as u64;
            remainder = dividend % u128::from(divisor);
        }
        debug_assert_eq!(remainder, 0);
        while self.digits.last() == Some(&0) {
            self.digits.pop();
        }
    }

    fn push(&mut self, digit: u64) {
        if digit != 0 {
            self.digits.push(digit);
        }
    }

    /// This number times 2^−`bits`, rounded to the nearest f64.
    fn rounded(&self, bits: usize) -> f64 {
        let below = self.digits.len().saturating_sub(2);
        let head = self.digits[below..].iter().rev().fold(0, |head, digit| head << 64 | u128::from(*digit));
        // The head has at least 65 bits if anything is below it: one more bit there decides ties as the rest would.
        let sticky = u128::from(self.digits[..below].iter().any(|digit| *digit != 0));
        let downwards = |shift: usize| i32::try_from(shift).map_or(i32::MIN, |shift| -shift);
        // The number is at most 2^bits, so that 64·below, too, is at most `bits`.
        libm::ldexp((head | sticky) as f64, downwards(bits - 64 * below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cases_by_hand() {
        for (n, d, exact) in [
            (1, 1, 1.0),
            (2, 1, 0.5),
            (3, 1, 0.25),
            (4, 2, 0.5),
            (5, 2, 5.0 / 16.0),
            (5, 3, 11.0 / 16.0),
            (32, 2, 32.0 / 2_147_483_648.0),
            (4, 0, 0.0),
        ] {
            assert_eq!(hemisphere_probability(n, d), exact, "{n} {d}");
        }
    }

    /// C(m, k) = C(m, m−k): at n = 2d exactly one half, and complements add to one.
    #[test]
    fn symmetric_about_twice_the_dimension() {
        for d in [1, 7, 64, 65, 1000, 5000] {
            assert_eq!(hemisphere_probability(2 * d, d), 0.5, "{d}");
        }
        for (n, d) in [(100, 20), (131, 65), (1000, 480)] {
            let sum = hemisphere_probability(n, d) + hemisphere_probability(n, n - d);
            assert!((sum - 1.0).abs() <= f64::EPSILON, "{n} {d}: {sum}");
        }
    }

    /// P(n, d) = ½(P(n−1, d) + P(n−1, d−1)): the recursion of Wendel's proof.
    #[test]
    fn the_recursion_holds() {
        for n in [10, 70, 129, 1025] {
            for d in [2, 5, 40, 66, 500] {
                let split = 0.5 * (hemisphere_probability(n - 1, d) + hemisphere_probability(n - 1, d - 1));
                let whole = hemisphere_probability(n, d);
                assert!((whole - split).abs() <= 2.0 * f64::EPSILON * whole, "{n} {d}");
            }
        }
    }

    #[test]
    fn large_numbers_do_not_overflow() {
        // De Moivre: n = 10⁴, d = 5000 + 50 is one standard deviation above the mean; Φ(0.99..1.01) nearby.
        let found = hemisphere_probability(10_000, 5050);
        assert!((0.835..0.85).contains(&found), "{found}");
        assert_eq!(hemisphere_probability(10_000, 2), 0.0);
    }
}
