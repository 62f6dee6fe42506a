//! Which broker, and under which names.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use loghost_rabbitmq::{Address, ManagementUrl, Names, Prefix, Retry};

use super::configuration::credentials;
use super::defaults::ShownDefault;
use super::{FormatArg, parse};
use crate::compose::failure::{Failure, Status};
use crate::compose::target::Target;

/// The URL when nobody says otherwise: that of a broker on this machine, as it is installed.
const DEFAULT_URL: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

/// The most bytes of a file with a password.
const MOST_PASSWORD: u64 = 4096;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Broker")]
pub(super) struct ConnectionArgs {
    /// The broker: amqp://user:password@host:port/vhost; several are tried in turn
    ///
    /// Without it: the variables `LOGHOST_BROKER`, `LOGHOST_AMQP_URL`, `AMQP_URL`, `RABBITMQ_URL` and `CLOUDAMQP_URL` (an empty
    /// one counts as none), the configuration file, then `amqp://guest:guest@127.0.0.1:5672/%2f`. An IPv6 address is in brackets, and
    /// what has a meaning in a URL is percent-encoded, such as a `/` in a password (`%2F`). The URL may carry parameters such as `?heartbeat=30` (in
    /// seconds) and `&connection_timeout=2000` (in milliseconds). With TLS it begins with `amqps://`, and
    /// `cacertfile`, `certfile` and `keyfile` name PEM files: whom to trust instead of whom the system trusts,
    /// and a client certificate with its key; `server_name_indication` is the name that the broker's
    /// certificate is for, where that is not the host's.
    // Text, because an error about an argument shows it, and a URL holds a password.
    #[arg(long, value_name = "URL")]
    broker: Vec<String>,

    /// Where its URLs come from, if they are no arguments
    #[arg(long, hide = true)]
    broker_from: Option<String>,

    /// The password of the broker's user, for URLs that have a user and no password
    ///
    /// Such as `amqp://user@host`. Only the file's owner and group may read it; a line end behind the password is left out. A relative path in a
    /// configuration file may also be the name of one of systemd's credentials.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// What the names of the exchanges begin with; another one is part of the queues' names too
    #[arg(long, value_name = "NAME", value_parser = Prefix::from_str)]
    prefix: Option<Prefix>,

    /// How long to try a broker that is not there, has gone, or takes nothing; then the exit status is 69
    ///
    /// Without it: at the start once, and for ever when the connection is lost, a queue is full or the node of
    /// a queue is down. A wrong password or a missing virtual host is not tried again, unless there is another
    /// URL.
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    retry_for: Option<Duration>,

    #[command(flatten)]
    file: FileArgs,
}

/// Which configuration file is read.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Configuration")]
pub(super) struct FileArgs {
    /// Take what no argument and no variable says from this file [default: *]
    ///
    /// Each option of `run` has a key there, and a variable, `LOGHOST_` with its name: --queue-type, `LOGHOST_QUEUE_TYPE` and
    /// `queue-type`. An argument goes before a variable, and that before the file: a flag that is set there is taken back as
    /// `--watch=false`. An empty path stands for no file.
    #[arg(long, value_name = "FILE", value_parser = OsStringValueParser::new().map(PathBuf::from))]
    config: Option<PathBuf>,

    /// Read no configuration file
    #[arg(long, conflicts_with = "config")]
    no_config: bool,
}

impl FileArgs {
    /// The file, if one is named or is in the working directory, and none is not asked for.
    pub(super) fn path(self, variable: Option<PathBuf>, usual: &Path) -> Option<PathBuf> {
        let named = self.config.or(variable);
        let path = named.or_else(|| usual.is_file().then(|| usual.to_owned()))?;
        (!self.no_config && !path.as_os_str().is_empty()).then_some(path)
    }
}

