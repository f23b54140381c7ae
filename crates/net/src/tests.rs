//! Against servers of our own: a listener that answers what it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::*;

/// Answers one connection after another, each with the next answer, and hands over the requests.
fn server(answers: Vec<String>) -> (Url, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = sender.send(request(&mut socket));
            socket.write_all(answer.as_bytes()).unwrap();
            if answer.ends_with('…') {
                std::thread::sleep(Duration::from_secs(5));
            }
        }
    });
    (url, requests)
}

fn request(socket: &mut (impl Read + ?Sized)) -> String {
    let lines = BufReader::new(socket).lines().map_while(|line| line.ok());
    lines.take_while(|line| !line.is_empty()).map(|line| line + "\n").collect()
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn redirect_to(location: &str) -> String {
    format!(
        "HTTP/1.1 307 Elsewhere\r\nConnection: close\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn options() -> NetOptions {
    let retry = Retry {
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(5),
        ..Retry::default()
    };
    NetOptions { stall_timeout: Duration::from_millis(300), retry, ..NetOptions::default() }
}

fn get(url: &Url) -> Request {
    let mut request = Request::new(Method::GET, url.clone());
    request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_static("Basic secret"));
    request.headers_mut().insert(header::RANGE, HeaderValue::from_static("bytes=3-"));
    request
}

#[test]
fn private_addresses_are_not_asked_where_somebody_else_chose_them() {
    let (url, _requests) = server(vec![ok("here")]);
    let told =
        Http::new(&NetOptions { public_only: true, ..options() }).send(get(&url)).err().unwrap();
    assert!(told.to_string().contains("is a private address"), "{told}");
    let by_name = Url::parse(&url.as_str().replace("127.0.0.1", "localhost")).unwrap();
    assert!(Http::new(&NetOptions { public_only: true, ..options() }).send(get(&by_name)).is_err());
    assert!(Http::new(&options()).send(get(&url)).is_ok());
}

fn fails(http: &Http, url: &Url) -> Error {
    match http.send(get(url)) {
        Err(error) => error,
        Ok(answer) => answer.bytes(1 << 20).expect_err("it fails"),
    }
}

#[test]
fn a_redirect_to_another_host_takes_no_credentials_along() {
    let (other, at_other) = server(vec![ok("bytes")]);
    let (url, at_first) = server(vec![redirect_to("/here"), redirect_to(other.as_str())]);
    let answer = Http::new(&options()).send(get(&url)).unwrap();
    assert_eq!(answer.url(), &other);
    assert_eq!(answer.bytes(5).unwrap(), b"bytes");
    assert!(at_first.recv().unwrap().contains("Authorization: Basic secret"));
    let at_the_same_host = at_first.recv().unwrap();
    assert!(at_the_same_host.starts_with("GET /here "), "{at_the_same_host}");
    assert!(at_the_same_host.contains("Authorization: Basic secret"));
    let elsewhere = at_other.recv().unwrap();
    assert!(!elsewhere.contains("secret"), "{elsewhere}");
    assert!(elsewhere.contains("Range: bytes=3-"), "{elsewhere}");
}

#[test]
fn redirects_come_to_an_end_and_lead_to_servers_only() {
    let (url, _) = server(vec![redirect_to("/again"); 20]);
    assert!(fails(&Http::new(&options()), &url).to_string().contains("more than 10 times"));
    let (url, _) = server(vec![redirect_to("file:///etc/passwd")]);
    assert_eq!(fails(&Http::new(&options()), &url).cause, Cause::Redirect);
    let (url, _) = server(vec![redirect_to("/")]);
    let error = Http::new(&options()).send(Request::new(Method::POST, url)).err().unwrap();
    assert!(error.to_string().contains("not sent twice"), "{error}");
}

#[test]
fn offline_opens_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let error = fails(&Http::new(&NetOptions { offline: true, ..options() }), &url);
    assert_eq!(error.cause, Cause::Offline);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_unix_socket_is_no_network() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("engine.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        request(&mut socket);
        socket.write_all(ok("engine").as_bytes()).unwrap();
    });
    let http = Http::unix(&NetOptions { offline: true, ..options() }, &path);
    let url = Url::parse("http://engine/version").unwrap();
    assert_eq!(http.send(get(&url)).unwrap().bytes(100).unwrap(), b"engine");
}

