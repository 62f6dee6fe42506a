//! What is answered to which request.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::response::Builder;
use hyper::{Method, Request, Response, StatusCode};
use loghost_board::metrics::Figures;
use loghost_core::application::Request as Asked;
use loghost_core::domain::ConsumerName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{Shown, control};
use crate::guard::{Access, access};
use crate::metrics::{Format, written};
use crate::page::File;
use crate::{api, history, page, ready};

type Frames = BoxStream<'static, Result<Frame<Bytes>, Infallible>>;

/// What an answer says: a text, or what happens.
pub(super) type Body = Either<Full<Bytes>, StreamBody<Frames>>;

/// How many may read what happens at a time; the other connections are for those who ask.
const MOST_READERS: usize = 16;

/// Answers requests.
pub(super) struct Answering {
    shown: Shown,
    stopped: watch::Receiver<bool>,
    readers: Arc<Semaphore>,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

impl Answering {
    pub(super) fn new(shown: Shown, stopped: watch::Receiver<bool>) -> Self {
        Self { shown, stopped, readers: Arc::new(Semaphore::new(MOST_READERS)) }
    }

    /// Answers; nothing that is asked is an error.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        Ok(self.answered(&request).await)
    }

    /// Answers whether the host is alive, and ready, and nothing else, as there are too many connections.
    pub(super) async fn answer_probe(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        Ok(match request.uri().path() {
            "/live" | "/ready" => self.answered(&request).await,
            _ => text(StatusCode::SERVICE_UNAVAILABLE, "there are too many connections\n"),
        })
    }

    async fn answered(&self, request: &Request<Incoming>) -> Response<Body> {
        let access = match access(request.uri(), request.headers(), self.shown.token.as_ref()) {
            Ok(access) => access,
            Err((status, why)) => return text(status, &format!("{why}\n")),
        };
        let asked = control::asked(request.method(), request.uri().path());
        if asked.is_none() && !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "this is only for reading\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return closing(answer);
        }
        if !request.body().is_end_stream() {
            return closing(text(StatusCode::PAYLOAD_TOO_LARGE, "a request has no body here\n"));
        }
        match (request.uri().path(), access) {
            (path, _) if let Some(file) = page::file(path) => part_of_page(file),
            ("/live", _) => text(StatusCode::OK, "live\n"),
            ("/ready", access) => self.ready(access),
            (_, Access::Status) => {
                let mut answer =
                    text(StatusCode::UNAUTHORIZED, "expected the token of --listen-token-file\n");
                answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                answer
            }
            (_, Access::All) if let Some((name, asked)) = asked => self.control(&name, asked),
            ("/metrics", _) => self.metrics(request).await,
            ("/api/consumers", _) => {
                let depths = self.shown.board.depths().await;
                let Shown { board, version, control, .. } = &self.shown;
                json(api::consumers(board, &depths, version, control.is_some()))
            }
            ("/api/history", _) => json(history::history(&self.shown.board)),
            ("/api/events", _) => self.events(request.method()),
            _ => text(
                StatusCode::NOT_FOUND,
                "there is nothing of this name; `/` is a page that names the others\n",
            ),
        }
    }

    fn control(&self, name: &ConsumerName, asked: Asked) -> Response<Body> {
        // Without a token, a page of somebody else could ask.
        match (&self.shown.control, &self.shown.token) {
            (Some(control), Some(_)) => {
                let (status, said) = control::passed_on(&**control, name, asked);
                text(status, &format!("{said}\n"))
            }
            _ => text(
                StatusCode::FORBIDDEN,
                "this host is not controlled over HTTP: it runs without --control\n",
            ),
        }
    }

    fn ready(&self, access: Access) -> Response<Body> {
        let obstacles = ready::obstacles(&self.shown.board);
        match (obstacles.is_empty(), access) {
            (true, _) => text(StatusCode::OK, "ready\n"),
            (false, Access::All) => {
                text(StatusCode::SERVICE_UNAVAILABLE, &format!("{}\n", obstacles.join("\n")))
            }
            (false, Access::Status) => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        }
    }

    async fn metrics(&self, request: &Request<Incoming>) -> Response<Body> {
        let accept = request.headers().get(ACCEPT).and_then(|header| header.to_str().ok());
        let format = Format::accepted(accept);
        let Shown { board, measuring, .. } = &self.shown;
        let figures = Figures::asked(board, &**measuring, self.shown.version).await;
        match written(figures, format) {
            Ok(metrics) => whole(StatusCode::OK, format.content_type(), metrics),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}\n")),
        }
    }

    fn events(&self, method: &Method) -> Response<Body> {
        let answer = head(StatusCode::OK, "text/event-stream");
        if method == Method::HEAD {
            return finished(answer, Either::Left(Full::default()));
        }
        match Arc::clone(&self.readers).try_acquire_owned() {
            Ok(permit) => finished(answer, Either::Right(StreamBody::new(self.frames(permit)))),
            Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "too many read what happens\n"),
        }
    }

    /// What happens, until the server is stopped; the reader's place is free again when it has gone.
    fn frames(&self, permit: OwnedSemaphorePermit) -> Frames {
        let mut stopped = self.stopped.clone();
        let end = async move {
            // The server may be gone, which is a reason to end as well.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        let frames = self.shown.feed.frames().map(move |frame| {
            let _ = &permit;
            frame
        });
        frames.take_until(Box::pin(end)).boxed()
    }
}

/// The head of every answer: nobody stores it, and no browser takes it for something else or executes something in it.
fn head(status: StatusCode, content_type: &'static str) -> Builder {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .header(CACHE_CONTROL, "no-store")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'")
}

/// A file of the page, of which a browser may load the others, and nothing of anybody else.
fn part_of_page(File { content_type, text }: File) -> Response<Body> {
    let mut answer = whole(StatusCode::OK, content_type, text.to_owned());
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::POLICY));
    answer
}

fn json(json: Result<String, serde_json::Error>) -> Response<Body> {
    match json {
        Ok(json) => whole(StatusCode::OK, JSON, json),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}\n")),
    }
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    whole(status, TEXT, text.to_owned())
}

fn whole(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    finished(head(status, content_type), Either::Left(Full::new(Bytes::from(text))))
}

/// The same, after which the connection ends: what else is sent is not read.
fn closing(mut answer: Response<Body>) -> Response<Body> {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// An answer of this head, which consists of valid headers.
fn finished(head: Builder, body: Body) -> Response<Body> {
    head.body(body).unwrap_or_else(|_| Response::new(Either::Left(Full::default())))
}
