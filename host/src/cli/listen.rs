//! Where a run is shown over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::parse;
use crate::compose::failure::{Failure, Status};
use crate::compose::running::listen::{Listen, Rights};

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "HTTP", mut_args(parse::flag))]
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

    /// Let those who know the token of `--listen-token-file` pause, resume and reload consumers, on the page or with `POST`
    ///
    /// A paused consumer finishes what it has in hand and gives its queue back, where logs wait until it is resumed or another
    /// host takes over. To reload is to load its file again, as at SIGHUP.
    #[arg(long, conflicts_with = "declare_only")]
    control: bool,
}

impl ListenArgs {
    /// Where to listen, if anywhere.
    pub(super) fn listen(self) -> Result<Option<Listen>, Failure> {
        let Self { listen, listen_token_file: token_file, control } = self;
        let rights = if control { Rights::Control } else { Rights::Read };
        let Some(address) = listen else {
            return match rights {
                Rights::Read => Ok(None),
                Rights::Control => Err(Failure::new(
                    Status::Usage,
                    "--control: nothing listens: give an address with --listen, such as 127.0.0.1:9090",
                )),
            };
        };
        if rights == Rights::Control && token_file.is_none() {
            let text = "--control: whoever reaches this machine's ports could control the run: give the file of a token that \
                        they must know with --listen-token-file FILE; this makes one: (umask 077; openssl rand -hex 32 > FILE)";
            return Err(Failure::new(Status::Usage, text));
        }
        if !address.ip().is_loopback() && token_file.is_none() {
            let text = format!(
                "--listen {address}: others than this machine can reach that: listen at 127.0.0.1, or give the file of a token that \
                 they must know with --listen-token-file FILE; this makes one: (umask 077; openssl rand -hex 32 > FILE)"
            );
            return Err(Failure::new(Status::Usage, text));
        }
        Ok(Some(Listen { address, token_file, rights }))
    }
}
