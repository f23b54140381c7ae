//! Lines of an image's build history (`created_by`), as builders write them: an instruction
//! of a Dockerfile, behind the shell that ran it or that a builder only pretends to run.

/// Before an instruction that runs nothing, in the form that the legacy engine knows.
const NOP: &str = "/bin/sh -c #(nop) ";

/// A line as its author wrote it: without the shell that builders put before it, and
/// without the arguments of the build (`|2 A=b C=d /bin/sh -c …`). What a shell ran has no
/// `RUN` before it.
pub fn written(line: &str) -> &str {
    const SHELL: &str = "/bin/sh -c ";
    let line = match line.trim().starts_with('|') {
        true => line.split_once(SHELL).map_or(line, |(_, command)| command),
        false => line.trim().strip_prefix(SHELL).unwrap_or(line),
    };
    let line = line.trim();
    line.strip_prefix("#(nop) ").unwrap_or(line).trim()
}

/// The instruction of a line that runs nothing, as the legacy engine's parser takes it: with
/// the spaces around it. `None` for all other lines, and for those of newer builders, which
/// it takes for commands.
pub fn legacy_instruction(line: &str) -> Option<&str> {
    line.strip_prefix(NOP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_without_what_builders_add() {
        for (line, expected) in [
            ("/bin/sh -c #(nop)  CMD [\"bash\"]", "CMD [\"bash\"]"),
            ("/bin/sh -c apt-get update", "apt-get update"),
            ("|2 A=b C=d /bin/sh -c make install", "make install"),
            ("|1 A=b /bin/sh -c #(nop)  USER app", "USER app"),
            ("COPY . /app # buildkit", "COPY . /app # buildkit"),
            ("  RUN x ", "RUN x"),
            ("", ""),
        ] {
            assert_eq!(written(line), expected, "{line}");
        }
    }

    #[test]
    fn the_legacy_engine_knows_one_form_only() {
        assert_eq!(legacy_instruction("/bin/sh -c #(nop)  ENV A=b "), Some(" ENV A=b "));
        assert_eq!(legacy_instruction("ENV A=b"), None);
        assert_eq!(legacy_instruction("/bin/sh -c true"), None);
    }
}
