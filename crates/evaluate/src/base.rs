//! Which layers are of the base image: what can be told from the history alone.
//!
//! An image states no border. But a base image nearly always ends with the
//! command it would start (`CMD`, `ENTRYPOINT`), and what is built on it goes on
//! after that; so the last such line with layers behind it is taken for its end.
//! It is a guess, and says so.

use super::evaluation::Base;
use inscan_document::Section;
use inscan_facts::history;

/// Where the base image's name may be stated: <https://github.com/opencontainers/image-spec/blob/main/annotations.md>.
const NAME: &str = "org.opencontainers.image.base.name";

pub(super) fn of(section: &Section) -> Option<Base> {
    let lines = &section.image.history;
    let last_layer = lines.iter().rposition(|line| line.layer.is_some())?;
    let before = lines.get(..last_layer)?;
    let end = before.iter().rposition(|line| line.layer.is_none() && starts(&line.created_by))?;
    let layers = before.get(..end)?.iter().filter_map(|line| line.layer).max()? + 1;
    let line = lines.get(end)?.created_by.trim();
    Some(Base {
        layers,
        name: section.image.config.labels.get(NAME).cloned(),
        how: format!("guessed from `{}` in the middle of the history", history::written(line)),
    })
}

/// Whether it says what a container starts with.
fn starts(line: &str) -> bool {
    let line = history::written(line);
    ["CMD ", "ENTRYPOINT "].iter().any(|word| line.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use inscan_document::section::HistoryRow;

    #[track_caller]
    fn check(lines: &[(&str, Option<usize>)], expected: Option<usize>) {
        let mut section = Section::default();
        section.image.history = lines
            .iter()
            .map(|(line, layer)| HistoryRow {
                created_by: (*line).into(),
                layer: *layer,
                ..Default::default()
            })
            .collect();
        assert_eq!(of(&section).map(|base| base.layers), expected);
    }

    #[test]
    fn a_base_image_ends_with_its_command() {
        let own = ("COPY . /app", Some(2));
        check(
            &[
                ("/bin/sh -c #(nop) ADD file:1 in / ", Some(0)),
                (r#"/bin/sh -c #(nop)  CMD ["bash"]"#, None),
                ("RUN /bin/sh -c apt-get install", Some(1)),
                (r#"CMD ["python3"]"#, None),
                own,
                (r#"CMD ["app"]"#, None),
            ],
            Some(2),
        );
        check(&[("ADD rootfs.tar /", Some(0)), (r#"CMD ["sh"]"#, None)], None);
        check(&[own], None);
        check(&[(r#"CMD ["sh"]"#, None), own], None);
        check(&[], None);
    }
}
