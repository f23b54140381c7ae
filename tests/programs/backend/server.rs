//! A server of the tests' own: it answers what it is told to, well or badly.
#![allow(dead_code, reason = "each program of tests uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With its query, as it was sent.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Who answers. Both are asked for each request.
pub(crate) trait Answers: Send + Sync + 'static {
    /// Of so many bytes of the body, how many to read before the connection is cut.
    fn cut(&self, _head: &Request, _length: u64) -> Option<u64> {
        None
    }

    fn answer(&self, request: &Request, socket: &mut TcpStream);
}

/// Runs until the tests end; gives its port.
pub(crate) fn start(answers: Arc<impl Answers>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let answers = answers.clone();
            std::thread::spawn(move || {
                if let Ok(socket) = socket {
                    serve(&*answers, socket);
                }
            });
        }
    });
    port
}

/// One request on each connection.
fn serve(answers: &impl Answers, mut socket: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(socket.try_clone().ok()?);
    let (first, headers) = head(&mut reader)?;
    let mut words = first.split(' ').map(str::to_owned);
    let mut request =
        Request { method: words.next()?, path: words.next()?, headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let cut = answers.cut(&request, length);
    let wanted = cut.unwrap_or(length);
    reader.take(wanted).read_to_end(&mut request.body).ok()?;
    if cut.is_none() && request.body.len() as u64 == length {
        answers.answer(&request, &mut socket);
    }
    Some(())
}

/// The first line, and the headers.
fn head(reader: &mut impl BufRead) -> Option<(String, Vec<(String, String)>)> {
    let mut lines = reader.lines().map_while(|line| line.ok()).take_while(|line| !line.is_empty());
    let first = lines.next()?;
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Some((first, headers.collect()))
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The path without its query.
    pub(crate) fn place(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let query = self.path.split_once('?')?.1;
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        let mut bytes = Vec::new();
        let mut rest = value.as_bytes();
        while let Some((&first, more)) = rest.split_first() {
            rest = more;
            match (first, more.get(..2)) {
                (b'%', Some(digits)) => {
                    let digits = std::str::from_utf8(digits).ok()?;
                    bytes.push(u8::from_str_radix(digits, 16).ok()?);
                    rest = &more[2..];
                }
                (b'+', _) => bytes.push(b' '),
                (other, _) => bytes.push(other),
            }
        }
        String::from_utf8(bytes).ok()
    }
}

impl Response {
    pub(crate) fn new(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Response { status, headers, body: body.to_vec() }
    }

    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Response::new(status, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    /// All that stands before the body.
    pub(crate) fn head(&self) -> String {
        let mut text = format!("HTTP/1.1 {} Status\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text + &format!("Content-Length: {}\r\n\r\n", self.body.len())
    }

    /// Whoever asked may be gone.
    pub(crate) fn send(&self, socket: &mut TcpStream) {
        let _ = socket.write_all(self.head().as_bytes());
        let _ = socket.write_all(&self.body);
    }
}
