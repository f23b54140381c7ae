//! A backend that fails in every way one can, at random: the right verdict, or exit code 3 with
//! the reason; never a verdict that nobody gave, and never the token where it does not belong.
//!
//! The seeds are fixed. Which fault meets which request depends on nothing else; how many runs
//! it takes depends on threads.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use inscan_test_support::oracle::oracle;
use serde_json::json;

use super::parts::{DEMO, TAG, archive, inscan, stderr, stdout};
use super::server::{self, Answers, Request, Response};
use super::stand_in::{Behaviour, StandIn, TOKEN};

const FAULTS: u64 = 500;
/// They wait, mostly.
const AT_A_TIME: u64 = 10;
/// So many seconds without a byte are a stall, and so long does one last. A machine with much else
/// to do is not to be taken for one.
const STALL: &str = "2";
const STALLED: Duration = Duration::from_millis(2500);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// The connection ends somewhere in what is sent, before anybody could act on it.
    CutRequest,
    /// What was asked is done, and the answer is lost.
    LostAnswer,
    /// The answer ends in its head or body.
    CutAnswer,
    /// Nothing comes in the middle of the answer.
    Stall,
    /// It comes slowly, and whole.
    Slow,
    Status(u16),
    /// With the page of a proxy.
    Page(u16),
    /// The token is repeated in what is wrong.
    Echo,
    /// An answer that says something else than what was asked for.
    Wrong(u8),
    /// To a host that says that everything passes.
    Redirect(u16),
    RedirectLoop,
    /// The token has run out, for the rest of the run.
    Expired,
    /// Nothing is there, for the rest of the run.
    Forgotten,
    /// No HTTP.
    Noise,
}

const WRONG: u8 = 9;

const ALL: [Fault; 20] = [
    Fault::CutRequest,
    Fault::CutRequest,
    Fault::CutRequest,
    Fault::LostAnswer,
    Fault::LostAnswer,
    Fault::CutAnswer,
    Fault::CutAnswer,
    Fault::Stall,
    Fault::Slow,
    Fault::Status(429),
    Fault::Status(500),
    Fault::Status(503),
    Fault::Page(502),
    Fault::Echo,
    Fault::Wrong(0),
    Fault::Wrong(0),
    Fault::Redirect(302),
    Fault::Redirect(307),
    Fault::RedirectLoop,
    Fault::Noise,
];

/// xorshift64*.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Stands before a backend, for one run at a time.
struct Gate {
    behind: StandIn,
    chance: Mutex<Chance>,
    /// Of a hundred requests, so many fail.
    rate: AtomicU64,
    /// What the run does not recover from.
    for_good: Mutex<Option<Fault>>,
    drawn: Mutex<Vec<Fault>>,
    /// The port of the host that says that everything passes.
    elsewhere: u16,
}

impl Gate {
    fn draw(&self) -> Option<(Fault, u64)> {
        let mut chance = self.chance.lock().unwrap();
        if chance.below(100) >= self.rate.load(Ordering::Relaxed) {
            return None;
        }
        let random = chance.next();
        let fault = match chance.below(ALL.len() as u64 + 1) as usize {
            at if at < ALL.len() => ALL[at],
            // Rare, since a run is over with it.
            _ if random.is_multiple_of(2) => Fault::Expired,
            _ => Fault::Forgotten,
        };
        let fault = match fault {
            Fault::Wrong(_) => Fault::Wrong((random >> 8) as u8 % WRONG),
            fault => fault,
        };
        self.drawn.lock().unwrap().push(fault);
        Some((fault, random))
    }

    fn wrong(&self, which: u8, request: &Request) -> Response {
        let good = "[{\"DIGEST\": {\"TAG\": [{\"status\": \"pass\", \"detail\": {}}]}}]";
        let digest = request.place().split('/').find(|part| part.starts_with("sha256:"));
        let digest = digest.unwrap_or("sha256:0");
        let other = format!("sha256:{}", "0".repeat(64));
        let body = match which {
            0 => String::new(),
            1 => "{".to_owned(),
            2 => "\"pass\"".to_owned(),
            3 => good.replace("DIGEST", &other).replace("TAG", TAG),
            4 => good.replace("DIGEST", digest).replace("TAG", "other:1"),
            5 => good.replace("DIGEST", digest).replace("TAG", TAG).replace("pass", "accepted"),
            6 => "[".repeat(100_000),
            7 => json!({"status": "pass"}).to_string(),
            _ => good.replace("DIGEST", digest).replace("TAG", TAG).replace("\"pass\"", "true"),
        };
        Response::new(200, &[("Content-Type", "application/json")], body.as_bytes())
    }
}

