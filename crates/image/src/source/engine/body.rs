//! The archive while it comes from an engine. Docker tells of an error in the middle by
//! ending the archive with a JSON message, and the answer as if all were well.

use std::io::{self, Read};

use serde_json::Value;

use inscan_facts::error::shown;

/// As much of the end is kept as a message may be long.
const MAX_MESSAGE_LENGTH: usize = 4 << 10;

pub(super) struct Body<R> {
    answer: R,
    place: String,
    tail: Vec<u8>,
    /// An error stays: whoever reads on after it must not take it for the end.
    failed: Option<String>,
}

impl<R: Read> Body<R> {
    pub(super) fn new(answer: R, place: String) -> Self {
        Body { answer, place, tail: Vec::new(), failed: None }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let end = &bytes[bytes.len().saturating_sub(MAX_MESSAGE_LENGTH)..];
        self.tail.extend_from_slice(end);
        let too_many = self.tail.len().saturating_sub(MAX_MESSAGE_LENGTH);
        self.tail.drain(..too_many);
    }

    /// What a message at the end says. An archive ends with zeros.
    fn message(&self) -> Option<String> {
        let text = self.tail.trim_ascii_end();
        if text.last() != Some(&b'}') {
            return None;
        }
        let mut starts = (0..text.len()).filter(|&at| text[at..].starts_with(b"{\""));
        let message = starts.find_map(|at| serde_json::from_slice::<Value>(&text[at..]).ok())?;
        let said = message.pointer("/errorDetail/message").or(message.get("error"))?;
        Some(said.as_str()?.to_owned())
    }
}

impl<R: Read> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        if self.failed.is_none() {
            match self.answer.read(buffer) {
                Ok(0) if !buffer.is_empty() => {
                    let message = self.message();
                    self.failed = message.map(|message| {
                        format!(
                            "{} ended the archive with an error: {}",
                            self.place,
                            shown(message)
                        )
                    });
                }
                Ok(more) => {
                    read = more;
                    self.keep(&buffer[..more]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => {
                    self.failed =
                        Some(format!("the archive from {} broke off: {error}", self.place));
                }
            }
        }
        match &self.failed {
            Some(message) => Err(io::Error::other(message.clone())),
            None => Ok(read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> io::Result<usize> {
        io::copy(&mut Body::new(bytes, "the engine".to_owned()), &mut io::sink())
            .map(|_| bytes.len())
    }

    #[test]
    fn a_message_at_the_end_is_an_error_with_its_text() {
        let message =
            b"{\"errorDetail\":{\"message\":\"no space left\"},\"error\":\"no space left\"}\r\n";
        for before in [0, 10, 512, 100_000] {
            let archive = [vec![7; before], message.to_vec()].concat();
            let error = read(&archive).unwrap_err().to_string();
            assert_eq!(error, "the engine ended the archive with an error: no space left");
        }
    }

    #[test]
    fn what_is_no_message_passes() {
        assert!(read(&[0; 10_000]).is_ok());
        assert!(read(b"").is_ok());
        assert!(read(b"{\"a\": {\"b\": 1}}").is_ok());
        assert!(read(&[b"{\"error\": \"x\"}".to_vec(), vec![0; 1024]].concat()).is_ok());
    }
}
