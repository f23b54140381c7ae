use std::io::Write;

use inscan_test_support::{gzip, tar, zip};

use super::*;

const PROGRAM: &[u8] = &[b'\x7f'; 5000];

const MOST: Limits = Limits { depth: 3, members: 100, held: 1 << 20, unpacked: 4 << 20 };

#[derive(Default)]
struct Seen(Vec<String>);

impl Visitor for Seen {
    fn named(&mut self, _: &[u8], name: &[u8], _: u64) -> bool {
        name.ends_with(b".json")
    }

    fn begins(&mut self, start: &[u8]) -> bool {
        start.starts_with(b"\x7f")
    }

    fn content(&mut self, within: &[u8], name: &[u8], content: &dyn Content) {
        let (within, name) = (within.escape_ascii(), name.escape_ascii());
        let bytes = content.bytes().unwrap();
        let shown = match bytes.first() {
            Some(b'\x7f') => format!("{} bytes", bytes.len()),
            _ => bytes.escape_ascii().to_string(),
        };
        self.0.push(format!("{within}{name} = {shown}"));
    }

    fn fault(&mut self, within: &[u8], name: &[u8], fault: Fault) {
        let (within, name) = (within.escape_ascii(), name.escape_ascii());
        self.0.push(format!("{within}{name}: {fault:?}"));
    }
}

#[track_caller]
fn check(name: &str, archive: &[u8], limits: Limits, expected: &[&str]) {
    let form = form_of(&archive[..archive.len().min(BLOCK)]).expect("an archive");
    let mut seen = Seen::default();
    walk(form, &archive, name.as_bytes(), limits, &mut seen);
    let cut = |line: &String| line.chars().take(90).collect::<String>();
    assert_eq!(seen.0.iter().map(cut).collect::<Vec<_>>(), expected);
}

const SOME: [(&str, &[u8]); 4] =
    [("a/b.json", b"one"), ("run", PROGRAM), ("small", b"\x7fELF"), ("text", &[b't'; 5000])];

#[test]
fn members_are_wanted_by_name_or_by_their_first_bytes() {
    let expected = ["a/b.json = one", "run = 5000 bytes"];
    check("x.zip", &zip(&SOME), MOST, &expected);
    check("x.tar", &tar(&SOME), MOST, &expected);
    check("x.tgz", &gzip(&tar(&SOME)), MOST, &expected);
}

#[test]
fn tars_are_read_however_they_are_compressed() {
    let plain = tar(&SOME);
    let zstd = zstd::encode_all(&plain[..], 1).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&plain).unwrap();
    for packed in [zstd, bzip2.finish().unwrap()] {
        check("x", &packed, MOST, &["a/b.json = one", "run = 5000 bytes"]);
    }
}

#[test]
fn archives_in_archives_are_walked_as_well() {
    let inner = tar(&SOME[..1]);
    for outer in [
        zip(&[("i.tgz", &gzip(&inner)), ("=i.tar", &inner), ("i.zip", &zip(&SOME[..1]))]),
        tar(&[("./i.tgz", &gzip(&inner)), ("i.tar", &inner), ("i.zip", &zip(&SOME[..1]))]),
        gzip(&tar(&[("i.tgz", &gzip(&inner)), ("i.tar", &inner), ("i.zip", &zip(&SOME[..1]))])),
    ] {
        check(
            "x.tgz",
            &outer,
            MOST,
            &["i.tgz:a/b.json = one", "i.tar:a/b.json = one", "i.zip:a/b.json = one"],
        );
    }
    let deep = (0..5).fold(inner, |inner, _| tar(&[("i.tar", &inner)]));
    let expected = "i.tar:i.tar:i.tar:i.tar: OverLimit(\"archives nested more than 3 deep\")";
    check("x.tar", &deep, MOST, &[expected]);
}

