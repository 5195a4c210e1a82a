//! Draws a figure as SVG or PNG: one look for all of them. Colours are those of Okabe and Ito, and viridis: both safe for
//! colour-blind readers, the second perceptually uniform.

use std::path::Path;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, RGBColor, register_font};

use crate::error::AnalysisError;

use super::legend;
use super::plot::{BLACK as THEORY, Figure, Layer, Panel};
use super::scale::Scale;

const FONT: &str = "sans-serif";
const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(90, 90, 90),
];

/// Pixels of a PNG for each unit of an SVG, so that it is sharp in print.
const DOTS: f64 = 2.0;

/// How large everything is drawn.
#[derive(Clone, Copy)]
struct Look {
    scale: f64,
}

impl Look {
    fn of(self, length: u32) -> u32 {
        (f64::from(length) * self.scale) as u32
    }

    /// For a text that is to fit into `width` pixels.
    fn fitting(self, size: u32, text: &str, width: u32) -> (&'static str, u32) {
        let room = f64::from(width) / (0.6 * text.chars().count().max(1) as f64);
        (FONT, self.of(size).min(room as u32).max(self.of(6)))
    }

    fn font(self, size: u32) -> (&'static str, u32) {
        (FONT, self.of(size))
    }
}

/// Size of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// Draws into a file; its ending chooses svg, png or json.
///
/// # Errors
/// If the ending is another, or the file cannot be written.
pub fn draw(figure: &Figure, size: Option<Size>, path: &Path) -> Result<(), AnalysisError> {
    fonts();
    let wrong = |what: String| AnalysisError::Write { path: path.to_owned(), what };
    let (columns, rows) = layout(figure.panels.len());
    let asked = size;
    let size = asked.unwrap_or(Size { width: 560 * columns as u32, height: 400 * rows as u32 + 40 });
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending {
        "svg" => {
            let mut text = String::new();
            let root = SVGBackend::with_string(&mut text, (size.width, size.height)).into_drawing_area();
            all(figure, &root, Look { scale: 1.0 }).map_err(wrong)?;
            drop(root);
            std::fs::write(path, text).map_err(|error| wrong(error.to_string()))
        }
        "png" => {
            let pixels = |length: u32| (f64::from(length) * DOTS) as u32;
            let size =
                asked.map_or((pixels(size.width), pixels(size.height)), |size| (size.width, size.height));
            let root = BitMapBackend::new(path, size).into_drawing_area();
            all(figure, &root, Look { scale: DOTS }).map_err(wrong)
        }
        "json" => {
            let text = serde_json::to_string_pretty(figure).map_err(|error| wrong(error.to_string()))?;
            std::fs::write(path, text).map_err(|error| wrong(error.to_string()))
        }
        _ => Err(AnalysisError::Usage(format!(
            "--out {}: a figure is written as .svg, .png or .json; the ending chooses",
            path.display()
        ))),
    }
}

fn fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = register_font(FONT, FontStyle::Normal, include_bytes!("../../assets/DejaVuSans.ttf"));
    });
}

/// Columns and rows of panels.
fn layout(panels: usize) -> (usize, usize) {
    let columns = match panels {
        0 | 1 => 1,
        2 | 4 => 2,
        _ => 3,
    };
    (columns, panels.max(1).div_ceil(columns))
}

type Root<'a, B> = DrawingArea<B, Shift>;

fn all<B: DrawingBackend>(figure: &Figure, root: &Root<B>, look: Look) -> Result<(), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    root.fill(&WHITE).map_err(|error| said(&error))?;
    // The title's box is a little lower than its letters.
    let root = root
        .margin(look.of(6), 0, 0, 0)
        .titled(&figure.title, look.fitting(19, &figure.title, root.dim_in_pixel().0))
        .map_err(|error| said(&error))?;
    let (columns, rows) = layout(figure.panels.len());
    for (area, panel) in root.split_evenly((rows, columns)).iter().zip(&figure.panels) {
        draw_panel(panel, area, look)?;
    }
    root.present().map_err(|error| said(&error))
}

/// A number on its axis.
fn on(log: bool, number: f64) -> f64 {
    if log { libm::log10(number) } else { number }
}

/// The ends of an axis, with a little air.
fn range(numbers: &[f64], tight: bool) -> (f64, f64) {
    let finite = numbers.iter().copied().filter(|number| number.is_finite());
    let (low, high) = finite
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| (low.min(number), high.max(number)));
    if low > high {
        return (0.0, 1.0);
    }
    let air = if tight { 0.0 } else { 0.04 * (high - low) };
    if high - low < 1e-12 * high.abs().max(1.0) { (low - 0.5, high + 0.5) } else { (low - air, high + air) }
}

