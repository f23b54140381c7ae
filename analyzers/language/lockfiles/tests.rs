use super::{FORMATS, Lockfiles};
use crate::testing::{Image, cut_everywhere};
use crate::{Analyzer, Certainty, Evidence, Hides, Pattern, Role};

#[track_caller]
fn check(file: &str, content: &str, expected: &[&str]) {
    let facts = Image::new([(format!("srv/{file}"), content)]).run(&Lockfiles);
    let found: Vec<_> = facts
        .packages()
        .map(|package| {
            let namespace =
                package.namespace.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
            format!("{namespace}{} {}", package.name, package.version)
        })
        .collect();
    assert_eq!(found, expected, "{:?}", facts.problems);
}

#[test]
fn the_table_is_sorted_and_every_format_has_a_fixture() {
    assert!(FORMATS.is_sorted_by_key(|format| format.file));
    let facts = Image::fixture("lockfiles").run(&Lockfiles);
    assert_eq!(facts.problems, []);
    for want in Lockfiles.wants() {
        let Pattern::Name(name) = want.pattern else { continue };
        let is_read = |package: &crate::Package| package.location.ends_with(name.as_bytes());
        assert!(facts.packages().any(is_read), "{name}");
    }
}

#[test]
fn no_cut_is_a_crash() {
    cut_everywhere(&Lockfiles, "lockfiles");
}

#[test]
fn npm_reads_all_versions() {
    check(
        "package-lock.json",
        r#"{"packages": {"": {"name": "app", "version": "1"}, "node_modules/@s/a": {"version": "1.0"},
            "node_modules/b/node_modules/c": {"version": "2", "name": "real"},
            "node_modules/w": {"link": true, "resolved": "libs/w"}, "libs/w": {"version": "3"},
            "libs/gone": {"version": "4", "extraneous": true}}}"#,
        &["w 3", "@s a 1.0", "real 2"],
    );
    check(
        "package-lock.json",
        r#"{"dependencies": {"a": {"version": "1", "dependencies": {"b": {"version": "npm:@s/real@2"}}},
            "d": {"version": "file:d"}}}"#,
        &["a 1", "d ", "@s real 2"],
    );
}

#[test]
fn explicit_lists_of_conda_have_any_name() {
    let list = "# platform: linux-64\n@EXPLICIT\nhttps://conda.example/main/linux-64/zlib-1.2.13-h5eee18b_0.conda#5f\n\
        https://conda.example/forge/noarch/python-dateutil-2.8.2-pyhd8_0.tar.bz2\nnonsense\n";
    let expected = ["zlib 1.2.13", "python-dateutil 2.8.2"];
    for name in ["conda-linux-64.lock", "conda-osx-arm64.lock", "explicit.txt"] {
        check(name, list, &expected);
    }
    check("other.lock", "@EXPLICITLY\n", &[]);
}

#[test]
fn the_binary_form_of_bun_is_said() {
    let facts = Image::new([("srv/bun.lockb", "#!/usr/bin/env bun\n")]).run(&Lockfiles);
    assert_eq!(facts.problems.len(), 1);
    assert!(facts.problems[0].message.contains("bun.lock"), "{:?}", facts.problems);
}

#[test]
fn a_lock_file_of_a_dependency_does_not_count() {
    check("node_modules/a/yarn.lock", "b@1:\n  version \"1\"\n", &[]);
}

#[test]
fn yarn_reads_both_forms() {
    let classic = "# yarn lockfile v1\n\n\"@s/a@^1\", \"@s/a@~1\":\n  version \"1.0\"\n\nx@npm:b@2:\n  version \"2.0\"\n";
    check("yarn.lock", classic, &["@s a 1.0", "b 2.0"]);
    let fetched = "a@^1:\n  version \"1.0\"\n  resolved \"https://registry.example/npm/@s/real/-/real-1.0.tgz#x\"\n\nb@^1:\n  version \"1.1\"\n  resolved \"https://registry.example/@s/b/c/-/c-1.1.tgz\"\n\nd@^1:\n  version \"1.2\"\n  resolved \"https://registry.example/e/archive.tgz\"\n";
    check("yarn.lock", fetched, &["@s real 1.0", "c 1.1", "d 1.2"]);
    let berry = "__metadata:\n  version: 6\n\n\"a@npm:^1\":\n  version: 1.0\n  resolution: \"a@npm:1.0\"\n\n\"app@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"app@workspace:.\"\n";
    check("yarn.lock", berry, &["a 1.0"]);
}

