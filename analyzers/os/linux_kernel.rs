//! Linux kernels, by the version in their image: what boots of a system image or a bootable
//! container. x86 kernels have a header that says where the version stands
//! (<https://www.kernel.org/doc/html/latest/arch/x86/boot.html>); those of other processors,
//! where they are not compressed or by gzip, have the text `Linux version`. Where there are only modules, the
//! directory that each kernel looks for its own in has its version: `lib/modules/VERSION`.

use std::collections::BTreeSet;
use std::io::Read;

use bstr::{BString, ByteSlice};
use flate2::bufread::GzDecoder;
use inscan_facts::content::Content;
use inscan_facts::window::read_exact_at;

use inscan_facts::package::{Certainty, Identity};

use crate::{
    Analyzer, Evidence, Fact, Facts, FileHead, Files, Package, Pattern, Result, Want, path,
};

pub(crate) struct LinuxKernel;

const MAX_KERNEL: u64 = 512 << 20;
/// How much of a kernel without such a header is searched.
const MAX_SEARCH: u64 = 64 << 20;
const MAX_VERSION: u64 = 256;
/// Which names kernels have: `vmlinuz-6.1.0-18-amd64`, `vmlinux`, `bzImage`, `Image`.
const MODULES: [&[u8]; 2] = [b"lib/modules", b"usr/lib/modules"];
/// What is in a directory of modules, and not in one that was left by headers alone.
const OF_MODULES: [&[u8]; 6] =
    [b"modules.builtin", b"modules.order", b"modules.dep", b"kernel", b"extra", b"updates"];
const NAMES: [&[u8]; 5] = [b"vmlinuz", b"vmlinux", b"bzImage", b"Image", b"kernel"];

impl Analyzer for LinuxKernel {
    fn name(&self) -> &'static str {
        "linux-kernel"
    }

    fn about(&self) -> &'static str {
        "Linux kernels (vmlinuz and the like), by the version in their image or by their modules"
    }

    fn wants(&self) -> Vec<Want> {
        let anywhere = NAMES.map(|name| Pattern::Name(String::from_utf8_lossy(name).into_owned()));
        let patterns = [Pattern::within("boot", "")].into_iter().chain(anywhere);
        patterns.map(|pattern| Want::inspect(pattern, MAX_KERNEL)).collect()
    }

    fn may_read(&self, path: &[u8]) -> bool {
        NAMES.iter().any(|known| path::name(path).starts_with(known))
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        if !self.may_read(file.path) {
            return Ok(());
        }
        if let Some(version) = version(content)? {
            out.package(package(version, file.path.into()));
        }
        Ok(())
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        let kernels: BTreeSet<String> = image
            .wanted()
            .iter()
            .flat_map(|file| image.facts(&file.path))
            .filter_map(Fact::package)
            .map(|package| package.version.clone())
            .collect();
        for (version, location) in of_modules(image) {
            if !kernels.contains(&version) {
                let version_of = Certainty::derived("modules-directory");
                let identity = Identity { version: version_of, ..Identity::default() };
                out.package(Package { identity, ..package(version, location) });
            }
        }
        Ok(())
    }
}

fn package(version: String, location: BString) -> Package {
    Package {
        kind: "generic".into(),
        name: "linux-kernel".into(),
        version,
        evidence: Evidence::Binary,
        location,
        ..Package::default()
    }
}

/// The versions that modules are there of, each with what shows it.
fn of_modules(image: &dyn Files) -> Vec<(String, BString)> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for directory in MODULES {
        for name in image.list(directory) {
            let Ok(version) = name.to_str() else { continue };
            let within = path::join(directory, &name);
            let shown = OF_MODULES.iter().find_map(|of| image.get(&path::join(&within, of)));
            if let Some(shown) = shown
                && version.starts_with(|it: char| it.is_ascii_digit())
                && seen.insert(shown.path.clone())
            {
                found.push((version.to_owned(), shown.path));
            }
        }
    }
    found
}

