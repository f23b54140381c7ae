//! Archives of every form that is about, of odd ones, and of damaged ones, from a number.

use crate::random::Random;

const BLOCK: usize = 512;

/// An archive being written, and where its header blocks are.
#[derive(Default)]
pub(crate) struct Tar {
    pub(crate) bytes: Vec<u8>,
    headers: Vec<usize>,
}

/// The archive of a number.
pub(crate) fn archive(seed: u64, number: u64) -> Vec<u8> {
    let mut random = Random::new(seed.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ number);
    let mut tar = Tar::default();
    let random = &mut random;
    for _ in 0..1 + random.below(4) {
        member(&mut tar, random);
    }
    end(&mut tar, random);
    if random.one_in(2) {
        for _ in 0..1 + random.below(3) {
            damage(&mut tar, random);
        }
    }
    tar.bytes
}

impl Tar {
    /// A header, with its checksum put right.
    fn header(&mut self, mut block: [u8; BLOCK]) {
        set_checksum(&mut block, false);
        self.headers.push(self.bytes.len());
        self.bytes.extend(block);
    }

    fn content(&mut self, content: &[u8]) {
        self.bytes.extend(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
    }

    /// An extended header.
    pub(crate) fn extended(&mut self, flag: u8, body: &[u8]) {
        let mut block = plain(b"././@Extended", flag, body.len() as u64);
        block[257..265].copy_from_slice(b"ustar\x0000");
        self.header(block);
        self.content(body);
    }
}

fn plain(name: &[u8], flag: u8, size: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[..name.len()].copy_from_slice(name);
    block[100..107].copy_from_slice(b"0000644");
    block[108..115].copy_from_slice(b"0001750");
    block[116..123].copy_from_slice(b"0000144");
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[136..147].copy_from_slice(b"00000000001");
    block[156] = flag;
    block
}

fn set_checksum(block: &mut [u8; BLOCK], signed: bool) {
    block[148..156].fill(b' ');
    let sum: i64 = match signed {
        false => block.iter().map(|&byte| i64::from(byte)).sum(),
        true => block.iter().map(|&byte| i64::from(byte as i8)).sum(),
    };
    // A negative sum cannot be written.
    block[148..156].copy_from_slice(format!("{:06o}\0 ", sum.max(0)).as_bytes());
}

/// One member with whatever belongs to it.
fn member(tar: &mut Tar, random: &mut Random) {
    let content: Vec<u8> = {
        let length = random.below_any(&[1, 1, 20, 600, 1600]);
        (0..length).map(|_| random.next() as u8).collect()
    };
    if random.one_in(5) {
        return sparse(tar, random);
    }
    let mut records = Vec::new();
    for _ in 0..random.below(4) {
        match random.below(9) {
            0 => tar.extended(b'L', &long_name(random)),
            1 => tar.extended(b'K', &long_name(random)),
            2 if random.one_in(3) => tar.extended(b'g', &some_records(random)),
            3 if random.one_in(30) => {
                let length = (1 << 20) - 1 + random.below(3);
                tar.extended(random.of(b"LKxg"), &vec![b'a'; length]);
            }
            4..=6 => records.push(size_record(random, content.len())),
            7 => records.push(some_records(random)),
            _ => {}
        }
    }
    if !records.is_empty() {
        tar.extended(b'x', &records.concat());
        if random.one_in(8) {
            tar.extended(b'x', &some_records(random));
        }
    }
    let mut block = odd_header(random, content.len() as u64);
    if random.one_in(12) {
        // The size comes from the records, or it is wrong.
        block[124..136].copy_from_slice(&random.of(&[
            *b"00000000000\0",
            *b"00000001000\0",
            *b"\0\0\0\0\0 00020\0",
            *b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            *b"\x80\0\0\0\0\0\0\0\0\0\0\x05",
            *b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
        ]));
    }
    let has_content = !matches!(block[156], b'1'..=b'6') || random.one_in(20);
    tar.header(block);
    if has_content {
        tar.content(&content);
    }
}

const NAMES: &[&[u8]] =
    &[b"a", b"d/", b"d/b", b"./c", b"/abs", b"../up", b"x//y", b"", b"\xff\xfe", b"d/.wh.b", b"."];

/// No numbers of records.
const BAD: &[&[u8]] =
    &[b"0x7", b" 7", b"7 ", b"1_000", b"18446744073709551616", b"-", b"1e3", b"7\0"];

fn long_name(random: &mut Random) -> Vec<u8> {
    let mut name = random.of(NAMES).to_vec();
    match random.below(6) {
        0 => name.extend(vec![b'n'; 90 + random.below(600)]),
        1 => name.extend(b"\0behind"),
        2 => name.insert(0, 0),
        _ => {}
    }
    if !random.one_in(3) {
        name.push(0);
    }
    name
}

fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let length = (rest..).find(|length| rest + length.to_string().len() == *length).unwrap();
    [format!("{length} ").as_bytes(), key, b"=", value, b"\n"].concat()
}