#[test]
fn pnpm_reads_all_forms_of_keys() {
    let keys = "/a/1.0.0_b@2:\n  /@s/a/1.0.0:\n  /a@2.0.0(b@1):\n  '@s/a@2.0.0':\n  a@3.0.0:\n  registry.example/a/4.0.0:\n  file:x:\n    name: n\n    version: 0.1.0\n";
    let content = format!("lockfileVersion: 5\npackages:\n\n  {keys}snapshots:\n  z@1.0.0: {{}}\n");
    let expected =
        ["a 1.0.0", "@s a 1.0.0", "a 2.0.0", "@s a 2.0.0", "a 3.0.0", "a 4.0.0", "n 0.1.0"];
    check("pnpm-lock.yaml", &content, &expected);
}

/// `name version`, with what is local behind a tilde.
#[track_caller]
fn check_local(file: &str, content: &str, expected: &[&str]) {
    let facts = Image::new([(format!("srv/{file}"), content)]).run(&Lockfiles);
    let found: Vec<_> = facts
        .packages()
        .map(|package| {
            let mark = if package.role == Some(Role::Local) { "~" } else { "" };
            let unknown = package.identity.version == Certainty::Unknown;
            let version = if unknown { "?" } else { &package.version };
            format!("{mark}{} {version}", package.name)
        })
        .collect();
    assert_eq!(found, expected, "{file}: {:?}", facts.problems);
}

