//! Arguments as `getopt` takes them apart: clap's rules differ (long names may be cut short,
//! options stand before and after operands), and so do its words.
//! <https://man7.org/linux/man-pages/man3/getopt.3.html>

use std::fmt;

use super::flags::{Flag, Name};

/// What was typed: options in their order, and what is no option.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Typed {
    pub options: Vec<(Name, String)>,
    pub operands: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `getopt(1)`: long names, options anywhere before `--`.
    Gnu,
    /// The shell's `getopts`: short names, options end at the first operand.
    Posix,
}

/// What is wrong with one of them. In the words of GNU's getopt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    UnknownLong(String),
    UnknownShort(char),
    NoValueLong(&'static str),
    NoValueShort(char),
    Value(&'static str),
    Ambiguous(String, Vec<&'static str>),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::UnknownLong(name) => write!(f, "unrecognized option '--{name}'"),
            Fault::UnknownShort(short) => write!(f, "invalid option -- '{short}'"),
            Fault::NoValueLong(name) => write!(f, "option '--{name}' requires an argument"),
            Fault::NoValueShort(short) => write!(f, "option requires an argument -- '{short}'"),
            Fault::Value(name) => write!(f, "option '--{name}' doesn't allow an argument"),
            Fault::Ambiguous(name, all) => {
                write!(f, "option '--{name}' is ambiguous; possibilities:")?;
                all.iter().try_for_each(|one| write!(f, " '--{one}'"))
            }
        }
    }
}

/// Takes the arguments apart; all that is wrong with them, where something is.
pub(super) fn parse(
    flags: &'static [Flag],
    dialect: Dialect,
    arguments: &[String],
) -> Result<Typed, Vec<Fault>> {
    let mut typed = Typed::default();
    let mut faults = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let fault = match argument.strip_prefix('-') {
            Some("-") => break,
            Some(long) if long.starts_with('-') && dialect == Dialect::Gnu => {
                typed.long(flags, &long[1..], &mut rest).err()
            }
            Some(shorts) if !shorts.is_empty() => {
                let fault = typed.shorts(flags, shorts, &mut rest);
                faults.extend(fault);
                None
            }
            _ => {
                typed.operands.push(argument.clone());
                if dialect == Dialect::Posix {
                    break;
                }
                None
            }
        };
        faults.extend(fault);
    }
    typed.operands.extend(rest.cloned());
    if faults.is_empty() { Ok(typed) } else { Err(faults) }
}

type Rest<'a> = std::slice::Iter<'a, String>;

impl Typed {
    fn long(
        &mut self,
        flags: &'static [Flag],
        typed: &str,
        rest: &mut Rest<'_>,
    ) -> Result<(), Fault> {
        let (name, value) = match typed.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (typed, None),
        };
        let (long, flag) = named(flags, name)?;
        let value = match (flag.value, value) {
            (None, Some(_)) => return Err(Fault::Value(long)),
            (None, None) => String::new(),
            (Some(_), Some(value)) => value,
            (Some(_), None) => rest.next().cloned().ok_or(Fault::NoValueLong(long))?,
        };
        self.options.push((flag.name, value));
        Ok(())
    }

    /// Several in one argument; the first that takes a value takes what is left of it.
    fn shorts(&mut self, flags: &'static [Flag], shorts: &str, rest: &mut Rest<'_>) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut left = shorts.chars();
        while let Some(short) = left.next() {
            let Some(flag) = flags.iter().find(|flag| flag.short == Some(short)) else {
                faults.push(Fault::UnknownShort(short));
                continue;
            };
            if flag.value.is_none() {
                self.options.push((flag.name, String::new()));
                continue;
            }
            let value = match left.as_str() {
                "" => rest.next().cloned(),
                value => Some(value.to_owned()),
            };
            match value {
                Some(value) => self.options.push((flag.name, value)),
                None => faults.push(Fault::NoValueShort(short)),
            }
            break;
        }
        faults
    }
}