fn size_record(random: &mut Random, size: usize) -> Vec<u8> {
    let size = size.to_string();
    let values = [size.as_str(), &size, &size, &size, "", "", "0", "512", "-1"];
    record(b"size", random.of(&values).as_bytes())
}

fn some_records(random: &mut Random) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..random.below(3) {
        // Values that are read, and values that are refused.
        let (key, good, bad): (&[u8], &[&[u8]], &[&[u8]]) = random.of(&[
            (b"path", NAMES, &[b"nul\0in"]),
            (b"linkpath", NAMES, &[b"\0"]),
            (b"path", &[b"", b"space in", b"new\nline", b"equals=in"], NAMES),
            (b"uid", &[b"7", b"-1", b"-2", b"", b"4294967296", b"9223372036854775807", b"+7"], BAD),
            (b"gid", &[b"7", b"-1", b"", b"-9223372036854775808", b"007"], BAD),
            (b"mtime", &[b"1.5", b"-1.5", b"", b"1.", b"1", b"1700000000.1234567891"], BAD),
            (b"atime", &[b"1.5", b"", b"-0.1"], &[b".5", b"1.x", b"1.-5"]),
            (b"ctime", &[b"1.5", b""], &[b"now"]),
            (b"uname", &[b"root", b""], &[b"r\0t"]),
            (b"gname", &[b"root", b""], &[b"\0"]),
            (b"SCHILY.xattr.security.capability", &[b"\x01\0\0\x02caps\n", b"", b"other"], NAMES),
            (b"LIBARCHIVE.xattr.security.capability", &[b"AQAAAg"], NAMES),
            (b"SCHILY.xattr.user.a", &[b"b"], NAMES),
            (b"comment", &[b"a comment", b"", b"with\0nul"], NAMES),
            (b"unknown", &[b"v"], NAMES),
            (b"GNU.sparse.major", &[b"0", b"1", b"", b"2", b"00"], NAMES),
            (b"GNU.sparse.minor", &[b"0", b"1", b""], NAMES),
            (b"GNU.sparse.name", &[b"other", b"", b"n\0ul"], NAMES),
            (b"GNU.sparse.size", &[b"0", b"", b"100"], &[b"-1", b"x"]),
            (b"GNU.sparse.map", &[b"0,0", b"", b"0,1"], &[b","]),
            (b"GNU.sparse.numblocks", &[b"0", b"1", b""], &[b"-1"]),
            (b"GNU.sparse.offset", &[b"0", b"", b"5"], &[b"1,2"]),
            (b"GNU.sparse.numbytes", &[b"0", b"1", b""], &[b"1,2"]),
        ]);
        let values = if random.one_in(12) { bad } else { good };
        if random.one_in(6) || !key.starts_with(b"GNU") {
            all.extend(record(key, random.of(values)));
        }
    }
    if random.one_in(60) {
        all.extend(random.of(&[
            &b"5 a=\n"[..],
            b"4 =\n",
            b"6 a=b",
            b"+6 a=b\n",
            b"06 a=b\n",
            b"0",
            b"\0\0",
            b" ",
            b"99 a=b\n",
            b"6 a=b\n\0",
            b"18446744073709551616 a=b\n",
        ]));
    }
    all
}

