//! The fields of a frame, each checked for type, size and range. An error names the field and never
//! repeats what is in it.

use super::BadExtras;
use crate::model::capabilities::Capabilities;
use crate::model::extras::Extras;
use crate::model::group_rule::Until;
use crate::model::ids::{GroupId, MessageId, UserId};
use crate::model::limits::Limits;
use crate::model::token::TokenId;
use crate::wire::code::Code;
use crate::wire::json::{Fields, Value};
use std::borrow::Cow;

/// What was read, or errno and errmsg.
pub(super) type Checked<T> = Result<T, (Code, Cow<'static, str>)>;

/// The largest number that the store can hold: SQL integers are signed.
const NUMBER_MAX: u64 = i64::MAX as u64;

/// The fields of one frame and the limits that they must keep.
#[derive(Clone, Copy)]
pub(super) struct Reader<'f, 'a> {
    pub(super) fields: &'f Fields<'a>,
    pub(super) limits: &'f Limits,
}

impl<'a> Reader<'_, 'a> {
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.has(name)
    }

    fn field(&self, name: &'static str) -> Checked<Value<'a>> {
        self.fields.get(name).ok_or_else(|| invalid(format!("missing field: {name}")))
    }

    /// What `read` makes of the field, if the frame has it.
    pub(super) fn optional<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Self, &'static str) -> Checked<T>,
    ) -> Checked<Option<T>> {
        self.has(name).then(|| read(self, name)).transpose()
    }

    pub(super) fn number(&self, name: &'static str) -> Checked<u64> {
        match self.field(name)? {
            Value::Number(number) => Ok(number),
            Value::Text(_)
            | Value::Flag(_)
            | Value::Texts(_)
            | Value::Records(_)
            | Value::Object(_)
            | Value::MinusOne
            | Value::Other => Err(out_of_range(name)),
        }
    }

    /// A number from `least` on that the store can hold.
    pub(super) fn number_from(&self, name: &'static str, least: u64) -> Checked<u64> {
        let number = self.number(name)?;
        if (least..=NUMBER_MAX).contains(&number) { Ok(number) } else { Err(out_of_range(name)) }
    }

    /// Until when something holds: 0, -1, or milliseconds since 1970.
    pub(super) fn until(&self, name: &'static str) -> Checked<Until> {
        if self.field(name)? == Value::MinusOne {
            return Ok(Until::FOR_EVER);
        }
        let until = i64::try_from(self.number_from(name, 0)?).ok().and_then(Until::new);
        until.ok_or_else(|| out_of_range(name))
    }

    pub(super) fn text(&self, name: &'static str) -> Checked<&'a str> {
        match self.field(name)? {
            Value::Text(text) => Ok(text),
            Value::Number(_)
            | Value::Flag(_)
            | Value::Texts(_)
            | Value::Records(_)
            | Value::Object(_)
            | Value::MinusOne
            | Value::Other => Err(invalid(format!("not a string: {name}"))),
        }
    }

    pub(super) fn flag(&self, name: &'static str) -> Checked<bool> {
        match self.field(name)? {
            Value::Flag(flag) => Ok(flag),
            Value::Text(_)
            | Value::Number(_)
            | Value::Texts(_)
            | Value::Records(_)
            | Value::Object(_)
            | Value::MinusOne
            | Value::Other => Err(invalid(format!("not true or false: {name}"))),
        }
    }

    pub(super) fn user(&self, name: &'static str) -> Checked<UserId> {
        UserId::new(self.number(name)?).ok_or_else(|| out_of_range(name))
    }

    pub(super) fn group(&self, name: &'static str) -> Checked<GroupId> {
        GroupId::new(self.number(name)?).ok_or_else(|| out_of_range(name))
    }

    pub(super) fn bounded(&self, name: &'static str, least: usize, most: usize) -> Checked<&'a str> {
        let text = self.text(name)?;
        let long = text.len() > most && text.chars().count() > most;
        if long || text.len() < least {
            return Err(invalid(format!("{name} must have {least} to {most} characters")));
        }
        Ok(text)
    }

    pub(super) fn msg(&self) -> Checked<&'a str> {
        let msg = self.text("msg")?;
        if msg.len() > self.limits.msg_bytes {
            let text = format!("msg is longer than {} bytes", self.limits.msg_bytes);
            return Err((Code::TooLarge, Cow::Owned(text)));
        }
        Ok(msg)
    }

    /// A way of reacting: short, and nothing that could upset whoever shows it.
    pub(super) fn emoji(&self) -> Checked<&'a str> {
        let (emoji, most) = (self.text("emoji")?, self.limits.emoji_bytes);
        if emoji.is_empty() || emoji.len() > most || emoji.chars().any(char::is_control) {
            return Err(invalid(format!("emoji must have 1 to {most} bytes, and no control characters")));
        }
        Ok(emoji)
    }

    /// What a message carries besides its text. What is wrong with that is kept: v1 has no such fields.
    pub(super) fn extras(&self) -> Result<Option<Extras>, BadExtras> {
        let (data, reply) = (self.fields.get("data"), self.fields.get("reply"));
        if data.is_none() && reply.is_none() {
            return Ok(None);
        }
        let reply = reply.is_some().then(|| self.number_from("reply", 1)).transpose();
        let data = data.is_some().then(|| self.data()).transpose();
        let bad = |(code, text): (Code, Cow<'static, str>)| BadExtras { code, text: text.into() };
        Ok(Extras::new(data.map_err(bad)?, reply.map_err(bad)?))
    }

    /// An object that is passed on as it is.
    fn data(&self) -> Checked<&str> {
        let Value::Object(object) = self.field("data")? else {
            return Err(invalid("not an object: data".into()));
        };
        let most = self.limits.data_bytes;
        let object =
            self.fields.object(object).ok_or_else(|| invalid("a field appears twice in data".into()))?;
        if object.len() > most {
            return Err((Code::TooLarge, Cow::Owned(format!("data is longer than {most} bytes"))));
        }
        Ok(object)
    }

    pub(super) fn time(&self) -> Checked<Option<&'a str>> {
        let time = self.optional("time", Self::text)?;
        if time.is_some_and(|time| time.len() > self.limits.time_bytes) {
            return Err(invalid(format!("time is longer than {} bytes", self.limits.time_bytes)));
        }
        Ok(time)
    }

    pub(super) fn cid(&self) -> Checked<Option<&'a str>> {
        let cid = self.optional("cid", Self::text)?;
        if cid.is_some_and(|cid| !(1..=self.limits.cid_bytes).contains(&cid.len())) {
            return Err(invalid(format!("cid must have 1 to {} bytes", self.limits.cid_bytes)));
        }
        Ok(cid)
    }

    /// A message id.
    pub(super) fn mid(&self, name: &'static str) -> Checked<MessageId> {
        mid(self.text(name)?).ok_or_else(|| invalid(format!("not a message id: {name}")))
    }

    /// The name of a token.
    pub(super) fn token_id(&self, name: &'static str) -> Checked<TokenId> {
        let number = mid(self.text(name)?).ok_or_else(|| invalid(format!("not a device: {name}")))?;
        Ok(TokenId(number.0))
    }

    /// What a client says that it understands. Names that nobody knows are those of a later version.
    pub(super) fn capabilities(&self, name: &'static str) -> Checked<Capabilities> {
        const NAMES: usize = 64;
        let list = match self.field(name)? {
            Value::Texts(list) => self.fields.texts(list),
            Value::Text(_)
            | Value::Number(_)
            | Value::Flag(_)
            | Value::Records(_)
            | Value::Object(_)
            | Value::MinusOne
            | Value::Other => {
                return Err(invalid(format!("not a list of strings: {name}")));
            }
        };
        if list.len() > NAMES {
            return Err(invalid(format!("{name} has more than {NAMES} entries")));
        }
        Ok(list.iter().fold(Capabilities::default(), |all, name| all.with(Capabilities::named(name))))
    }

    /// A list of objects, each to be read as a frame is, `most` of them at most.
    pub(super) fn records<T>(
        &self,
        name: &'static str,
        most: usize,
        read: impl Fn(Reader<'_, 'a>) -> Checked<T>,
    ) -> Checked<Vec<T>> {
        let list = match self.field(name)? {
            Value::Records(list) => list,
            // A list of nothing is one of no objects, too.
            Value::Texts(list) if self.fields.texts(list).is_empty() => return Ok(Vec::new()),
            Value::Text(_)
            | Value::Number(_)
            | Value::Flag(_)
            | Value::Texts(_)
            | Value::Object(_)
            | Value::MinusOne
            | Value::Other => {
                return Err(invalid(format!("not a list of objects: {name}")));
            }
        };
        let mut all = Vec::new();
        for fields in self.fields.records(list) {
            if all.len() == most {
                return Err(invalid(format!("{name} has more than {most} entries")));
            }
            if fields.repeated().is_some() {
                return Err(invalid(format!("a field appears twice in {name}")));
            }
            all.push(read(Reader { fields: &fields, limits: self.limits })?);
        }
        Ok(all)
    }

    /// A list of message ids, as many as one CONFIRM may name.
    pub(super) fn mids(&self) -> Checked<Vec<MessageId>> {
        let list = match self.field("mids")? {
            Value::Texts(list) => self.fields.texts(list),
            Value::Text(_)
            | Value::Number(_)
            | Value::Flag(_)
            | Value::Records(_)
            | Value::Object(_)
            | Value::MinusOne
            | Value::Other => {
                return Err(invalid("not a list of strings: mids".into()));
            }
        };
        if list.len() > self.limits.confirm_mids {
            return Err(invalid(format!("mids has more than {} entries", self.limits.confirm_mids)));
        }
        let mids: Option<Vec<MessageId>> = list.iter().map(|text| mid(text)).collect();
        mids.ok_or_else(|| invalid("not a message id: mids".into()))
    }
}

/// A message id in its one decimal form.
fn mid(text: &str) -> Option<MessageId> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let number = text.parse().ok().filter(|&number: &u64| plain && number <= NUMBER_MAX);
    number.map(MessageId)
}

pub(super) fn invalid(text: String) -> (Code, Cow<'static, str>) {
    (Code::InvalidField, Cow::Owned(text))
}

fn out_of_range(name: &'static str) -> (Code, Cow<'static, str>) {
    invalid(format!("not an integer in range: {name}"))
}