#[test]
fn a_stall_ends_the_wait_and_a_slow_answer_does_not() {
    let (url, _) = server(vec!["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf…".to_owned()]);
    let begun = Instant::now();
    let error = fails(&Http::new(&options()), &url);
    assert_eq!(error.cause, Cause::Stalled, "{error}");
    assert!(begun.elapsed() < Duration::from_secs(4));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    std::thread::spawn(move || {
        let mut socket: TcpStream = listener.accept().unwrap().0;
        request(&mut socket);
        write!(socket, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n").unwrap();
        for _ in 0..8 {
            std::thread::sleep(Duration::from_millis(100));
            socket.write_all(b"x").unwrap();
        }
    });
    assert_eq!(Http::new(&options()).send(get(&url)).unwrap().bytes(100).unwrap(), b"xxxxxxxx");
}

#[test]
fn an_answer_that_is_cut_or_too_large_is_an_error() {
    let (url, _) = server(vec!["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_owned()]);
    assert_eq!(fails(&Http::new(&options()), &url).cause, Cause::Cut);
    let (url, _) = server(vec![ok("123456")]);
    let error = Http::new(&options()).send(get(&url)).unwrap().bytes(5).unwrap_err();
    assert!(error.to_string().contains("more than 5 bytes"), "{error}");
}

#[test]
fn what_may_pass_is_asked_again() {
    let busy = "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let (url, _) = server(vec![busy.to_owned(), String::new(), ok("done")]);
    let answer = Http::new(&options()).send_patiently(|| get(&url)).unwrap();
    assert_eq!(answer.bytes(100).unwrap(), b"done");

    let (url, requests) = server(vec![busy.to_owned(); 5]);
    let answer = Http::new(&options()).send_patiently(|| get(&url)).unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(requests.iter().count(), 5);
}

#[test]
fn errors_say_what_is_wrong_and_what_to_do() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = Url::parse(&format!("http://{closed}/v2/?token=secret")).unwrap();
    let error = fails(&Http::new(&options()), &refused);
    let expected =
        format!("http://{closed}/v2/: connection refused; check that a server is listening there");
    assert_eq!((error.cause, error.to_string()), (Cause::Refused, expected));

    let (plain, _) = server(vec!["HTTP/1.1 400 Bad\r\n\r\n".to_owned()]);
    let secure = Url::parse(&plain.as_str().replace("http:", "https:")).unwrap();
    let error = fails(&Http::new(&options()), &secure);
    assert_eq!(error.cause, Cause::NotTls, "{error}");

    let nowhere = Url::parse("http://no-such-host.invalid/").unwrap();
    let error = fails(&Http::new(&options()), &nowhere);
    assert!(matches!(error.cause, Cause::NoSuchHost | Cause::Unreachable), "{error}");
}

#[test]
fn files_of_certificates_are_read_before_anything_is_asked() {
    let error = |options: NetOptions| {
        fails(&Http::new(&options), &Url::parse("https://127.0.0.1:1/").unwrap()).to_string()
    };
    let missing = NetOptions { ca_files: vec!["/no/ca.pem".into()], ..options() };
    assert!(error(missing).contains("could not read `/no/ca.pem`"));
    let empty = NetOptions { ca_files: vec!["/dev/null".into()], ..options() };
    assert!(error(empty).contains("no PEM certificate in `/dev/null`"));
    let nothing = ClientCertificate { certificate: "/dev/null".into(), key: "/dev/null".into() };
    let identity = NetOptions { client_certificate: Some(nothing), ..options() };
    assert!(error(identity).contains("not a certificate and private key in PEM"));
}
