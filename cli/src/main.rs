//! `catnap`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ec2_catnap::main()
}
