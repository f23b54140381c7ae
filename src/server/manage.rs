//! What is done with a server's data while nobody asks for it: backups, steps of the schema, a look at
//! whether everything is whole, users and tokens.

use std::fs;
use std::io;
use std::path::Path;

use inscan_store::backup::{self, Table};
use inscan_store::{Blobs, Contents, Place, Row, Store, Tx, values};

use super::answer::Problem;
use super::clock::{self, iso};
use super::crypto::{self, Secrets};
use super::ids;
use super::login::hash_password;
use super::model::tables::TABLES;
use super::rights::{self, Role};
use super::start::{ADMIN, Fault, SCHEMAS, io};

/// All tables that a backup has.
fn tables() -> Vec<Table> {
    backup::OWN.iter().chain(TABLES).copied().chain([crypto::TABLE]).collect()
}

/// Writes all rows to a file, compressed. Returns how many.
///
/// # Errors
/// Where the database cannot be opened or the file cannot be written.
pub(crate) fn back_up(database: &Place, path: &Path) -> Result<u64, Fault> {
    let store = Store::open(database, SCHEMAS)?;
    let cannot = || format!("cannot write `{}`", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let beside = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")));
    let beside = beside.map_err(io(cannot()))?;
    let mut packed = zstd::Encoder::new(beside, 3).map_err(io(cannot()))?;
    let count = backup::write(&store, &tables(), &mut packed)?;
    let file = packed.finish().map_err(io(cannot()))?;
    file.as_file().sync_all().map_err(io(cannot()))?;
    file.persist(path).map_err(|error| io(cannot())(error.error))?;
    Ok(count)
}

/// Reads all rows of a file into an empty database. Returns how many.
///
/// # Errors
/// Where the database has rows, or the file is not a backup.
pub(crate) fn restore(database: &Place, path: &Path) -> Result<u64, Fault> {
    let store = Store::open(database, SCHEMAS)?;
    let cannot = || format!("cannot read `{}`", path.display());
    let file = fs::File::open(path).map_err(io(cannot()))?;
    let unpacked = zstd::Decoder::new(file).map_err(io(cannot()))?;
    Ok(backup::read(&store, &tables(), &mut io::BufReader::new(unpacked))?)
}

/// Does what is missing of the schema. Returns how many steps that were.
///
/// # Errors
/// Where the database cannot be reached, or is of a newer version.
pub(crate) fn migrate(database: &Place) -> Result<usize, Fault> {
    Ok(Store::open_counting(database, SCHEMAS)?.1)
}

/// A database whose schema is the one of this version.
pub(crate) struct Manage {
    store: Store,
}

/// What a check found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) whole: u64,
    pub(crate) bytes: u64,
    pub(crate) orphans: u64,
    /// One line for each fault.
    pub(crate) wrong: Vec<String>,
}

/// Contents that something needs, and that have no row.
const MISSING: &str = "SELECT DISTINCT digest FROM ( \
      SELECT analysis AS digest FROM image WHERE analysis IS NOT NULL UNION SELECT content FROM image WHERE content IS NOT NULL \
      UNION SELECT analysis FROM former_analysis UNION SELECT content FROM former_analysis \
      UNION SELECT analysis FROM archived UNION SELECT content FROM archived) AS needed \
    WHERE digest IS NOT NULL AND NOT EXISTS (SELECT 1 FROM blob WHERE blob.digest = needed.digest AND blob.made_at >= 0) \
    ORDER BY digest LIMIT 1000";

impl Manage {
    /// # Errors
    /// Where the database cannot be reached, or its schema is of another version.
    pub(crate) fn open(database: &Place) -> Result<Manage, Fault> {
        Ok(Manage { store: Store::open_as_it_is(database, SCHEMAS)? })
    }