/// A header with fields of every form.
fn odd_header(random: &mut Random, size: u64) -> [u8; BLOCK] {
    let flags = b"\0\0\x00000000555112233446677SS9Dxg";
    let mut block = plain(random.of(NAMES), random.of(flags), size);
    if random.one_in(6) {
        block[..100].fill(b'n');
        block[random.below(100)] = b'/';
    }
    let link = random.of(NAMES);
    block[157..157 + link.len()].copy_from_slice(link);
    magic(&mut block, random);
    for (start, length) in [(100, 8), (108, 8), (116, 8), (136, 12), (124, 12)] {
        if random.one_in(25) {
            let value = if start == 124 { size } else { random.next() >> random.of(&[44, 56, 20]) };
            odd_number(&mut block[start..start + length], value, random);
        }
    }
    block
}

fn magic(block: &mut [u8; BLOCK], random: &mut Random) {
    let magics: &[&[u8]] = &[b"ustar\x0000", b"ustar  \0", b"\0\0\0\0\0\0\0\0"];
    block[257..265].copy_from_slice(random.of(magics));
    if random.one_in(10) {
        let odd: &[&[u8]] =
            &[b"ustar  1", b"ustar\0  ", b"ustar\x0011", b"ustar 00", b"USTAR\x0000"];
        block[257..265].copy_from_slice(random.of(odd));
    }
    if random.one_in(4) {
        let prefix: &[&[u8]] = &[b"pre", b"p/q/", b"\xc3\xa9", b"0000000001", b"./", b"17\0\0 x"];
        let prefix = random.of(prefix);
        block[345..345 + prefix.len()].copy_from_slice(prefix);
    }
    if random.one_in(12) {
        block[345..500].fill(b'q');
    }
    if random.one_in(6) {
        block[508..512].copy_from_slice(b"tar\0");
        if random.one_in(2) {
            block[476..500].copy_from_slice(b"00000000001\x0000000000002\0");
        }
    }
    if random.one_in(10) {
        block[329..345]
            .copy_from_slice(&random.of(&[*b"0000001\x000000002\0", *b"x000001\x000000002\0"]));
    }
    if random.one_in(12) {
        block[345..369].copy_from_slice(&random.of(&[
            *b"00000000001\x0000000000002\0",
            *b"00000000001\0dir/dir/dir/",
            *b"\0\0\0\0\0\0\0\0\0\0\0\0dir/dir/dir/",
            *b"\x80\0\0\0\0\0\0\0\0\0\0\x01\xff\0\0\0\0\0\0\0\0\0\0\0",
        ]));
    }
}

/// A number in one of the forms that writers have, or that no reader should take.
fn odd_number(field: &mut [u8], value: u64, random: &mut Random) {
    let width = field.len();
    let octal = format!("{:o}", value & ((1 << (3 * (width - 2))) - 1));
    field.fill(0);
    match random.below(9) {
        0 => field[width - 1 - octal.len()..width - 1].copy_from_slice(octal.as_bytes()),
        1 => {
            field.fill(b' ');
            field[width - octal.len()..].copy_from_slice(octal.as_bytes());
        }
        2 => {
            field[..octal.len()].copy_from_slice(octal.as_bytes());
            field[octal.len()] = b' ';
        }
        3 => {
            field[0] = 0x80;
            let bytes = value.to_be_bytes();
            field[width - 7..].copy_from_slice(&bytes[1..]);
        }
        4 => {
            field.fill(0xff);
            field[width - 1] = random.next() as u8;
        }
        5 => {
            field[0] = random.of(&[0x80, 0xc0, 0xff, 0xbf]);
            let at = random.below(width);
            field[at] |= random.next() as u8;
        }
        6 => {
            let at = random.below(width);
            field[at] = random.next() as u8;
        }
        7 => {
            field[..octal.len()].copy_from_slice(octal.as_bytes());
            field[width - 1] = b'7';
        }
        _ => field[0] = random.of(b" \0-+9x0"),
    }
}

