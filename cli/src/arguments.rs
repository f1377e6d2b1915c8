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
    /// --strict is given, and with 3 when it could not look at all of it.
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
    /// Why is it up, or asleep? What the stopper would decide now, why, and what would change it
    ///
    /// By the stopper's own observation and decision, so the reasons are those of its log. The hours of this month are
    /// counted by where NetworkIn has datapoints.
    #[cfg(feature = "aws")]
    #[command(after_help = "\
Examples:
  catnap status                    every app that the stack catnap serves
  catnap status --watch            the same, again and again
  catnap status --domain app.example.com --output json

Who woke it? The starter's log has the class of each request that did:
  aws logs tail /aws/lambda/catnap-starter --since 3h --filter-pattern '{ $.action = \"start\" }'")]
    Status {
        #[command(flatten)]
        of: Of,
        /// Look again and again: every 30 seconds (metrics come no faster), or as often as is said
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "30",
            value_parser = clap::value_parser!(u64).range(1..=86_400))]
        watch: Option<u64>,
        /// How to print it
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// Wakes the instance
    #[cfg(feature = "aws")]
    #[command(after_help = "\
Examples:
  catnap wake                           the app of the stack catnap
  catnap wake --domain app.example.com  before a demo")]
    Wake {
        #[command(flatten)]
        of: Of,
        /// Wake it even if it is on hold
        #[arg(long)]
        force: bool,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Naps the instance now, if the stopper would
    #[cfg(feature = "aws")]
    #[command(after_help = "\
Examples:
  catnap nap            stops it if nobody uses it; else says who or what keeps it
  catnap nap --dry-run  would it?
  catnap nap --force    stops it whoever uses it")]
    Nap {
        #[command(flatten)]
        of: Of,
        /// Stop it whoever uses it
        #[arg(long)]
        force: bool,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Keeps it awake until a time: the tag catnap:keep-awake-until
    #[cfg(feature = "aws")]
    #[command(after_help = "\
Examples:
  catnap keep-awake --for 3h
  catnap keep-awake --until 2026-01-31T18:00:00+01:00
  catnap keep-awake --off

It is not woken by this: for that there is catnap wake.")]
    KeepAwake {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        until: Until,
        /// Take the tag away
        #[arg(long, conflicts_with_all = ["until", "lasts"], required_unless_present_any = ["until", "lasts"])]
        off: bool,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Never naps it: the tag catnap:protect
    #[cfg(feature = "aws")]
    #[command(after_help = "Examples:\n  catnap protect\n  catnap protect --off")]
    Protect {
        #[command(flatten)]
        of: Of,
        /// Take the tag away
        #[arg(long)]
        off: bool,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Keeps it asleep, whoever comes: the tag catnap:hold
    #[cfg(feature = "aws")]
    #[command(after_help = "\
Examples:
  catnap hold             until further notice
  catnap hold --for 12h   over night
  catnap hold --off

It is not stopped by this: for that there is catnap nap.")]
    Hold {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        until: Until,
        /// Take the tag away
        #[arg(long, conflicts_with_all = ["until", "lasts"])]
        off: bool,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Does the failover still work? Naps the instance, visits it as a browser would, and reports each step's seconds
    ///
    /// Stops the instance if nobody uses it, follows DNS to the waiting page, makes its wake call and its polls,
    /// follows it to the app, and waits until DNS leads there. The seconds are kept in the tag catnap:last-drill, and
    /// shown beside those of the next drill.
    #[cfg(feature = "aws")]
    #[command(after_help = "\
Examples:
  catnap drill            once a month, at a quiet hour
  catnap drill --dry-run  could it be done now?")]
    Drill {
        #[command(flatten)]
        of: Of,
        /// Stop it whoever uses it
        #[arg(long)]
        force: bool,
        /// Say whether it would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// How to print the seconds
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// What would it save? Replays past traffic through the stopper's own decision: hours, naps, money, settings
    ///
    /// Without FILE the traffic is fetched: NetworkIn of the instance, its health check, and the stack's settings if
    /// there is a stack. With --instance it needs ec2:DescribeInstances and cloudwatch:GetMetricData; the settings
    /// take cloudformation:DescribeStacks and DescribeStackResource, the health check route53:ListHostedZones,
    /// ListResourceRecordSets and GetHealthCheck, and without these it does without. It changes nothing.
    ///
    /// FILE is CloudWatch's NetworkIn of one instance, Sum, each 300 or 60 seconds. Either what this prints:
    ///
    ///     aws cloudwatch get-metric-data --start-time 2026-01-01T00:00:00Z --end-time 2026-01-15T00:00:00Z \
    ///       --metric-data-queries '[{"Id":"m","MetricStat":{"Period":300,"Stat":"Sum","Metric":{
    ///         "Namespace":"AWS/EC2","MetricName":"NetworkIn",
    ///         "Dimensions":[{"Name":"InstanceId","Value":"i-0123456789abcdef0"}]}}}]'
    ///
    /// or CSV with the columns timestamp and value (times without a zone are UTC).
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  catnap plan --instance i-0123456789abcdef0 --domain app.example.com --hourly-price 0.0416
  catnap plan --stack catnap --days 30 --svg traffic.svg
  catnap plan traffic.csv --every 5 --idle-minutes 30"
    )]
    Plan {
        /// The recording; - reads standard input
        #[cfg_attr(feature = "aws", arg(conflicts_with_all = ["plan_stack", "domain", "instance", "days"]))]
        #[cfg_attr(not(feature = "aws"), arg(required = true))]
        file: Option<PathBuf>,
        #[cfg(feature = "aws")]
        #[command(flatten)]
        fetch: Fetch,
        #[command(flatten)]
        options: Box<Options>,
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
    /// The stack's name [env: CATNAP_STACK] [default: catnap]
    stack: Option<String>,
    /// The app's host name: of one among many that the stack serves, or else of a set-up made by hand
    #[arg(long, value_name = "NAME", value_parser = readable::<shared::model::HostName>)]
    domain: Option<shared::model::HostName>,
    /// The instance, where neither the stack nor a tag names it
    #[arg(long, value_name = "ID", value_parser = readable::<shared::model::InstanceId>)]
    instance: Option<shared::model::InstanceId>,
}

/// Whose traffic is fetched.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Fetch {
    /// The stack's name [env: CATNAP_STACK] [default: catnap]
    #[arg(id = "plan_stack", long = "stack", value_name = "STACK")]
    stack: Option<String>,
    /// The app's host name
    #[arg(long, value_name = "NAME", value_parser = readable::<shared::model::HostName>)]
    domain: Option<shared::model::HostName>,
    /// The instance
    #[arg(long, value_name = "ID", value_parser = readable::<shared::model::InstanceId>)]
    instance: Option<shared::model::InstanceId>,
    /// Days of traffic: CloudWatch keeps datapoints of five minutes for 63
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(i64).range(1..=63))]
    pub(crate) days: i64,
}

#[cfg(feature = "aws")]
impl From<Fetch> for Of {
    fn from(Fetch { stack, domain, instance, .. }: Fetch) -> Self {
        Self { stack, domain, instance }
    }
}

/// When something ends.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Until {
    /// Until then, such as 2026-01-31T18:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<chrono::DateTime<chrono::Utc>>,
    /// For so long, such as 90m, 3h or 2d
    #[arg(long = "for", value_name = "TIME", conflicts_with = "until",
        value_parser = duration)]
    pub(crate) lasts: Option<chrono::TimeDelta>,
}

#[cfg(feature = "aws")]
fn time(text: &str) -> Result<chrono::DateTime<chrono::Utc>, String> {
    crate::verbs::read_time(text).map_err(|error| format!("it {error}"))
}

#[cfg(feature = "aws")]
fn duration(text: &str) -> Result<chrono::TimeDelta, String> {
    crate::verbs::read_duration(text).map_err(|error| format!("it {error}"))
}

#[cfg(feature = "aws")]
fn readable<T: std::str::FromStr<Err = shared::model::Unreadable>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("it {error}"))
}

#[cfg(feature = "aws")]
impl From<Of> for crate::account::Of {
    fn from(Of { stack, domain, instance }: Of) -> Self {
        // Not by clap: what is typed has to be there, and beside FILE it would take the variable for an option.
        let usual = std::env::var("CATNAP_STACK").ok().filter(|name| !name.is_empty());
        Self { stack, usual: usual.unwrap_or_else(|| "catnap".into()), domain, instance }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// To read
    Text,
    /// For programs
    Json,
}
