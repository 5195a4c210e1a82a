//! A figure before it is drawn: panels with axes and layers of numbers, all of them from the dataset. `--out x.json` writes this.

use serde::Serialize;

/// An axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// Whether it is logarithmic; numbers are given as they are.
    pub log: bool,
}

impl Axis {
    /// A linear axis.
    #[must_use]
    pub fn linear(label: &str) -> Self {
        Axis { label: label.to_owned(), log: false }
    }

    /// A logarithmic axis.
    #[must_use]
    pub fn log(label: &str) -> Self {
        Axis { label: label.to_owned(), log: true }
    }
}

/// A rectangle of a heat map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tile {
    /// From, to.
    pub x: (f64, f64),
    /// From, to.
    pub y: (f64, f64),
    /// Its value.
    pub value: f64,
}

/// Numbers and how they are drawn. `colour` counts through the palette.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Layer {
    /// A line.
    Line {
        /// Its points.
        points: Vec<(f64, f64)>,
        /// For the legend.
        label: Option<String>,
        /// See above.
        colour: usize,
        /// Theory is dashed, data are not.
        dashed: bool,
    },
    /// The area between two lines.
    Band {
        /// x, low, high.
        points: Vec<(f64, f64, f64)>,
        /// See above.
        colour: usize,
    },
    /// Points.
    Points {
        /// Where.
        points: Vec<(f64, f64)>,
        /// For the legend.
        label: Option<String>,
        /// See above.
        colour: usize,
    },
    /// Vertical intervals.
    Intervals {
        /// x, low, high.
        points: Vec<(f64, f64, f64)>,
        /// See above.
        colour: usize,
    },
    /// A heat map.
    Heat {
        /// Its rectangles.
        tiles: Vec<Tile>,
        /// What the colours show.
        label: String,
    },
}

impl Layer {
    /// Its name in the legend, if it has one.
    #[must_use]
    pub fn label(&self) -> Option<&String> {
        match self {
            Layer::Line { label, .. } | Layer::Points { label, .. } => label.as_ref(),
            Layer::Band { .. } | Layer::Intervals { .. } | Layer::Heat { .. } => None,
        }
    }

    /// A line of data.
    #[must_use]
    pub fn line(points: Vec<(f64, f64)>, label: impl Into<Option<String>>, colour: usize) -> Self {
        Layer::Line { points, label: label.into(), colour, dashed: false }
    }

    /// A line of theory.
    #[must_use]
    pub fn theory(points: Vec<(f64, f64)>, label: &str) -> Self {
        Layer::Line { points, label: Some(label.to_owned()), colour: BLACK, dashed: true }
    }
}

/// The colour of theory lines.
pub const BLACK: usize = usize::MAX;

/// A panel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Panel {
    /// Above it.
    pub title: String,
    /// Horizontal.
    pub x: Axis,
    /// Vertical.
    pub y: Axis,
    /// From the back to the front.
    pub layers: Vec<Layer>,
    /// Whether a unit is as long on both axes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub equal: bool,
}

impl Panel {
    /// A panel whose axes fill it.
    #[must_use]
    pub fn new(title: impl Into<String>, x: Axis, y: Axis, layers: Vec<Layer>) -> Self {
        Panel { title: title.into(), x, y, layers, equal: false }
    }
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Above all panels.
    pub title: String,
    /// In reading order.
    pub panels: Vec<Panel>,
}

/// A step function through these points: constant until the next one.
#[must_use]
pub fn staircase(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut steps = Vec::with_capacity(2 * points.len());
    for (index, (x, y)) in points.iter().enumerate() {
        if index > 0 {
            steps.push((*x, points[index - 1].1));
        }
        steps.push((*x, *y));
    }
    steps
}