impl Answers for Gate {
    fn cut(&self, head: &Request, length: u64) -> Option<u64> {
        // Only here, so that what is cut was never whole.
        if head.method != "POST" {
            return None;
        }
        let mut chance = self.chance.lock().unwrap();
        let random = chance.next();
        let rate = self.rate.load(Ordering::Relaxed);
        if chance.below(100) < rate {
            self.drawn.lock().unwrap().push(Fault::CutRequest);
            return Some(random % length.max(1));
        }
        None
    }

    fn answer(&self, request: &Request, socket: &mut TcpStream) {
        let for_good = *self.for_good.lock().unwrap();
        let drawn = for_good.map(|fault| (fault, 0)).or_else(|| self.draw());
        let Some((fault, random)) = drawn else {
            return self.behind.respond(request).send(socket);
        };
        let status = |code: u16, body: &[u8]| Response::new(code, &[("Retry-After", "0")], body);
        let address = |host: &str, port: u16| format!("http://{host}:{port}{}", request.path);
        match fault {
            Fault::CutRequest => {}
            Fault::LostAnswer => drop(self.behind.respond(request)),
            Fault::CutAnswer | Fault::Stall | Fault::Slow => {
                let good = self.behind.respond(request);
                let whole = [good.head().as_bytes(), &good.body].concat();
                let middle = random as usize % whole.len();
                if fault == Fault::Slow {
                    for piece in whole.chunks(whole.len() / 8 + 1) {
                        let _ = socket.write_all(piece).and_then(|()| socket.flush());
                        thread::sleep(Duration::from_millis(20));
                    }
                    return;
                }
                let _ = socket.write_all(&whole[..middle]).and_then(|()| socket.flush());
                if fault == Fault::Stall {
                    thread::sleep(STALLED);
                }
            }
            Fault::Status(code) => {
                let body = json!({"message": "not now", "httpcode": code, "detail": {}});
                status(code, body.to_string().as_bytes()).send(socket);
            }
            Fault::Page(code) => status(code, b"<html>Bad Gateway</html>").send(socket),
            Fault::Echo => {
                let said = request.header("authorization").unwrap_or_default();
                let body = json!({"message": format!("do not understand {said}")});
                status(500, body.to_string().as_bytes()).send(socket);
            }
            Fault::Wrong(which) => self.wrong(which, request).send(socket),
            Fault::Redirect(code) => {
                let to = address("localhost", self.elsewhere);
                Response::new(code, &[("Location", &to)], b"").send(socket);
            }
            Fault::RedirectLoop => {
                let host = request.header("host").unwrap_or_default().to_owned();
                let here = format!("http://{host}{}", request.path);
                Response::new(302, &[("Location", &here)], b"").send(socket);
            }
            Fault::Expired | Fault::Forgotten => {
                *self.for_good.lock().unwrap() = Some(fault);
                match fault {
                    Fault::Expired => status(401, b"Unauthorized").send(socket),
                    _ => status(404, b"{\"message\": \"image not found in DB\"}").send(socket),
                }
            }
            Fault::Noise => drop(socket.write_all(b"\x16\x03\x01noise\r\n\r\n")),
        }
    }
}

/// Says that everything passes, and counts the tokens it is shown.
#[derive(Default)]
struct Elsewhere {
    leaks: AtomicU64,
}

impl Answers for Elsewhere {
    fn answer(&self, request: &Request, socket: &mut TcpStream) {
        if request.header("authorization").is_some() {
            self.leaks.fetch_add(1, Ordering::Relaxed);
        }
        let digest = request.place().split('/').find(|part| part.starts_with("sha256:"));
        let digest = digest.unwrap_or("sha256:0");
        let body = json!([{digest: {TAG: [{"status": "pass", "detail": {}}]}}]);
        Response::json(200, &body).send(socket);
    }
}

#[derive(Default)]
struct Tally {
    faults: AtomicU64,
    runs: AtomicU64,
    rights: AtomicU64,
    reasons: Mutex<BTreeMap<&'static str, u64>>,
    kinds: Mutex<BTreeMap<String, u64>>,
}

