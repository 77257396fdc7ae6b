//! Where each option comes from: the command line, before the environment, before files (the configuration, a file named by
//! `NAME-file`, a credential of systemd), before the default.
//!
//! Knows no option by name but those that are secrets: it walks the definitions, so that what is added there is
//! everywhere.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Options that say what to do once, and are nothing to be kept in a file.
const ONCE: [&str; 6] = ["config", "check-config", "print-config", "example-config", "help", "version"];
/// Options that may hold a password: each may be in a file of its own, and none is shown.
const SECRET: [&str; 3] = ["mysql", "redis", "webhook-url"];
/// What follows the name of an option whose value is in a file.
const FILE: &str = "-file";

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// It was typed.
    CommandLine,
    /// This variable.
    Environment(String),
    /// This file.
    File(PathBuf),
    /// Nobody has said anything.
    Default,
}

/// What was found in files: of each option its name, its values as they would be typed, and where.
pub type Found = BTreeMap<String, (Vec<String>, Origin)>;

/// The definitions, with a variable for each option: `CHATD_` and its name.
pub fn with_variables(command: Command) -> Command {
    command.mut_args(|arg| match arg.get_long().map(str::to_owned) {
        Some(name) if arg.get_env().is_none() && !ONCE[1..].contains(&&*name) => {
            // Read once for each definition, which lives as long as the process.
            let variable: &'static str = Box::leak(variable(&name).into_boxed_str());
            // A switch that is said to be off is not said: it needs none of what it needs when it is on.
            let is_off =
                |value: String| ["", "0", "false", "no", "off"].contains(&value.to_lowercase().as_str());
            let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
            match is_switch && std::env::var(variable).is_ok_and(is_off) {
                true => arg,
                false => arg.env(variable).hide_env(true),
            }
        }
        _ => arg,
    })
}

fn variable(name: &str) -> String {
    format!("CHATD_{}", name.replace('-', "_").to_uppercase())
}

/// The options that a file may have.
fn settings(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    let named = command.get_arguments().filter_map(|arg| Some((arg.get_long()?, arg)));
    named.filter(|(name, _)| !ONCE.contains(name))
}

/// What the files say that `matches` names, or the environment.
///
/// # Errors
/// With a sentence, if a file cannot be read, is none, or says what nobody knows.
pub fn found(command: &Command, matches: &ArgMatches) -> Result<Found, String> {
    let mut found = credentials(command)?;
    if let Some(path) = matches.get_one::<PathBuf>("config") {
        found.extend(configuration(command, path)?);
    }
    for name in SECRET {
        if let Some(path) = std::env::var_os(variable(&format!("{name}{FILE}"))) {
            found.insert(name.to_owned(), secret(Path::new(&path))?);
        }
    }
    Ok(found)
}

/// The names of options that files say something of.
pub fn names(found: &Found) -> String {
    found.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn read(path: &Path) -> Result<String, String> {
    crate::files::text(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// A value that has a file of its own.
fn secret(path: &Path) -> Result<(Vec<String>, Origin), String> {
    Ok((vec![read(path)?.trim_end_matches(['\n', '\r']).to_owned()], Origin::File(path.to_owned())))
}

/// What systemd gives to this service (`LoadCredential=mysql:/path`), by the names of options.
fn credentials(command: &Command) -> Result<Found, String> {
    let Some(directory) = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from) else {
        return Ok(Found::new());
    };
    let given = settings(command).map(|(name, _)| (name, directory.join(name)));
    given
        .filter(|(_, path)| path.is_file())
        .map(|(name, path)| Ok((name.to_owned(), secret(&path)?)))
        .collect()
}

fn configuration(command: &Command, path: &Path) -> Result<Found, String> {
    let text = read(path)?;
    let table: toml::Table = text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
    let mut found = Found::new();
    for (key, value) in table {
        let at = |what: &str| format!("{}: {key} {what}", path.display());
        // A dash or an underscore: both are written in other files.
        let name = key.replace('_', "-");
        let of_file = name.strip_suffix(FILE).filter(|name| SECRET.contains(name));
        let known = settings(command).find(|(known, _)| *known == of_file.unwrap_or(&name));
        let Some((known, arg)) = known else {
            let near = nearest(&name, settings(command).map(|(name, _)| name));
            let hint = near.map(|near| format!(": did you mean {near}?")).unwrap_or_default();
            return Err(at(&format!("is no option{hint}")));
        };
        let values = values(&value, arg).map_err(|wanted| at(&wanted))?;
        let said = match of_file {
            Some(_) => secret(Path::new(values.first().map_or("", |value| value)))?,
            None => (values, Origin::File(path.to_owned())),
        };
        if found.insert(known.to_owned(), said).is_some() {
            return Err(at("is there twice, under another name"));
        }
    }
    Ok(found)
}

/// A value as it would be typed; none, if it is a switch that is off.
fn values(value: &toml::Value, arg: &Arg) -> Result<Vec<String>, String> {
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
    let one = |value: &toml::Value| match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        toml::Value::Boolean(_) => Err("is neither true nor false: it takes a value".to_owned()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
            Err("is a text or a number".to_owned())
        }
    };
    match value {
        toml::Value::Boolean(is_on) if is_switch => Ok(is_on.then(String::new).into_iter().collect()),
        _ if is_switch => Err("is true or false".to_owned()),
        toml::Value::Array(list) if matches!(arg.get_action(), ArgAction::Append) => {
            list.iter().map(one).collect()
        }
        value => one(value).map(|value| vec![value]),
    }
}

/// What was typed, and besides it what files say of options that were neither typed nor are in the environment.
pub fn completed(command: &Command, matches: &ArgMatches, found: &Found) -> Vec<OsString> {
    let mut typed: Vec<OsString> = std::env::args_os().collect();
    for (name, arg) in settings(command) {
        let is_said = |source| matches!(source, ValueSource::CommandLine | ValueSource::EnvVariable);
        if matches.value_source(arg.get_id().as_str()).is_some_and(is_said) {
            continue;
        }
        for value in found.get(name).into_iter().flat_map(|(values, _)| values) {
            let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
            typed.push(if is_switch { format!("--{name}") } else { format!("--{name}={value}") }.into());
        }
    }
    typed
}

/// Where the value of an option comes from. `typed` are the matches without what files say.
fn origin(name: &str, arg: &Arg, typed: &ArgMatches, found: &Found) -> Origin {
    match typed.value_source(arg.get_id().as_str()) {
        Some(ValueSource::CommandLine) => Origin::CommandLine,
        Some(ValueSource::EnvVariable) => {
            let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned());
            Origin::Environment(variable.unwrap_or_default())
        }
        _ => found.get(name).map_or(Origin::Default, |(_, origin)| origin.clone()),
    }
}

