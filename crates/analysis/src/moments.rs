//! A mean and how uncertain it is.

/// The mean of independent numbers and its standard error: the sample's deviation (n − 1) over √n. Of one number the error is not known,
/// of none both are NaN.
///
/// ```
/// use metasweep_analysis::moments::mean_and_error;
/// assert_eq!(mean_and_error([1.0, 3.0].into_iter()), (2.0, 1.0));
/// assert!(mean_and_error([1.0].into_iter()).1.is_nan());
/// ```
#[must_use]
pub fn mean_and_error(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let values: Vec<f64> = values.collect();
    let number = values.len() as f64;
    let mean = values.iter().sum::<f64>() / number;
    let square = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    (mean, libm::sqrt(square / (number - 1.0) / number))
}
