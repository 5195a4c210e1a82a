//! `metasweep report`: one self-contained page about a dataset: what was swept, where and how, figures with the mouse on them,
//! a table that sorts, the replicas that failed.
//!
//! The page is a template with the charting library ([ECharts](https://echarts.apache.org), Apache 2.0) and the data in it as JSON. Every
//! text of the sweep goes through that JSON and is written into the page by `textContent`: none is ever markup.

mod model;

use std::path::Path;

use crate::dataset::Dataset;
use crate::error::AnalysisError;

pub use self::model::{Page, page};

const TEMPLATE: &str = include_str!("template.html");
const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");
const ECHARTS: &str = include_str!("../../assets/echarts.min.js");

/// Writes the page about a dataset.
///
/// # Errors
/// If the dataset cannot be read or the file not be written.
pub fn write(dataset: &Dataset, path: &Path) -> Result<(), AnalysisError> {
    let wrong = |what: String| AnalysisError::Write { path: path.to_owned(), what };
    let json = serde_json::to_string(&page(dataset)?).map_err(|error| wrong(error.to_string()))?;
    std::fs::write(path, render(&json)).map_err(|error| wrong(error.to_string()))
}

/// The page with this JSON in it.
fn render(json: &str) -> String {
    // Inside a script element only `</` and `<!--` could end or change it; U+2028 and U+2029 end lines in old engines.
    let json = json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    let mut page = String::with_capacity(json.len() + ECHARTS.len() + 64_000);
    for piece in TEMPLATE.split_inclusive("-->") {
        let (text, mark) = piece.split_once("<!--@").unwrap_or((piece, ""));
        page.push_str(text);
        page.push_str(match mark.trim_end_matches("-->") {
            "style" => STYLE,
            "echarts" => ECHARTS,
            "data" => &json,
            "script" => SCRIPT,
            _ => "",
        });
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_sweep_leaves_its_script() {
        let json =
            serde_json::to_string(&["</script><script>alert(1)</script>", "<!--@style-->", "\u{2028}"])
                .unwrap();
        let page = render(&json);
        assert!(!page.contains("alert(1)</script>") && !page.contains("</script><script>alert"));
        assert!(page.contains("\\u003c/script>\\u003cscript>alert(1)\\u003c/script>"));
        assert!(page.contains("\\u003c!--@style-->"));
        assert!(page.ends_with("</html>\n"));
    }
}
