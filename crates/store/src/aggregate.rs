//! Statistics over the replicas of a cell: the bits depend on the values in replica order, on nothing else.

/// Appends to `row` the statistics of each column at one sample time, then the number of replicas.
///
/// `values` is `[column][replica]`; NaN is left out. A replica counts if any column has its value. What cannot be
/// formed (mean of none, standard deviation of fewer than two) is NaN, which the tables show as null.
pub fn aggregate_sample(values: &[f64], replicas: usize, quantiles: &[f64], row: &mut Vec<f64>) {
    let mut present = Vec::with_capacity(replicas);
    for column in values.chunks_exact(replicas) {
        present.clear();
        present.extend(column.iter().copied().filter(|value| !value.is_nan()));
        let (mean, deviation) = moments(&mut present.clone());
        row.extend([mean, deviation]);
        sort(&mut present);
        row.extend(quantiles.iter().map(|q| quantile(&present, *q)));
    }
    let counted =
        (0..replicas).filter(|r| values.iter().skip(*r).step_by(replicas).any(|value| !value.is_nan()));
    row.push(counted.count() as f64);
}

/// Mean and standard deviation with n − 1; overwrites `values`.
fn moments(values: &mut [f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = if values.is_empty() { f64::NAN } else { pairwise_sum(values) / count };
    if values.len() < 2 {
        return (mean, f64::NAN);
    }
    for value in values.iter_mut() {
        let shift = *value - mean;
        *value = shift * shift;
    }
    (mean, (pairwise_sum(values) / (count - 1.0)).sqrt())
}

/// Sum by a fixed tree: halves of ⌊n/2⌋ and ⌈n/2⌉ down to runs of at most eight, summed from the left.
fn pairwise_sum(values: &[f64]) -> f64 {
    if values.len() <= 8 {
        return values.iter().fold(0.0, |sum, value| sum + value);
    }
    let (left, right) = values.split_at(values.len() / 2);
    pairwise_sum(left) + pairwise_sum(right)
}

/// Ascending, −0 before +0.
fn sort(values: &mut [f64]) {
    values.sort_unstable_by(f64::total_cmp);
}

/// Type 7 of Hyndman and Fan: linear between the order statistics around (n − 1)q.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let position = last as f64 * q;
    let below = (position.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let share = position - below as f64;
    let (low, high) = (sorted[below], sorted[above]);
    // Between equal values there is nothing to interpolate; and at the ends no infinity times zero.
    if share == 0.0 || low == high { low } else { low + share * (high - low) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[f64], replicas: usize) -> Vec<f64> {
        let mut row = Vec::new();
        aggregate_sample(values, replicas, &[0.1, 0.5, 1.0], &mut row);
        row
    }

    #[test]
    fn textbook_values() {
        // 1 … 5: mean 3, variance 10/4; type 7 at 0.1: position 0.4 between 1 and 2.
        let row = row(&[4.0, 1.0, 5.0, 2.0, 3.0], 5);
        assert_eq!(row, [3.0, 2.5_f64.sqrt(), 1.4, 3.0, 5.0, 5.0]);
    }

    #[test]
    fn nan_is_left_out_and_counted_by_replica() {
        let nan = f64::NAN;
        // Two columns; replica 1 has the second column only, replica 2 nothing.
        let row = row(&[1.0, nan, nan, 2.0, 4.0, nan], 3);
        assert_eq!(row[0], 1.0);
        assert!(row[1].is_nan());
        assert_eq!(row[5], 3.0);
        assert_eq!(*row.last().unwrap(), 2.0);
        let mut none = Vec::new();
        aggregate_sample(&[nan; 4], 2, &[0.5], &mut none);
        assert!(none[..6].iter().all(|value| value.is_nan()));
        assert_eq!(none[6], 0.0);
    }

    #[test]
    fn sums_are_accurate_and_equal_to_the_naive_ones_within_rounding() {
        let values: Vec<f64> = (0..1000).map(|k| f64::from(k * 7919 % 1009) / 64.0).collect();
        let naive: f64 = values.iter().sum::<f64>() / 1000.0;
        let (mean, deviation) = moments(&mut values.clone());
        // All values are multiples of 1/64 and the sums below 2^53/64: both sums are exact.
        assert_eq!(mean, naive);
        let squares: f64 = values.iter().map(|value| (value - naive) * (value - naive)).sum();
        let expected = (squares / 999.0).sqrt();
        assert!((deviation - expected).abs() <= 1000.0 * f64::EPSILON * expected);
    }
}
