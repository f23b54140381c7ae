//! Directories of packages with what no user of the package runs: their tests' input, examples,
//! and the projects that generators write.

const FIXTURES: [&str; 31] = [
    "__fixtures__",
    "__mocks__",
    "__test__",
    "__testfixtures__",
    "__tests__",
    "benchmark",
    "benchmarks",
    "demo",
    "demos",
    "e2e",
    "example",
    "examples",
    "fixture",
    "fixtures",
    "mocks",
    "playground",
    "sample",
    "samples",
    "spec",
    "specs",
    "stubs",
    "template",
    "templates",
    "test",
    "test-data",
    "test-fixtures",
    "test_data",
    "testdata",
    "testfixtures",
    "testing",
    "tests",
];

/// Whether a directory has such a name.
pub(crate) fn is_fixtures(directory: &[u8]) -> bool {
    FIXTURES.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(directory))
}
