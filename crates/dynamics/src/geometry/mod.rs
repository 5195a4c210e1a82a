//! Where the tokens live: the right side of the equation there, and how a step lands. One file a geometry.

pub(crate) mod circle;
pub(crate) mod equiangular;
pub(crate) mod euclidean;
pub(crate) mod landing;
pub(crate) mod rescaled;
pub(crate) mod sphere;