#[test]
fn what_comes_from_a_directory_is_of_no_registry() {
    let yarn = |name: &str, range: &str, version: &str| {
        format!("\"{name}@{range}\":\n  version: {version}\n  resolution: \"{name}@{range}\"\n\n")
    };
    let berry = [
        yarn("app", "workspace:packages/app", "0.0.0-use.local"),
        yarn("root", "workspace:.", "0.0.0-use.local"),
        yarn("near", "portal:../near::locator=root%40workspace%3A.", "0.0.0-use.local"),
        yarn("file", "file:./file#./file::hash=1&locator=root", "1.2.0"),
        yarn("far", "npm:4.17.20", "4.17.20"),
    ];
    check_local("yarn.lock", &berry.concat(), &["~app ?", "~near ?", "~file 1.2.0", "far 4.17.20"]);
    check_local("yarn.lock", "\"near@file:../near\":\n  version \"1.0\"\n", &["~near 1.0"]);
    check_local(
        "package-lock.json",
        r#"{"packages": {"": {}, "node_modules/@s/w": {"link": true, "resolved": "libs/w"}, "libs/w": {"version": "3"},
            "libs/v": {"name": "named"}, "node_modules/t": {"version": "1", "resolved": "file:t.tgz"}}}"#,
        &["~named ?", "~w 3", "~t 1"],
    );
    check_local(
        "uv.lock",
        "[[package]]\nname='a'\nversion='0.1'\nsource={editable='packages/a'}\n[[package]]\nname='b'\nversion='0.1'\n\
         source={virtual='b'}\n[[package]]\nname='c'\nversion='1'\nsource={registry='https://registry.example'}\n\
         [[package]]\nname='own'\nversion='1'\nsource={virtual='.'}\n[[package]]\nname='d'\nversion='2'\n\
         source={directory='../d'}\n[[package]]\nname='e'\nversion='3'\nsource={path='e-3.whl'}\n",
        &["~a 0.1", "~b 0.1", "c 1", "~d 2", "~e 3"],
    );
    check_local(
        "poetry.lock",
        "[[package]]\nname='a'\nversion='0.1'\n[package.source]\ntype='directory'\nurl='../a'\n",
        &["~a 0.1"],
    );
    check_local(
        "pylock.toml",
        "[[packages]]\nname='own'\ndirectory={path='.', editable=true}\n[[packages]]\nname='a'\n\
         directory={path='a'}\n[[packages]]\nname='b'\nversion='1'\n",
        &["~a ?", "b 1"],
    );
    let pins = r#"{"version": 2, "pins": [{"identity": "a", "kind": "localSourceControl", "location": "/srv/a",
        "state": {"version": "1.0.0"}}, {"location": "https://h.example/b.git", "state": {"version": "2.0.0"}}]}"#;
    check_local("Package.resolved", pins, &["~a 1.0.0", "b 2.0.0"]);
    let sdk = "packages:\n  flutter:\n    description: flutter\n    source: sdk\n    version: \"0.0.0\"\n  b:\n    \
               source: hosted\n    version: \"1.0.0\"\n";
    check_local("pubspec.lock", sdk, &["~flutter ?", "b 1.0.0"]);
    let vendored = "# a.example/a v0.0.0 => ./a\n## explicit\na.example/a\n# b.example/b v1.0.0\nb.example/b\n";
    check_local("vendor/modules.txt", vendored, &["~a.example/a ?", "b.example/b v1.0.0"]);
    check_local("pdm.lock", "[[package]]\nname='a'\nversion='1'\npath='./a'\n", &["~a 1"]);
    check_local(
        "pnpm-lock.yaml",
        "packages:\n  a@file:libs/a:\n    version: 1.0.0\n  file:b:\n    name: b\n    version: 2.0.0\n  c@1.0.0:\n    engines: {}\n",
        &["~a 1.0.0", "~b 2.0.0", "c 1.0.0"],
    );
    check_local(
        "Cargo.lock",
        "[[package]]\nname='a'\nversion='0.1.0'\n[[package]]\nname='b'\nversion='1.0.0'\nsource='registry+x'\n",
        &["~a 0.1.0", "b 1.0.0"],
    );
    check_local(
        "Gemfile.lock",
        "PATH\n  specs:\n    a (1.0)\n\nGEM\n  specs:\n    b (1.0)\n",
        &["~a 1.0", "b 1.0"],
    );
    check_local(
        "composer.lock",
        r#"{"packages": [{"name": "v/a", "version": "dev-main", "dist": {"type": "path"}}, {"name": "v/b", "version": "1", "dist": {"type": "zip"}}]}"#,
        &["~a dev-main", "b 1"],
    );
    check_local(
        "pubspec.lock",
        "packages:\n  a:\n    source: path\n    version: \"1.0\"\n  b:\n    source: hosted\n    version: \"2.0\"\n",
        &["~a 1.0", "b 2.0"],
    );
    check_local(
        "bun.lock",
        r#"{"workspaces": {"w": {"version": "3"}}, "packages": {"w": ["w@workspace:w"], "f": ["f@file:f", {}], "a": ["a@1"]}}"#,
        &["a 1", "~f ?", "~w 3"],
    );
}

#[test]
fn requirements_have_many_names() {
    for (file, expected) in [
        ("requirements-dev.txt", true),
        ("requirements_py3.txt", true),
        ("dev-requirements.txt", true),
        ("requirements/base.txt", true),
        ("constraints.txt", true),
        ("requirementsfoo.txt", false),
        ("notes.txt", false),
    ] {
        check(file, "a==1\n", if expected { &["a 1"] } else { &[] });
    }
    check("pylock.dev.toml", "[[packages]]\nname='a'\nversion='1'\n", &["a 1"]);
    check("gradle/dependency-locks/compile.lockfile", "g:a:1\n", &["g a 1"]);
}

