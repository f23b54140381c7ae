//! A password or token: shown nowhere.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use super::{Error, HeaderValue};

#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text itself, for sending it. Not for anything else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// `Authorization: Bearer …`
    pub fn bearer(&self) -> Result<HeaderValue, Error> {
        authorization(&format!("Bearer {}", self.0))
    }
}

/// `Authorization: Basic …`
pub fn basic(user: &str, password: &Secret) -> Result<HeaderValue, Error> {
    use base64::Engine;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{}", password.0));
    authorization(&format!("Basic {pair}"))
}

fn authorization(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::new(super::Cause::Setup, "a token has characters in it that cannot be sent")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Secret::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sent_but_not_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        let header = basic("me", &secret).unwrap();
        assert_eq!(header, "Basic bWU6aHVudGVyMg==");
        assert!(!format!("{header:?}").contains("bWU6"));
        assert!(Secret::new("a\nb").bearer().is_err());
    }
}
