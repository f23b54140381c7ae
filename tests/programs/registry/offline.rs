//! `--offline`: no packet leaves, shown by the kernel's own counters.

use inscan_test_support::{IMAGE, Inscan, skipped};

use super::parts;

/// Runs inscan in a network namespace of its own, with nothing but its loopback, and returns what
/// it said and how many connections it tried to open. `None`: not permitted here.
fn alone(arguments: &[&str]) -> Option<(String, u64)> {
    let script =
        "ip link set lo up || exit 77; \"$@\" >&2; echo \"code $?\" >&2; cat /proc/net/snmp";
    let mut command = Inscan::new("unshare");
    command.args(["-n", "sh", "-c", script, "sh", crate::BINARY]).args(arguments);
    command.env("CONTAINERS_REGISTRIES_CONF", "/dev/null").env("INSCAN_RETRIES", "0");
    command.env("INSCAN_NO_CACHE", "true");
    let output = command.output().ok()?;
    if !output.status.success() {
        return None;
    }
    // Two lines begin with `Tcp:`, names and numbers.
    let counters = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = counters.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let at = names.split(' ').position(|name| name == "ActiveOpens")?;
    let opened = numbers.split(' ').nth(at)?.parse().ok()?;
    Some((parts::stderr(&output), opened))
}

#[test]
fn offline_opens_no_connection() {
    let image = "docker://127.0.0.1:9/app:1";
    let Some((said, opened)) = alone(&["scan", "--offline", image]) else {
        return skipped("no network namespace may be made here (`unshare -n`)");
    };
    assert!(said.contains("`--offline` forbids the request") && said.contains("code 2"), "{said}");
    assert_eq!(opened, 0);
    // The counter counts: without the flag there are connections, and they fail otherwise.
    let (said, opened) = alone(&["scan", image]).unwrap();
    assert!(said.contains("connection refused") && said.contains("code 3"), "{said}");
    assert!(opened > 0);
    // What lies on this machine needs none.
    let demo = format!("oci-archive:{IMAGE}");
    let (said, opened) = alone(&["scan", "--offline", &demo]).unwrap();
    assert!(said.contains("zlib1g") || said.contains("code 0"), "{said}");
    assert_eq!(opened, 0);
}
