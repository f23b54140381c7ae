//! The way of an image: is it known, is it taken, what is said of it.

use std::cell::Cell;
use std::fs::File;
use std::thread;

use super::{Backend, Check, Deleted, Error, ImageNames, Imported, Reason, Waiting};
use inscan_net::Method;

/// So many looks at an image that is not judged yet, and the user hears that it still goes on.
const HEARTBEAT: u32 = 15;

impl Backend {
    /// The verdict on an image that the backend knows already, which is given this name too.
    pub fn known(&self, names: &ImageNames, tell: &dyn Fn(&str)) -> Result<Option<Check>, Error> {
        let Some(check) = self.check(&names.digest, &names.full_tag)? else { return Ok(None) };
        self.name(names, tell);
        Ok(Some(check))
    }

    /// Sends an archive, and waits for the verdict.
    pub fn submit(
        &self,
        archive: &File,
        names: &ImageNames,
        tell: &dyn Fn(&str),
    ) -> Result<(Imported, Check), Error> {
        let (imported, earlier) = self.bring(archive, names, tell)?;
        if imported == Imported::AlreadyThere {
            tell("the backend has the image already");
            self.name(names, tell);
        }
        let (looks, failed) = (Cell::new(0u32), Cell::new(false));
        let check = self.wait(&names.digest, &names.full_tag, &mut |waiting| {
            looks.set(looks.get() + 1);
            match waiting {
                Waiting::NotYet if looks.get() % HEARTBEAT == 1 => tell("waiting for the verdict"),
                // Once is enough until it goes well again.
                Waiting::Failed(error) if !failed.get() => tell(&format!("{error}: looking again")),
                Waiting::NotYet | Waiting::Failed(_) => {}
            }
            failed.set(matches!(waiting, Waiting::Failed(_)));
        });
        match (check, earlier) {
            (Ok(check), _) => Ok((imported, check)),
            (Err(error), Some(earlier)) => {
                Err(error.with(&format!("before, the import had failed: {earlier}")))
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Removes an image, and waits until it is gone: before that it cannot be sent anew.
    pub fn clear(&self, digest: &str) -> Result<(), Error> {
        if self.delete(digest)? == Deleted::NotFound {
            return Ok(());
        }
        let url = self.anchore(&format!("images/{digest}"));
        for _ in 0..self.limits.tries {
            let what = "the removal";
            match self.answer(self.request(Method::GET, &url, None), what) {
                Err(error) if error.reason == Reason::Status(404) => return Ok(()),
                Err(error) if !error.may_pass() => return Err(error),
                Ok(_) | Err(_) => {}
            }
            let Some(left) = self.left() else { break };
            thread::sleep(self.limits.poll.min(left));
        }
        Err(self.told(Reason::TooLate, "the removal", "the image is still there"))
    }

    /// A name is good to have, and the verdict does not depend on it.
    fn name(&self, names: &ImageNames, tell: &dyn Fn(&str)) {
        if let Err(error) = self.add_alias(&names.digest, &names.full_tag) {
            tell(&format!("the image could not be given its name: {error}"));
        }
    }
}
