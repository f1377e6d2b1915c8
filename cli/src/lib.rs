//! `catnap`: Catnap's command line.

mod chart;
pub mod doctor;
mod plan;
mod recording;
mod table;

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use plan::Options;

/// Scale-to-zero for EC2 instances.
#[derive(Debug, Parser)]
#[command(name = "catnap", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Replays recorded traffic through the stopper's own decision: hours, naps and money, before anything is installed
    ///
    /// FILE is CloudWatch's NetworkIn of one instance, Sum, each 300 or 60 seconds. Either what this prints:
    ///
    ///     aws cloudwatch get-metric-data --start-time 2026-01-01T00:00:00Z --end-time 2026-01-15T00:00:00Z \
    ///       --metric-data-queries '[{"Id":"m","MetricStat":{"Period":300,"Stat":"Sum","Metric":{
    ///         "Namespace":"AWS/EC2","MetricName":"NetworkIn",
    ///         "Dimensions":[{"Name":"InstanceId","Value":"i-0123456789abcdef0"}]}}}]'
    ///
    /// or CSV with the columns timestamp and value (times without a zone are UTC).
    #[command(verbatim_doc_comment)]
    Plan {
        /// The recording; - reads standard input
        file: PathBuf,
        #[command(flatten)]
        options: Options,
        /// How to print the result
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
        /// Draw traffic, floor and naps into this file
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// Tables to read
    Text,
    /// For programs
    Json,
}

/// What a user can mend.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}: {1}")]
    File(String, io::Error),
    #[error(transparent)]
    Recording(#[from] recording::Unreadable),
    #[error("the result cannot be written: {0}")]
    Output(#[from] io::Error),
    #[error("the result cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// The whole of `catnap`.
#[must_use]
pub fn main() -> ExitCode {
    let Command::Plan { file, options, output, svg } = Arguments::parse().command;
    match plan(&file, &options, output, svg.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        // Who closed the pipe has read enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn plan(file: &Path, options: &Options, output: Output, svg: Option<&Path>) -> Result<(), Failure> {
    let name = if file == Path::new("-") { "standard input".into() } else { file.display().to_string() };
    let text = read(file).map_err(|error| Failure::File(name.clone(), error))?;
    let recording = recording::read(&name, &text)?;
    let plan = plan::plan(&name, &recording, options);
    if let Some(svg) = svg {
        let drawn = chart::draw(&recording, &plan);
        fs::write(svg, drawn).map_err(|error| Failure::File(svg.display().to_string(), error))?;
    }
    let mut stdout = io::stdout().lock();
    match output {
        Output::Text => stdout.write_all(table::print(&plan).as_bytes())?,
        Output::Json => writeln!(stdout, "{}", serde_json::to_string_pretty(&plan)?)?,
    }
    Ok(())
}

fn read(file: &Path) -> io::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    fs::read_to_string(file)
}
