//! Waiting until the backend has judged an image.

use std::thread;

use super::{Backend, Check, Error, Reason};

/// So many looks that fail one after the other: it is no passing trouble. With the usual waits
/// that is five minutes.
const MAX_FAILURES: u32 = 30;

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
        let mut failures = 0;
        for _ in 0..self.limits.tries {
            let pause = match self.check_once(digest, full_tag) {
                Ok(Some(check)) => return Ok(check),
                Ok(None) => {
                    tell(Waiting::NotYet);
                    (last, failures) = (None, 0);
                    self.limits.poll
                }
                Err(error) if error.may_pass() => {
                    tell(Waiting::Failed(&error));
                    failures += 1;
                    if failures == MAX_FAILURES {
                        return Err(error);
                    }
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