pub(super) fn defaults() -> Vec<ShownDefault> {
    vec![("prefix", Prefix::default().to_string())]
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Broker")]
pub(super) struct ManagementArgs {
    /// RabbitMQ's management plugin, which is asked what AMQP does not tell: delivery limits, bindings, policies
    ///
    /// Without it: the broker's host, at port 15671 if the broker is
    /// reached by TLS, at 15672 as guest:guest. User and password are those of the broker, unless it has others.
    // Text, because an error about an argument shows it, and a URL holds a password.
    #[arg(long, value_name = "URL")]
    management_url: Option<String>,
}

// What commands have in common that ask a broker and its management plugin, and print what they have found. Without
// documentation of its own, which would be that of the commands.
#[derive(Clone, Debug, Args)]
pub(super) struct AskingArgs {
    /// How results are written
    #[arg(long, value_name = "FORMAT")]
    pub(super) format: Option<FormatArg>,

    #[command(flatten)]
    pub(super) connection: ConnectionArgs,

    #[command(flatten)]
    pub(super) management: ManagementArgs,
}

impl ManagementArgs {
    /// The one that is meant, if one is named.
    pub(super) fn url(self) -> Result<Option<ManagementUrl>, Failure> {
        let Some(url) = self.management_url else { return Ok(None) };
        let wrong = |error| Failure::new(Status::Usage, format!("--management-url: {error}"));
        url.parse().map(Some).map_err(wrong)
    }
}

impl ConnectionArgs {
    /// The broker that is meant.
    pub(super) fn target(self) -> Result<Target, Failure> {
        let password = match &self.password_file {
            Some(path) => Some(
                credentials::read(path, MOST_PASSWORD).map_err(|error| error.context("--password-file"))?,
            ),
            None => None,
        };
        let default = [DEFAULT_URL.to_owned()];
        let values = if self.broker.is_empty() { &default[..] } else { &self.broker };
        let addresses = read(values, password.as_deref())?;
        if let Some(password) = password
            && addresses.iter().all(|address| address.access().password != password)
        {
            let text = "--password-file: it is for the broker's user, and no URL has a user without a password: \
                        amqp://user@host:port/vhost";
            return Err(Failure::new(Status::Usage, text));
        }
        let retry = self.retry_for.map_or(Retry::WhenLost, Retry::For);
        let names = Names::new(self.prefix.unwrap_or_default());
        Ok(Target { addresses, from: self.broker_from, names, retry })
    }
}

/// Reads the values of `--broker`.
pub(super) fn addresses(values: &[String]) -> Result<Vec<Address>, Failure> {
    read(values, None)
}

fn read(values: &[String], password: Option<&str>) -> Result<Vec<Address>, Failure> {
    let address = |url: &str| match password {
        Some(password) => Address::with_password(url, password),
        None => url.parse(),
    };
    let addresses: Result<Vec<Address>, _> =
        values.iter().flat_map(|value| urls(value)).map(address).collect();
    addresses.map_err(|error| Failure::new(Status::Usage, format!("--broker: {error}")))
}

/// The URLs of a list that commas separate; a comma inside a password separates nothing.
pub(super) fn urls(list: &str) -> Vec<&str> {
    let begins_url = |text: &str| {
        let scheme = text.trim_start().split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        scheme.is_some_and(|scheme| scheme == "amqp" || scheme == "amqps")
    };
    let mut urls = Vec::new();
    let mut begin = 0;
    for (comma, _) in list.match_indices(',') {
        let rest = &list[comma + 1..];
        // One that is empty is refused, and not taken for a part of the one before.
        if begins_url(rest) || rest.trim().is_empty() {
            urls.push(list[begin..comma].trim());
            begin = comma + 1;
        }
    }
    urls.push(list[begin..].trim());
    urls
}

#[cfg(test)]
mod tests {
    use super::urls;

    #[test]
    fn a_comma_in_a_password_separates_nothing() {
        assert_eq!(urls("amqp://u:a,b@h,amqps://i"), ["amqp://u:a,b@h", "amqps://i"]);
        assert_eq!(urls("amqp://u:a,amqp@h"), ["amqp://u:a,amqp@h"]);
        assert_eq!(urls("amqp://h"), ["amqp://h"]);
        assert_eq!(urls("amqp://h/%2f, "), ["amqp://h/%2f", ""]);
    }

    #[test]
    fn what_is_around_a_url_is_no_part_of_it() {
        assert_eq!(urls("amqp://h, AMQPS://i\n"), ["amqp://h", "AMQPS://i"]);
    }
}
