//! A registry that fails in every way one can, at random: whatever happens, an image that was
//! read is the right one, and what was not read has a reason.
//!
//! A server of ours stands before a real registry. The seed is fixed; which fault meets which
//! request depends on threads, so a run differs in order from the next, not in kind.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use inscan_document::{Overrides, Run};
use inscan_image::document::{identity, write};
use inscan_image::layer::{self, Pass};
use inscan_image::progress::Silent;
use inscan_image::source::{self, OpenOptions, Opened, Reference};
use inscan_image::{analyze, layer::LayerScan};
use inscan_net::{NetOptions, Retry};

use super::images::Chance;
use super::parts::{self, have};
use super::server::{Request, Response, Server};

const FAULTS: u64 = 1000;
/// So long without a byte is a stall, and so long does one last.
const STALL: Duration = Duration::from_millis(400);
const STALLED: Duration = Duration::from_millis(700);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The connection ends before anything is said.
    Closed,
    /// It ends in the middle of the body.
    Cut,
    /// Nothing comes in the middle of the body.
    Stall,
    /// The token has run out.
    Expired,
    Status(u16),
    /// One bit of the body is another.
    WrongBit,
    /// The body ends too early, and its length says so too.
    Short,
    /// There is more than there should be, and no length.
    Long,
    /// Elsewhere, where no token may go.
    Redirect,
    RedirectLoop,
    /// The whole comes where a piece was asked for.
    Whole,
    /// Another piece comes than was asked for.
    OtherPiece,
    /// No HTTP.
    Noise,
}

const ALL: [Fault; 18] = [
    Fault::Closed,
    Fault::Cut,
    Fault::Cut,
    Fault::Cut,
    Fault::Stall,
    Fault::Expired,
    Fault::Expired,
    Fault::Status(401),
    Fault::Status(429),
    Fault::Status(500),
    Fault::Status(503),
    Fault::WrongBit,
    Fault::Short,
    Fault::Long,
    Fault::Redirect,
    Fault::RedirectLoop,
    Fault::Whole,
    Fault::OtherPiece,
];

struct Gate {
    behind: u16,
    chance: Mutex<Chance>,
    /// Of a hundred requests, so many fail.
    rate: AtomicU64,
    faults: AtomicU64,
    /// The number of the token that is right.
    token: AtomicU64,
    /// What must never be.
    leaks: AtomicU64,
}

impl Gate {
    fn next_fault(&self) -> Option<(Fault, u64)> {
        let mut chance = self.chance.lock().unwrap();
        if chance.below(100) >= self.rate.load(Ordering::Relaxed) {
            return None;
        }
        // Noise is rare, so that `ALL` need not have it more often than the rest.
        let at = chance.below(ALL.len() as u64 + 1) as usize;
        let random = chance.next();
        self.faults.fetch_add(1, Ordering::Relaxed);
        Some((ALL.get(at).copied().unwrap_or(Fault::Noise), random))
    }

    fn answer(&self, request: &Request, port: u16, socket: &mut TcpStream) {
        let address = format!("http://127.0.0.1:{port}");
        if request.path.starts_with("/token") {
            let token = self.token.load(Ordering::Relaxed);
            let body = format!("{{\"token\": \"number-{token}\"}}");
            return Response::new(200, &[], body.as_bytes()).send(socket);
        }
        if let Some(path) = request.path.strip_prefix("/storage") {
            if request.header("authorization").is_some() {
                self.leaks.fetch_add(1, Ordering::Relaxed);
            }
            let path = path.split('?').next().unwrap_or_default().to_owned();
            return Request { path, ..request.clone() }.forward(self.behind).send(socket);
        }
        let challenge = format!("Bearer realm=\"{address}/token\",service=\"gate\"");
        let challenge = Response::new(401, &[("WWW-Authenticate", &challenge)], b"");
        let expected = format!("Bearer number-{}", self.token.load(Ordering::Relaxed));
        if request.header("authorization") != Some(&expected) {
            return challenge.send(socket);
        }
        // Drawn for requests that would go well, so that each one drawn happens.
        let fault = self.next_fault();
        if let Some((Fault::Expired, _)) = fault {
            self.token.fetch_add(1, Ordering::Relaxed);
            return challenge.send(socket);
        }
        let good = request.forward(self.behind);
        let Some((fault, random)) = fault else { return good.send(socket) };
        let middle = random as usize % good.body.len().max(1);
        let status =
            |code: u16, headers: &[(&str, &str)]| Response::new(code, headers, b"{\"errors\": []}");
        match fault {
            Fault::Closed | Fault::Expired => {}
            Fault::Noise => drop(socket.write_all(b"\x16\x03\x01noise\r\n\r\n")),
            Fault::Status(401) => status(401, &[]).send(socket),
            Fault::Status(code) => status(code, &[("Retry-After", "1")]).send(socket),
            Fault::Cut | Fault::Stall => {
                let _ = socket.write_all(good.head(Some(good.body.len())).as_bytes());
                let _ = socket.write_all(&good.body[..middle]);
                let _ = socket.flush();
                if fault == Fault::Stall {
                    std::thread::sleep(STALLED);
                }
            }
            Fault::WrongBit => {
                let mut wrong = good;
                if let Some(byte) = wrong.body.get_mut(middle) {
                    *byte ^= 1 << (random >> 32 & 7);
                }
                wrong.send(socket);
            }
            Fault::Short => Response { body: good.body[..middle].to_vec(), ..good }.send(socket),
            Fault::Long => {
                let _ = socket.write_all(good.head(None).as_bytes());
                let _ = socket.write_all(&good.body);
                let _ = socket.write_all(&[b' '; 100]);
            }
            Fault::Redirect => {
                // Another name is another host.
                let place =
                    format!("http://localhost:{port}/storage{}?signature=secret", request.path);
                Response::new(307, &[("Location", &place)], b"").send(socket);
            }
            Fault::RedirectLoop => {
                let here = format!("{address}{}", request.path);
                Response::new(302, &[("Location", &here)], b"").send(socket);
            }
            Fault::Whole => {
                let mut whole = request.clone();
                whole.headers.retain(|(name, _)| name != "range");
                whole.forward(self.behind).send(socket);
            }
            Fault::OtherPiece => {
                let mut other = request.clone();
                other.headers.retain(|(name, _)| name != "range");
                other.headers.push(("range".to_owned(), format!("bytes={middle}-")));
                other.forward(self.behind).send(socket);
            }
        }
        let _ = socket.shutdown(Shutdown::Write);
    }
}