fn version(content: &dyn Content) -> Result<Option<String>> {
    const HEADER: u64 = 0x202;
    let header = read_exact_at(content, 0, content.len().min(0x210))?;
    let text = if header.get(0x202..0x206) == Some(b"HdrS") {
        // Counted from the end of the first sector.
        let pointer = header.get(0x20e..).and_then(<[u8]>::first_chunk::<2>);
        let at = 0x200 + pointer.map_or(0, |at| u64::from(u16::from_le_bytes(*at)));
        if at <= HEADER || at >= content.len() {
            return Ok(None);
        }
        read_exact_at(content, at, MAX_VERSION.min(content.len() - at))?
    } else {
        const TEXT: &[u8] = b"Linux version ";
        let mut bytes = read_exact_at(content, 0, content.len().min(MAX_SEARCH))?;
        if bytes.starts_with(b"\x1f\x8b") {
            // As far as it can be uncompressed: a kernel may have more behind it.
            let mut inflated = Vec::new();
            let _ = GzDecoder::new(&bytes[..]).take(MAX_SEARCH).read_to_end(&mut inflated);
            bytes = inflated;
        }
        let Some(at) = memchr::memmem::find(&bytes, TEXT) else { return Ok(None) };
        let rest = &bytes[at + TEXT.len()..];
        rest[..rest.len().min(MAX_VERSION as usize)].to_vec()
    };
    let word: Vec<u8> = text.into_iter().take_while(u8::is_ascii_graphic).collect();
    Ok(String::from_utf8(word).ok().filter(|word| word.starts_with(|c: char| c.is_ascii_digit())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Image;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn x86(version: &str) -> Vec<u8> {
        let mut kernel = vec![0; 0x300];
        kernel[0x202..0x206].copy_from_slice(b"HdrS");
        kernel[0x20e..0x210].copy_from_slice(&0x50u16.to_le_bytes());
        kernel[0x250..0x250 + version.len()].copy_from_slice(version.as_bytes());
        kernel
    }

    #[track_caller]
    fn check(file: &str, kernel: &[u8], expected: &[&str]) {
        let found = Image::new([(file, kernel)]).run(&LinuxKernel);
        let versions: Vec<_> = found.packages().map(|it| it.version.as_str()).collect();
        assert_eq!((versions.as_slice(), found.problems.len()), (expected, 0));
    }

    #[test]
    fn the_version_is_in_the_kernel() {
        let kernel = x86("6.1.55-custom (builder@host) #1 SMP");
        check("boot/vmlinuz-6.1.55-custom", &kernel, &["6.1.55-custom"]);
        check("usr/lib/modules/6.1.55-custom/vmlinuz", &kernel, &["6.1.55-custom"]);
        check("boot/vmlinux", b"\x7fELF..Linux version 5.10.0 (gcc)", &["5.10.0"]);
        check("boot/initrd.img", &kernel, &[]);
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(b"..Linux version 6.6.10-arm64 (gcc)").expect("in memory");
        check("boot/vmlinuz", &packed.finish().expect("in memory"), &["6.6.10-arm64"]);
        check("boot/vmlinuz", b"", &[]);
        check("srv/Image", b"a picture", &[]);
        for cut in 0..kernel.len() {
            Image::new([("boot/vmlinuz", &kernel[..cut])]).run(&LinuxKernel);
        }
    }

    #[test]
    fn modules_without_their_kernel_tell_its_version() {
        let kernel = x86("6.1.55-a");
        let files = [
            ("usr/lib/modules/6.1.55-a/vmlinuz", kernel.as_slice()),
            ("usr/lib/modules/6.1.55-a/modules.dep", b""),
            ("usr/lib/modules/5.10.1/modules.builtin", b""),
            ("usr/lib/modules/5.10.2/build", b""),
            ("usr/lib/modules/extra/modules.dep", b""),
        ];
        let found = Image::new(files).symlink("lib", "usr/lib").run(&LinuxKernel);
        let told: Vec<_> = found.packages().map(|it| (&*it.version, &**it.location)).collect();
        let expected: [(&str, &[u8]); 2] = [
            ("6.1.55-a", b"usr/lib/modules/6.1.55-a/vmlinuz"),
            ("5.10.1", b"usr/lib/modules/5.10.1/modules.builtin"),
        ];
        assert_eq!(told, expected);
    }
}
