//! The sandbox's web page: a browser window onto the simulated app, the world behind it, and all that can be done to
//! both. `cargo run -p sandbox` serves it.
//!
//! The world lives on a thread of its own ([`live`]), where time passes; the server ([`server`]) only passes on. The
//! page has one stream of events with all that changes. The browser window is a frame whose origin is a second port:
//! what is sent there goes into the world ([`window`]).

mod app;
mod command;
mod command_line;
mod frame;
mod live;
mod pace;
mod people;
mod server;
mod telling;
mod window;

pub use command_line::main;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;

use crate::sandbox::SetupError;
use live::{Ask, Live};

/// Why the page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Something else listens at this address.
    #[error(
        "port {} on {} is in use by another program. End that, or take another port: --port 0 (with make: PORT=0) takes \
         any that is free.",
        .0.port(),
        .0.ip()
    )]
    InUse(SocketAddr),
    /// The system does not let us listen there.
    #[error("cannot listen at {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The world cannot be set up.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// The page, ready to be served.
#[derive(Debug)]
pub struct Page {
    page: TcpListener,
    window: TcpListener,
    address: SocketAddr,
    world: mpsc::Sender<Ask>,
}

impl Page {
    /// Begins a world, and listens at `host`. Port 0 takes any that is free.
    ///
    /// # Errors
    /// An address at which nothing can listen, or a system without resources.
    pub fn open(host: IpAddr, port: u16) -> Result<Self, PageError> {
        let listen = |at: SocketAddr| {
            TcpListener::bind(at).and_then(|listener| {
                listener.set_nonblocking(true)?;
                let address = listener.local_addr()?;
                Ok((listener, address))
            })
        };
        let at = SocketAddr::new(host, port);
        let (page, address) = listen(at).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => PageError::InUse(at),
            _ => PageError::Listen(at, error),
        })?;
        // The next port, so that both can be passed on from another machine; else any.
        let beside = SocketAddr::new(host, address.port().wrapping_add(1));
        let any = SocketAddr::new(host, 0);
        let (window, beside) =
            listen(beside).or_else(|_| listen(any)).map_err(|error| PageError::Listen(any, error))?;
        let live = Live::new((address.port(), beside.port()))?;
        let (world, asks) = mpsc::channel();
        thread::spawn(move || live.run(&asks));
        Ok(Self { page, window, address, world })
    }

    /// Where the page is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is dropped.
    ///
    /// # Errors
    /// What the system says when it takes no connections any more.
    pub async fn serve(self) -> io::Result<()> {
        server::serve(self.page, self.window, self.world).await
    }
}
