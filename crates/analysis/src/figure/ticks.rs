//! Numbers as people read them: on axes, in legends and tables.

/// Where an axis from `ends.0` to `ends.1` has its ticks, in the units of the drawing: of a log axis these are powers of ten.
pub(super) fn ticks(log: bool, ends: (f64, f64)) -> Vec<f64> {
    let span = ends.1 - ends.0;
    if !log {
        return multiples(nice(span / 6.0), ends);
    }
    if span >= 2.5 {
        // Whole decades, as many apart as there is room for.
        return multiples(nice((span / 9.0).ceil()), ends);
    }
    let within: &[f64] = if span >= 1.2 { &[1.0, 3.0] } else { &[1.0, 2.0, 5.0] };
    let decades = ends.0.floor() as i32..=ends.1.floor() as i32;
    let marks: Vec<f64> = decades
        .flat_map(|decade| within.iter().map(move |digit| f64::from(decade) + libm::log10(*digit)))
        .filter(|mark| (ends.0..=ends.1).contains(mark))
        .collect();
    // Less than an octave: as on a linear axis.
    if marks.len() < 3 {
        let (low, high) = (libm::pow(10.0, ends.0), libm::pow(10.0, ends.1));
        return multiples(nice((high - low) / 5.0), (low, high)).into_iter().map(libm::log10).collect();
    }
    marks
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `step`.
fn nice(step: f64) -> f64 {
    let power = libm::pow(10.0, libm::floor(libm::log10(step)));
    let digit = step / power;
    power
        * if digit <= 1.0 {
            1.0
        } else if digit <= 2.0 {
            2.0
        } else if digit <= 5.0 {
            5.0
        } else {
            10.0
        }
}

fn multiples(step: f64, (low, high): (f64, f64)) -> Vec<f64> {
    let air = 1e-9 * (high - low);
    let first = ((low - air) / step).ceil();
    let number = ((high + air) / step - first).floor().clamp(0.0, 100.0) as u32;
    (0..=number).map(|index| (first + f64::from(index)) * step).collect()
}

/// A tick's text.
pub(super) fn tick(log: bool, position: f64) -> String {
    if !log {
        return short(position);
    }
    let nearest = position.round();
    if (position - nearest).abs() > 1e-9 || (-2.0..=3.0).contains(&nearest) {
        return short(libm::pow(10.0, position));
    }
    format!("1e{nearest}")
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
        assert_eq!(tick(true, 6.0), "1e6");
        assert_eq!(tick(true, libm::log10(20.0)), "20");
        assert_eq!(tick(true, 0.0), "1");
    }

    #[test]
    fn ticks_are_where_people_expect_them() {
        let texts = |log, ends| ticks(log, ends).into_iter().map(|at| tick(log, at)).collect::<Vec<_>>();
        assert_eq!(texts(false, (0.0, 9.1)), ["0", "2", "4", "6", "8"]);
        assert_eq!(texts(false, (-0.03, 1.04)), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(texts(true, (0.6, 1.5)), ["5", "10", "20"]);
        assert_eq!(texts(true, (-1.0, 1.0)), ["0.1", "0.3", "1", "3", "10"]);
        assert_eq!(texts(true, (-10.2, 0.1)), ["1e-10", "1e-8", "1e-6", "1e-4", "0.01", "1"]);
        for (log, ends) in [(true, (0.0, 0.1)), (true, (3.0, 3.0 + 1e-3)), (false, (5.0, 5.0 + 1e-9))] {
            assert!((3..=9).contains(&ticks(log, ends).len()), "{ends:?}: {:?}", ticks(log, ends));
        }
    }
}
