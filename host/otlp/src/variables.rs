//! The variables that say where metrics and traces are sent: those that all programs with `OpenTelemetry` read.
//!
//! Source: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/> and
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>.

#[cfg(test)]
mod tests;

use std::time::Duration;

use loghost_core::domain::{HIDDEN, Sampler, printable_line, without_login};
use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use ureq::http::{HeaderName, HeaderValue, Uri};

use crate::options::{Endpoint, Options};

/// All that are read.
pub const VARIABLES: [&str; 23] = [
    "OTEL_SDK_DISABLED",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_METRICS_EXPORTER",
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
];

/// The value of a variable without what may be secret in it.
pub fn shown(variable: &str, value: &str) -> String {
    match variable {
        variable if variable.ends_with("_HEADERS") => HIDDEN.to_owned(),
        variable if variable.ends_with("_ENDPOINT") => without_login(value),
        _ => value.to_owned(),
    }
}

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct VariableError {
    /// Its name.
    pub name: String,
    /// What is wrong with it; without its value, if that may be secret.
    pub reason: String,
}

/// The one protocol that is spoken.
const PROTOCOL: &str = "http/protobuf";

/// The time between two sendings of metrics, where nothing is said of that.
const INTERVAL: Duration = Duration::from_mins(1);

impl Options {
    /// What variables ask for, of which `variable` gives the value of those that are there; none if nothing is to be sent.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, VariableError> {
        // An empty variable is none.
        let variables = Variables(|name: &str| variable(name).filter(|value| !value.trim().is_empty()));
        if variables.get("OTEL_SDK_DISABLED").is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let (metrics, traces) = (variables.endpoint("METRICS")?, variables.endpoint("TRACES")?);
        if metrics.is_none() && traces.is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            metrics,
            traces,
            interval: variables.time("OTEL_METRIC_EXPORT_INTERVAL")?.unwrap_or(INTERVAL),
            sampler: variables.sampler()?,
            resource: variables.resource()?,
        }))
    }
}

