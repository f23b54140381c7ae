//! Versions and ranges, of every ecosystem. First byte: which; the rest: three lines.
#![no_main]

use inscan_evaluate::versions::range::{Syntax, satisfies};
use inscan_evaluate::versions::{Scheme, compare};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let [which, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (a, b, range) = (line(), line(), line());
    let scheme = Scheme::ALL[usize::from(*which) % Scheme::ALL.len()];
    // An order is the same from both sides; a version is as new as itself.
    if let Ok(order) = compare(scheme, a, b) {
        assert_eq!(compare(scheme, b, a), Ok(order.reverse()), "{scheme:?}: {a:?}, {b:?}");
        assert!(compare(scheme, a, a).is_ok_and(|order| order.is_eq()), "{scheme:?}: {a:?}");
    }
    for syntax in [Syntax::Npm, Syntax::Pep440, Syntax::Composer, Syntax::Feed(scheme)] {
        let _ = satisfies(syntax, a, range);
    }
});
