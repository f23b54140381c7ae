//! Programs in Go that tests ask for what Go makes of an input: each is given inputs behind
//! their length (4 bytes, big endian), and answers in lines.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// A program that is being asked.
pub struct Go {
    child: Child,
    writer: JoinHandle<()>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Go {
    /// Builds `main.go` of a folder as `target/name`, and gives it inputs.
    ///
    /// # Panics
    ///
    /// If it cannot be built or started.
    pub fn asked(
        folder: &str,
        target: &str,
        name: &str,
        inputs: impl Iterator<Item = Vec<u8>> + Send + 'static,
    ) -> Go {
        let program = Path::new(target).join(name);
        let mut build = Command::new("go");
        build.args(["build", "-o"]).arg(&program).arg("main.go").current_dir(folder);
        assert!(build.status().is_ok_and(|it| it.success()), "`{name}` could not be built");
        let mut child = Command::new(program)
            .env_remove("GODEBUG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || {
            for input in inputs {
                stdin.write_all(&(input.len() as u32).to_be_bytes()).unwrap();
                stdin.write_all(&input).unwrap();
            }
        });
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Go { child, writer, lines }
    }

    /// The lines of its answers.
    pub fn lines(&mut self) -> impl Iterator<Item = String> + '_ {
        self.lines.by_ref().map(Result::unwrap)
    }

    /// Waits until it ends.
    ///
    /// # Panics
    ///
    /// If it fails, or was not given all.
    pub fn ends(mut self) {
        self.writer.join().unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}
