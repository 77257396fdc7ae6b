//! How an act is said: one JSON object, each of whose fields is known.

use chatd_chat::model::act::AccountName;
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::wire::code::Code;
use serde_json::{Map, Value, json};

/// Bytes of what an application calls a user, at most.
const EXTERNAL_BYTES: usize = 190;

/// Why an act cannot be meant: errno, and a sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refused(pub(super) Code, pub(super) String);

impl Refused {
    /// The answer.
    pub(super) fn bytes(&self) -> Vec<u8> {
        json!({ "errmsg": self.1, "errno": self.0.errno() }).to_string().into_bytes()
    }
}

/// A field that is missing or cannot be meant.
pub(super) fn invalid(text: impl Into<String>) -> Refused {
    Refused(Code::InvalidField, text.into())
}

/// The fields that were not read yet.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Body(Map<String, Value>);

impl Body {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refused> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(Refused(Code::NotAFrame, "the body is no JSON object".into())),
            // What it says of a place in it tells nothing of what is there.
            Err(error) => Err(Refused(Code::NotAFrame, format!("the body is no JSON object: {error}"))),
        }
    }

    /// Ends reading.
    pub(super) fn finish(self) -> Result<(), Refused> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
                Err(invalid(format!("no such field: {name}")))
            }
        }
    }

    /// What stands there, whatever it is. `null` is nothing.
    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn optional_text(&mut self, name: &str) -> Result<Option<String>, Refused> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(invalid(format!("{name} must be a text"))),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String, Refused> {
        self.optional_text(name)?.ok_or_else(|| invalid(format!("{name} is missing")))
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Refused> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(invalid(format!("{name} must be true or false"))),
        }
    }

    /// The caller's own name for the act.
    pub(super) fn cid(&mut self) -> Result<Option<String>, Refused> {
        match self.optional_text("cid")? {
            Some(cid) if cid.is_empty() || cid.len() > 64 => Err(invalid("cid must have 1 to 64 bytes")),
            cid => Ok(cid),
        }
    }

    pub(super) fn optional_group(&mut self) -> Result<Option<GroupId>, Refused> {
        let Some(value) = self.value("groupid") else { return Ok(None) };
        let group = value.as_u64().and_then(GroupId::new);
        group.map(Some).ok_or_else(|| invalid("groupid must be a number of a group"))
    }

    pub(super) fn group(&mut self) -> Result<GroupId, Refused> {
        self.optional_group()?.ok_or_else(|| invalid("groupid is missing"))
    }

    /// A user: `{"id":…}`, `{"external":…}` or `{"name":…}`.
    pub(super) fn optional_user(&mut self, name: &str) -> Result<Option<AccountName>, Refused> {
        self.value(name).map(|value| user(name, value)).transpose()
    }

    pub(super) fn user(&mut self, name: &str) -> Result<AccountName, Refused> {
        self.optional_user(name)?.ok_or_else(|| invalid(format!("{name} is missing")))
    }

    /// Users, likewise; none if there is no such field.
    pub(super) fn users(&mut self, name: &str, most: usize) -> Result<Vec<AccountName>, Refused> {
        let users = match self.value(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(users)) => users,
            Some(_) => return Err(invalid(format!("{name} must be a list of users"))),
        };
        if users.len() > most {
            return Err(invalid(format!("{name} has more than {most} users")));
        }
        users.into_iter().map(|value| user(name, value)).collect()
    }

    /// The user whom the fields of the object itself name.
    pub(super) fn itself(&mut self) -> Result<AccountName, Refused> {
        let mut named = Map::new();
        let by = ["external", "id", "name"].into_iter().find(|by| self.0.contains_key(*by));
        let by = by.ok_or_else(|| invalid("one of external, id and name is needed"))?;
        named.extend(self.value(by).map(|value| (by.to_owned(), value)));
        user(by, Value::Object(named))
    }
}

fn user(field: &str, value: Value) -> Result<AccountName, Refused> {
    let wrong = || invalid(format!("{field} must be {{\"id\":…}}, {{\"external\":…}} or {{\"name\":…}}"));
    let Value::Object(fields) = value else { return Err(wrong()) };
    let mut fields = fields.into_iter();
    let (Some(named), None) = (fields.next(), fields.next()) else { return Err(wrong()) };
    match (named.0.as_str(), named.1) {
        ("id", Value::Number(id)) => id.as_u64().and_then(UserId::new).map(AccountName::Id).ok_or_else(wrong),
        ("external", Value::String(external)) if (1..=EXTERNAL_BYTES).contains(&external.len()) => {
            Ok(AccountName::External(external.into()))
        }
        ("external", Value::String(_)) => {
            Err(invalid(format!("{field}: external must have 1 to {EXTERNAL_BYTES} bytes")))
        }
        ("name", Value::String(name)) if !name.is_empty() => Ok(AccountName::Name(name.into())),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Body {
        Body::read(text.as_bytes()).expect("an object")
    }

    #[test]
    fn users_are_named_in_one_way_each() {
        let mut named = body(r#"{"a":{"id":7},"b":{"external":"u-1"},"c":{"name":"amy"}}"#);
        assert_eq!(named.user("a"), Ok(AccountName::Id(UserId::new(7).expect("an id"))));
        assert_eq!(named.user("b"), Ok(AccountName::External("u-1".into())));
        assert_eq!(named.user("c"), Ok(AccountName::Name("amy".into())));
        assert_eq!(named.finish(), Ok(()));
        for wrong in
            [r#"{"id":0}"#, r#"{"id":"7"}"#, r#"{"id":7,"name":"amy"}"#, "7", "{}", r#"{"external":""}"#]
        {
            let refused = body(&format!(r#"{{"a":{wrong}}}"#)).user("a");
            assert_eq!(refused.expect_err("it names nobody").0, Code::InvalidField, "{wrong}");
        }
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        assert_eq!(body(r#"{"a\u0007bc":1}"#).finish(), Err(invalid("no such field: abc")));
        assert_eq!(Body::read(b"[]").expect_err("a list").0, Code::NotAFrame);
        assert_eq!(Body::read(b"").expect_err("nothing").0, Code::NotAFrame);
        assert_eq!(Body::read("[".repeat(60_000).as_bytes()).expect_err("too deep").0, Code::NotAFrame);
    }
}
