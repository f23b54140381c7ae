//! Getting a token from the place that a registry names
//! (<https://distribution.github.io/distribution/spec/auth/token/>), or for an identity token
//! (<https://distribution.github.io/distribution/spec/auth/oauth/>).

use serde::Deserialize;

use super::credentials::Credential;
use super::failure::{Failed, described};
use crate::{Body, HeaderValue, Http, Method, Request, Secret, Url, basic, header, origin};
use inscan_facts::error::shown;
use inscan_facts::json::{self, Form};

/// Tokens of some clouds have several kilobytes.
const MAX_BYTES: u64 = 1 << 20;

/// Who asks for a token, and for what.
pub(super) struct Wanted<'a> {
    pub(super) service: Option<&'a str>,
    pub(super) scope: &'a str,
    pub(super) credential: Option<&'a Credential>,
}

const ANSWERED: Form = Form::Object(&[("token", Form::Text), ("access_token", Form::Text)]);

/// Services fill the one, the other or both; what is empty is not filled.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answered {
    token: String,
    access_token: String,
}

/// The token, whole. `plain`: the registry itself is asked over plain http.
pub(super) fn fetch(
    http: &Http,
    realm: &str,
    plain: bool,
    wanted: &Wanted<'_>,
) -> Result<Secret, Failed> {
    let realm = checked(realm, plain)?;
    let made = request(&realm, wanted)?;
    let again = || made.try_clone().unwrap_or_else(|| Request::new(Method::GET, realm.clone()));
    let answer = http.send_patiently(again)?;
    let status = answer.status();
    let place = origin(answer.url());
    if !status.is_success() {
        let text = format!("no token from {place}: {}", described(status, answer));
        return Err(match status.as_u16() {
            400..=403 => Failed::Access(text),
            code => Failed::Status { code, retry_after: None, text },
        });
    }
    let bytes = answer.text(MAX_BYTES)?;
    // The error's own words might show a piece of the token.
    let answered: Answered = json::parse(&bytes, &ANSWERED).unwrap_or_default();
    match [answered.token, answered.access_token].into_iter().find(|token| !token.is_empty()) {
        Some(token) => Ok(Secret::new(token)),
        None => Err(Failed::Wrong(format!("the answer of {place} has no token in it"))),
    }
}

/// Credentials go there: over https, except where the registry is asked without it, or on this machine.
fn checked(realm: &str, plain: bool) -> Result<Url, Failed> {
    let url = Url::parse(realm).ok().filter(|url| url.has_host());
    let Some(mut url) = url else {
        let text = format!("it asks for a token from `{}`, which is not an address", shown(realm));
        return Err(Failed::Access(text));
    };
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    if url.scheme() == "https" || url.scheme() == "http" && (plain || crate::is_loopback(&url)) {
        return Ok(url);
    }
    Err(Failed::Access(format!(
        "it asks for a token from {} without https; nothing is sent there",
        shown(origin(&url))
    )))
}

fn request(realm: &Url, wanted: &Wanted<'_>) -> Result<Request, Failed> {
    let parameters = wanted.service.map(|service| ("service", service));
    let parameters = parameters.into_iter().chain([("scope", wanted.scope)]);
    match wanted.credential {
        Some(Credential::Identity(identity)) => {
            let own = [
                ("grant_type", "refresh_token"),
                ("client_id", "inscan"),
                ("refresh_token", identity.reveal()),
            ];
            // A query, for its way of writing what a form has.
            let mut form = Url::parse("form:").expect("it is an address");
            form.query_pairs_mut().extend_pairs(own).extend_pairs(parameters);
            let mut request = Request::new(Method::POST, realm.clone());
            let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert(header::CONTENT_TYPE, form_type);
            *request.body_mut() = Some(Body::from(form.query().unwrap_or_default().to_owned()));
            Ok(request)
        }
        credential => {
            let mut url = realm.clone();
            url.query_pairs_mut().extend_pairs(parameters);
            let Some(Credential::Basic { user, password }) = credential else {
                return Ok(Request::new(Method::GET, url));
            };
            url.query_pairs_mut().append_pair("account", user);
            let mut request = Request::new(Method::GET, url);
            request.headers_mut().insert(header::AUTHORIZATION, basic(user, password)?);
            Ok(request)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(credential: Option<&Credential>) -> Request {
        let realm = Url::parse("https://auth.example/token?x=1").unwrap();
        let scope = "repository:a/b:pull";
        request(&realm, &Wanted { service: Some("r & s"), scope, credential }).unwrap()
    }

    #[test]
    fn a_token_is_asked_for_as_the_specification_has_it() {
        let anonymous = wanted(None);
        let query = "x=1&service=r+%26+s&scope=repository%3Aa%2Fb%3Apull";
        assert_eq!(anonymous.url().query(), Some(query));
        assert!(anonymous.headers().is_empty());

        let user = Credential::Basic { user: "me".to_owned(), password: Secret::new("secret") };
        let with_user = wanted(Some(&user));
        assert_eq!(with_user.url().query(), Some(format!("{query}&account=me").as_str()));
        assert_eq!(with_user.headers()["authorization"], "Basic bWU6c2VjcmV0");

        let identity = wanted(Some(&Credential::Identity(Secret::new("id/+"))));
        assert_eq!((identity.method(), identity.url().query()), (&Method::POST, Some("x=1")));
        let form = "grant_type=refresh_token&client_id=inscan&refresh_token=id%2F%2B&service=r+%26+s&scope=repository%3Aa%2Fb%3Apull";
        assert_eq!(identity.body().unwrap().as_bytes(), Some(form.as_bytes()));
    }

    #[test]
    fn nothing_is_sent_without_https_except_on_this_machine() {
        let ok = |realm: &str, plain| checked(realm, plain).map(|url| url.to_string()).ok();
        assert_eq!(ok("https://a.example/t", false).unwrap(), "https://a.example/t");
        assert_eq!(ok("https://me:pw@a.example/t#x", false).unwrap(), "https://a.example/t");
        assert_eq!(ok("http://a.example/t", false), None);
        assert_eq!(ok("http://a.example/t", true).unwrap(), "http://a.example/t");
        assert_eq!(ok("http://127.0.0.1:5001/t", false).unwrap(), "http://127.0.0.1:5001/t");
        for wrong in ["", "token", "ftp://a.example", "file:///etc/passwd", "data:x"] {
            assert_eq!(ok(wrong, true), None, "{wrong}");
        }
    }
}
