//! Linux file capabilities, from the bytes of `security.capability`
//! (`struct vfs_cap_data` of <https://github.com/torvalds/linux/blob/master/include/uapi/linux/capability.h>)
//! to the text that `getcap` prints: `cap_net_raw+ep`.

const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// As text: the capabilities of one set of flags, a `+`, the flags; several
/// sets parted by blanks. `None` for bytes of another form.
pub(super) fn text(attribute: &[u8]) -> Option<String> {
    let mut words = attribute
        .chunks_exact(4)
        .map(|word| u64::from(u32::from_le_bytes(word.try_into().expect("chunks of four bytes"))));
    let head = words.next()?;
    let (permitted, inheritable) = match head >> 24 {
        1 => (words.next()?, words.next()?),
        2 | 3 => {
            let low = (words.next()?, words.next()?);
            let high = (words.next()?, words.next()?);
            (low.0 | high.0 << 32, low.1 | high.1 << 32)
        }
        _ => return None,
    };
    let effective = if head & 1 == 1 { "e" } else { "" };
    let sets = [
        (permitted & inheritable, "ip"),
        (permitted & !inheritable, "p"),
        (inheritable & !permitted, "i"),
    ];
    let sets: Vec<_> = sets
        .iter()
        .filter(|(set, _)| *set != 0)
        .map(|(set, flags)| format!("{}+{effective}{flags}", names(*set)))
        .collect();
    Some(sets.join(" "))
}

fn names(set: u64) -> String {
    let bits = (0..64).filter(|bit| set >> bit & 1 == 1);
    let names = bits.map(|bit| match NAMES.get(bit) {
        Some(name) => format!("cap_{name}"),
        None => format!("cap_{bit}"),
    });
    names.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[u32], expected: Option<&str>) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(text(&bytes).as_deref(), expected);
        for length in 0..bytes.len() {
            text(&bytes[..length]);
        }
    }

    #[test]
    fn reads_as_getcap_prints() {
        check(&[0x0200_0001, 1 << 13, 0, 0, 0], Some("cap_net_raw+ep"));
        check(&[0x0300_0001, 1 << 10, 0, 1 << 7, 0, 1000], Some("cap_net_bind_service,cap_bpf+ep"));
        check(
            &[0x0200_0000, 3, 6, 0, 0],
            Some("cap_dac_override+ip cap_chown+p cap_dac_read_search+i"),
        );
        check(&[0x0100_0000, 1, 0], Some("cap_chown+p"));
        check(&[0x0200_0001, 0, 0, 1 << 31, 0], Some("cap_63+ep"));
        check(&[0x0900_0000, 1, 0], None);
        check(&[0x0200_0001, 1], None);
    }
}
