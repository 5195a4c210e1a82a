//! Times that may be censored: the Kaplan–Meier estimator, its quantiles, and the restricted mean of log T.
//!
//! S(t) = Π_{tᵢ ≤ t} (1 − dᵢ/nᵢ) with Greenwood's variance; 95 % bands are pointwise, by the log(−log) transformation, and those of
//! quantiles are where a band crosses the level (Brookmeyer and Crowley).
//!
//! ```
//! use metasweep_analysis::survival::KaplanMeier;
//! // Three collapse at 1, 2 and 3; one is still apart at 4.
//! let survival = KaplanMeier::of(&[(1.0, true), (2.0, true), (3.0, true), (4.0, false)]);
//! assert_eq!(survival.quantile(0.5), Some(2.0));
//! assert_eq!(survival.quantile(0.9), None); // never reached
//! ```

/// 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The estimate just after a time at which something happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The time.
    pub t: f64,
    /// How many were at risk just before.
    pub at_risk: u64,
    /// Events at this time.
    pub events: u64,
    /// S(t).
    pub survival: f64,
    /// Greenwood's sum Σ dᵢ / (nᵢ (nᵢ − dᵢ)); infinite once S = 0.
    pub greenwood: f64,
}

impl Step {
    /// The pointwise 95 % band of S at this time.
    #[must_use]
    pub fn band(&self) -> (f64, f64) {
        if self.survival <= 0.0 || self.survival >= 1.0 {
            return (self.survival, self.survival);
        }
        let log = libm::log(self.survival);
        let width = Z * self.greenwood.sqrt() / log.abs();
        (libm::pow(self.survival, libm::exp(width)), libm::pow(self.survival, libm::exp(-width)))
    }
}

/// The estimator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KaplanMeier {
    /// At each time with an event, in order.
    pub steps: Vec<Step>,
    /// How many there are.
    pub count: u64,
    /// How many events.
    pub events: u64,
    /// The last time, event or not.
    pub last: f64,
}

impl KaplanMeier {
    /// Of times, each with whether the event happened then (else: it was last seen without). Of equal times events come first.
    #[must_use]
    pub fn of(times: &[(f64, bool)]) -> KaplanMeier {
        let mut times: Vec<(f64, bool)> = times.iter().copied().filter(|(t, _)| !t.is_nan()).collect();
        times.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let mut estimate = KaplanMeier {
            count: times.len() as u64,
            last: times.last().map_or(0.0, |(t, _)| *t),
            ..KaplanMeier::default()
        };
        let (mut survival, mut greenwood) = (1.0, 0.0);
        let mut at = 0;
        while at < times.len() {
            let (t, at_risk) = (times[at].0, (times.len() - at) as u64);
            let same = times[at..].iter().take_while(|(other, _)| *other == t);
            let (all, events) =
                same.fold((0, 0), |(all, events), (_, event)| (all + 1, events + u64::from(*event)));
            at += all;
            if events > 0 {
                survival *= 1.0 - events as f64 / at_risk as f64;
                greenwood += events as f64 / (at_risk as f64 * (at_risk - events) as f64);
                estimate.events += events;
                estimate.steps.push(Step { t, at_risk, events, survival, greenwood });
            }
        }
        estimate
    }

    /// S(t).
    #[must_use]
    pub fn survival(&self, t: f64) -> f64 {
        let before = self.steps.partition_point(|step| step.t <= t);
        if before == 0 { 1.0 } else { self.steps[before - 1].survival }
    }

    /// The first time by which a share `p` has had the event; None if that was never reached.
    #[must_use]
    pub fn quantile(&self, p: f64) -> Option<f64> {
        self.crossing(p, |step| step.survival)
    }

    /// Its 95 % band; an end that the data do not reach is None.
    #[must_use]
    pub fn quantile_band(&self, p: f64) -> (Option<f64>, Option<f64>) {
        (self.crossing(p, |step| step.band().0), self.crossing(p, |step| step.band().1))
    }

    fn crossing(&self, p: f64, height: impl Fn(&Step) -> f64) -> Option<f64> {
        self.steps.iter().find(|step| height(step) <= 1.0 - p + 1e-12).map(|step| step.t)
    }

