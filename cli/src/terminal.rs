//! What goes to the terminal: data to stdout, talk to stderr, colours only where they show.

#[cfg(feature = "aws")]
use std::io::IsTerminal;
use std::io::{self, Write};

/// Writes data: without colours where nobody would see them, or where `NO_COLOR` is set.
pub(crate) fn say(text: &str) -> io::Result<()> {
    anstream::stdout().lock().write_all(text.as_bytes())
}

/// Before what is shown again and again: a clean screen, if it is one.
#[cfg(feature = "aws")]
pub(crate) fn clear_screen() -> io::Result<()> {
    if io::stdout().is_terminal() {
        io::stdout().write_all(b"\x1b[H\x1b[2J")?;
    }
    Ok(())
}

/// Waits for what may take a while. After a second it says what for, if someone looks.
#[cfg(feature = "aws")]
pub(crate) async fn patiently<T>(words: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if let Ok(done) = tokio::time::timeout(std::time::Duration::from_secs(1), &mut work).await {
        return done;
    }
    let looks = io::stderr().is_terminal();
    let write = |text: &str| {
        let _ = write!(io::stderr(), "{text}").and_then(|()| io::stderr().flush());
    };
    if looks {
        write(&format!("{words} …"));
    }
    let done = work.await;
    if looks {
        write("\r\x1b[K");
    }
    done
}

/// How far it is: a line of talk.
#[cfg(feature = "aws")]
pub(crate) fn talk(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
