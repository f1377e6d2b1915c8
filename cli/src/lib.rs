//! `catnap`: Catnap's command line.

#![recursion_limit = "256"] // the SDK nests its futures deeply

#[cfg(feature = "aws")]
mod account;
mod advice;
mod arguments;
mod chart;
#[cfg(feature = "aws")]
mod commands;
pub mod doctor;
pub mod drill;
mod plan;
mod recording;
pub mod status;
mod table;
mod terminal;
pub mod verbs;
mod words;

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use arguments::{Arguments, Command, Output};
use plan::Options;
use recording::Recording;
use terminal::say;

/// The status of a command that could not do its work, or was not understood: beside the doctor's 0, 1 and 2, as monitoring systems want it.
const FAILED: u8 = 3;

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
    #[cfg(feature = "aws")]
    #[error("{0}")]
    Refused(String),
    #[cfg(feature = "aws")]
    #[error("{0}\nit may be asleep now: catnap wake wakes it, catnap doctor says what is wrong")]
    Drill(#[from] drill::Failed),
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Session(#[from] account::SessionError),
    #[cfg(feature = "aws")]
    #[error(transparent)]
    SetUp(#[from] account::SetUpError),
}

/// The whole of `catnap`.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(told) => {
            let status = if told.use_stderr() { FAILED } else { 0 }; // what is asked for, such as --help, is no error
            let _ = told.print();
            return ExitCode::from(status);
        }
    };
    match run(arguments) {
        Ok(status) => ExitCode::from(status),
        // Who closed the pipe has read enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(FAILED)
        }
    }
}

fn complain(error: &Failure) {
    let style = anstyle::AnsiColor::Red.on_default().bold();
    let _ = writeln!(anstream::stderr(), "{style}error:{style:#} {error}");
}

fn run(arguments: Arguments) -> Result<u8, Failure> {
    match arguments.command {
        Command::Plan { file: Some(file), options, output, svg, .. } => {
            let (name, recording) = recorded(&file)?;
            show_plan(&name, &recording, &options, output, svg.as_deref())
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "catnap", &mut script);
            io::stdout().lock().write_all(&script)?;
            Ok(0)
        }
        #[cfg(not(feature = "aws"))]
        Command::Plan { file: None, .. } => Ok(0), // clap asks for a file
        #[cfg(feature = "aws")]
        command => in_account(&arguments.session, command),
    }
}

#[cfg(feature = "aws")]
#[tokio::main(flavor = "current_thread")]
async fn in_account(session: &account::Session, command: Command) -> Result<u8, Failure> {
    commands::run(session, command).await
}

fn recorded(file: &Path) -> Result<(String, Recording), Failure> {
    let name = if file == Path::new("-") { "standard input".into() } else { file.display().to_string() };
    let text = read(file).map_err(|error| Failure::File(name.clone(), error))?;
    let recording = recording::read(&name, &text)?;
    Ok((name, recording))
}

fn show_plan(
    name: &str,
    recording: &Recording,
    options: &Options,
    output: Output,
    svg: Option<&Path>,
) -> Result<u8, Failure> {
    let plan = plan::plan(name, recording, options);
    if let Some(svg) = svg {
        let drawn = chart::draw(recording, &plan);
        fs::write(svg, drawn).map_err(|error| Failure::File(svg.display().to_string(), error))?;
    }
    match output {
        Output::Text => say(&table::print(&plan))?,
        Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(&plan)?))?,
    }
    Ok(0)
}

fn read(file: &Path) -> io::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    fs::read_to_string(file)
}