#[test]
fn the_locks_of_other_ecosystems() {
    check(
        "deno.lock",
        r#"{"version": "3", "packages": {"npm": {"a@1.0": {}}, "jsr": {"@s/b@2.0": {}}}}"#,
        &["a 1.0", "@s b 2.0"],
    );
    check(
        "deno.lock",
        r#"{"version": "2", "npm": {"specifiers": {"a@1": "a@1.0"}, "packages": {"a@1.0_b@2.0": {}}}}"#,
        &["a 1.0"],
    );
    let old = "packages:\n- kind: conda\n  name: a\n  version: '1.0'\n  url: https://conda.example/a-1.0-0.conda\n- kind: pypi\n  name: b\n  version: 2.0\n  path: ./b\n";
    check_local("pixi.lock", old, &["a 1.0", "~b 2.0"]);
    check(
        ".terraform.lock.hcl",
        "provider \"registry.example/acme/x\" {\n  version = \"1.0\"\n}\nversion = \"2\"\n",
        &["acme x 1.0"],
    );
}

#[test]
fn the_documentation_lists_the_formats() {
    let listed = include_str!("../../../docs/lock-files.md");
    for format in &FORMATS {
        assert!(listed.contains(&format!("`{}`", format.file)), "{} is missing", format.file);
    }
}

#[test]
fn requirements_are_a_manifest_and_may_be_utf_16() {
    let utf_16: Vec<u8> = "\u{feff}a==1\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let facts = Image::new([("srv/requirements.txt", utf_16)]).run(&Lockfiles);
    let package = facts.packages().next().unwrap();
    assert_eq!((&*package.name, &*package.version), ("a", "1"));
    assert_eq!(package.evidence, Evidence::Manifest);
    check("requirements.txt", "a \\\n  ==1\nb\n", &["a 1", "b "]);
    let facts = Image::new([("requirements.txt", "a >= 1, < 2  # why\n")]).run(&Lockfiles);
    let package = facts.packages().next().unwrap();
    assert_eq!((&*package.version, &*package.attributes["requirement"]), ("", ">= 1, < 2"));
}

#[test]
fn bun_reads_json_with_last_commas() {
    let content = r#"{"workspaces": {"w": {"version": "3"},}, "packages": {"x": ["@s/a@1.0", "", {},],
        "w": ["w@workspace:w"], "f": ["f@file:f", {}], "q\"": ["b,]@2", 1,], },}"#;
    check("bun.lock", content, &["f ", "b,] 2", "w 3", "@s a 1.0"]);
}

#[test]
fn bundler_cuts_platforms_and_skips_requirements() {
    let content = "GEM\n  specs:\n    a (1.0)\n      b (>= 1)\n    b (2.0-x86_64-linux)\n\nDEPENDENCIES\n  a\n";
    check("Gemfile.lock", content, &["a 1.0", "b 2.0"]);
}

