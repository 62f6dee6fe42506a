//! What a request asks of a consumer: `POST /api/consumers/NAME/pause`.

use hyper::{Method, StatusCode};
use loghost_core::application::{Request, RequestError, RunControl};
use loghost_core::domain::ConsumerName;

/// What a request asks, and of which consumer; none if it asks nothing.
pub(super) fn asked(method: &Method, path: &str) -> Option<(ConsumerName, Request)> {
    if method != Method::POST {
        return None;
    }
    let (name, request) = path.strip_prefix("/api/consumers/")?.split_once('/')?;
    let request = Request::ALL.into_iter().find(|it| it.as_str() == request)?;
    Some((ConsumerName::new(name).ok()?, request))
}

/// Passes it on, and says whether it was taken.
pub(super) fn passed_on(
    control: &dyn RunControl,
    name: &ConsumerName,
    request: Request,
) -> (StatusCode, String) {
    match control.request(name, request) {
        Ok(()) => {
            (StatusCode::ACCEPTED, "asked: /api/consumers and /api/events tell what comes of it".to_owned())
        }
        Err(error @ RequestError::Unknown) => (StatusCode::NOT_FOUND, error.to_string()),
        Err(error @ (RequestError::Ended | RequestError::NoDeadLetters | RequestError::Busy)) => {
            (StatusCode::CONFLICT, error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_asked_is_taken() {
        let name = ConsumerName::new("error").expect("a name");
        assert_eq!(asked(&Method::POST, "/api/consumers/error/pause"), Some((name, Request::Pause)));
        assert_eq!(asked(&Method::GET, "/api/consumers/error/pause"), None);
        for path in [
            "/api/consumers",
            "/api/consumers/error",
            "/api/consumers/error/",
            "/api/consumers/error/Pause",
            "/api/consumers/error/pause/",
            "/api/consumers//pause",
            "/api/consumers/../pause",
            "/api/consumers/%65rror/pause",
            "/pause",
        ] {
            assert_eq!(asked(&Method::POST, path), None, "{path}");
        }
    }
}
