//! What is done with a server's data beside serving it.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::super::network::NetArgs;
use super::super::{Failure, Result, Session};
use super::failed;
use super::place::{ObjectsArgs, PlaceArgs, secret_in};
use crate::server::manage::{self, Manage};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write all rows to a file: a backup, or to move to another database
    ///
    /// What is in the folder beside the database (contents, key) is not in it: copy that. With rows in
    /// the folder, the server has to be stopped.
    Backup {
        #[command(flatten)]
        place: PlaceArgs,
        /// The file to write
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Read all rows of a backup into an empty database, of either kind
    Restore {
        #[command(flatten)]
        place: PlaceArgs,
        /// The file to read
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Bring a database to the form that this version needs, and make an empty one
    ///
    /// A server does so itself when it starts. Where several start at once, or the server's own user may
    /// not change tables, it is done before: one does it, whoever else comes waits. What is done already
    /// is not done again.
    #[command(after_help = "\
Examples:
  Before the servers of a new version are started:
      inscan serve migrate --database postgres://owner@db.example/inscan --database-password-file /run/secrets/owner")]
    Migrate {
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Look whether everything that is kept is whole
    ///
    /// The database is looked at, each content is read and held against its digest, and contents that no
    /// row names are counted (they are removed a day after they were written). Nothing is changed. It ends with
    /// 3 where something is damaged or missing. With rows in the folder, the server has to be stopped.
    #[command(after_help = "\
Examples:
  Of this machine:
      inscan serve check
  After a restore, with contents in a bucket:
      inscan serve check --database postgres://inscan@db.example/inscan --objects 's3://inscan?endpoint=https://s3.example'")]
    Check {
        #[command(flatten)]
        place: PlaceArgs,
        #[command(flatten)]
        objects: ObjectsArgs,
        #[command(flatten)]
        net: NetArgs,
    },
    /// Add, list, change and remove users, also where nobody can log in any longer
    #[command(
        subcommand,
        after_help = "\
Examples:
  Somebody who may change policies and exceptions, and logs in with a password:
      inscan serve user add ann advanced --password-file ann.txt
  What users there are, and what they may do:
      inscan serve user list
  A new password, read from standard input:
      pwgen 20 1 | inscan serve user password ann --password-file -

With rows in the folder, the server has to be stopped; it is told by the API while it runs."
    )]
    User(User),
    /// Add, list and revoke tokens
    #[command(
        subcommand,
        after_help = "\
Examples:
  A token for a pipeline, which may do what its user may (it is shown once):
      inscan serve user add pipeline advanced
      inscan serve token add pipeline --name ci > token
  What tokens there are, and one less:
      inscan serve token list
      inscan serve token revoke 3f1c5be0a12d

With rows in the folder, the server has to be stopped."
    )]
    Token(Token),
}

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a user; without a password only tokens let it in
    Add {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
        /// What the user may do
        #[arg(value_name = "ROLE", default_value = "read")]
        role: UserRole,
        /// Read the password from this file; `-` is standard input
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// List the users: name, role, whether they may log in, when they were added
    List {
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Give a user another password
    Password {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
        /// Read the password from this file; `-` is standard input
        #[arg(long, value_name = "FILE", required = true)]
        password_file: PathBuf,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Change what a user may do
    Role {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
        /// What the user may do from now on
        #[arg(value_name = "ROLE")]
        role: UserRole,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Remove a user with its tokens
    Remove {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Add a token for a user, and write it to standard output
    Add {
        /// Whose token it is
        #[arg(value_name = "USER")]
        user: String,
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "command line")]
        name: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// List the tokens: id, user, what it is for, when it was added; never the token itself
    List {
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Revoke a token: it is worth nothing at once
    Revoke {
        /// The id, as `token list` shows it
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// As docs/server.md has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum UserRole {
    /// Look at everything
    Read,
    /// Also change images, policies, assignments, exceptions, alerts, registries
    Advanced,
    /// Also users, teams and channels
    Manager,
    /// Everything, also the server itself
    Admin,
}

impl UserRole {
    fn resolve(self) -> crate::server::rights::Role {
        use crate::server::rights::Role;
        match self {
            UserRole::Read => Role::Read,
            UserRole::Advanced => Role::Advanced,
            UserRole::Manager => Role::Manager,
            UserRole::Admin => Role::Admin,
        }
    }
}

pub(super) fn run(command: &Command, session: &Session) -> Result<()> {
    match command {
        Command::Backup { place, file } => {
            let count = manage::back_up(&place.resolve()?.1, file).map_err(failed)?;
            session.say(&format!("wrote {count} rows to {}", file.display()));
        }
        Command::Restore { place, file } => {
            let count = manage::restore(&place.resolve()?.1, file).map_err(failed)?;
            session.say(&format!("read {count} rows of {}", file.display()));
        }
        Command::Migrate { place } => match manage::migrate(&place.resolve()?.1).map_err(failed)? {
            0 => session.say("the database has the newest form already"),
            steps => session.say(&format!("the database has the newest form after {steps} steps")),
        },
        Command::Check { place, objects, net } => check(place, objects, net, session)?,
        Command::User(command) => user(command, session)?,
        Command::Token(command) => token(command, session)?,
    }
    Ok(())
}

fn open(place: &PlaceArgs) -> Result<Manage> {
    Manage::open(&place.resolve()?.1).map_err(failed)
}

fn check(place: &PlaceArgs, objects: &ObjectsArgs, net: &NetArgs, session: &Session) -> Result<()> {
    let (folder, _) = place.resolve()?;
    let contents = objects.resolve(&folder, &net.clone().resolve()?)?;
    let found = open(place)?.check(&contents, &place.key(&folder)).map_err(failed)?;
    for wrong in &found.wrong {
        session.table(&format!("{wrong}\n"));
    }
    session.say(&format!(
        "{} contents are whole ({} bytes), {} belong to nothing, {} faults",
        found.whole,
        found.bytes,
        found.orphans,
        found.wrong.len()
    ));
    match found.wrong.len() {
        0 => Ok(()),
        count => Err(Failure::broken(anyhow::anyhow!("{count} faults in what is kept"))
            .hint("what is missing comes back with the archive or document it came from")),
    }
}

fn user(command: &User, session: &Session) -> Result<()> {
    match command {
        User::Add { name, role, password_file, place } => {
            let password = password_file.as_deref().map(secret_in).transpose()?;
            open(place)?.add_user(name, role.resolve(), password.as_deref()).map_err(failed)?;
            session.say(&format!("added the user {name}"));
        }
        User::List { place } => {
            for line in open(place)?.users().map_err(failed)? {
                show(&line);
            }
        }
        User::Password { name, password_file, place } => {
            open(place)?.set_password(name, &secret_in(password_file)?).map_err(failed)?;
            session.say(&format!("the user {name} has another password"));
        }
        User::Role { name, role, place } => {
            open(place)?.set_role(name, role.resolve()).map_err(failed)?;
            session.say(&format!("the user {name} has another role"));
        }
        User::Remove { name, place } => {
            open(place)?.remove_user(name).map_err(failed)?;
            session.say(&format!("removed the user {name} with its tokens"));
        }
    }
    Ok(())
}

fn token(command: &Token, session: &Session) -> Result<()> {
    match command {
        Token::Add { user, name, place } => {
            show(&open(place)?.add_token(user, name).map_err(failed)?);
            session.say(&format!("this token of {user} is shown once"));
        }
        Token::List { place } => {
            for line in open(place)?.tokens().map_err(failed)? {
                show(&line);
            }
        }
        Token::Revoke { id, place } => {
            open(place)?.revoke(id).map_err(failed)?;
            session.say(&format!("revoked the token {id}"));
        }
    }
    Ok(())
}

/// On standard output: whoever reads it no longer is no fault.
fn show(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}
