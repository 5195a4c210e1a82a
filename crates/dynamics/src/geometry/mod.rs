//! Where the tokens live: how a velocity is made tangent, and how a step lands. One file a geometry.

pub(crate) mod sphere;
