//! Walking a tar, from one header to the next.
#![no_main]

use inscan::layer::tar::{Unit, unit};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut offset = 0;
    while let Some(rest) = data.get(offset..) {
        let length = match unit(rest, offset as u64, true) {
            Ok(Unit::Member { length, member }) => {
                // Contents are filled up to whole blocks.
                let stored = usize::try_from(member.stored).unwrap_or(usize::MAX);
                length.saturating_add(stored.checked_next_multiple_of(512).unwrap_or(usize::MAX))
            }
            Ok(Unit::Global { length }) => length,
            Ok(Unit::Incomplete | Unit::End) | Err(_) => break,
        };
        assert!(length > 0, "it would never end");
        offset = offset.saturating_add(length);
    }
});
