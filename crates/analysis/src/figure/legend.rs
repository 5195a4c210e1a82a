//! Where a panel has room for its legend.

use plotters::prelude::SeriesLabelPosition;

use super::plot::{Layer, Panel};

/// Points a line's piece counts for.
const PIECES: u32 = 24;

/// The corner with the least in it. `share` tells where a point lies, from (0, 0) at the lower left to (1, 1).
pub(super) fn place(panel: &Panel, share: &dyn Fn((f64, f64)) -> (f64, f64)) -> SeriesLabelPosition {
    use SeriesLabelPosition::{LowerLeft, LowerRight, UpperLeft, UpperRight};
    let named = panel.layers.iter().filter(|layer| layer.label().is_some());
    let longest =
        named.clone().filter_map(Layer::label).map(|label| label.chars().count()).max().unwrap_or(0);
    let (width, height) =
        ((0.1 + 0.014 * longest as f64).min(0.7), (0.04 + 0.06 * named.count() as f64).min(0.7));
    let points: Vec<(f64, f64)> = panel.layers.iter().flat_map(|layer| covered(layer, share)).collect();
    let inside = |left: bool, low: bool| {
        let across = |x: f64| if left { x < width } else { x > 1.0 - width };
        let along = |y: f64| if low { y < height } else { y > 1.0 - height };
        points.iter().filter(|(x, y)| across(*x) && along(*y)).count()
    };
    let corners = [
        (inside(false, false), UpperRight),
        (inside(true, false), UpperLeft),
        (inside(false, true), LowerRight),
        (inside(true, true), LowerLeft),
    ];
    corners.into_iter().min_by_key(|(count, _)| *count).map_or(UpperRight, |(_, corner)| corner)
}

/// Points that stand for what a layer covers.
fn covered(layer: &Layer, share: &dyn Fn((f64, f64)) -> (f64, f64)) -> Vec<(f64, f64)> {
    match layer {
        Layer::Line { points, .. } => {
            let ends: Vec<(f64, f64)> = points.iter().map(|point| share(*point)).collect();
            let between = |a: (f64, f64), b: (f64, f64)| {
                let length = (b.0 - a.0).abs().max((b.1 - a.1).abs()).min(1.0);
                let pieces = (length * f64::from(PIECES)).ceil().max(1.0) as u32;
                (0..pieces).map(move |piece| {
                    let at = f64::from(piece) / f64::from(pieces);
                    (a.0 + at * (b.0 - a.0), a.1 + at * (b.1 - a.1))
                })
            };
            ends.windows(2).flat_map(|pair| between(pair[0], pair[1])).collect()
        }
        Layer::Points { points, .. } => points.iter().map(|point| share(*point)).collect(),
        Layer::Band { points, .. } | Layer::Intervals { points, .. } => {
            points.iter().flat_map(|(x, low, high)| [share((*x, *low)), share((*x, *high))]).collect()
        }
        Layer::Heat { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::plot::Axis;

    #[test]
    fn the_empty_corner_is_taken() {
        let rising = (0..=10).map(|step| (f64::from(step) / 10.0, f64::from(step) / 10.0)).collect();
        let mut panel = Panel::new(
            "",
            Axis::linear("x"),
            Axis::linear("y"),
            vec![Layer::line(rising, "name".to_owned(), 0)],
        );
        assert!(matches!(place(&panel, &|point| point), SeriesLabelPosition::UpperLeft));
        let falling = (0..=10).map(|step| (f64::from(step) / 10.0, 1.0 - f64::from(step) / 10.0)).collect();
        panel.layers = vec![Layer::line(falling, "name".to_owned(), 0)];
        assert!(matches!(place(&panel, &|point| point), SeriesLabelPosition::UpperRight));
    }
}
