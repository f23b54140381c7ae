//! The content of files that the configuration names; by default `/etc/passwd`.
//!
//! For the legacy document alone, where policies read it.

use base64::prelude::{BASE64_STANDARD, Engine};
use bstr::BString;

use crate::problem::UNREADABLE;
use crate::{
    Analyzer, Config, Facts, FileKind, Files, Hides, Part, Pattern, Problem, Result, Want, path,
};

pub(crate) struct RetrieveFiles {
    /// As configured, and as a path of the image.
    files: Vec<(String, BString)>,
    max_size: u64,
}

/// Where the configuration sets no limit.
const MAX_SIZE: u64 = 16 << 20;

impl RetrieveFiles {
    pub(crate) fn new(config: &Config) -> Self {
        let config = config.retrieve_files.clone().unwrap_or_default();
        let with_path = |name: String| {
            let path = path::clean(name.as_bytes());
            (name, path)
        };
        RetrieveFiles {
            files: config.file_list.unwrap_or_default().into_iter().map(with_path).collect(),
            max_size: config.max_file_size_kb.map_or(MAX_SIZE, |size| size.saturating_mul(1024)),
        }
    }
}

impl Analyzer for RetrieveFiles {
    fn name(&self) -> &'static str {
        "retrieve-files"
    }

    fn part(&self) -> Part {
        Part::Files
    }

    fn hides(&self) -> Hides {
        Hides::Files
    }

    fn about(&self) -> &'static str {
        "The content of the files that the configuration lists under `retrieve_files`"
    }

    fn wants(&self) -> Vec<Want> {
        let want = |path: &BString| Want::keep(Pattern::Path(path.to_string()), self.max_size);
        self.files.iter().map(|(_, path)| want(path)).collect()
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        for (name, path) in &self.files {
            match image.entry(path).map(|file| (file.kind, file.size)) {
                None => {}
                // Too large: the core has stated the problem.
                Some((FileKind::Regular, size)) if size > self.max_size => {}
                Some((FileKind::Regular, _)) => match image.read(path) {
                    Ok(content) => {
                        let content = BASE64_STANDARD.encode(content.unwrap_or_default());
                        let key = name.as_str();
                        out.legacy("retrieve_files", "file_content.all", key, content);
                    }
                    Err(error) => {
                        let problem = Problem::new(Some(path.clone()), error);
                        out.problems.push(problem.hiding(Hides::Files, UNREADABLE));
                    }
                },
                Some(_) => out.problem_at(path.clone(), "not retrieved: not a regular file"),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fact;
    use crate::config;
    use crate::testing::Image;

    fn retrieve(names: &[&str]) -> RetrieveFiles {
        let file_list = Some(names.iter().map(|name| (*name).to_owned()).collect());
        let files = config::RetrieveFiles { max_file_size_kb: Some(1), file_list };
        RetrieveFiles::new(&Config { retrieve_files: Some(files), ..Config::default() })
    }

    fn contents(facts: &Facts) -> Vec<(String, &str)> {
        let legacy = facts.facts.iter().filter_map(|fact| match fact {
            Fact::Legacy(legacy) => Some((legacy.key.to_string(), legacy.value.text())),
            _ => None,
        });
        legacy.collect()
    }

    fn image() -> Image {
        let files = [
            ("etc/sudoers", b"root\n".to_vec()),
            ("etc/hosts", vec![0, 1, 255]),
            ("etc/empty", vec![]),
            ("etc/big", vec![b'x'; 1025]),
            ("etc/dir/file", vec![]),
        ];
        Image::new(files).symlink("etc/link", "hosts")
    }

    #[test]
    fn stores_regular_files_under_the_configured_name() {
        let names = ["etc/sudoers", "/etc/hosts", "//etc/./empty", "/nope", "/etc/big"];
        let facts = image().run(&retrieve(&names));
        let expected = [("etc/sudoers", "cm9vdAo="), ("/etc/hosts", "AAH/"), ("//etc/./empty", "")];
        assert_eq!(contents(&facts), expected.map(|(name, content)| (name.to_owned(), content)));
        let paths: Vec<_> =
            facts.problems.iter().filter_map(|problem| problem.path.clone()).collect();
        assert_eq!(paths, ["etc/big"]);
    }

    #[test]
    fn says_what_is_no_regular_file() {
        let facts = image().run(&retrieve(&["/etc/link", "/etc/dir"]));
        assert_eq!((contents(&facts), facts.problems.len()), (vec![], 2));
    }

    #[test]
    fn retrieves_nothing_where_the_section_is_missing() {
        let config = Config { retrieve_files: None, ..Config::default() };
        assert_eq!(RetrieveFiles::new(&config).wants(), []);
    }
}