    /// Reads everything.
    ///
    /// # Errors
    /// Where the database or the place of the contents cannot be read at all.
    pub(crate) fn check(&self, contents: &Contents, key: &Path) -> Result<Found, Fault> {
        let mut wrong = self.store.faults()?;
        wrong.iter_mut().for_each(|fault| *fault = format!("database: {fault}"));
        match key.exists() {
            true => {
                let secrets =
                    Secrets::open(key).map_err(io(format!("the key in `{}`", key.display())))?;
                if !secrets.could_be_of(&self.store)? {
                    wrong.push(format!(
                        "the key in `{}` is not the one of this database",
                        key.display()
                    ));
                }
            }
            false => wrong.push(format!("the key is missing: there is no `{}`", key.display())),
        }
        let missing = self.store.read(|tx| {
            tx.rows(MISSING, &[])?
                .into_iter()
                .map(Row::text)
                .collect::<inscan_store::Result<Vec<_>>>()
        })?;
        wrong.extend(
            missing
                .into_iter()
                .map(|digest| format!("content {digest} is needed, and no row knows it")),
        );
        let blobs = Blobs::open(contents, &std::env::temp_dir())?;
        let checked = blobs.check(&self.store, &mut |_| {})?;
        wrong.extend(checked.wrong.into_iter().map(|(_, why)| why));
        Ok(Found { whole: checked.whole, bytes: checked.bytes, orphans: checked.orphans, wrong })
    }

