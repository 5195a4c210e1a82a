//! Numbers as people read them: on axes, in legends and tables.

/// A tick's text: of a log axis whole powers of ten if there are several, else the number itself.
pub(super) fn tick(log: bool, ends: (f64, f64), number: f64) -> String {
    if !log {
        return short(number);
    }
    if ends.1 - ends.0 < 2.0 {
        return short(libm::pow(10.0, number));
    }
    let nearest = number.round();
    if (number - nearest).abs() > 1e-6 {
        return String::new();
    }
    if (-2.0..=3.0).contains(&nearest) { short(libm::pow(10.0, nearest)) } else { format!("1e{nearest}") }
}

/// Three significant digits.
#[must_use]
pub fn short(number: f64) -> String {
    if number != 0.0 && !(1e-3..1e5).contains(&number.abs()) {
        return format!("{number:.0e}");
    }
    let digits =
        if number == 0.0 { 0 } else { (2 - libm::floor(libm::log10(number.abs())) as i32).clamp(0, 5) };
    let text = format!("{number:.0$}", digits as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_read_well() {
        assert_eq!(short(0.25), "0.25");
        assert_eq!(short(1500.0), "1500");
        assert_eq!(short(1e7), "1e7");
        assert_eq!(short(-0.5), "-0.5");
        assert_eq!(tick(true, (0.0, 9.0), 6.0), "1e6");
        assert_eq!(tick(true, (0.0, 9.0), 0.5), "");
        assert_eq!(tick(true, (0.0, 1.0), 0.0), "1");
    }
}