/// A value as a file would have it.
fn written(value: &str) -> String {
    match value.parse::<i64>() {
        Ok(number) if number.to_string() == value => value.to_owned(),
        _ => toml::Value::from(value).to_string(),
    }
}

/// The value of an option as a file would have it; nothing where there is none.
fn shown(arg: &Arg, matches: &ArgMatches) -> Option<String> {
    let id = arg.get_id().as_str();
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return Some(matches.get_flag(id).to_string());
    }
    let values: Vec<String> = matches.get_raw(id)?.map(|value| written(&value.to_string_lossy())).collect();
    match arg.get_action() {
        ArgAction::Append => Some(format!("[{}]", values.join(", "))),
        _ => values.into_iter().next(),
    }
}

/// All options as a file would have them, each with where it comes from. Secrets are not shown.
pub fn printed(command: &Command, typed: &ArgMatches, matches: &ArgMatches, found: &Found) -> String {
    let mut text = String::new();
    for (name, arg) in settings(command) {
        let from = match origin(name, arg, typed, found) {
            Origin::CommandLine => "the command line".to_owned(),
            Origin::Environment(variable) => variable,
            Origin::File(path) => path.display().to_string(),
            Origin::Default => "by default".to_owned(),
        };
        let line = match shown(arg, matches) {
            Some(_) if SECRET.contains(&name) => format!("{name} = \"***\""),
            Some(value) => format!("{name} = {value}"),
            None => format!("# {name} ="),
        };
        let _ = writeln!(text, "{line}  # {from}");
    }
    text
}

/// A file that has every option, each with what it is about, and its default.
pub fn example(command: &Command) -> String {
    let mut text = "# chatd, all of its options. What is typed goes before the environment (CHATD_ and the name), that before\n\
        # this file, and this file before the defaults, which stand here. Begin with chatd --config FILE --check-config.\n\
        # Generated: chatd --example-config.\n"
        .to_owned();
    for (name, arg) in settings(command).filter(|(_, arg)| !arg.is_hide_set()) {
        let help =
            arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
        text.push('\n');
        help.lines().for_each(|line| text += &format!("# {}\n", line.trim()));
        let default = arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
        let takes = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
        let value = match (arg.get_action(), default) {
            (ArgAction::SetTrue, _) => "false".to_owned(),
            (ArgAction::Append, _) => "[]".to_owned(),
            (_, Some(default)) => written(&default),
            (_, None) => written(&takes.unwrap_or_default()),
        };
        if SECRET.contains(&name) {
            text += &format!("# {name}{FILE} = \"FILE\"\n");
        }
        text += &format!("# {name} = {value}\n");
    }
    text
}

/// Options of which two command lines have different values, by name.
pub fn changed(command: &Command, old: &ArgMatches, new: &ArgMatches) -> Vec<String> {
    let differs = |arg: &Arg| shown(arg, old) != shown(arg, new);
    settings(command).filter(|(_, arg)| differs(arg)).map(|(name, _)| name.to_owned()).collect()
}

/// The name that is most like this one, if one is.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let far = |known: &&str| distance(name, known);
    known.min_by_key(far).filter(|near| distance(name, near) <= 1 + name.len() / 3)
}

/// How many letters make the one into the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], at + 1);
        for (column, same) in other.iter().enumerate() {
            let changed = before + usize::from(letter != *same);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_an_option_is_found() {
        let known = ["message-rate", "byte-rate", "port", "mysql", "mysql-ca"];
        let near = |name| nearest(name, known.into_iter());
        assert_eq!(near("mesage-rate"), Some("message-rate"));
        assert_eq!(near("prot"), Some("port"));
        assert_eq!(near("my-sql"), Some("mysql"));
        assert_eq!(near("completely-different"), None);
    }
}
