//! What is answered: a value, or why there is none, in the form that all clients read.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use inscan_store::{Error, Failed};
use serde_json::{Value as Json, json};

use super::{page, tell};

/// What a request came to.
#[derive(Debug)]
pub(crate) enum Answer {
    Json(StatusCode, Json),
    /// A text or bytes of a media type.
    Bytes(&'static str, Vec<u8>),
    /// A page for people.
    Page(StatusCode, String),
    /// What is asked for lies there; with a cookie that the browser is to keep.
    See(String, Option<String>),
}

impl Answer {
    pub(crate) fn json(value: impl Into<Json>) -> Result<Answer, Problem> {
        Ok(Answer::Json(StatusCode::OK, value.into()))
    }

    pub(crate) fn response(self) -> Response<Body> {
        match self {
            Answer::Json(status, value) => {
                whole(status, "application/json", value.to_string().into_bytes())
            }
            Answer::Bytes(kind, bytes) => whole(StatusCode::OK, kind, bytes),
            Answer::Page(status, text) => {
                let mut response = whole(status, "text/html; charset=utf-8", text.into_bytes());
                page::headers(&mut response);
                response
            }
            Answer::See(to, cookie) => {
                let mut response = whole(StatusCode::SEE_OTHER, "text/plain", Vec::new());
                let headers = response.headers_mut();
                if let Ok(to) = HeaderValue::from_str(&to) {
                    headers.insert(header::LOCATION, to);
                }
                if let Some(Ok(cookie)) = cookie.map(|cookie| HeaderValue::from_str(&cookie)) {
                    headers.insert(header::SET_COOKIE, cookie);
                }
                response
            }
        }
    }
}

fn whole(status: StatusCode, kind: &'static str, bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Why a request is refused. Clients look for `message` in an object.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// More of it, as Anchore's clients have it.
    pub(crate) detail: Json,
    /// The store's reason, which is nobody's business but the log's.
    cause: Option<Box<Error>>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Problem {
        let detail = json!({"error_codes": []});
        Problem { status, message: message.into(), detail, cause: None }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, message)
    }

    pub(crate) fn unauthorized() -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "Unauthorized")
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, message)
    }

    /// Nothing that a user does leads here.
    pub(crate) fn internal(message: impl std::fmt::Display) -> Problem {
        tell::error(&format!("internal fault: {message}"));
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal fault: the server's log has it")
    }

    /// For whoever runs the server: with the store's reason.
    pub(crate) fn told(self) -> String {
        self.cause.map_or(self.message, |cause| cause.to_string())
    }

    /// A file of our own that cannot be made, written or read: there is no space, more often than not.
    pub(crate) fn of_disk(source: std::io::Error) -> Problem {
        Error::Io { what: "a temporary file".to_owned(), source }.into()
    }

    pub(crate) fn with_detail(self, detail: Json) -> Problem {
        Problem { detail, ..self }
    }

    pub(crate) fn response(self) -> Response<Body> {
        let Problem { status, message, detail, cause } = self;
        let message = match cause {
            None => message,
            Some(cause) => {
                tell::error(&cause.to_string());
                message
            }
        };
        let body = json!({"message": message, "httpcode": status.as_u16(), "detail": detail});
        let mut response = whole(status, "application/json", body.to_string().into_bytes());
        if status == StatusCode::UNAUTHORIZED {
            let asked = HeaderValue::from_static("basic realm=\"Authentication required\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, asked);
        }
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        match error {
            Error::Conflict => Problem::conflict("it exists already"),
            error if error.is_of_place() => Problem {
                cause: Some(Box::new(error)),
                ..Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the server's data cannot be reached at the moment: try again later",
                )
            },
            error => Problem {
                cause: Some(Box::new(error)),
                ..Problem::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the server cannot read or write its data: its log has the reason",
                )
            },
        }
    }
}

impl Failed for Problem {
    fn of_store(&self) -> Option<&Error> {
        self.cause.as_deref()
    }
}

pub(crate) type Result<T, E = Problem> = std::result::Result<T, E>;
