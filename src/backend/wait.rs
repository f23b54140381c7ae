//! Waiting until the backend has judged an image.

use std::thread;

use super::{Backend, Check, Error, Reason};

/// How a look at the image ended that was not the last.
#[derive(Clone, Copy, Debug)]
pub enum Waiting<'a> {
    /// It is not judged yet.
    NotYet,
    Failed(&'a Error),
}

impl Backend {
    /// Looks again and again, until there is a verdict or a limit has passed.
    pub fn wait(
        &self,
        digest: &str,
        full_tag: &str,
        tell: &mut dyn FnMut(Waiting<'_>),
    ) -> Result<Check, Error> {
        let mut last = None;
        for _ in 0..self.limits.tries {
            let pause = match self.check_once(digest, full_tag) {
                Ok(Some(check)) => return Ok(check),
                Ok(None) => {
                    tell(Waiting::NotYet);
                    last = None;
                    self.limits.poll
                }
                Err(error) if error.may_pass() => {
                    tell(Waiting::Failed(&error));
                    last = Some(error);
                    self.limits.poll_after_error
                }
                Err(error) if error.reason == Reason::TooLate => break,
                Err(error) => return Err(error),
            };
            let Some(left) = self.left() else { break };
            thread::sleep(pause.min(left));
        }
        let mut message = format!("{}: the image was not judged in time", self.place());
        if let Some(error) = last {
            message = format!("{message}; the last time: {error}");
        }
        Err(Error::new(Reason::TooLate, message))
    }
}
