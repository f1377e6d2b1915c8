//! The page from the command line.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program to be read")]

use std::io;
use std::net::IpAddr;
use std::process::ExitCode;

use clap::Parser;

use super::{Page, PageError};

/// Catnap's real pair in a simulated cloud, in a browser: to look at, and to break
#[derive(Debug, Parser)]
#[command(name = "sandbox", version)]
struct Arguments {
    /// Where the page is served; 0 takes any free port. The app in its window is on the next one
    #[arg(long, default_value_t = 4747)]
    port: u16,
    /// Who may look: 127.0.0.1 is this machine alone, 0.0.0.0 everybody who can reach it
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
}

/// Serves the page until Ctrl-C.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let served = Page::open(arguments.host, arguments.port).and_then(|page| {
        let address = page.address();
        serve(page).map_err(|error| PageError::Listen(address, error))
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(page: Page) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("The sandbox: http://{}   (Ctrl-C ends it)", page.address());
    runtime.block_on(async {
        tokio::select! {
            served = page.serve() => served,
            ended = tokio::signal::ctrl_c() => ended,
        }
    })?;
    println!();
    Ok(())
}
