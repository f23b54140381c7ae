//! A server of the tests' own: it answers what it is told to, well or badly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

pub(super) struct Server {
    pub(super) port: u16,
    pub(super) log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// One thread for each connection, one request on each.
    pub(super) fn start(
        handler: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (log, handler) = (Arc::new(Mutex::new(Vec::new())), Arc::new(handler));
        let written = log.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let (log, handler) = (written.clone(), handler.clone());
                std::thread::spawn(move || {
                    let Ok(mut socket) = socket else { return };
                    if let Some(request) = read_request(&mut socket) {
                        log.lock().unwrap().push(request.clone());
                        handler(&request, &mut socket);
                    }
                });
            }
        });
        Server { port, log }
    }

    /// A server with a handler that always answers well.
    pub(super) fn of(handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Server {
        Server::start(move |request, socket| handler(request).send(socket))
    }

    pub(super) fn at(&self, name: &str) -> String {
        format!("docker://127.0.0.1:{}/{name}", self.port)
    }
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The same to another port of this machine.
    pub(super) fn forward(&self, port: u16) -> Response {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut text = format!("{} {} HTTP/1.0\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            if !matches!(name.as_str(), "connection" | "authorization") {
                text += &format!("{name}: {value}\r\n");
            }
        }
        socket.write_all((text + "\r\n").as_bytes()).unwrap();
        let mut reader = BufReader::new(socket);
        let (first, headers) = head(&mut reader).unwrap();
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        let mut body = Vec::new();
        reader.read_to_end(&mut body).unwrap();
        Response { status, headers, body }
    }
}

impl Response {
    pub(super) fn new(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Response { status, headers, body: body.to_vec() }
    }

    /// Everything before the body.
    pub(super) fn head(&self, length: Option<usize>) -> String {
        let mut text = format!("HTTP/1.1 {} Status\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            if !matches!(name.as_str(), "connection" | "content-length" | "date") {
                text += &format!("{name}: {value}\r\n");
            }
        }
        if let Some(length) = length {
            text += &format!("Content-Length: {length}\r\n");
        }
        text + "\r\n"
    }

    /// Whoever asked may be gone.
    pub(super) fn send(&self, socket: &mut TcpStream) {
        let _ = socket.write_all(self.head(Some(self.body.len())).as_bytes());
        let _ = socket.write_all(&self.body);
    }
}

fn read_request(socket: &mut TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(socket);
    let (first, headers) = head(&mut reader)?;
    let mut words = first.split(' ').map(str::to_owned);
    let mut request =
        Request { method: words.next()?, path: words.next()?, headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    reader.take(length).read_to_end(&mut request.body).ok()?;
    Some(request)
}

/// The first line, and the headers.
fn head(reader: &mut impl BufRead) -> Option<(String, Vec<(String, String)>)> {
    let mut lines = reader.lines().map_while(|line| line.ok()).take_while(|line| !line.is_empty());
    let first = lines.next()?;
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    let headers = headers.collect();
    Some((first, headers))
}
