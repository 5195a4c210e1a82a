//! `metasweep summary`: a line a cell.

use std::process::ExitCode;

use metasweep_analysis::condition::Condition;
use metasweep_analysis::dataset::Dataset;
use metasweep_analysis::error::AnalysisError;
use metasweep_analysis::paired::{aligned, paired};
use metasweep_analysis::summary::summarize;

use crate::arguments::Summary;
use crate::failure::Failure;
use crate::output::print;

impl From<AnalysisError> for Failure {
    fn from(error: AnalysisError) -> Self {
        Failure::with_code(error.exit_code(), error)
    }
}

/// Opens a dataset and reads a condition on its cells.
pub fn open(dir: &std::path::Path, condition: &str) -> Result<(Dataset, Condition), Failure> {
    let dataset = Dataset::open(dir)?;
    let keys: Vec<&str> = dataset
        .cells
        .first()
        .map_or_else(Vec::new, |cell| cell.parameters.keys().map(String::as_str).collect());
    let condition = Condition::parse(condition, &keys)?;
    Ok((dataset, condition))
}

/// Prints it.
pub fn run(options: &Summary) -> Result<ExitCode, Failure> {
    let (dataset, condition) = open(&options.dir, &options.condition)?;
    if let Some(key) = &options.paired {
        let differences = paired(&dataset, &condition, key)?;
        let text = if options.json {
            serde_json::to_string_pretty(&differences).map_err(Failure::failed)?
        } else {
            aligned(key, &differences)
        };
        print(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let summary = summarize(&dataset, &condition, &options.by)?;
    if let Some(path) = &options.parquet {
        summary.parquet(path)?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = if options.json {
        serde_json::to_string_pretty(&summary).map_err(Failure::failed)?
    } else if options.csv {
        summary.csv()
    } else {
        summary.aligned()
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
