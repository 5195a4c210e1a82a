//! One source, every width: a kernel is run by the trampoline of the machine's instructions.

use std::ops::Range;

use super::portable::Portable;
use super::{Isa, LANES, Lanes};

/// A computation over packs, written once for every width.
///
/// `run` and everything it calls that touches a [`Lanes`] value must be `#[inline(always)]` and free of
/// closures over such values: only what is inlined into the trampoline is compiled for its instructions.
pub trait Kernel {
    /// What comes out.
    type Output;
    /// Computes with `L`, normally `for group in groups::<L>(lanes)`.
    fn run<L: Lanes<Scalar = f64>>(self) -> Self::Output;
}

/// Runs `kernel` with the instructions `isa`.
///
/// # Panics
/// If the machine does not have them ([`Isa::detect`] and [`Isa::is_available`] never lead there).
pub fn dispatch<K: Kernel>(kernel: K, isa: Isa) -> K::Output {
    assert!(isa.is_available(), "this machine has no {}", isa.name());
    match isa {
        Isa::Portable => kernel.run::<Portable<4>>(),
        #[cfg(test)]
        Isa::PortableNarrow => kernel.run::<Portable<1>>(),
        #[cfg(test)]
        Isa::PortableWide => kernel.run::<Portable<8>>(),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the assertion above asked the machine.
        #[allow(unsafe_code, reason = "target_feature trampoline")]
        Isa::Avx2 => unsafe { super::avx2::run(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        #[allow(unsafe_code, reason = "target_feature trampoline")]
        Isa::Avx512 => unsafe { super::avx512::run(kernel) },
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx2 | Isa::Avx512 => unreachable!("not available, as asserted above"),
    }
}

/// The groups of `L::WIDTH` lanes that hold the first `lanes` lanes of a pack: those without a replica are not computed.
#[must_use]
pub fn groups<L: Lanes>(lanes: usize) -> Range<usize> {
    0..lanes.min(LANES).div_ceil(L::WIDTH)
}