#[test]
fn a_compressed_program_is_a_member_without_the_ending() {
    check("opt/run.gz", &gzip(PROGRAM), MOST, &["run = 5000 bytes"]);
    check("doc/text.gz", &gzip(b"text"), MOST, &[]);
    check("x.gz", b"\x1f\x8bno", MOST, &[]);
}

/// As PHP writes it, by its documentation.
fn phar(members: &[(&str, &[u8], bool)]) -> Vec<u8> {
    let deflated = |bytes: &[u8]| {
        let most = flate2::Compression::best();
        let mut encoder = flate2::read::DeflateEncoder::new(bytes, most);
        let mut out = Vec::new();
        encoder.read_to_end(&mut out).unwrap();
        out
    };
    let number = |number: usize| (number as u32).to_le_bytes().to_vec();
    let mut list = [number(members.len()), vec![0x11, 0], number(0), number(0), number(0)].concat();
    let mut data = Vec::new();
    for (name, content, is_packed) in members {
        let stored = if *is_packed { deflated(content) } else { content.to_vec() };
        list.extend([number(name.len()), name.as_bytes().to_vec()].concat());
        list.extend(
            [number(<[u8]>::len(content)), number(0), number(stored.len()), number(0)].concat(),
        );
        list.extend([number(if *is_packed { 0x1000 } else { 0 } | 0o644), number(0)].concat());
        data.extend(stored);
    }
    let script = b"#!/usr/bin/env php\n<?php\nPhar::mapPhar(); __HALT_COMPILER(); ?>\r\n";
    [&script[..], &number(list.len()), &list, &data].concat()
}

#[test]
fn archives_of_php_are_read_behind_their_script() {
    let archive =
        phar(&[("a/b.json", b"one", true), ("c.json", b"two", false), ("run", PROGRAM, true)]);
    let read = |archive: &[u8]| {
        let mut seen = Seen::default();
        walk(Form::Phar, &archive, b"x.phar", MOST, &mut seen);
        seen.0
    };
    assert!(crate::is_phar(&&archive[..]));
    assert_eq!(read(&archive), ["a/b.json = one", "c.json = two", "run = 5000 bytes"]);
    for cut in 0..archive.len() {
        read(&archive[..cut]);
    }
}

#[test]
fn what_would_take_much_memory_to_decompress_is_said() {
    // The header of a frame with a window of 256 MiB, and of a stream with a dictionary of 1 GiB.
    let zstd = [&b"\x28\xb5\x2f\xfd\x00\x90"[..], b"\x01\0\0"].concat();
    let xz = include_bytes!("large-dictionary.xz");
    for packed in [&zstd[..], xz] {
        let mut seen = Seen::default();
        walk(form_of(packed).unwrap(), &packed, b"x", MOST, &mut seen);
        assert!(seen.0.len() == 1 && seen.0[0].contains("OverLimit"), "{:?}", seen.0);
    }
}

#[test]
fn what_is_not_read_is_said() {
    let whole = gzip(&tar(&SOME));
    let cut = &whole[..whole.len() - 30];
    let mut seen = Seen::default();
    walk(form_of(cut).unwrap(), &cut, b"x", MOST, &mut seen);
    assert!(seen.0.iter().any(|line| line.contains("Damaged")), "{:?}", seen.0);
    let few = Limits { members: 2, ..MOST };
    check(
        "x",
        &tar(&SOME),
        few,
        &["a/b.json = one", "run = 5000 bytes", ": OverLimit(\"more than 2 members\")"],
    );
    let small = Limits { held: 4000, ..MOST };
    let said = "run: OverLimit(\"larger than the 4000 bytes that are read into memory\")";
    check("x", &gzip(&tar(&SOME)), small, &["a/b.json = one", said]);
    let little = Limits { unpacked: 1000, ..MOST };
    let mut seen = Seen::default();
    walk(form_of(&whole).unwrap(), &&whole[..], b"x", little, &mut seen);
    assert!(seen.0.iter().any(|line| line.contains("more than is read")), "{:?}", seen.0);
}