/// A sparse file in one of the five forms.
fn sparse(tar: &mut Tar, random: &mut Random) {
    let mut fragments = Vec::new();
    let mut end = 0u64;
    for _ in 0..random.below_any(&[3, 8, 60]) {
        let offset = end + random.below(700) as u64;
        let length = random.below_any(&[1, 300]) as u64;
        fragments.push((offset, length));
        end = offset + length;
    }
    let mut size = end + random.of(&[0, 1, 5000, 70_000]);
    let content: Vec<u8> =
        (0..fragments.iter().map(|pair| pair.1).sum()).map(|_| random.next() as u8).collect();
    match random.below(60) {
        0 => size = size.saturating_sub(1),
        1 => fragments.reverse(),
        2 => fragments.push((size, 1)),
        3 => size = 1 << random.of(&[23, 40, 62]),
        _ => {}
    }
    match random.below(4) {
        0 => old_sparse(tar, random, &fragments, size, &content),
        form => pax_sparse(tar, random, form, &fragments, size, content),
    }
}

fn old_sparse(tar: &mut Tar, random: &mut Random, map: &[(u64, u64)], size: u64, content: &[u8]) {
    let mut block = plain(random.of(NAMES), b'S', content.len() as u64);
    block[257..265].copy_from_slice(b"ustar  \0");
    if random.one_in(20) {
        magic(&mut block, random);
    }
    let write = |fields: &mut [u8], pairs: &[(u64, u64)]| {
        for (field, (offset, length)) in fields.chunks_exact_mut(24).zip(pairs) {
            field.copy_from_slice(format!("{offset:011o}\0{length:011o}\0").as_bytes());
        }
    };
    let (first, rest) = map.split_at(map.len().min(4));
    write(&mut block[386..482], first);
    block[482] = u8::from(!rest.is_empty());
    block[483..495].copy_from_slice(format!("{size:012o}").get(..12).unwrap_or("8").as_bytes_12());
    tar.header(block);
    let chunks: Vec<_> = rest.chunks(21).collect();
    for (number, pairs) in chunks.iter().enumerate() {
        let mut block = [0; BLOCK];
        write(&mut block[..504], pairs);
        block[504] = u8::from(number + 1 < chunks.len());
        tar.bytes.extend(block);
    }
    tar.content(content);
}

trait Twelve {
    fn as_bytes_12(&self) -> &[u8];
}

impl Twelve for str {
    fn as_bytes_12(&self) -> &[u8] {
        if self.len() == 12 { self.as_bytes() } else { b"000000000000" }
    }
}

