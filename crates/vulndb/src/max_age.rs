//! `--db-max-age`: how old the data may be, and what happens where it is older.

use std::str::FromStr;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxAge {
    pub limit: Duration,
    pub then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Warn,
    Fail,
}

impl MaxAge {
    /// Whether data of this age is too old.
    pub fn is_exceeded(&self, age: Duration) -> bool {
        age > self.limit
    }
}

impl FromStr for MaxAge {
    type Err = String;

    /// `5d`, `36h`, `2w`, each with `:warn` or `:fail` (which is meant where nothing is said).
    fn from_str(text: &str) -> Result<Self, String> {
        let (age, then) = text.split_once(':').unwrap_or((text, "fail"));
        let then = match then {
            "warn" => Then::Warn,
            "fail" => Then::Fail,
            other => return Err(format!("`{other}` is neither `warn` nor `fail`")),
        };
        let expected = || "expected an age as `5d`, `36h` or `2w`".to_owned();
        let unit = age.chars().last().ok_or_else(expected)?;
        let hours = match unit {
            'h' => 1,
            'd' => 24,
            'w' => 7 * 24,
            _ => return Err(expected()),
        };
        let number: u64 = age[..age.len() - unit.len_utf8()].parse().map_err(|_| expected())?;
        let seconds = number.checked_mul(hours * 3600).ok_or_else(expected)?;
        Ok(MaxAge { limit: Duration::from_secs(seconds), then })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_with_a_unit_and_perhaps_what_then() {
        let age = |hours: u64, then| Ok(MaxAge { limit: Duration::from_secs(hours * 3600), then });
        assert_eq!("5d".parse(), age(120, Then::Fail));
        assert_eq!("36h:warn".parse(), age(36, Then::Warn));
        assert_eq!("2w:fail".parse(), age(336, Then::Fail));
        for wrong in [
            "",
            "d",
            "5",
            "5x",
            "-1d",
            "5d:stop",
            "5dd",
            "99999999999999999999d",
            "9999999999999999999h",
        ] {
            assert!(wrong.parse::<MaxAge>().is_err(), "{wrong}");
        }
        let five: MaxAge = "5d".parse().unwrap();
        assert!(
            !five.is_exceeded(five.limit) && five.is_exceeded(five.limit + Duration::from_secs(1))
        );
    }
}