#[test]
fn conan_reads_lists_and_graphs() {
    check(
        "conan.lock",
        r#"{"requires": ["zlib/1.2.11#rev%1"], "build_requires": ["ninja/1.11"]}"#,
        &["zlib 1.2.11", "ninja 1.11"],
    );
    check("conan.lock", r#"{"requires": ["a/1.0/x", "b/2@u/c"]}"#, &["b 2"]);
    check(
        "conan.lock",
        r#"{"graph_lock": {"nodes": {"0": {"ref": "app/1", "path": "."}, "1": {"pref": "b/2@u/c#r:id"}}}}"#,
        &["b 2"],
    );
}

#[test]
fn go_mod_replaces_and_excludes() {
    check(
        "go.mod",
        "require example.org/a v1.0.0 // indirect\nrequire (\n\t\"example.org/b\" v2.0.0\n)\n",
        &["example.org/a v1.0.0", "example.org/b v2.0.0"],
    );
    let required = "require (\n a v1\n a v2\n)\n";
    for (more, expected) in [
        ("replace a => b v3", vec!["b v3"]),
        ("replace a v1 => b v3", vec!["b v3", "a v2"]),
        ("replace (\n a v1 => b v3\n a => c v4\n)", vec!["b v3", "c v4"]),
        ("replace a => ../a", vec![]),
        ("exclude a v1", vec!["a v2"]),
        ("exclude (\n a v1\n a v2\n)", vec![]),
        ("retract v1\ntoolchain go1.22.1\ngo 1.22", vec!["a v1", "a v2"]),
    ] {
        check("go.mod", &format!("{required}{more}\n"), &expected);
    }
}

#[test]
fn only_vendored_modules_with_packages_are_there() {
    let content = "# a v1\n## explicit\na/x\na/y\n# b v1\n## explicit\n# c v1 => d v2\nd\n# e v1 => ./e\ne\n# f => ./f\nf\n# g => h v1\nh\n";
    check("vendor/modules.txt", content, &["a v1", "d v2", "e v1", "h v1"]);
    check("modules.txt", content, &[]);
    // Neither a version, nor an import path.
    let odd = "# a latest\na/x\n# b v1.x\nb\n# c v01.0.0\nc\n# d v1.0.0\nd x\n#d\n# e v1.2.3-pre+b\n## explicit; go 1.20\ne/f\n";
    check("vendor/modules.txt", odd, &["e v1.2.3-pre+b"]);
}

#[test]
fn a_broken_packages_config_is_a_problem() {
    for (text, expected) in [
        ("<packages><package id='a' version='1'/>", "ends within an element"),
        ("", "no element `packages`"),
        ("<project/>", "does not begin with `packages`"),
        ("<packages><package id='a'/></packages>", "no `version`"),
        ("<packages><package version='1'/></packages>", "no `id`"),
        ("<packages><package id='a version='1'/></packages>", "not valid XML"),
    ] {
        let found = Image::new([("packages.config", text)]).run(&Lockfiles);
        let problems: Vec<_> = found.problems.iter().map(|it| &*it.message).collect();
        assert!(problems.len() == 1 && problems[0].contains(expected), "{text}: {problems:?}");
    }
}

#[test]
fn a_pom_asks_for_libraries_by_its_properties() {
    let dependency =
        |fields: &str| format!("<dependency><groupId>g</groupId>{fields}</dependency>");
    let content = format!(
        "<project><version>9</version><properties><v>1</v></properties><dependencies>{}{}{}{}</dependencies>\
         <dependencyManagement><dependencies>{}</dependencies></dependencyManagement></project>",
        dependency("<artifactId>a</artifactId><version>${v}</version>"),
        dependency("<artifactId>b</artifactId><version>${project.version}</version>"),
        dependency("<artifactId>c</artifactId><version>[1,2)</version>"),
        dependency(
            "<artifactId>d</artifactId><exclusions><exclusion><artifactId>x</artifactId></exclusion></exclusions>"
        ),
        dependency("<artifactId>managed</artifactId>"),
    );
    check("pom.xml", &content, &["g a 1", "g b 9", "g c ", "g d "]);
}

#[test]
fn paket_states_repositories_as_such() {
    let content = "NUGET\n  remote: x\n    A (1.0)\n      B (>= 1)\nGITHUB\n  remote: o/r\n    src/f.fs (abc)\n    FSharp (def)\nHTTP\n  remote: x\n    f (1)\n";
    check("paket.lock", content, &["A 1.0", "src f.fs abc", "FSharp def"]);
}

/// Which packages only development needs.
#[track_caller]
fn check_dev(file: &str, content: &str, expected: &[(&str, bool)]) {
    let facts = Image::new([(format!("srv/{file}"), content)]).run(&Lockfiles);
    let found: Vec<_> = facts
        .packages()
        .map(|package| (package.name.as_str(), package.attributes.contains_key("dev")))
        .collect();
    assert_eq!(found, expected, "{file}: {:?}", facts.problems);
}

#[test]
fn what_only_development_needs_is_marked() {
    let expected = [("a", false), ("b", true)];
    for (file, content) in [
        (
            "package-lock.json",
            r#"{"packages": {"node_modules/a": {"version": "1"}, "node_modules/b": {"version": "1", "dev": true}}}"#,
        ),
        (
            "package-lock.json",
            r#"{"dependencies": {"a": {"version": "1"}, "b": {"version": "1", "dev": true}}}"#,
        ),
        ("pnpm-lock.yaml", "packages:\n  /a/1:\n    dev: false\n  /b/1:\n    dev: true\n"),
        (
            "composer.lock",
            r#"{"packages": [{"name": "v/a", "version": "1"}], "packages-dev": [{"name": "v/b", "version": "1"}]}"#,
        ),
        (
            "Pipfile.lock",
            r#"{"default": {"a": {"version": "==1"}}, "develop": {"b": {"version": "==1"}}}"#,
        ),
        (
            "poetry.lock",
            "[[package]]\nname = 'a'\nversion = '1'\ngroups = ['main', 'dev']\n[[package]]\nname = 'b'\nversion = '1'\ngroups = ['dev']\n",
        ),
        (
            "poetry.lock",
            "[[package]]\nname = 'a'\nversion = '1'\ncategory = 'main'\n[[package]]\nname = 'b'\nversion = '1'\ncategory = 'dev'\n",
        ),
        (
            "pubspec.lock",
            "packages:\n  a:\n    dependency: \"direct main\"\n    version: \"1\"\n  b:\n    dependency: \"direct dev\"\n    version: \"1\"\n",
        ),
        (
            "gradle.lockfile",
            "g:a:1=runtimeClasspath,testRuntimeClasspath\ng:b:1=testCompileClasspath,testRuntimeClasspath\n",
        ),
        (
            "build.sbt.lock",
            r#"{"dependencies": [{"org": "g", "name": "a", "version": "1", "configurations": ["compile", "test"]},
            {"org": "g", "name": "b", "version": "1", "configurations": ["test"]}]}"#,
        ),
        (
            "packages.config",
            "<packages><package id='a' version='1'/><package id='b' version='1' developmentDependency='true'/></packages>",
        ),
        (
            "pom.xml",
            "<project><dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId></dependency>\
            <dependency><groupId>g</groupId><artifactId>b</artifactId><scope>test</scope></dependency></dependencies></project>",
        ),
    ] {
        check_dev(file, content, &expected);
    }
    // Needed in one place is needed.
    check_dev(
        "package-lock.json",
        r#"{"packages": {"node_modules/a": {"version": "1", "dev": true}, "node_modules/b/node_modules/a": {"version": "1"}}}"#,
        &[("a", false)],
    );
}

