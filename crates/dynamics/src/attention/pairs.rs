//! One head whose scores are a multiple of the Gram matrix, by the kernel that suits its tokens: [`Few`] or [`Symmetric`]. They
//! compute the same bits.

use std::marker::PhantomData;

use super::few::{Few, Onto};
use super::symmetric::Symmetric;
use super::{Scratch, Weighting};
use crate::simd::{Isa, Pack, dispatch};

/// What both kernels take, as they say.
pub(super) struct Pairs<'a> {
    pub products: &'a [Pack],
    pub longest: Option<&'a Pack>,
    pub values: &'a [Pack],
    pub apart: Option<&'a [Pack]>,
    pub n: usize,
    pub d: usize,
    pub lanes: usize,
    pub causal: bool,
    pub self_term: bool,
    /// Whether the weights of all pairs may be kept.
    pub few: bool,
    /// Not empty if they are to be kept twice.
    pub places: &'a [[u32; 2]],
    pub kappa: &'a Pack,
    pub shift: &'a Pack,
    pub factor: &'a Pack,
    pub add: bool,
}

impl Pairs<'_> {
    /// Writes the head's attention vectors to `out`, or adds them to it.
    pub fn attend<W: Weighting>(self, scratch: &mut Scratch, out: &mut [Pack], isa: Isa) {
        match (self.causal, self.self_term && self.few, self.places.is_empty()) {
            (true, _, _) => self.symmetric::<W, true>(scratch, out, isa),
            (false, false, _) => self.symmetric::<W, false>(scratch, out, isa),
            (false, true, true) => self.few::<W, false>(scratch, out, None, isa),
            (false, true, false) => self.few::<W, true>(scratch, out, None, isa),
        }
    }

    /// Takes the step along the attention vectors at once: few tokens that stand apart, without a mask.
    pub fn turn<W: Weighting>(self, scratch: &mut Scratch, onto: Onto<'_>, isa: Isa) {
        if self.places.is_empty() {
            self.few::<W, false>(scratch, &mut [], Some(onto), isa);
        } else {
            self.few::<W, true>(scratch, &mut [], Some(onto), isa);
        }
    }

    fn few<W: Weighting, const TWICE: bool>(
        self,
        scratch: &mut Scratch,
        out: &mut [Pack],
        onto: Option<Onto<'_>>,
        isa: Isa,
    ) {
        let Self { products, longest, values, apart, n, d, lanes, places, kappa, shift, factor, add, .. } =
            self;
        let weighting = PhantomData::<W>;
        dispatch(
            Few::<W, TWICE> {
                products,
                longest,
                places,
                values,
                apart,
                n,
                d,
                lanes,
                kappa,
                shift,
                factor,
                add,
                scratch,
                out,
                onto,
                weighting,
            },
            isa,
        );
    }

    fn symmetric<W: Weighting, const CAUSAL: bool>(self, scratch: &mut Scratch, out: &mut [Pack], isa: Isa) {
        let Self { products, longest, values, n, d, lanes, self_term, kappa, shift, factor, add, .. } = self;
        let weighting = PhantomData::<W>;
        dispatch(
            Symmetric::<W, CAUSAL> {
                products,
                longest,
                values,
                n,
                d,
                lanes,
                self_term,
                kappa,
                shift,
                factor,
                add,
                scratch,
                out,
                weighting,
            },
            isa,
        );
    }
}
