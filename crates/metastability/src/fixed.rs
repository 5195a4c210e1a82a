//! What observables fix of a replica at t = 0: Rényi centres, and what its matrices single out.
//!
//! Part of the recorder's serializable value: a replica that is stopped and goes on elsewhere keeps its centres.

use metasweep_dynamics::parameters::{Head, Operator, Parameters, QueryKey};
use serde::{Deserialize, Serialize};

use crate::observables::Observable;
use crate::renyi::Centres;
use crate::scene::Scene;
use crate::spectrum::leading::{Complement, hyperplane_normal};
use crate::watch::{Space, Watch};

/// What is fixed of one lane; only what the watch asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fixed {
    /// The Rényi centres.
    pub centres: Option<Centres>,
    /// What is fixed of its matrices.
    pub matrices: Matrices,
}

/// What the matrices of one replica single out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Matrices {
    /// The complement of the leading eigenspace of each matrix that `leading_eigenspace_distance` is about; `None` where there is no
    /// one such matrix (several heads).
    pub complements: Vec<Option<Complement>>,
    /// The unit normal of the hyperplanes; `None` if V has none.
    pub normal: Option<Vec<f64>>,
}

impl Fixed {
    /// What is fixed of one lane. `before` is another lane whose matrices are the same, if there is one.
    #[must_use]
    pub fn of(watch: &Watch, scene: &Scene<'_>, lane: usize, before: Option<&Fixed>) -> Self {
        let centres = watch.series.iter().any(|observable| observable.needs_centres());
        let matrices = match (before, scene.system) {
            (Some(before), _) => before.matrices.clone(),
            (None, Some(system)) => Matrices::of(watch, &system.parameters(lane), scene.d()),
            (None, None) => Matrices::default(),
        };
        Self { centres: centres.then(|| Centres::choose(watch, scene, lane)), matrices }
    }
}

impl Matrices {
    /// What these parameters single out in d dimensions.
    #[must_use]
    pub fn of(watch: &Watch, parameters: &Parameters, d: usize) -> Self {
        let head = match parameters.heads.as_slice() {
            [head] => Some(head),
            _ => None,
        };
        let complements = if watch.series.contains(&Observable::LeadingEigenspaceDistance) {
            watch.spaces.iter().map(|space| head.and_then(|head| complement(*space, head, d))).collect()
        } else {
            Vec::new()
        };
        let normal = head
            .filter(|_| watch.series.contains(&Observable::Hyperplanes))
            .and_then(|head| normal(&head.value, d));
        Self { complements, normal }
    }
}

/// The normal of the hyperplanes of V.
#[must_use]
pub fn normal(value: &Operator, d: usize) -> Option<Vec<f64>> {
    hyperplane_normal(&rows(value, d), d)
}

fn complement(space: Space, head: &Head, d: usize) -> Option<Complement> {
    match (space, &head.value, &head.query_key) {
        (Space::Value, Operator::Scalar(_), _) => Some(Complement::of_everything(d)),
        (Space::Value, value, _) => Complement::of(&rows(value, d), d),
        (Space::ValueKeyQuery, Operator::Scalar(_), QueryKey::Joint(Operator::Scalar(_))) => {
            Some(Complement::of_everything(d))
        }
        (Space::ValueKeyQuery, value, query_key) => {
            Complement::of(&product(&rows(value, d), &key_query(query_key, d), d), d)
        }
    }
}

/// An operator as a matrix, row-major.
fn rows(operator: &Operator, d: usize) -> Vec<f64> {
    let entry = |i: usize, j: usize| match operator {
        Operator::Scalar(c) if i == j => *c,
        Operator::Diagonal(entries) if i == j => entries[i],
        Operator::Dense(matrix) => matrix[(i, j)],
        _ => 0.0,
    };
    (0..d * d).map(|k| entry(k / d, k % d)).collect()
}

/// KᵀQ, the transpose of B = QᵀK.
fn key_query(query_key: &QueryKey, d: usize) -> Vec<f64> {
    match query_key {
        QueryKey::Joint(form) => {
            let form = rows(form, d);
            (0..d * d).map(|k| form[(k % d) * d + k / d]).collect()
        }
        QueryKey::Factored { query, key } => {
            let entry =
                |i: usize, j: usize| (0..query.nrows()).fold(0.0, |sum, r| sum + key[(r, i)] * query[(r, j)]);
            (0..d * d).map(|k| entry(k / d, k % d)).collect()
        }
    }
}

fn product(a: &[f64], b: &[f64], d: usize) -> Vec<f64> {
    let entry = |i: usize, j: usize| (0..d).fold(0.0, |sum, k| sum + a[i * d + k] * b[k * d + j]);
    (0..d * d).map(|k| entry(k / d, k % d)).collect()
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::*;

    /// B = QᵀK with rows (2, 1), (0, 1): KᵀQ = Bᵀ has the eigenvector (1, 1) of 2, and B itself (1, 0). As one form and as Q and K.
    #[test]
    fn the_leading_eigenspace_is_that_of_v_times_key_query() {
        let form = DMatrix::from_row_slice(2, 2, &[2.0, 1.0, 0.0, 1.0]);
        let apart = QueryKey::Factored { query: DMatrix::identity(2, 2), key: form.clone() };
        let watch = Watch {
            series: vec![Observable::LeadingEigenspaceDistance],
            spaces: vec![Space::ValueKeyQuery],
            ..Watch::default()
        };
        for query_key in [QueryKey::Joint(Operator::Dense(form)), apart] {
            let head = Head { query_key, value: Operator::Scalar(1.0) };
            let matrices = Matrices::of(&watch, &Parameters::new(vec![head]), 2);
            let complement = matrices.complements[0].as_ref().expect("the eigenvalues are 2 and 1");
            assert!(complement.distance(&[0.6, 0.6]) < 1e-14);
            assert!((complement.distance(&[1.0, 0.0]) - 0.5_f64.sqrt()).abs() < 1e-14);
        }
    }
}
