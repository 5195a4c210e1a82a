//! One head whose scores are a multiple of the Gram matrix, by the kernel that suits its tokens: [`Few`] or [`Symmetric`]. They
//! compute the same bits.

use std::marker::PhantomData;

use super::few::{Few, Onto};
use super::panels::InPanels;
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
    /// Whether they are to be kept twice.
    pub twice: bool,
    pub kappa: &'a Pack,
    pub shift: &'a Pack,
    pub factor: &'a Pack,
    pub add: bool,
}

impl<'p> Pairs<'p> {
    /// Writes the head's attention vectors to `out`, or adds them to it.
    pub fn attend<W: Weighting>(self, scratch: &mut Scratch, out: &mut [Pack], isa: Isa) {
        match (self.causal, self.self_term && self.few, self.twice) {
            (true, _, _) => self.symmetric::<W, true>(scratch, out, isa),
            (false, false, _) => self.symmetric::<W, false>(scratch, out, isa),
            (false, true, false) => dispatch(self.few::<W>(scratch, out, None), isa),
            (false, true, true) => dispatch(InPanels(self.few::<W>(scratch, out, None)), isa),
        }
    }

    /// Takes the step along the attention vectors at once: few tokens that stand apart, without a mask.
    pub fn turn<W: Weighting>(self, scratch: &mut Scratch, onto: Onto<'_>, isa: Isa) {
        if self.twice {
            dispatch(InPanels(self.few::<W>(scratch, &mut [], Some(onto))), isa);
        } else {
            dispatch(self.few::<W>(scratch, &mut [], Some(onto)), isa);
        }
    }

    fn few<'a, W: Weighting>(
        self,
        scratch: &'a mut Scratch,
        out: &'a mut [Pack],
        onto: Option<Onto<'a>>,
    ) -> Few<'a, W>
    where
        'p: 'a,
    {
        let Self { products, longest, values, apart, n, d, lanes, kappa, shift, factor, add, .. } = self;
        let weighting = PhantomData::<W>;
        Few {
            products,
            longest,
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
        }
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
