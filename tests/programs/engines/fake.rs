//! An engine that answers as a test wants: also wrong, and not to the end.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

/// No answer, and no end.
pub(crate) const SILENCE: &[u8] = b"";

/// The answer to a path, as raw bytes after which the connection ends.
pub(crate) type Answers = fn(path: &str) -> Vec<u8>;

/// Serves until the test ends.
pub(crate) fn serve(directory: &Path, name: &str, answers: Answers) -> String {
    let socket = directory.join(name);
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let Some(path) = path_of(&mut stream) else { continue };
            let answer = answers(&path);
            if answer == SILENCE {
                // Until whoever asked has gone.
                let _ = stream.read(&mut [0]);
            }
            // They may be gone already.
            let _ = stream.write_all(&answer);
        }
    });
    format!("unix://{}", socket.display())
}

fn path_of(stream: &mut UnixStream) -> Option<String> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).ok()? == 1 {
        request.push(byte[0]);
    }
    let text = String::from_utf8(request).ok()?;
    text.split(' ').nth(1).map(str::to_owned)
}

pub(crate) fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// One chunk, and the end only where it is whole.
pub(crate) fn chunked(body: &[u8], whole: bool) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        body.len()
    );
    [head.as_bytes(), body, if whole { b"\r\n0\r\n\r\n" } else { b"" }].concat()
}