/// The variables that are there and not empty.
struct Variables<F>(F);

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    /// The variable of a signal, or else that of all.
    fn of_signal(&self, signal: &str, what: &str) -> Option<(String, String)> {
        let names = [format!("OTEL_EXPORTER_OTLP_{signal}_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")];
        names.into_iter().find_map(|name| {
            let value = self.get(&name)?;
            Some((name, value))
        })
    }

    /// Where a signal is sent, if it is.
    fn endpoint(&self, signal: &str) -> Result<Option<Endpoint>, VariableError> {
        // Without one, nothing is sent: what is said for other programs is not looked at.
        let Some((name, value)) = self.of_signal(signal, "ENDPOINT") else { return Ok(None) };
        let exporter = format!("OTEL_{signal}_EXPORTER");
        match self.get(&exporter).as_deref().map(str::trim) {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(other) => return Err(wrong(&exporter, format!("`{other}` is none of otlp and none"))),
        }
        let value = value.trim();
        let is_http = value.parse::<Uri>().is_ok_and(|uri| {
            uri.host().is_some_and(|host| !host.is_empty())
                && matches!(uri.scheme_str(), Some("http" | "https"))
        });
        if !is_http {
            return Err(wrong(&name, "this is no URL of HTTP, such as http://127.0.0.1:4318"));
        }
        if let Some((name, protocol)) = self.of_signal(signal, "PROTOCOL")
            && protocol.trim() != PROTOCOL
        {
            let port = "a collector takes it on port 4318, as a rule";
            return Err(wrong(
                &name,
                format!("`{}` is not supported, only {PROTOCOL}: {port}", protocol.trim()),
            ));
        }
        // Only of a signal it is the whole URL.
        let url = if name.contains(signal) {
            value.to_owned()
        } else {
            format!("{}/v1/{}", value.trim_end_matches('/'), signal.to_lowercase())
        };
        let timeout = self.of_signal(signal, "TIMEOUT").map(|(name, value)| millis(&name, &value));
        let timeout = timeout.transpose()?.unwrap_or(Endpoint::TIMEOUT);
        let is_encrypted = url.starts_with("https:");
        let authorities = if is_encrypted { self.authorities(signal)? } else { None };
        Ok(Some(Endpoint { url, headers: self.headers(signal)?, timeout, authorities }))
    }

    /// Whom the certificate of an encrypted collector may be of, if that is said: those in a file.
    fn authorities(&self, signal: &str) -> Result<Option<Vec<CertificateDer<'static>>>, VariableError> {
        let Some((name, file)) = self.of_signal(signal, "CERTIFICATE") else { return Ok(None) };
        let read = CertificateDer::pem_file_iter(&file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        match read {
            Ok(found) if !found.is_empty() => Ok(Some(found)),
            Ok(_) => Err(wrong(&name, format!("there is no certificate in {}", printable_line(&file)))),
            Err(error) => Err(wrong(&name, format!("{}: {error}", printable_line(&file)))),
        }
    }

    fn headers(&self, signal: &str) -> Result<Vec<(String, String)>, VariableError> {
        let Some((name, value)) = self.of_signal(signal, "HEADERS") else { return Ok(Vec::new()) };
        let headers = pairs(&name, &value)?;
        for (key, value) in &headers {
            if HeaderName::from_bytes(key.as_bytes()).is_err() || HeaderValue::from_str(value).is_err() {
                return Err(wrong(&name, "a name or a value is none of an HTTP header"));
            }
        }
        Ok(headers)
    }

    /// What is said of this process. Its name goes before one among the attributes.
    fn resource(&self) -> Result<Vec<(String, String)>, VariableError> {
        let name = "OTEL_RESOURCE_ATTRIBUTES";
        let given = self.get(name).map(|value| pairs(name, &value)).transpose()?.unwrap_or_default();
        let (named, mut others): (Vec<_>, Vec<_>) =
            given.into_iter().partition(|(key, _)| key == SERVICE_NAME);
        let named = named.into_iter().next().map(|(_, value)| value);
        let service = self.get("OTEL_SERVICE_NAME").or(named).unwrap_or_else(|| "loghost".to_owned());
        others.insert(0, (SERVICE_NAME.to_owned(), service));
        Ok(others)
    }

    fn time(&self, name: &str) -> Result<Option<Duration>, VariableError> {
        self.get(name).map(|value| millis(name, &value)).transpose()
    }

    fn sampler(&self) -> Result<Sampler, VariableError> {
        let ratio = || {
            let name = "OTEL_TRACES_SAMPLER_ARG";
            let Some(value) = self.get(name) else { return Ok(1.0) };
            let ratio = value.trim().parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
            ratio.ok_or_else(|| wrong(name, "expected a number from 0 to 1"))
        };
        let name = "OTEL_TRACES_SAMPLER";
        Ok(match self.get(name).as_deref().map(str::trim) {
            None | Some("parentbased_always_on") => Sampler::parent_or_ratio(1.0),
            Some("parentbased_always_off") => Sampler::parent_or_ratio(0.0),
            Some("parentbased_traceidratio") => Sampler::parent_or_ratio(ratio()?),
            Some("always_on") => Sampler::ratio(1.0),
            Some("always_off") => Sampler::ratio(0.0),
            Some("traceidratio") => Sampler::ratio(ratio()?),
            Some(other) => {
                let known = "always_on, always_off, traceidratio, and these with parentbased_ before them";
                return Err(wrong(name, format!("`{other}` is none of {known}")));
            }
        })
    }
}

const SERVICE_NAME: &str = "service.name";

fn wrong(name: &str, reason: impl Into<String>) -> VariableError {
    VariableError { name: name.to_owned(), reason: reason.into() }
}

/// A time in milliseconds, which is not 0.
fn millis(name: &str, value: &str) -> Result<Duration, VariableError> {
    let millis = value.trim().parse().ok().filter(|millis| *millis > 0).map(Duration::from_millis);
    millis.ok_or_else(|| wrong(name, "expected a number of milliseconds, such as 10000"))
}

/// Keys and values, as `key=value,key=value`; of each, what cannot stand there is written as in a URL.
fn pairs(name: &str, list: &str) -> Result<Vec<(String, String)>, VariableError> {
    let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8().ok().map(String::from);
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        let key = decoded(key).filter(|key| !key.is_empty())?;
        Some((key, decoded(value)?))
    };
    let given = list.split(',').filter(|pair| !pair.trim().is_empty());
    given
        .map(|text| pair(text).ok_or_else(|| wrong(name, "expected KEY=VALUE, several of them with commas")))
        .collect()
}