/// The flag of a name, which may be cut short where it stays the only one.
fn named(flags: &'static [Flag], name: &str) -> Result<(&'static str, &'static Flag), Fault> {
    let begins: Vec<(&'static str, &'static Flag)> = flags
        .iter()
        .filter_map(|flag| Some((flag.long?, flag)))
        .filter(|(long, _)| long.starts_with(name))
        .collect();
    match begins.as_slice() {
        [] => Err(Fault::UnknownLong(name.to_owned())),
        [only] => Ok(*only),
        several => match several.iter().find(|(long, _)| *long == name) {
            Some(exact) => Ok(*exact),
            None => {
                let all = several.iter().map(|(long, _)| *long).collect();
                Err(Fault::Ambiguous(name.to_owned(), all))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::flags::{FIRST, SECOND};
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    #[track_caller]
    fn check(line: &str, options: &[(Name, &str)], operands: &[&str]) {
        let typed = parse(SECOND, Dialect::Gnu, &words(line)).unwrap();
        let options: Vec<_> =
            options.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        assert_eq!(typed.options, options, "{line}");
        assert_eq!(typed.operands, operands, "{line}");
    }

    #[test]
    fn options_stand_anywhere_and_in_every_form() {
        let token = (Name::Token, "T");
        check("-k T alpine", &[token], &["alpine"]);
        check("alpine -k T", &[token], &["alpine"]);
        check("-kT alpine", &[token], &["alpine"]);
        check("--sysdig-token T alpine", &[token], &["alpine"]);
        check("--sysdig-token=T alpine", &[token], &["alpine"]);
        check("--sysdig-to=T alpine", &[token], &["alpine"]);
        check("--sysdig-token= alpine", &[(Name::Token, "")], &["alpine"]);
        check(
            "-vock T alpine",
            &[(Name::Verbose, ""), (Name::OnPrem, ""), (Name::Clean, ""), token],
            &["alpine"],
        );
        // The legacy scanner declares `-n` as taking a value.
        check("-n alpine", &[(Name::RegistrySkipTls, "")], &["alpine"]);
        check("-k -v alpine", &[(Name::Token, "-v")], &["alpine"]);
        check("-- -k T", &[], &["-k", "T"]);
        check("a - b", &[], &["a", "-", "b"]);
        check(
            "-a a=b --annotations=c=d x",
            &[(Name::Annotations, "a=b"), (Name::Annotations, "c=d")],
            &["x"],
        );
        check("", &[], &[]);
    }

    #[test]
    fn faults_are_told_as_getopt_tells_them() {
        let faults = |line: &str| {
            let faults = parse(SECOND, Dialect::Gnu, &words(line)).unwrap_err();
            faults.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(faults("--nope x"), ["unrecognized option '--nope'"]);
        assert_eq!(faults("-vXn x"), ["invalid option -- 'X'"]);
        assert_eq!(faults("-l x"), ["invalid option -- 'l'"]);
        assert_eq!(faults("x -k"), ["option requires an argument -- 'k'"]);
        assert_eq!(faults("x --format"), ["option '--format' requires an argument"]);
        assert_eq!(faults("--on-prem=1 x"), ["option '--on-prem' doesn't allow an argument"]);
        assert_eq!(
            faults("--registry-s --sysdig x"),
            [
                "option '--sysdig' is ambiguous; possibilities: '--sysdig-token' '--sysdig-url' '--sysdig-skip-tls'"
            ]
        );
        assert_eq!(faults("--zz -Z").len(), 2);
    }

    #[test]
    fn of_the_first_generation_options_end_at_the_image() {
        let typed = parse(FIRST, Dialect::Posix, &words("-PVk T alpine -C")).unwrap();
        let options =
            [(Name::Pull, ""), (Name::Verbose, ""), (Name::Token, "T")].map(|(n, v)| (n, v.into()));
        assert_eq!(typed, Typed { options: options.into(), operands: words("alpine -C") });
        let faults = parse(FIRST, Dialect::Posix, &words("--help")).unwrap_err();
        assert_eq!(faults[0], Fault::UnknownShort('-'));
    }
}
