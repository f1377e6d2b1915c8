//! What `catnap` takes.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use crate::plan::Options;

/// Scale-to-zero for EC2 instances
#[derive(Debug, Parser)]
#[command(name = "catnap", version, about, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    pub(crate) session: crate::account::Session,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Is the set-up right? Says what is wrong, why it matters, and the command that mends it
    ///
    /// Reads the account and changes nothing. Exits with 0 when all is well, with 2 on errors, with 1 on warnings if
    /// --strict is given, and with 3 when it could not look.
    #[cfg(feature = "aws")]
    #[command(after_help = "\
Examples:
  catnap doctor                           the stack named catnap
  catnap doctor wiki --region us-east-1   the stack wiki
  catnap doctor --domain app.example.com  a set-up made by hand
  catnap doctor --strict --output json    for a monitor")]
    Doctor {
        #[command(flatten)]
        of: Of,
        /// Let warnings count: exit with 1 if there is one
        #[arg(long)]
        strict: bool,
        /// How to print the findings
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
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
    /// Prints completions for a shell
    #[command(after_help = "\
Examples:
  catnap completions bash > ~/.local/share/bash-completion/completions/catnap
  catnap completions zsh > \"${fpath[1]}/_catnap\"
  catnap completions fish > ~/.config/fish/completions/catnap.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Which set-up is meant.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Of {
    /// The stack's name [default: catnap]
    #[arg(env = "CATNAP_STACK", hide_env_values = true)]
    stack: Option<String>,
    /// The app's host name: of a set-up made by hand, or of one among many that a stack serves
    #[arg(long, value_name = "NAME", value_parser = readable::<shared::model::HostName>)]
    domain: Option<shared::model::HostName>,
    /// The instance, where neither the stack nor a tag names it
    #[arg(long, value_name = "ID", value_parser = readable::<shared::model::InstanceId>)]
    instance: Option<shared::model::InstanceId>,
}

#[cfg(feature = "aws")]
fn readable<T: std::str::FromStr<Err = shared::model::Unreadable>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("it {error}"))
}

#[cfg(feature = "aws")]
impl From<Of> for crate::account::Of {
    fn from(Of { stack, domain, instance }: Of) -> Self {
        // A name or an instance alone is a set-up made by hand.
        let stack = stack.or_else(|| (domain.is_none() && instance.is_none()).then(|| "catnap".into()));
        Self { stack, domain, instance }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// To read
    Text,
    /// For programs
    Json,
}
