//! What is told to people: on stdout, in the live log that plugins follow, and in the JSON object.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::OFlags;
use std::os::unix::fs::OpenOptionsExt;

use inscan_net::Secret;
use inscan_report::text;

pub(super) struct Log {
    /// Nothing on stdout and stderr: the JSON object stands there alone.
    silent: bool,
    profile: bool,
    secrets: Vec<String>,
    /// All lines of this run.
    text: RefCell<String>,
    file: Option<File>,
}

impl Log {
    pub(super) fn new(silent: bool, profile: bool, secrets: &[&Secret]) -> Log {
        // Shorter ones would make holes in any text.
        let secrets = secrets.iter().map(|secret| secret.reveal().to_owned());
        let secrets = secrets.filter(|secret| secret.len() >= 4).collect();
        Log { silent, profile, secrets, text: RefCell::default(), file: None }
    }

    /// Writes to `logs/info.log` below the directory from now on. Added to what is there: whoever
    /// follows the file has it open already.
    pub(super) fn follow_in(&mut self, directory: &Path) -> io::Result<()> {
        let logs = directory.join("logs");
        fs::create_dir_all(&logs)?;
        // The place is known to everybody on the machine: no link of somebody else's is followed.
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .custom_flags(OFlags::NOFOLLOW.bits() as i32)
            .open(logs.join("info.log"))?;
        self.file = Some(file);
        Ok(())
    }

    /// One line, or several.
    pub(super) fn say(&self, said: &str) {
        for line in said.split('\n') {
            let line = self.clean(line);
            if !self.silent {
                // Nobody is left to be told if stdout is gone: the verdict counts.
                let _ = writeln!(io::stdout(), "{line}");
            }
            if let Some(mut file) = self.file.as_ref() {
                let _ = writeln!(file, "{line}");
            }
            let mut text = self.text.borrow_mut();
            text.push_str(&line);
            text.push('\n');
        }
    }

    pub(super) fn say_all(&self, lines: &[String]) {
        lines.iter().for_each(|line| self.say(line));
    }

    /// Does it, and says how long it took where that is asked for.
    pub(super) fn timed<T>(&self, stage: &str, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        self.took(stage, begun);
        done
    }

    pub(super) fn took(&self, stage: &str, begun: Instant) {
        if self.profile {
            self.say(&format!("Time elapsed({stage}): {}ms", begun.elapsed().as_millis()));
        }
    }

    /// Without secrets, and without what would steer a terminal.
    fn clean(&self, said: &str) -> String {
        let mut said = said.to_owned();
        for secret in &self.secrets {
            said = said.replace(secret.as_str(), "***");
        }
        text::printable(&said)
    }

    pub(super) fn clean_lines(&self, said: &str) -> String {
        let lines: Vec<String> = said.trim_end().lines().map(|line| self.clean(line)).collect();
        lines.join("\n")
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }

    pub(super) fn text(&self) -> String {
        self.text.borrow().clone()
    }
}

/// A file of this name below the directory that only this user reads.
pub(super) fn keep(directory: &Path, name: &str, content: &[u8]) -> io::Result<PathBuf> {
    let place = directory.join(name);
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(content)?;
    file.persist(&place).map_err(|error| error.error)?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_and_secrets_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let token = Secret::new("tok3n");
        let mut log = Log::new(true, false, &[&token, &Secret::new("a")]);
        log.follow_in(directory.path()).unwrap();
        log.say("one\ntwo tok3n \x1b[2J a");
        log.timed("Nothing", || ());
        let expected = "one\ntwo *** \\x1b[2J a\n";
        assert_eq!(log.text(), expected);
        let file = directory.path().join("logs/info.log");
        assert_eq!(fs::read_to_string(&file).unwrap(), expected);
        // A second run goes on in the same file, and has its own lines alone.
        let mut log = Log::new(true, true, &[]);
        log.follow_in(directory.path()).unwrap();
        log.timed("Analyze image", || ());
        assert!(log.text().starts_with("Time elapsed(Analyze image): "), "{}", log.text());
        assert!(fs::read_to_string(&file).unwrap().starts_with(expected));
    }

    #[test]
    fn a_link_in_the_place_of_the_log_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let victim = directory.path().join("victim");
        fs::write(&victim, "").unwrap();
        fs::create_dir(directory.path().join("logs")).unwrap();
        std::os::unix::fs::symlink(&victim, directory.path().join("logs/info.log")).unwrap();
        assert!(Log::new(true, false, &[]).follow_in(directory.path()).is_err());
    }
}
