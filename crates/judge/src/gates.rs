//! The gates, one file each.

mod always;
mod ancestry;
mod comparison;
mod distro;
mod dockerfile;
mod files;
mod licenses;
mod listed_packages;
mod malware;
mod metadata;
mod npms;
mod packages;
mod passwd_file;
mod retrieved_files;
mod ruby_gems;
mod secret_scans;
mod secrets;
#[cfg(test)]
mod testing;
mod vulnerabilities;

use super::spec::Gate;

/// All gates, as they are listed to people.
pub fn gates() -> &'static [&'static Gate] {
    static GATES: &[&Gate] = &[
        &always::GATE,
        &ancestry::GATE,
        &distro::GATE,
        &dockerfile::GATE,
        &files::GATE,
        &licenses::GATE,
        &malware::GATE,
        &metadata::GATE,
        &npms::GATE,
        &packages::GATE,
        &passwd_file::GATE,
        &retrieved_files::GATE,
        &ruby_gems::GATE,
        &secret_scans::GATE,
        &secrets::GATE,
        &vulnerabilities::GATE,
    ];
    GATES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Params;

    #[test]
    fn names_are_in_lower_case_and_unique_and_defaults_are_valid() {
        let mut gate_names: Vec<_> = gates().iter().map(|gate| gate.name).collect();
        for gate in gates() {
            let mut names: Vec<_> = gate
                .triggers
                .iter()
                .flat_map(|trigger| trigger.aliases.iter().chain([&trigger.name]).copied())
                .collect();
            assert_unique(&mut names);
            for trigger in gate.triggers {
                let of_all = |param: &'static super::super::spec::Param| {
                    param.aliases.iter().chain([&param.name]).copied()
                };
                let mut names: Vec<_> = trigger.params.iter().flat_map(of_all).collect();
                assert_unique(&mut names);
                for param in trigger.params {
                    for text in param.default.into_iter().chain([param.example]) {
                        let value = Params::value_of(param, text);
                        assert!(value.is_ok(), "{}.{} {value:?}", gate.name, trigger.name);
                    }
                }
            }
        }
        assert_unique(&mut gate_names);
    }

    fn assert_unique(names: &mut Vec<&str>) {
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(all, names.len(), "{names:?}");
        assert!(names.iter().all(|name| **name == name.to_lowercase()), "{names:?}");
    }
}