    fn change<T>(
        &self,
        what: &str,
        work: impl Fn(&Tx<'_>) -> Result<T, Problem>,
    ) -> Result<T, Fault> {
        let done = self.store.write(|tx| {
            let done = work(tx)?;
            tx.run(
                "INSERT INTO audit (account, username, method, path, status, made_at) \
                 VALUES ($1, 'command line', 'CLI', $2, 200, $3)",
                values![ADMIN, what, clock::now()],
            )?;
            Ok::<_, Problem>(done)
        });
        done.map_err(|problem| match problem.status.is_server_error() {
            true => Fault::Other(problem.told()),
            false => Fault::Asked(problem.message),
        })
    }

    pub(crate) fn add_user(
        &self,
        name: &str,
        role: Role,
        password: Option<&str>,
    ) -> Result<(), Fault> {
        let is_name = !name.is_empty()
            && name.len() <= 200
            && !name.chars().any(|it| it.is_control() || it == ':');
        if !is_name {
            return Err(Fault::Asked("a name has 1 to 200 characters, and no colon".to_owned()));
        }
        let hash = password.map(hash_password).transpose();
        let hash = hash.map_err(|problem| Fault::Asked(problem.message))?;
        self.change(&format!("user add {name}"), |tx| {
            let row = tx.row(
                "INSERT INTO person (account, username, password, first_name, last_name, role, version, enabled, \
                   created_at, updated_at) VALUES ($1, $2, $3, '', '', $4, 1, 1, $5, $5) \
                 ON CONFLICT (username) DO NOTHING RETURNING id",
                values![ADMIN, name, hash.as_deref(), rights::USER, clock::now()],
            )?;
            let row = row.ok_or_else(|| Problem::conflict(format!("there is a user {name} already")))?;
            give(tx, row.int()?, role)
        })
    }

    pub(crate) fn set_password(&self, name: &str, password: &str) -> Result<(), Fault> {
        let hash = hash_password(password).map_err(|problem| Fault::Asked(problem.message))?;
        self.change(&format!("user password {name}"), |tx| {
            let sql = "UPDATE person SET password = $2, version = version + 1, updated_at = $3 WHERE id = $1";
            tx.run(sql, values![person(tx, name)?, &hash, clock::now()])?;
            Ok(())
        })
    }

    pub(crate) fn set_role(&self, name: &str, role: Role) -> Result<(), Fault> {
        self.change(&format!("user role {name}"), |tx| {
            let id = person(tx, name)?;
            give(tx, id, role)?;
            somebody_is_left(tx)
        })
    }

    pub(crate) fn remove_user(&self, name: &str) -> Result<(), Fault> {
        self.change(&format!("user remove {name}"), |tx| {
            let id = person(tx, name)?;
            for sql in [
                "DELETE FROM token WHERE person = $1",
                "DELETE FROM membership WHERE person = $1",
                "DELETE FROM person WHERE id = $1",
            ] {
                tx.run(sql, values![id])?;
            }
            somebody_is_left(tx)
        })
    }

    /// A line for each: name, account, role, whether it may log in, when it was added.
    pub(crate) fn users(&self) -> Result<Vec<String>, Fault> {
        let rows = self.store.read(|tx| {
            tx.rows(
                "SELECT person.username, person.account, person.role, person.enabled, person.created_at, \
                   (SELECT MIN(membership.role) FROM membership WHERE membership.person = person.id) \
                 FROM person ORDER BY person.id",
                &[],
            )
        })?;
        let line = |row: Row| {
            let mut fields = row.fields();
            let (name, account, system) = (fields.text()?, fields.text()?, fields.text()?);
            let (enabled, at, team) = (fields.bool()?, fields.int()?, fields.text_or_none()?);
            let role = match (system.as_str(), team.as_deref().and_then(Role::of_team)) {
                (rights::ADMIN, _) => "admin",
                ("account", _) => "account",
                (_, Some(Role::Manager)) => "manager",
                (_, Some(Role::Advanced)) => "advanced",
                _ => "read",
            };
            let may = if enabled { "enabled" } else { "disabled" };
            Ok(format!("{name}\t{account}\t{role}\t{may}\t{}", iso(at)))
        };
        Ok(rows.into_iter().map(line).collect::<inscan_store::Result<_>>()?)
    }

    /// Returns the token, which nobody can be told again.
    pub(crate) fn add_token(&self, user: &str, name: &str) -> Result<String, Fault> {
        let token = ids::uuid();
        self.change(&format!("token add {user}"), |tx| {
            tx.run(
                "INSERT INTO token (hash, person, team, name, created_at) VALUES ($1, $2, NULL, $3, $4)",
                values![ids::hashed(&token), person(tx, user)?, name, clock::now()],
            )?;
            Ok(token.clone())
        })
    }

    /// A line for each: id, user, what it is for, when it was added.
    pub(crate) fn tokens(&self) -> Result<Vec<String>, Fault> {
        let rows = self.store.read(|tx| {
            tx.rows(
                "SELECT token.hash, person.username, token.name, token.created_at FROM token \
                 JOIN person ON person.id = token.person ORDER BY token.created_at, token.hash",
                &[],
            )
        })?;
        let line = |row: Row| {
            let mut fields = row.fields();
            let (hash, user, name) = (fields.text()?, fields.text()?, fields.text()?);
            let id: String = hash.chars().take(ID).collect();
            Ok(format!("{id}\t{user}\t{name}\t{}", iso(fields.int()?)))
        };
        Ok(rows.into_iter().map(line).collect::<inscan_store::Result<_>>()?)
    }

    pub(crate) fn revoke(&self, id: &str) -> Result<(), Fault> {
        let is_id = id.len() >= ID && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.change(&format!("token revoke {id}"), |tx| {
            let sql = "DELETE FROM token WHERE SUBSTR(hash, 1, CAST($2 AS INTEGER)) = $1";
            let length = i64::try_from(id.len()).unwrap_or(i64::MAX);
            match is_id && tx.run(sql, values![id, length])? == 1 {
                true => Ok(()),
                false => Err(Problem::not_found(format!("there is no token {id}"))),
            }
        })
    }
}

/// Digits of a token's hash that name it.
const ID: usize = 12;

fn person(tx: &Tx<'_>, name: &str) -> Result<i64, Problem> {
    let row = tx.row("SELECT id FROM person WHERE username = $1", values![name])?;
    Ok(row.ok_or_else(|| Problem::not_found(format!("there is no user {name}")))?.int()?)
}

/// The role, in the first team.
fn give(tx: &Tx<'_>, person: i64, role: Role) -> Result<(), Problem> {
    let (system, team) = match role {
        Role::Admin => (rights::ADMIN, "ROLE_TEAM_MANAGER"),
        Role::Manager => (rights::USER, "ROLE_TEAM_MANAGER"),
        Role::Advanced => (rights::USER, "ROLE_TEAM_EDIT"),
        Role::Standard => (rights::USER, "ROLE_TEAM_STANDARD"),
        Role::Read => (rights::USER, "ROLE_TEAM_READ"),
    };
    tx.run(
        "UPDATE person SET role = $2, version = version + 1, updated_at = $3 WHERE id = $1",
        values![person, system, clock::now()],
    )?;
    tx.run("DELETE FROM membership WHERE person = $1", values![person])?;
    tx.run(
        "INSERT INTO membership (team, person, role) SELECT MIN(id), CAST($1 AS BIGINT), $2 FROM team",
        values![person, team],
    )?;
    Ok(())
}

/// Who can still do everything.
fn somebody_is_left(tx: &Tx<'_>) -> Result<(), Problem> {
    let row = tx.row(
        "SELECT COUNT(*) FROM person WHERE role = $1 AND enabled = 1 AND account = $2",
        values![rights::ADMIN, ADMIN],
    )?;
    match row.map_or(Ok(0), Row::int)? {
        0 => Err(Problem::conflict("it is the last administrator: make another one first")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn managed() -> (tempfile::TempDir, Place) {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Folder(folder.path().to_owned());
        assert!(Manage::open(&place).is_err());
        assert!(migrate(&place).unwrap() > 0);
        super::super::start::first(&Store::open(&place, SCHEMAS).unwrap(), None).unwrap();
        (folder, place)
    }

    fn shown(lines: &[String]) -> Vec<String> {
        lines.iter().map(|line| line.rsplit_once('\t').unwrap().0.replace('\t', " ")).collect()
    }

    #[test]
    fn users_are_added_changed_and_removed() {
        let (_folder, place) = managed();
        let manage = Manage::open(&place).unwrap();
        manage.add_user("ann", Role::Advanced, Some("a word")).unwrap();
        manage.add_user("bob", Role::Read, None).unwrap();
        assert!(manage.add_user("ann", Role::Read, None).is_err());
        assert!(manage.add_user("a:b", Role::Read, None).is_err());
        manage.set_role("bob", Role::Manager).unwrap();
        manage.set_password("bob", "another").unwrap();
        assert!(manage.set_password("nobody", "another").is_err());
        assert_eq!(
            shown(&manage.users().unwrap()),
            [
                "admin admin admin enabled",
                "ann admin advanced enabled",
                "bob admin manager enabled"
            ]
        );
        assert!(manage.remove_user("admin").is_err());
        assert!(manage.set_role("admin", Role::Read).is_err());
        manage.set_role("ann", Role::Admin).unwrap();
        manage.remove_user("admin").unwrap();
        assert_eq!(manage.users().unwrap().len(), 2);
    }

    #[test]
    fn tokens_are_added_listed_and_revoked() {
        let (_folder, place) = managed();
        let manage = Manage::open(&place).unwrap();
        let token = manage.add_token("admin", "ci").unwrap();
        let listed = manage.tokens().unwrap();
        assert!(listed.iter().all(|line| !line.contains(&token)));
        let id = &ids::hashed(&token)[..ID];
        assert!(listed.iter().any(|line| line.starts_with(&format!("{id}\tadmin\tci\t"))));
        assert!(manage.revoke(&id[..4]).is_err() && manage.revoke("%").is_err());
        manage.revoke(id).unwrap();
        assert!(manage.revoke(id).is_err());
        assert!(manage.add_token("nobody", "ci").is_err());
    }

    #[test]
    fn a_check_tells_what_is_missing() {
        let (folder, place) = managed();
        let manage = Manage::open(&place).unwrap();
        let contents = Contents::Folder(folder.path().join("contents"));
        let key = folder.path().join("key");
        let found = manage.check(&contents, &key).unwrap();
        assert_eq!(found.wrong.len(), 1, "{found:?}");
        Secrets::open(&key).unwrap();
        assert_eq!(manage.check(&contents, &key).unwrap().wrong, Vec::<String>::new());
    }
}
