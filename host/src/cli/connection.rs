//! Which broker, and under which names.

use std::env;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use loghost_rabbitmq::{Address, ManagementUrl, Names, Prefix, Retry};

use super::defaults::Shown;
use super::parse;
use crate::compose::failure::{Failure, Status};
use crate::compose::target::Target;

/// The URL when nobody says otherwise: that of a broker on this machine, as it is installed.
const DEFAULT_URL: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

/// Where the URL is looked for when there is no `--broker`, in this order.
const VARIABLES: [&str; 4] = ["LOGHOST_AMQP_URL", "AMQP_URL", "RABBITMQ_URL", "CLOUDAMQP_URL"];

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Broker")]
pub(super) struct ConnectionArgs {
    /// The broker: amqp://user:password@host:port/vhost; several are tried in turn
    ///
    /// Without it: the variables `LOGHOST_AMQP_URL`, `AMQP_URL`, `RABBITMQ_URL` and `CLOUDAMQP_URL` (an empty
    /// one counts as none), then `amqp://guest:guest@127.0.0.1:5672/%2f`. An IPv6 address is in brackets, and
    /// what has a meaning in a URL is percent-encoded, such as a `/` in a password (`%2F`). The URL may carry parameters such as `?heartbeat=30` (in
    /// seconds) and `&connection_timeout=2000` (in milliseconds). With TLS it begins with `amqps://`, and
    /// `cacertfile`, `certfile` and `keyfile` name PEM files: whom to trust instead of whom the system trusts,
    /// and a client certificate with its key; `server_name_indication` is the name that the broker's
    /// certificate is for, where that is not the host's.
    // Text, because an error about an argument shows it, and a URL holds a password.
    #[arg(long, value_name = "URL")]
    broker: Vec<String>,

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
}

pub(super) fn defaults() -> Vec<Shown> {
    vec![("prefix", Prefix::default().to_string())]
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Broker")]
pub(super) struct ManagementArgs {
    /// RabbitMQ's management plugin, which is asked what AMQP does not tell: delivery limits, bindings, policies
    ///
    /// Without it: the variable `LOGHOST_MANAGEMENT_URL`; or the broker's host, at port 15671 if the broker is
    /// reached by TLS, at 15672 as guest:guest. User and password are those of the broker, unless it has others.
    // Text, because an error about an argument shows it, and a URL holds a password.
    #[arg(long, value_name = "URL")]
    management_url: Option<String>,
}

impl ManagementArgs {
    /// The one that is meant, if one is named.
    pub(super) fn url(self) -> Result<Option<ManagementUrl>, Failure> {
        let given = self.management_url.map(|url| ("--management-url", Status::Usage, url.into()));
        let of_environment = || {
            let url = env::var_os(MANAGEMENT_VARIABLE).filter(|url| !url.is_empty())?;
            Some((MANAGEMENT_VARIABLE, Status::BadConfiguration, url))
        };
        let Some((name, status, url)) = given.or_else(of_environment) else { return Ok(None) };
        let wrong = |reason: &dyn Display| Failure::new(status, format!("{name}: {reason}"));
        let url = url.to_str().ok_or_else(|| wrong(&NOT_UTF_8))?;
        url.parse().map(Some).map_err(|error| wrong(&error))
    }
}

const NOT_UTF_8: &str = "this is not UTF-8";

const MANAGEMENT_VARIABLE: &str = "LOGHOST_MANAGEMENT_URL";

impl ConnectionArgs {
    /// The broker that is meant.
    pub(super) fn target(self) -> Result<Target, Failure> {
        let (addresses, variable) =
            if self.broker.is_empty() { from_environment()? } else { (addresses(&self.broker)?, None) };
        let retry = self.retry_for.map_or(Retry::WhenLost, Retry::For);
        Ok(Target { addresses, variable, names: Names::new(self.prefix.unwrap_or_default()), retry })
    }
}

/// Reads the values of `--broker`.
pub(super) fn addresses(values: &[String]) -> Result<Vec<Address>, Failure> {
    let addresses: Result<Vec<Address>, _> =
        values.iter().flat_map(|value| urls(value)).map(str::parse).collect();
    addresses.map_err(|error| Failure::new(Status::Usage, format!("--broker: {error}")))
}

/// The addresses that a variable has, with its name, or the default.
fn from_environment() -> Result<(Vec<Address>, Option<&'static str>), Failure> {
    // An empty variable is none; one that cannot be used is not passed over for the next.
    let given = |name| Some((name, env::var_os(name).filter(|value| !value.is_empty())?));
    let found = VARIABLES.into_iter().find_map(given);
    let variable = found.as_ref().map(|(name, _)| *name);
    let value = found.map_or_else(|| DEFAULT_URL.into(), |(_, value)| value);
    let name = variable.unwrap_or("the default");
    let wrong = |reason: &dyn Display| Failure::new(Status::BadConfiguration, format!("{name}: {reason}"));
    let value = value.to_str().ok_or_else(|| wrong(&NOT_UTF_8))?;
    let addresses: Result<Vec<Address>, _> = urls(value).into_iter().map(str::parse).collect();
    Ok((addresses.map_err(|error| wrong(&error))?, variable))
}

/// The URLs of a list that commas separate; a comma inside a password separates nothing.
fn urls(list: &str) -> Vec<&str> {
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
