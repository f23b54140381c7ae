//! A server of a few files.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Answers GET for a few files, with entity tags and pieces.
pub(crate) struct Server {
    address: String,
    state: Arc<Mutex<Served>>,
    over: Arc<AtomicBool>,
}

#[derive(Default)]
struct Served {
    files: BTreeMap<String, Vec<u8>>,
    /// The next answers end after so many bytes of the body.
    cuts: Vec<usize>,
    /// Path, the range that was asked for, and the status of each answer.
    asked: Vec<(String, Option<String>, u16)>,
}

impl Server {
    pub(crate) fn new(files: &[(&str, Vec<u8>)]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let files = files.iter().map(|(path, content)| ((*path).to_owned(), content.clone()));
        let state = Arc::new(Mutex::new(Served { files: files.collect(), ..Served::default() }));
        let over = Arc::new(AtomicBool::new(false));
        let (shared, is_over) = (state.clone(), over.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let shared = shared.clone();
                thread::spawn(move || answer(stream.unwrap(), &shared));
            }
        });
        Server { address, state, over }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    pub(crate) fn put(&self, path: &str, content: Vec<u8>) {
        self.state.lock().unwrap().files.insert(path.to_owned(), content);
    }

    pub(crate) fn cut_next(&self, cuts: &[usize]) {
        self.state.lock().unwrap().cuts = cuts.to_vec();
    }

    /// What was asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<(String, Option<String>, u16)> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address.trim_start_matches("http://"));
    }
}

/// One request, one answer, and the connection ends.
fn answer(mut stream: TcpStream, state: &Mutex<Served>) {
    let mut headers = BTreeMap::new();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else { return };
    let path = first.split(' ').nth(1).unwrap_or("/").replace("%20", " ");
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
    }
    let mut state = state.lock().unwrap();
    let content = state.files.get(&path).cloned();
    let tag =
        content.as_ref().map(|content| format!("\"{}\"", inscan_test_support::sha256(content)));
    let is_current =
        |header: &str| headers.contains_key(header) && headers.get(header) == tag.as_ref();
    let range = headers.get("range").cloned();
    let start: usize = range
        .as_ref()
        .filter(|_| is_current("if-range") || !headers.contains_key("if-range"))
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
        .unwrap_or(0);
    let (status, body) = match &content {
        None => (404, &[][..]),
        Some(_) if is_current("if-none-match") => (304, &[][..]),
        Some(content) if start > 0 => (206, &content[start..]),
        Some(content) => (200, &content[..]),
    };
    state.asked.push((path.clone(), range, status));
    let cut =
        if status < 300 && !state.cuts.is_empty() { Some(state.cuts.remove(0)) } else { None };
    drop(state);
    let total = content.as_ref().map_or(0, Vec::len);
    let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
    if path.contains("/manifests/") {
        head += "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";
    }
    if status != 304 {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    if let Some(tag) = tag {
        head += &format!("ETag: {tag}\r\n");
    }
    if status == 206 {
        head += &format!("Content-Range: bytes {start}-{}/{total}\r\n", total - 1);
    }
    let body = &body[..cut.unwrap_or(body.len()).min(body.len())];
    // Whoever asked may have gone.
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    let _ = stream.write_all(body);
    let _ = stream.shutdown(std::net::Shutdown::Write);
}