#[test]
fn what_is_broken_is_a_problem() {
    for (file, content, expected) in [
        ("poetry.lock", "a = 1\nb = [", "line 2: not valid TOML: unclosed array, expected `]`"),
        ("package-lock.json", "{", "line 1: JSON ends too early"),
        ("gradle.lockfile", "#\nx=y\n", "line 2: not a module"),
        ("pubspec.lock", "x\n", "line 1: not a field"),
        ("conan.lock", r#"{"requires": ["a/1.0/x#r"]}"#, "not a reference: `a/1.0/x`"),
        ("requirements.txt", "a==1\nb 2\nc d\n", "line 2: not a requirement (and 1 more)"),
        ("go.mod", "\nrequire a\n", "line 2: `require` without its module"),
    ] {
        let facts = Image::new([(file, content)]).run(&Lockfiles);
        assert_eq!(facts.problems[0].message, expected);
    }
    let deep = format!("a = {}", "[".repeat(100_000));
    let facts = Image::new([("uv.lock", deep)]).run(&Lockfiles);
    assert_eq!(facts.problems.len(), 1);
}

#[test]
fn what_a_broken_lock_file_names_is_hidden() {
    let hides = |file: &str| {
        let facts = Image::new([(file, "{")]).run(&Lockfiles);
        facts.problems.iter().map(|problem| problem.hides).collect::<Vec<_>>()
    };
    assert_eq!(hides("app/package-lock.json"), [Hides::Lockfiles]);
    assert_eq!(hides("app/bun.lockb"), [Hides::Lockfiles]);
    assert_eq!(hides("app/test/package-lock.json"), [Hides::Nothing]);
}