fn corners(layer: &Layer) -> Vec<(f64, f64)> {
    match layer {
        Layer::Line { points, .. } | Layer::Points { points, .. } => points.clone(),
        Layer::Band { points, .. } | Layer::Intervals { points, .. } => {
            points.iter().flat_map(|(x, low, high)| [(*x, *low), (*x, *high)]).collect()
        }
        Layer::Heat { tiles, .. } => {
            tiles.iter().flat_map(|tile| [(tile.x.0, tile.y.0), (tile.x.1, tile.y.1)]).collect()
        }
    }
}

fn draw_panel<B: DrawingBackend>(panel: &Panel, area: &Root<B>, look: Look) -> Result<(), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let heat = panel.layers.iter().find_map(|layer| match layer {
        Layer::Heat { tiles, label } => Some((tiles, label)),
        _ => None,
    });
    let (area, scale) = if heat.is_some() {
        let width = area.dim_in_pixel().0;
        let (left, right) = area.split_horizontally(width - look.of(88));
        (left, Some(right))
    } else {
        (area.clone(), None)
    };
    let (logx, logy) = (panel.x.log, panel.y.log);
    // Theory does not stretch the axes, unless it is alone.
    let data = |layer: &&Layer| !matches!(layer, Layer::Line { dashed: true, .. });
    let mut points: Vec<(f64, f64)> = panel.layers.iter().filter(data).flat_map(corners).collect();
    if points.is_empty() {
        points = panel.layers.iter().flat_map(corners).collect();
    }
    let xs: Vec<f64> = points.iter().map(|(x, _)| on(logx, *x)).collect();
    let ys: Vec<f64> = points.iter().map(|(_, y)| on(logy, *y)).collect();
    let (x, y) = (range(&xs, heat.is_some()), range(&ys, heat.is_some()));
    // Circles are to be round.
    let (wide, high) = area.dim_in_pixel();
    let spare = if panel.equal {
        (i64::from(wide) - i64::from(look.of(90)), i64::from(high) - i64::from(look.of(86)))
    } else {
        (0, 0)
    };
    let beside = u32::try_from((spare.0 - spare.1) / 2).unwrap_or(0);
    let above = u32::try_from((spare.1 - spare.0) / 2).unwrap_or(0);
    let mut chart = ChartBuilder::on(&area)
        .margin_top(look.of(8) + above)
        .margin_bottom(look.of(8) + above)
        .margin_left(look.of(8) + beside)
        .margin_right(look.of(16) + beside)
        .caption(&panel.title, look.fitting(15, &panel.title, wide))
        .x_label_area_size(look.of(46))
        .y_label_area_size(look.of(60))
        .build_cartesian_2d(Scale::new(logx, x), Scale::new(logy, y))
        .map_err(|error| said(&error))?;
    chart
        .configure_mesh()
        .x_desc(&panel.x.label)
        .y_desc(&panel.y.label)
        .set_all_tick_mark_size(look.of(5))
        .label_style(look.font(13))
        .axis_desc_style(look.font(14))
        .light_line_style(TRANSPARENT)
        .bold_line_style(if heat.is_some() { TRANSPARENT } else { BLACK.mix(0.10) })
        .draw()
        .map_err(|error| said(&error))?;
    let most = panel
        .layers
        .iter()
        .map(|layer| if let Layer::Points { points, .. } = layer { points.len() } else { 0 });
    let radius = if most.max().unwrap_or(0) > 400 { 2 } else { 4 };
    let axes = Axes { log: (logx, logy), x, y, radius };
    let mut named = false;
    for layer in &panel.layers {
        named |= draw_layer(layer, &axes, &mut chart, look)?;
    }
    if named {
        chart
            .configure_series_labels()
            .legend_area_size(look.of(26))
            .margin(look.of(5))
            .label_font(look.font(12))
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.2))
            .position(legend::place(panel, &|point| axes.share(point)))
            .draw()
            .map_err(|error| said(&error))?;
    }
    if let (Some((tiles, label)), Some(right)) = (heat, scale) {
        draw_scale(extremes(tiles.iter().map(|tile| tile.value)), label, &right, look)?;
    }
    Ok(())
}

type Chart<'a, B> = ChartContext<'a, B, Cartesian2d<Scale, Scale>>;

/// The axes of a panel: which are logarithmic, and their ends as drawn.
struct Axes {
    log: (bool, bool),
    x: (f64, f64),
    y: (f64, f64),
    /// Of points, as large as they can be without covering each other.
    radius: u32,
}

impl Axes {
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (on(self.log.0, x), on(self.log.1, y))
    }

    fn shown(&self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        points.iter().map(|point| self.at(*point)).filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    }

    /// Where a point is, as a share of the panel's width and height.
    fn share(&self, point: (f64, f64)) -> (f64, f64) {
        let (x, y) = self.at(point);
        ((x - self.x.0) / (self.x.1 - self.x.0), (y - self.y.0) / (self.y.1 - self.y.0))
    }

    fn inside(&self, (x, y): &(f64, f64)) -> bool {
        *x >= self.x.0 && *x <= self.x.1 && *y >= self.y.0 && *y <= self.y.1
    }
}

