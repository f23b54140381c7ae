//! Why there is no answer, or none to be believed; and what the server says of it.

use serde_json::Value;

use inscan_net::{Cause, Outcome};

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It could not even be tried.
    Setup,
    /// There was no answer.
    Net(Cause),
    /// 401 or 403: it does not know us, or not any more.
    Unauthorized,
    /// An answer with this status, which says no.
    Status(u16),
    /// An answer that is not what was asked for.
    Nonsense,
    /// An answer from another host than was asked.
    Elsewhere,
    /// A limit has passed.
    TooLate,
    /// The image was judged, and the outcome is neither of the two.
    NoVerdict,
}

/// Its text is whole, and has no secret in it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub reason: Reason,
    message: String,
    /// The engine itself says it, and not somebody on the way to it.
    pub(super) is_engines: bool,
}

impl Error {
    pub(super) fn new(reason: Reason, message: String) -> Self {
        Error { reason, message, is_engines: false }
    }

    /// The same, and what else is known of it.
    pub(super) fn with(mut self, more: &str) -> Self {
        self.message = format!("{}; {more}", self.message);
        self
    }

    pub(super) fn setup(message: String) -> Self {
        Error::new(Reason::Setup, message)
    }

    /// Whether it may go well another time.
    pub(super) fn may_pass(&self) -> bool {
        self.outcome().may_pass()
    }

    /// For deciding whether to ask again.
    pub(super) fn outcome(&self) -> Outcome {
        match self.reason {
            Reason::Net(cause) => Outcome::Failed(cause),
            Reason::Status(code) => Outcome::Status { code, retry_after: None },
            // A page of a proxy on the way, as a rule: it may go well another time.
            Reason::Nonsense => Outcome::Failed(Cause::Cut),
            Reason::Setup
            | Reason::Unauthorized
            | Reason::Elsewhere
            | Reason::TooLate
            | Reason::NoVerdict => Outcome::Failed(Cause::Other),
        }
    }
}

/// The form of the engine's own errors.
pub(super) fn is_engines(body: &[u8], code: u16) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|json| json["httpcode"] == code)
}

/// More of a message is not shown.
const MAX_CHARACTERS: usize = 1000;

/// What an answer says is wrong: Sysdig's list of errors, or the message of Anchore's engine, of
/// its framework, or of whoever stands before it. `None` where it says nothing, or shows a page.
pub(super) fn server_message(body: &[u8]) -> Option<String> {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(json) => of_json(&json)?,
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            let text = text.trim();
            if text.starts_with('<') || text.starts_with(['{', '[']) {
                return None;
            }
            text.to_owned()
        }
    };
    let mut shown: String = text.trim().chars().take(MAX_CHARACTERS).collect();
    if shown.len() < text.trim().len() {
        shown.push('…');
    }
    (!shown.is_empty()).then_some(shown)
}

fn of_json(json: &Value) -> Option<String> {
    if let Some(text) = json.as_str() {
        return Some(text.to_owned());
    }
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let errors: Vec<String> = json["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|error| {
            let message = text(&error["message"])?;
            Some(match text(&error["reason"]) {
                Some(reason) => format!("{message}: {reason}"),
                None => message,
            })
        })
        .collect();
    if !errors.is_empty() {
        return Some(errors.join("\n"));
    }
    // `detail` is a text in problem documents (RFC 9457), and an object elsewhere.
    ["message", "error", "detail", "title"].iter().find_map(|key| text(&json[*key]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_found_in_each_of_its_forms() {
        for (body, expected) in [
            (r#"{"errors":[{"message":"a","reason":"b"},{"message":"c"}]}"#, Some("a: b\nc")),
            (
                r#"{"message":"image not found in DB","httpcode":404,"detail":{}}"#,
                Some("image not found in DB"),
            ),
            (r#"{"error":"no"}"#, Some("no")),
            (
                r#"{"detail":"Missing formdata parameter 'archive_file'","title":"Bad Request"}"#,
                Some("Missing formdata parameter 'archive_file'"),
            ),
            (r#""Unauthorized""#, Some("Unauthorized")),
            ("Unauthorized", Some("Unauthorized")),
            ("<html>502</html>", None),
            ("", None),
            ("{", None),
        ] {
            assert_eq!(server_message(body.as_bytes()).as_deref(), expected, "{body}");
        }
        let long = server_message("x".repeat(5000).as_bytes()).unwrap();
        assert_eq!(long.chars().count(), MAX_CHARACTERS + 1);
    }
}