    /// E[min(log T, log τ)] and its standard error: log t₁ + ∫ S d(log t) from the first event to τ. None without events before τ.
    #[must_use]
    pub fn restricted_mean_log(&self, tau: f64) -> Option<(f64, f64)> {
        let steps: Vec<&Step> = self.steps.iter().filter(|step| step.t <= tau && step.t > 0.0).collect();
        let first = steps.first()?;
        let ends = steps.iter().skip(1).map(|step| step.t).chain([tau]);
        // The area under S from each step on.
        let areas: Vec<f64> =
            steps.iter().zip(ends).map(|(step, end)| step.survival * libm::log(end / step.t)).collect();
        let mean = libm::log(first.t) + areas.iter().sum::<f64>();
        let mut variance = 0.0;
        let mut tail = 0.0;
        for (step, area) in steps.iter().zip(&areas).rev() {
            tail += area;
            let left = step.at_risk - step.events;
            if left > 0 {
                variance += tail * tail * step.events as f64 / (step.at_risk as f64 * left as f64);
            }
        }
        Some((mean, variance.sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Freireich et al. (1963), 6-mercaptopurine: the textbook's example; S, Greenwood and the median as printed there.
    const TREATED: [(f64, bool); 21] = [
        (6.0, true),
        (6.0, true),
        (6.0, true),
        (6.0, false),
        (7.0, true),
        (9.0, false),
        (10.0, true),
        (10.0, false),
        (11.0, false),
        (13.0, true),
        (16.0, true),
        (17.0, false),
        (19.0, false),
        (20.0, false),
        (22.0, true),
        (23.0, true),
        (25.0, false),
        (32.0, false),
        (32.0, false),
        (34.0, false),
        (35.0, false),
    ];

    #[test]
    fn the_textbooks_example() {
        let estimate = KaplanMeier::of(&TREATED);
        for (t, survival, deviation) in [
            (6.0, 0.857, 0.0764),
            (7.0, 0.807, 0.0869),
            (10.0, 0.753, 0.0963),
            (16.0, 0.627, 0.1141),
            (23.0, 0.448, 0.1346),
        ] {
            let step = estimate.steps.iter().find(|step| step.t == t).unwrap();
            assert!((step.survival - survival).abs() < 5e-4, "S({t}) = {}", step.survival);
            assert!((step.survival * step.greenwood.sqrt() - deviation).abs() < 5e-4, "at {t}");
        }
        assert_eq!(estimate.quantile(0.5), Some(23.0));
        assert_eq!(estimate.quantile(0.25), Some(13.0));
        assert_eq!(estimate.quantile(0.75), None);
        let (low, high) = estimate.quantile_band(0.5);
        assert_eq!((low, high), (Some(13.0), None));
    }

    #[test]
    fn without_censoring_it_is_the_empirical_distribution() {
        let times: Vec<(f64, bool)> = (1..=100).map(|t| (f64::from(t), true)).collect();
        let estimate = KaplanMeier::of(&times);
        assert!((estimate.survival(30.0) - 0.7).abs() < 1e-12);
        assert_eq!(estimate.survival(0.5), 1.0);
        let mean: f64 = times.iter().map(|(t, _)| libm::log(*t)).sum::<f64>() / 100.0;
        let variance: f64 =
            times.iter().map(|(t, _)| libm::pow(libm::log(*t) - mean, 2.0)).sum::<f64>() / 100.0;
        let (found, error) = estimate.restricted_mean_log(100.0).unwrap();
        assert!((found - mean).abs() < 1e-12);
        assert!((error - (variance / 100.0).sqrt()).abs() < 1e-3 * error, "{error}");
    }

    #[test]
    fn nothing_and_nobody() {
        let estimate = KaplanMeier::of(&[]);
        assert_eq!((estimate.quantile(0.5), estimate.restricted_mean_log(1.0)), (None, None));
        let all_censored = KaplanMeier::of(&[(3.0, false); 4]);
        assert_eq!((all_censored.count, all_censored.events, all_censored.quantile(0.5)), (4, 0, None));
    }
}
