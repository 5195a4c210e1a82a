//! Which vector instructions this machine has, and whether the thread computes in IEEE mode.

use thiserror::Error;

/// The vector instructions in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Plain Rust; fused multiply-add in software where the target has none.
    Portable,
    /// Plain Rust, one lane at a time: tests only.
    #[cfg(test)]
    PortableNarrow,
    /// Plain Rust, eight lanes at a time: tests only.
    #[cfg(test)]
    PortableWide,
    /// AVX2 and FMA, four lanes at a time.
    Avx2,
    /// AVX-512F, eight lanes at a time.
    Avx512,
}

/// The environment variable METASWEEP_SIMD asks for something that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IsaError {
    /// Not one of the three names.
    #[error("METASWEEP_SIMD is `{0}`; allowed are `portable`, `avx2` and `avx512`")]
    Unknown(String),
    /// A name that this machine's instructions do not cover.
    #[error(
        "METASWEEP_SIMD is `{asked}`, but this machine has no such instructions; the widest it has is `{widest}`"
    )]
    Unavailable {
        /// The name asked for.
        asked: &'static str,
        /// The widest available one.
        widest: &'static str,
    },
}

impl Isa {
    /// The widest instructions of this machine, or those that the environment variable METASWEEP_SIMD
    /// (`portable`, `avx2`, `avx512`) names. No choice changes a bit of any result.
    ///
    /// # Errors
    /// If the variable holds another name, or the machine does not have what it names.
    pub fn detect() -> Result<Self, IsaError> {
        match std::env::var_os("METASWEEP_SIMD") {
            None => Ok(Self::widest()),
            Some(name) if name.is_empty() => Ok(Self::widest()),
            Some(name) => Self::named(&name.to_string_lossy()),
        }
    }

    /// The available instructions of this name.
    fn named(name: &str) -> Result<Self, IsaError> {
        let isa = [Self::Portable, Self::Avx2, Self::Avx512]
            .into_iter()
            .find(|isa| isa.name() == name)
            .ok_or_else(|| IsaError::Unknown(name.to_owned()))?;
        if isa.is_available() {
            Ok(isa)
        } else {
            Err(IsaError::Unavailable { asked: isa.name(), widest: Self::widest().name() })
        }
    }

    /// The widest instructions of this machine.
    #[must_use]
    pub fn widest() -> Self {
        [Self::Avx512, Self::Avx2].into_iter().find(|isa| isa.is_available()).unwrap_or(Self::Portable)
    }

    /// Whether this machine has these instructions.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
            Self::Portable => true,
            #[cfg(test)]
            Self::PortableNarrow | Self::PortableWide => true,
        }
    }

    /// `portable`, `avx2` or `avx512`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Portable => "portable",
            #[cfg(test)]
            Self::PortableNarrow | Self::PortableWide => "portable",
        }
    }
}

/// The thread's floating-point unit is not in IEEE mode: results would have other bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IeeeModeError {
    /// Subnormal results or operands are replaced by zero.
    #[error(
        "the floating-point unit of this thread replaces subnormal numbers by zero (MXCSR = {mxcsr:#06x}); a library loaded into the process must have set this (often one built with -ffast-math)"
    )]
    FlushesToZero {
        /// The control register.
        mxcsr: u32,
    },
    /// Not round-to-nearest-even.
    #[error(
        "the floating-point unit of this thread does not round to nearest (MXCSR = {mxcsr:#06x}); a library loaded into the process must have set this"
    )]
    Rounding {
        /// The control register.
        mxcsr: u32,
    },
}

/// Checks that this thread rounds to nearest and keeps subnormal numbers. Every thread that computes
/// replicas calls it once at its start.
///
/// # Errors
/// If flush-to-zero, denormals-are-zero or another rounding mode is set.
pub fn assert_ieee_mode() -> Result<(), IeeeModeError> {
    judge(control_register())
}

/// MXCSR: bit 15 flush-to-zero, bits 13–14 rounding, bit 6 denormals-are-zero.
fn judge(mxcsr: u32) -> Result<(), IeeeModeError> {
    if mxcsr & (1 << 15 | 1 << 6) != 0 {
        Err(IeeeModeError::FlushesToZero { mxcsr })
    } else if mxcsr & (3 << 13) != 0 {
        Err(IeeeModeError::Rounding { mxcsr })
    } else {
        Ok(())
    }
}

#[cfg(target_arch = "x86_64")]
fn control_register() -> u32 {
    let mut mxcsr = 0_u32;
    // SAFETY: stores the 32-bit control register to a valid, aligned place and touches nothing else.
    #[allow(unsafe_code, reason = "reading MXCSR")]
    unsafe {
        std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags));
    }
    mxcsr
}

#[cfg(not(target_arch = "x86_64"))]
fn control_register() -> u32 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert_eq!(Isa::named("portable"), Ok(Isa::Portable));
        assert_eq!(Isa::named("AVX"), Err(IsaError::Unknown("AVX".to_owned())));
        for isa in [Isa::Avx2, Isa::Avx512] {
            assert_eq!(Isa::named(isa.name()).is_ok(), isa.is_available());
        }
        assert!(Isa::widest().is_available());
    }

    #[test]
    fn the_control_register_is_judged() {
        assert_eq!(assert_ieee_mode(), Ok(()));
        assert_eq!(judge(0x1f80), Ok(()));
        assert_eq!(judge(0x9f80), Err(IeeeModeError::FlushesToZero { mxcsr: 0x9f80 }));
        assert_eq!(judge(0x1fc0), Err(IeeeModeError::FlushesToZero { mxcsr: 0x1fc0 }));
        assert_eq!(judge(0x3f80), Err(IeeeModeError::Rounding { mxcsr: 0x3f80 }));
    }
}
