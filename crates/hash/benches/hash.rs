//! Bytes per second of CPU time, taking turns: each way of taking the digests.

#![expect(clippy::print_stdout, reason = "figures for people")]

use std::hint::black_box;

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use inscan_hash::{Content, Outer, Parts, of_each};
use md5::{Digest as _, Md5};

const TURNS: usize = 9;

/// A name, and what is measured under it.
type Way = (String, Box<dyn Fn(&[u8])>);

fn main() {
    let bytes: Vec<u8> =
        (0..32_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
    let mut ways: Vec<Way> = vec![
        ("long, one after another".into(), Box::new(one_after_another)),
        ("long, in one loop".into(), Box::new(|bytes| within(&[Parts::All], bytes))),
        (
            "long, in two loops".into(),
            Box::new(|bytes| within(&[Parts::Sha256, Parts::Md5AndSha1], bytes)),
        ),
    ];
    for length in [1 << 10, 8 << 10, 64 << 10] {
        let name = |how: &str| format!("{} KiB each, {how}", length >> 10);
        ways.push((name("one after another"), Box::new(move |bytes| each_alone(bytes, length))));
        ways.push((name("side by side"), Box::new(move |bytes| side_by_side(bytes, length))));
    }
    let mut times = vec![Vec::new(); ways.len()];
    for _ in 0..TURNS {
        for ((_, way), times) in ways.iter().zip(&mut times) {
            let begun = on_processor();
            way(&bytes);
            times.push(on_processor() - begun);
        }
    }
    for ((name, _), times) in ways.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        println!("{name:40} {:.3} GB/s", bytes.len() as f64 / times[TURNS / 2] / 1e9);
    }
}

/// Seconds that this thread has had of a processor: others may use the machine as well.
fn on_processor() -> f64 {
    let times =
        std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux with schedstat");
    times.split(' ').next().and_then(|time| time.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}

fn one_after_another(bytes: &[u8]) {
    let mut md5 = Md5::new();
    let mut others = [&SHA1_FOR_LEGACY_USE_ONLY, &SHA256, &SHA256].map(Context::new);
    for piece in bytes.chunks(64 << 10) {
        md5.update(piece);
        others.iter_mut().for_each(|other| other.update(piece));
    }
}

fn within(parts: &[Parts], bytes: &[u8]) {
    let mut outer = Outer::default();
    let mut contents: Vec<Content> = parts.iter().map(|parts| Content::new(*parts)).collect();
    for piece in bytes.chunks(64 << 10) {
        let (first, others) = contents.split_first_mut().expect("there is one");
        first.update_within(&mut outer, piece);
        others.iter_mut().for_each(|other| other.update(piece));
    }
}

fn each_alone(bytes: &[u8], length: usize) {
    for content in bytes.chunks(length) {
        black_box(Md5::digest(content));
        black_box(digest(&SHA1_FOR_LEGACY_USE_ONLY, content));
        black_box(digest(&SHA256, content));
    }
}

fn side_by_side(bytes: &[u8], length: usize) {
    for group in bytes.chunks(512 << 10) {
        of_each(&group.chunks(length).collect::<Vec<_>>());
    }
}
