//! Where a run is shown over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::parse;
use crate::compose::failure::{Failure, Status};
use crate::compose::listen::Listen;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub(super) struct ListenArgs {
    /// Show consumers on a page, metrics for Prometheus and what happens over HTTP, at this address
    ///
    /// Without it, nothing listens. Port 0 is any free one. Another address than one of the loopback interface needs `--listen-token-file`.
    #[arg(long, value_name = "ADDRESS", value_parser = parse::listen, conflicts_with = "declare_only")]
    listen: Option<SocketAddr>,

    /// Answer only who sends `Authorization: Bearer TOKEN`, with the token in this file; `/live` and `/ready` tell anybody
    ///
    /// The page asks for it. The token is at least 16 characters, as `openssl rand -hex 32` prints them, and only the file's
    /// owner and group may read it.
    #[arg(long, value_name = "FILE")]
    listen_token_file: Option<PathBuf>,
}

impl ListenArgs {
    /// Where to listen, if anywhere.
    pub(super) fn listen(self) -> Result<Option<Listen>, Failure> {
        let Some(address) = self.listen else { return Ok(None) };
        if !address.ip().is_loopback() && self.listen_token_file.is_none() {
            let text = format!(
                "--listen {address}: others than this machine can reach that: give the file of a token that they must know \
                 (openssl rand -hex 32 > FILE; chmod 600 FILE) with --listen-token-file FILE, or listen at 127.0.0.1"
            );
            return Err(Failure::new(Status::Usage, text));
        }
        Ok(Some(Listen { address, token_file: self.listen_token_file }))
    }
}
