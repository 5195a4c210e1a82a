//! Haar-random orthonormal frames, for the laws whose Gram matrix is given and whose position is not, and for the matrices
//! whose spectrum is given and whose eigenvectors are not.

use super::normalize;
use crate::random::Stream;

/// k ≤ d orthonormal vectors of R^d, k × d row-major, with the rotation-invariant law: Gram–Schmidt on rows of normals.
///
/// Each row is drawn, then twice reduced by every earlier vector in order (modified Gram–Schmidt; the second time
/// makes it orthogonal to rounding), then normalized.
pub(crate) fn haar_frame(k: usize, d: usize, stream: &mut Stream) -> Vec<f64> {
    debug_assert!(k <= d);
    let mut frame = vec![0.0; k * d];
    for i in 0..k {
        let (earlier, rest) = frame.split_at_mut(i * d);
        let row = &mut rest[..d];
        row.fill_with(|| stream.normal());
        for _ in 0..2 {
            for vector in earlier.chunks_exact(d) {
                let overlap = vector.iter().zip(&*row).fold(0.0, |sum, (a, b)| sum + a * b);
                for (x, a) in row.iter_mut().zip(vector) {
                    *x -= overlap * a;
                }
            }
        }
        normalize(row);
    }
    frame
}
