//! The accounts in `/etc/passwd`, which the analysis keeps:
//! <https://man7.org/linux/man-pages/man5/passwd.5.html>.

use super::content::Contents;
use super::{Lookup, content};

/// One line. Lines of NIS, and broken ones, have fewer fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub user_id: Option<String>,
    pub group_id: Option<String>,
    pub shell: Option<String>,
    pub line: String,
}

pub(super) fn read(contents: &Contents) -> Lookup<Vec<Account>> {
    let content = content::of(contents, "/etc/passwd")?.unwrap_or_default();
    let text = String::from_utf8_lossy(&content);
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(account).collect())
}

fn account(line: &str) -> Account {
    let mut fields = line.split(':').map(str::to_owned);
    let name = fields.next().unwrap_or_default();
    let fields: Vec<String> = fields.collect();
    let field = |at: usize| fields.get(at).cloned();
    Account { name, user_id: field(1), group_id: field(2), shell: field(5), line: line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lines_have_fewer_fields() {
        let root = account("root:x:0:0:root:/root:/bin/bash");
        assert_eq!((&*root.name, root.user_id.as_deref()), ("root", Some("0")));
        assert_eq!(root.group_id.as_deref(), Some("0"));
        assert_eq!(root.shell.as_deref(), Some("/bin/bash"));
        let nis = account("+@admins");
        assert_eq!((&*nis.name, nis.user_id, nis.shell), ("+@admins", None, None));
    }
}