/// Draws a layer; whether it is named in the legend.
fn draw_layer<B: DrawingBackend>(
    layer: &Layer,
    axes: &Axes,
    chart: &mut Chart<B>,
    look: Look,
) -> Result<bool, String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    match layer {
        Layer::Heat { tiles, .. } => {
            let (low, high) = extremes(tiles.iter().map(|tile| tile.value));
            let rectangles = tiles.iter().filter(|tile| tile.value.is_finite()).map(|tile| {
                let (a, b) = (axes.at((tile.x.0, tile.y.0)), axes.at((tile.x.1, tile.y.1)));
                Rectangle::new([a, b], shade(tile.value, low, high).filled())
            });
            chart.draw_series(rectangles).map_err(|error| said(&error))?;
            Ok(false)
        }
        Layer::Line { points, label, colour, dashed } => {
            let style = paint(*colour).stroke_width(look.of(2));
            let mut points = axes.shown(points);
            let drawn = if *dashed {
                points.retain(|point| axes.inside(point));
                chart
                    .draw_series(DashedLineSeries::new(points, look.of(6), look.of(4), style))
                    .map_err(|error| said(&error))?
            } else {
                chart.draw_series(LineSeries::new(points, style)).map_err(|error| said(&error))?
            };
            if let Some(label) = label {
                drawn.label(label).legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + look.of(18).cast_signed(), y)], style)
                });
            }
            Ok(label.is_some())
        }
        Layer::Points { points, label, colour } => {
            let colour = paint(*colour).filled();
            let points = axes.shown(points);
            let radius = look.of(axes.radius);
            let circles = points.into_iter().map(|point| Circle::new(point, radius, colour));
            let drawn = chart.draw_series(circles).map_err(|error| said(&error))?;
            if let Some(label) = label {
                drawn
                    .label(label)
                    .legend(move |(x, y)| Circle::new((x + look.of(9).cast_signed(), y), look.of(4), colour));
            }
            Ok(label.is_some())
        }
        Layer::Band { points, colour } => {
            let upper: Vec<(f64, f64)> = points.iter().map(|(x, _, high)| (*x, *high)).collect();
            let lower: Vec<(f64, f64)> = points.iter().rev().map(|(x, low, _)| (*x, *low)).collect();
            let outline = [axes.shown(&upper), axes.shown(&lower)].concat();
            let area = Polygon::new(outline, paint(*colour).mix(0.2).filled());
            chart.draw_series(std::iter::once(area)).map_err(|error| said(&error))?;
            Ok(false)
        }
        Layer::Intervals { points, colour } => {
            let style = paint(*colour).stroke_width(look.of(2));
            let lines = points
                .iter()
                .map(|(x, low, high)| PathElement::new([axes.at((*x, *low)), axes.at((*x, *high))], style));
            chart.draw_series(lines).map_err(|error| said(&error))?;
            Ok(false)
        }
    }
}

/// The colour scale beside a heat map.
fn draw_scale<B: DrawingBackend>(
    ends: (f64, f64),
    label: &str,
    area: &Root<B>,
    look: Look,
) -> Result<(), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let mut chart = ChartBuilder::on(area)
        .margin_top(look.of(34))
        .margin_bottom(look.of(54))
        .margin_right(look.of(22))
        .right_y_label_area_size(look.of(48))
        .build_cartesian_2d(0.0..1.0, ends.0..ends.1)
        .map_err(|error| said(&error))?
        .set_secondary_coord(0.0..1.0, Scale::new(false, ends));
    let steps = 128;
    let height = (ends.1 - ends.0) / f64::from(steps);
    let bars = (0..steps).map(|step| {
        let low = ends.0 + f64::from(step) * height;
        Rectangle::new(
            [(0.0, low), (1.0, low + 1.01 * height)],
            shade(low + height / 2.0, ends.0, ends.1).filled(),
        )
    });
    chart.draw_series(bars).map_err(|error| said(&error))?;
    chart
        .configure_secondary_axes()
        .y_desc(label)
        .label_style(look.font(12))
        .axis_desc_style(look.font(13))
        .draw()
        .map_err(|error| said(&error))
}

fn extremes(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    let numbers: Vec<f64> = numbers.filter(|number| number.is_finite()).collect();
    range(&numbers, true)
}

fn shade(value: f64, low: f64, high: f64) -> RGBColor {
    ViridisRGB.get_color_normalized(value, low, high)
}

fn paint(colour: usize) -> RGBColor {
    if colour == THEORY { BLACK } else { PALETTE[colour % PALETTE.len()] }
}