#[test]
#[expect(clippy::print_stderr, reason = "prints the figure")]
fn five_hundred_faults_give_the_right_verdict_or_none() {
    let Some(oracle) = oracle() else { return };
    let elsewhere = Arc::new(Elsewhere::default());
    let elsewhere_port = server::start(elsewhere.clone());
    let tally = Tally::default();
    let archive = archive().to_str().unwrap();
    thread::scope(|scope| {
        for thread in 0..AT_A_TIME {
            let (oracle, tally) = (&oracle, &tally);
            scope.spawn(move || runs(thread, oracle, elsewhere_port, archive, tally));
        }
    });
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    let reasons = tally.reasons.into_inner().unwrap();
    let failed: u64 = reasons.values().sum();
    let (faults, runs, rights) = (count(&tally.faults), count(&tally.runs), count(&tally.rights));
    eprintln!(
        "{faults} faults {:?} in {runs} runs: {rights} right verdicts, {failed} without a verdict for these reasons: {reasons:?}",
        tally.kinds.into_inner().unwrap()
    );
    assert_eq!(count(&elsewhere.leaks), 0, "a token went to another host");
    assert!(rights > 20 && failed > 20, "both have to be seen");
}

/// Runs of one thread, with a backend of its own.
fn runs(thread: u64, oracle: &Path, elsewhere: u16, archive: &str, tally: &Tally) {
    let gate = Arc::new(Gate {
        behind: StandIn::new(oracle, Behaviour::default()),
        chance: Mutex::new(Chance(20_261_126 + thread * 7919)),
        rate: AtomicU64::new(0),
        for_good: Mutex::default(),
        drawn: Mutex::default(),
        elsewhere,
    });
    let url = format!("http://127.0.0.1:{}", server::start(gate.clone()));
    let mut number = thread;
    while tally.faults.load(Ordering::Relaxed) < FAULTS {
        number += 1;
        let passes = number.is_multiple_of(2);
        let looks = (number % 3) as u32;
        *gate.behind.behaviour.lock().unwrap() = Behaviour {
            passes,
            looks,
            has_sync: !number.is_multiple_of(5),
            ..Behaviour::default()
        };
        gate.behind.images.lock().unwrap().clear();
        *gate.for_good.lock().unwrap() = None;
        gate.rate.store(5 + number % 4 * 10, Ordering::Relaxed);
        let mut command = match number % 7 {
            0 => inscan(&["upload", DEMO, "--tag", TAG]),
            1 => inscan(&["scan", "--upload", DEMO, "--tag", TAG]),
            _ => inscan(&["upload", archive]),
        };
        command.args(["--url", &url, "--timeout", "20", "--stall-timeout", STALL]);
        command.env("INSCAN_TOKEN", TOKEN).env("INSCAN_RETRIES", (number % 3).to_string());
        let output = command.output().unwrap();
        let (said, shown) = (stderr(&output), stdout(&output));
        let drawn = std::mem::take(&mut *gate.drawn.lock().unwrap());
        let context = || format!("{drawn:?}: {command:?}\n{shown}\n{said}");
        assert!(!said.contains(TOKEN) && !shown.contains(TOKEN), "{}", context());
        match output.status.code() {
            Some(code @ (0 | 1)) => {
                assert_eq!(code == 0, passes, "a wrong verdict: {}", context());
                let word = if passes { "PASS" } else { "FAIL" };
                assert!(shown.contains(word), "{}", context());
                tally.rights.fetch_add(1, Ordering::Relaxed);
            }
            Some(3) => {
                assert!(!drawn.is_empty(), "without any fault: {}", context());
                assert!(!shown.contains("PASS") && !shown.contains("FAIL"), "{}", context());
                let reason = REASONS.iter().find(|reason| said.contains(**reason));
                let reason = reason.unwrap_or_else(|| panic!("no clear reason: {}", context()));
                *tally.reasons.lock().unwrap().entry(reason).or_default() += 1;
            }
            code => panic!("it ended with {code:?}: {}", context()),
        }
        tally.runs.fetch_add(1, Ordering::Relaxed);
        tally.faults.fetch_add(drawn.len() as u64, Ordering::Relaxed);
        let mut kinds = tally.kinds.lock().unwrap();
        for fault in drawn {
            let kind = format!("{fault:?}");
            *kinds.entry(kind.split('(').next().unwrap().to_owned()).or_default() += 1;
        }
    }
}

/// What a clear reason says, each for a fault or for its having come too often.
const REASONS: [&str; 15] = [
    "Unauthorized (401 Unauthorized)",
    "the connection was closed early",
    "no data for too long",
    "not now (429 Too Many Requests)",
    "not now (500 Internal Server Error)",
    "not now (503 Service Unavailable)",
    ": 502 Bad Gateway",
    "do not understand Bearer ***",
    "which is neither pass nor fail",
    "what came is not understood",
    "which is not followed",
    "more than 10 times",
    "a request that is not sent twice",
    "image not found in DB (404 Not Found)",
    "not judged in time",
];
