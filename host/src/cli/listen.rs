//! Where a run is shown over HTTP.

use std::env;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::parse;
use crate::compose::failure::{Failure, Status};
use crate::compose::listen::Listen;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub(super) struct ListenArgs {
    /// Show metrics for Prometheus, what consumers do and what happens over HTTP, at this address
    ///
    /// Without it: the variable `LOGHOST_LISTEN` (an empty one counts as none), and otherwise nothing listens. Port 0 is any
    /// free one. Another address than one of the loopback interface needs `--listen-token-file`.
    #[arg(long, value_name = "ADDRESS", value_parser = parse::listen, conflicts_with = "declare_only")]
    listen: Option<SocketAddr>,

    /// Answer only who sends `Authorization: Bearer TOKEN`, with the token in this file; `/live` and `/ready` tell anybody
    ///
    /// Without it: the variable `LOGHOST_LISTEN_TOKEN_FILE`. The token is at least 16 characters, as `openssl rand -hex 32`
    /// prints them, and only the file's owner and group may read it.
    #[arg(long, value_name = "FILE")]
    listen_token_file: Option<PathBuf>,
}

const ADDRESS_VARIABLE: &str = "LOGHOST_LISTEN";
const TOKEN_VARIABLE: &str = "LOGHOST_LISTEN_TOKEN_FILE";

impl ListenArgs {
    /// Where to listen, if anywhere.
    pub(super) fn listen(self) -> Result<Option<Listen>, Failure> {
        let status = if self.listen.is_some() { Status::Usage } else { Status::BadConfiguration };
        let address = match self.listen {
            Some(address) => Some(address),
            None => from_environment()?,
        };
        let of_environment =
            || env::var_os(TOKEN_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let token_file = self.listen_token_file.or_else(of_environment);
        let Some(address) = address else { return Ok(None) };
        if !address.ip().is_loopback() && token_file.is_none() {
            let text = format!(
                "--listen {address}: others than this machine can reach that: give the file of a token that they must know \
                 (openssl rand -hex 32 > FILE; chmod 600 FILE) with --listen-token-file FILE, or listen at 127.0.0.1"
            );
            return Err(Failure::new(status, text));
        }
        Ok(Some(Listen { address, token_file }))
    }
}

fn from_environment() -> Result<Option<SocketAddr>, Failure> {
    let Some(text) = env::var_os(ADDRESS_VARIABLE).filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = |reason: &dyn Display| {
        Failure::new(Status::BadConfiguration, format!("{ADDRESS_VARIABLE}: {reason}"))
    };
    let text = text.to_str().ok_or_else(|| wrong(&"this is not UTF-8"))?;
    parse::listen(text).map(Some).map_err(|error| wrong(&error))
}
