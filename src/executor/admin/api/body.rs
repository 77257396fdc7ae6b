//! How an act is said: one JSON object, each of whose fields is known.

use chatd_chat::model::act::AccountName;
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::wire::code::Code;
use chatd_chat::wire::json::{Parser, Value as Sent};
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

/// Objects and lists within each other, at most: as many as a reader of JSON takes who says no number.
const DEPTH: usize = 128;

/// The fields that were not read yet.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Body {
    fields: Map<String, Value>,
    /// `data` as it was sent, compact.
    data: Option<String>,
}

impl Body {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refused> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => {
                let data = once(bytes, &fields)?;
                Ok(Self { fields, data })
            }
            Ok(_) => Err(Refused(Code::NotAFrame, "the body is no JSON object".into())),
            // What it says of a place in it tells nothing of what is there.
            Err(error) => Err(Refused(Code::NotAFrame, format!("the body is no JSON object: {error}"))),
        }
    }

    /// Ends reading.
    pub(super) fn finish(self) -> Result<(), Refused> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
                Err(invalid(format!("no such field: {name}")))
            }
        }
    }

    /// What stands there, whatever it is. `null` is nothing.
    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    /// What `data` is, its keys in the order sent: what is no object is left as it is, for others to refuse.
    pub(super) fn data(&mut self) -> Option<String> {
        let value = self.value("data")?;
        Some(self.data.take().unwrap_or_else(|| value.to_string()))
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
        let by = ["external", "id", "name"].into_iter().find(|by| self.fields.contains_key(*by));
        let by = by.ok_or_else(|| invalid("one of external, id and name is needed"))?;
        named.extend(self.value(by).map(|value| (by.to_owned(), value)));
        user(by, Value::Object(named))
    }
}

/// Refuses an object in which a key appears twice, of which each reader takes another, and one within. What `data` is, compact.
fn once(bytes: &[u8], known: &Map<String, Value>) -> Result<Option<String>, Refused> {
    let (mut copy, mut parser) = (bytes.to_vec(), Parser::new());
    // What only the other reader takes is refused by whoever looks at the field.
    let Ok(fields) = parser.parse(&mut copy, DEPTH) else { return Ok(None) };
    let twice = |name: &str| invalid(format!("a field appears twice: {name}"));
    if let Some(name) = fields.repeated() {
        return Err(twice(&name.chars().filter(|c| !c.is_control()).take(40).collect::<String>()));
    }
    let mut data = None;
    for name in known.keys() {
        match fields.get(name) {
            Some(Sent::Object(object)) => {
                let text = fields.object(object).ok_or_else(|| twice("within another"))?;
                data = (name == "data").then(|| text.to_owned()).or(data);
            }
            Some(Sent::Records(list)) if fields.records(list).any(|one| one.repeated().is_some()) => {
                return Err(twice("within another"));
            }
            Some(
                Sent::Text(_)
                | Sent::Number(_)
                | Sent::Flag(_)
                | Sent::Texts(_)
                | Sent::Records(_)
                | Sent::MinusOne
                | Sent::Other,
            )
            | None => {}
        }
    }
    Ok(data)
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
    fn of_two_values_of_one_field_none_is_taken() {
        for twice in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"from":{"id":7,"id":8}}"#,
            r#"{"add":[{"id":1},{"id":7,"id":8}]}"#,
            r#"{"data":{"a":[{"b":1,"b":2}]}}"#,
        ] {
            let refused = Body::read(twice.as_bytes()).expect_err(twice);
            assert!(refused.0 == Code::InvalidField && refused.1.contains("appears twice"), "{refused:?}");
        }
        let mut sent = body(r#"{"cid":"c","data":{ "z":1, "a":{"z":2.50,"a":[]}, "m":"é" }}"#);
        assert_eq!(
            sent.data().as_deref(),
            Some(r#"{"z":1,"a":{"z":2.5,"a":[]},"m":"é"}"#),
            "in the order sent"
        );
        assert_eq!(body(r#"{"data":[1]}"#).data().as_deref(), Some("[1]"));
        assert_eq!((body(r#"{"data":null}"#).data(), body("{}").data()), (None, None));
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        assert_eq!(body(r#"{"a\u0007bc":1}"#).finish(), Err(invalid("no such field: abc")));
        assert_eq!(Body::read(b"[]").expect_err("a list").0, Code::NotAFrame);
        assert_eq!(Body::read(b"").expect_err("nothing").0, Code::NotAFrame);
        assert_eq!(Body::read("[".repeat(60_000).as_bytes()).expect_err("too deep").0, Code::NotAFrame);
    }
}