fn pax_sparse(
    tar: &mut Tar,
    random: &mut Random,
    form: usize,
    map: &[(u64, u64)],
    size: u64,
    mut content: Vec<u8>,
) {
    let numbers: Vec<String> =
        map.iter().flat_map(|(offset, length)| [offset.to_string(), length.to_string()]).collect();
    let mut records = Vec::new();
    let mut add = |key: &str, value: &str| records.extend(record(key.as_bytes(), value.as_bytes()));
    if !random.one_in(6) {
        add("GNU.sparse.name", "real/name");
    }
    add(random.of(&["GNU.sparse.size", "GNU.sparse.realsize"]), &size.to_string());
    let blocks = match random.below(20) {
        0 => "+".to_owned() + &map.len().to_string(),
        1 => (map.len() + 1).to_string(),
        _ => map.len().to_string(),
    };
    let major = if form == 3 { "1" } else { "0" };
    if form == 3 || random.one_in(3) {
        add("GNU.sparse.major", if random.one_in(12) { "2" } else { major });
        let minor = if form == 2 { "1" } else { "0" };
        add("GNU.sparse.minor", if random.one_in(12) { "9" } else { minor });
    }
    match form {
        1 => {
            add("GNU.sparse.numblocks", &blocks);
            for pair in numbers.chunks(2) {
                add("GNU.sparse.offset", &pair[0]);
                add("GNU.sparse.numbytes", &pair[1]);
            }
        }
        2 => {
            add("GNU.sparse.numblocks", &blocks);
            add("GNU.sparse.map", &numbers.join(","));
        }
        _ => {
            let mut front: Vec<u8> = format!("{blocks}\n").into();
            numbers.iter().for_each(|number| front.extend(format!("{number}\n").bytes()));
            front.resize(front.len().next_multiple_of(BLOCK), random.of(&[0, 0, 0, b'\n', b'7']));
            front.extend(content);
            content = front;
        }
    }
    if random.one_in(8) {
        records.extend(some_records(random));
    }
    tar.extended(b'x', &records);
    if random.one_in(10) {
        tar.extended(b'L', &long_name(random));
    }
    let flag = if random.one_in(12) { random.of(b"15S\x007Z") } else { b'0' };
    let mut block = plain(b"GNUSparseFile.0/x", flag, content.len() as u64);
    magic(&mut block, random);
    tar.header(block);
    tar.content(&content);
}

fn end(tar: &mut Tar, random: &mut Random) {
    let zeros = random.of(&[1024, 1024, 1024, 1024, 1024, 1024, 1024, 10_240, 512, 0, 0, 700]);
    tar.bytes.extend(vec![0; zeros]);
    match random.below(12) {
        0 => tar.bytes.extend(b"behind the end"),
        1 => member(tar, random),
        _ => {}
    }
}

/// Changes something, anywhere or in a header whose checksum is put right again.
fn damage(tar: &mut Tar, random: &mut Random) {
    if tar.bytes.is_empty() {
        return;
    }
    let length = tar.bytes.len();
    let header = tar.headers.get(random.below(tar.headers.len().max(1))).copied();
    match (random.below(12), header) {
        (0, _) => tar.bytes[random.below(length)] = random.next() as u8,
        (1, _) => tar.bytes.truncate(random.below(length + 1)),
        (2, _) => tar.bytes.truncate(random.below(length + 1) / BLOCK * BLOCK),
        (3, Some(at)) => {
            // A block more, or less.
            let block = tar.bytes.get(at..at + BLOCK).unwrap_or_default().to_vec();
            let to = random.below(length) / BLOCK * BLOCK;
            tar.bytes.splice(to..to, block);
        }
        (4, Some(at)) if at + BLOCK <= length => drop(tar.bytes.drain(at..at + BLOCK)),
        (5, Some(at)) => {
            // In what follows a header: a record, a map, a name.
            let at = at + BLOCK + random.below(BLOCK);
            if let Some(byte) = tar.bytes.get_mut(at) {
                *byte = random.of(b"0123456789 =\n\0,-a/");
            }
        }
        (change, Some(at)) => {
            let Some(block) = tar.bytes.get_mut(at..at + BLOCK) else { return };
            let block: &mut [u8; BLOCK] = block.try_into().unwrap();
            let fields = &[
                (0, 100),
                (100, 24),
                (124, 12),
                (136, 12),
                (156, 1),
                (157, 100),
                (257, 8),
                (329, 16),
                (345, 167),
            ];
            let (start, width) = random.of(fields);
            block[start + random.below(width)] = match change {
                6 => random.next() as u8,
                7 => 0,
                8 => random.of(b"SLKxg01257"),
                _ => random.of(b"01234567 /\0."),
            };
            set_checksum(block, random.one_in(4));
        }
        (_, None) => {}
    }
}