fn options(attempts: u32) -> OpenOptions {
    let retry = Retry {
        attempts,
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(4),
        ..Retry::default()
    };
    let net = NetOptions { plain_http: true, stall_timeout: STALL, retry, ..NetOptions::default() };
    OpenOptions { net, ..OpenOptions::default() }
}

/// The document of an image, all but when it was made and where it is from.
fn read(name: &str, attempts: u32) -> anyhow::Result<String> {
    let analyzers = inscan_analyzers::all(&inscan_analyzers::Config::default());
    let pass = Pass::new(&analyzers, Vec::new());
    let reference = Reference::parse(name)?;
    let Opened::Image { mut image, blobs } = source::open(&reference, &options(attempts), &Silent)?
    else {
        panic!("a registry has images with layers");
    };
    let layers: Vec<LayerScan> = layer::read_all(&image, &*blobs, &pass, 3, &Silent)?;
    image.source = "docker://x".to_owned();
    image.names = vec!["registry.example/layers:1".to_owned()];
    let analysis = analyze::analyze(&image, &layers, &analyzers);
    let run = Run::new(SystemTime::UNIX_EPOCH, Duration::ZERO, 1, Some(0));
    let mut text = Vec::new();
    let identity = identity(&image, Overrides::default());
    write(&analysis, &identity, &run, &mut text)?;
    Ok(String::from_utf8(text)?)
}

#[test]
#[expect(clippy::print_stderr, reason = "prints the figure")]
fn a_thousand_faults_give_the_right_document_or_a_clear_error() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let registry = parts::registry();
    let right = read(&registry.at("team/layers:1"), 1).unwrap();
    assert!(right.contains("zlib1g") && right.contains("data/5"));
    let gate = Arc::new(Gate {
        behind: registry.port,
        chance: Mutex::new(Chance(20_261_125)),
        rate: AtomicU64::new(0),
        faults: AtomicU64::new(0),
        token: AtomicU64::new(0),
        leaks: AtomicU64::new(0),
    });
    let port = Arc::new(AtomicU64::new(0));
    let (at_gate, own_port) = (gate.clone(), port.clone());
    let server = Server::start(move |request, socket| {
        at_gate.answer(request, own_port.load(Ordering::Relaxed) as u16, socket);
    });
    port.store(u64::from(server.port), Ordering::Relaxed);
    let image = server.at("team/layers:1");
    assert_eq!(read(&image, 1).unwrap(), right, "the gate itself is none of the faults");

    let (mut rights, mut errors, mut pulls) = (0, std::collections::BTreeMap::new(), 0);
    while gate.faults.load(Ordering::Relaxed) < FAULTS {
        // Few faults and many attempts, many faults and few attempts, and what is between.
        gate.rate.store(10 + pulls % 5 * 12, Ordering::Relaxed);
        let attempts = [1, 2, 3, 5, 8][(pulls / 5 % 5) as usize];
        pulls += 1;
        match read(&image, attempts) {
            Ok(document) => {
                assert!(document == right, "a wrong document after {pulls} pulls");
                rights += 1;
            }
            Err(error) => {
                let error = format!("{error:#}");
                for secret in ["number-", "signature", "secret"] {
                    assert!(!error.contains(secret), "{error}");
                }
                let reason = REASONS.iter().find(|reason| error.contains(**reason));
                let reason = reason.unwrap_or_else(|| panic!("no clear error: {error}"));
                *errors.entry(*reason).or_insert(0) += 1;
            }
        }
    }
    let faults = gate.faults.load(Ordering::Relaxed);
    let failed: i32 = errors.values().sum();
    let log = server.log.lock().unwrap();
    let resumed = log.iter().filter(|request| request.header("range").is_some()).count();
    let renewed = log.iter().filter(|request| request.path.starts_with("/token")).count();
    eprintln!(
        "{faults} faults in {pulls} pulls: {rights} right documents, {failed} clear errors {errors:?}, 0 wrong documents; {resumed} times a layer went on in the middle, {renewed} tokens"
    );
    assert!(resumed > 20 && renewed > pulls as usize, "layers go on, and tokens are renewed");
    assert_eq!(gate.leaks.load(Ordering::Relaxed), 0, "a token went to another host");
    assert!(rights > 20 && failed > 20, "both have to be seen");
}

/// What a clear error says, each for a fault or for its having come too often.
const REASONS: [&str; 16] = [
    "digest mismatch",
    "could not decompress it",
    "broken tar",
    "not what its digest says",
    "sends something else than it was asked for",
    "the connection was closed early",
    "no data for too long",
    "more than 10 times",
    "another piece of it came",
    "it ends before its",
    "the server has",
    "429 Too Many Requests",
    "500 Internal Server Error",
    "503 Service Unavailable",
    "offers nothing to log in with",
    "to a token that it asked for",
];
