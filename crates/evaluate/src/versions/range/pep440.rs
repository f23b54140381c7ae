use std::cmp::Ordering;

use crate::versions::digits;
use crate::versions::pep440::{self, Version};

const OPERATORS: [&str; 8] = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];

pub(super) fn satisfies(version: &str, range: &str) -> Result<bool, &'static str> {
    let read = pep440::read(version).ok();
    let mut all = true;
    for specifier in range.split(',').map(str::trim).filter(|it| !it.is_empty()) {
        let operator = OPERATORS.iter().find(|operator| specifier.starts_with(**operator));
        let operator = operator.ok_or("a part of it has no operator")?;
        let wanted = specifier[operator.len()..].trim();
        // Compared as text: the one way to name a version that is none.
        let holds = if *operator == "===" {
            version.trim().eq_ignore_ascii_case(wanted)
        } else {
            let holds = holds(read.as_ref(), operator, wanted)?;
            read.is_some() && holds
        };
        all &= holds;
    }
    Ok(all)
}

fn holds(version: Option<&Version>, operator: &str, wanted: &str) -> Result<bool, &'static str> {
    let prefix = wanted.strip_suffix(".*").filter(|_| matches!(operator, "==" | "!="));
    let wanted = pep440::read(prefix.unwrap_or(wanted))?;
    if operator == "~=" && wanted.release.len() < 2 {
        return Err("`~=` needs two numbers at least");
    }
    let Some(version) = version else { return Ok(false) };
    let order = pep440::order_public(version, &wanted);
    let same_release = || {
        pep440::order_epoch(version, &wanted).is_eq()
            && pep440::order_release(&version.release, &wanted.release).is_eq()
    };
    Ok(match operator {
        "==" if prefix.is_some() => starts_with(version, &wanted),
        "!=" if prefix.is_some() => !starts_with(version, &wanted),
        "==" => is_equal(version, &wanted),
        "!=" => !is_equal(version, &wanted),
        "<=" => order.is_le(),
        ">=" => order.is_ge(),
        "~=" => {
            order.is_ge() && {
                let parent = wanted.release.len() - 1;
                let numbers = wanted.release.iter().take(parent).copied().collect();
                starts_with(
                    version,
                    &Version { epoch: wanted.epoch, release: numbers, ..Version::default() },
                )
            }
        }
        // Neither the pre-releases of what is excluded nor its post-releases and rebuilds.
        "<" => {
            pep440::order(version, &wanted).is_lt()
                && (wanted.is_pre_release() || !version.is_pre_release() || !same_release())
        }
        _ => {
            pep440::order(version, &wanted).is_gt()
                && (wanted.post.is_some() || version.post.is_none() || !same_release())
                && (version.local.is_empty() || !same_release())
        }
    })
}

/// A local part counts only where it is asked for.
fn is_equal(version: &Version, wanted: &Version) -> bool {
    if wanted.local.is_empty() {
        pep440::order_public(version, wanted) == Ordering::Equal
    } else {
        pep440::order(version, wanted) == Ordering::Equal
    }
}

/// `1.2.*`, `1.2a1.*`.
fn starts_with(version: &Version, prefix: &Version) -> bool {
    let mut release = version.release.clone();
    release.resize(release.len().max(prefix.release.len()), b"0");
    // Where more than numbers is asked for, no number may be left over.
    if prefix.pre.is_none() && prefix.post.is_none() && prefix.dev.is_none() {
        release.truncate(prefix.release.len());
    }
    let same_stage = match (version.pre, prefix.pre) {
        (_, None) => true,
        (Some((stage, number)), Some((wanted, other))) => {
            stage == wanted && digits::order(number, other).is_eq()
        }
        (None, Some(_)) => false,
    };
    let same = |a: Option<&[u8]>, b: Option<&[u8]>| match (a, b) {
        (_, None) => true,
        (Some(a), Some(b)) => digits::order(a, b).is_eq(),
        (None, Some(_)) => false,
    };
    pep440::order_epoch(version, prefix).is_eq()
        && pep440::order_release(&release, &prefix.release).is_eq()
        && same_stage
        && same(version.post, prefix.post)
        && same(version.dev, prefix.dev)
}
