//! All pairs of a state: kept in a packed Gram matrix, or, where the tokens are too many for one, formed from the tokens.
//!
//! Observers of a whole state ask a [`Pairs`]. Formed pairs come in the packed order, a block at a time, with the bits that the Gram
//! matrix would have; a pass over them costs time but no memory. Which it is is up to whoever shows the [`Scene`].
#![allow(clippy::inline_always, reason = "kernels must inline whole into their target_feature trampoline")]

use metasweep_dynamics::simd::{Isa, Kernel, Lanes, Pack, dispatch};

use crate::scene::{Place, Scene};

/// Cosines that are formed together: a multiple of all that observers take at once.
const BLOCK: usize = 1024;

/// The cosines of all pairs i < j of a scene's tokens.
#[derive(Clone, Copy, Debug)]
pub enum Pairs<'a> {
    /// The packed Gram matrix.
    Kept(&'a [Pack]),
    /// The tokens, n × d.
    Formed(Tokens<'a>),
}

/// Tokens whose products are formed when they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    n: usize,
    /// n × d.
    packs: &'a [Pack],
    /// Whether 1 − ‖x_i − x_j‖²/2 stands for the product.
    is_euclidean: bool,
    isa: Isa,
}

impl<'a> Pairs<'a> {
    /// Of a scene: kept, if it shows a Gram matrix.
    #[must_use]
    pub fn of(scene: &Scene<'a>) -> Self {
        if scene.gram.is_empty() && scene.n > 1 {
            Pairs::Formed(Tokens::of(scene, scene.tokens.packs()))
        } else {
            Pairs::Kept(scene.gram)
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Pairs::Kept(gram) => gram.len(),
            Pairs::Formed(tokens) => tokens.n * (tokens.n - 1) / 2,
        }
    }
}

impl<'a> Tokens<'a> {
    /// These tokens, of this or another state of the system that `scene` shows.
    #[must_use]
    pub fn of(scene: &Scene<'_>, tokens: &'a [Pack]) -> Self {
        let is_euclidean = scene.place == Place::Euclidean;
        Self { n: scene.n, packs: tokens, is_euclidean, isa: scene.isa }
    }

    /// Those of one lane, ready for passes over their pairs.
    #[must_use]
    pub fn lane(&self, lane: usize) -> LanePairs {
        let d = self.packs.len() / self.n;
        let coordinate = |k| self.packs.iter().skip(k).step_by(d).map(move |pack: &Pack| pack.0[lane]);
        LanePairs {
            n: self.n,
            coordinates: (0..d).flat_map(coordinate).collect(),
            is_euclidean: self.is_euclidean,
            isa: self.isa,
        }
    }
}

/// The pairs of one replica.
pub struct LanePairs {
    n: usize,
    /// Coordinate by coordinate, n each.
    coordinates: Vec<f64>,
    is_euclidean: bool,
    isa: Isa,
}

impl LanePairs {
    /// Visits all pairs i < j in packed order, in blocks of a multiple of 8 pairs but for the last. The visitor may write into a block.
    pub fn blocks(&self, mut visit: impl FnMut(&mut [f64])) {
        let mut block = [0.0; BLOCK];
        let (mut i, mut j) = (0, 1);
        loop {
            let filled = dispatch(Fill { pairs: self, i: &mut i, j: &mut j, block: &mut block }, self.isa);
            if filled == 0 {
                return;
            }
            visit(&mut block[..filled]);
        }
    }

    /// Visits them row by row: token i, a first token j > i, and the cosines of i with j, j + 1, …. Ends when the visitor says no.
    pub fn rows(&self, mut visit: impl FnMut(usize, usize, &mut [f64]) -> bool) {
        let mut block = [0.0; BLOCK];
        for i in 0..self.n {
            for j in (i + 1..self.n).step_by(BLOCK) {
                if !visit(i, j, self.row(i, j, &mut block)) {
                    return;
                }
            }
        }
    }

    /// The smallest cosine; +∞ for one token.
    #[must_use]
    pub fn smallest(&self) -> f64 {
        let mut least = [f64::INFINITY; 8];
        self.blocks(|block| {
            let (eights, rest) = block.as_chunks::<8>();
            for eight in eights {
                for (least, cosine) in least.iter_mut().zip(eight) {
                    *least = if cosine < least { *cosine } else { *least };
                }
            }
            for (least, cosine) in least.iter_mut().zip(rest) {
                *least = if cosine < least { *cosine } else { *least };
            }
        });
        least.into_iter().fold(f64::INFINITY, |least, cosine| if cosine < least { cosine } else { least })
    }

    /// A cosine that is not below the smallest: of token 1 with the one farthest from it, or of that one with the one farthest from it.
    #[must_use]
    pub fn at_least_the_smallest(&self) -> f64 {
        let mut block = [0.0; BLOCK];
        let (mut from, mut least) = (0, f64::INFINITY);
        for _ in 0..2 {
            let mut farthest = (f64::INFINITY, from);
            for j in (0..self.n).step_by(BLOCK) {
                for (place, cosine) in self.row(from, j, &mut block).iter().enumerate() {
                    if *cosine < farthest.0 && j + place != from {
                        farthest = (*cosine, j + place);
                    }
                }
            }
            least = f64::min(least, farthest.0);
            from = farthest.1;
        }
        least
    }

    /// The cosines of token i with the tokens from j on, as many as fit.
    fn row<'b>(&self, i: usize, j: usize, block: &'b mut [f64; BLOCK]) -> &'b mut [f64] {
        let length = BLOCK.min(self.n - j);
        dispatch(Row { pairs: self, i, j, cosines: &mut block[..length] }, self.isa);
        &mut block[..length]
    }
}

/// ⟨x_i, x_j⟩, ⟨x_i, x_{j+1}⟩, …: each a sum over the coordinates in order, by fused multiply-adds from zero, as in the Gram matrix.
#[inline(always)]
fn products(pairs: &LanePairs, i: usize, j: usize, row: &mut [f64]) {
    row.fill(0.0);
    for coordinate in pairs.coordinates.chunks_exact(pairs.n) {
        let x = coordinate[i];
        let others = &coordinate[j..j + row.len()];
        if pairs.is_euclidean {
            for (sum, y) in row.iter_mut().zip(others) {
                let difference = x - y;
                *sum = difference.mul_add(difference, *sum);
            }
        } else {
            for (sum, y) in row.iter_mut().zip(others) {
                *sum = x.mul_add(*y, *sum);
            }
        }
    }
    if pairs.is_euclidean {
        for square in row {
            *square = 1.0 - 0.5 * *square;
        }
    }
}

struct Row<'a> {
    pairs: &'a LanePairs,
    i: usize,
    j: usize,
    cosines: &'a mut [f64],
}

impl Kernel for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) {
        products(self.pairs, self.i, self.j, self.cosines);
    }
}

/// Fills a block with the pairs from (i, j) on, in packed order; returns how many there were.
struct Fill<'a> {
    pairs: &'a LanePairs,
    i: &'a mut usize,
    j: &'a mut usize,
    block: &'a mut [f64; BLOCK],
}

impl Kernel for Fill<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self) -> usize {
        let n = self.pairs.n;
        let mut filled = 0;
        while filled < BLOCK && *self.i + 1 < n {
            let length = (n - *self.j).min(BLOCK - filled);
            products(self.pairs, *self.i, *self.j, &mut self.block[filled..filled + length]);
            filled += length;
            *self.j += length;
            if *self.j == n {
                *self.i += 1;
                *self.j = *self.i + 1;
            }
        }
        filled
    }
}
