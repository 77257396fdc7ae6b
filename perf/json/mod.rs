//! A JSON value whose keys stay in order, as reports have them. serde_json writes it and reads it: the library of the tools,
//! which shares no mistake with the server.

mod text;

#[derive(Clone, PartialEq, Debug)]
pub enum Json {
    Null,
    Integer(u64),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// An object from literal keys.
pub fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    Json::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

impl Json {
    /// The value of a key; `None` of what is no object or has no such key.
    pub fn get(&self, key: &str) -> Option<&Json> {
        let Json::Object(fields) = self else { return None };
        fields.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The value at the end of a path of keys, `a/b/c`.
    pub fn at(&self, path: &str) -> Option<&Json> {
        path.split('/').try_fold(self, |value, key| value.get(key))
    }

    pub fn number(&self) -> Option<f64> {
        match self {
            Json::Integer(value) => Some(*value as f64),
            Json::Number(value) => Some(*value),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    /// The values of a list; none of what is no list.
    pub fn list(&self) -> &[Json] {
        if let Json::List(values) = self { values } else { &[] }
    }

    /// The fields of an object; none of what is no object.
    pub fn fields(&self) -> &[(String, Json)] {
        if let Json::Object(fields) = self { fields } else { &[] }
    }

    pub fn number_at(&self, path: &str) -> Option<f64> {
        self.at(path)?.number()
    }

    pub fn text_at(&self, path: &str) -> Option<&str> {
        self.at(path)?.text()
    }

    pub fn list_at(&self, path: &str) -> &[Json] {
        self.at(path).map_or(&[], Json::list)
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Json {
        Json::Integer(value)
    }
}

impl From<f64> for Json {
    fn from(value: f64) -> Json {
        if value.is_finite() { Json::Number(value) } else { Json::Null }
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Json {
        Json::Text(value.to_owned())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Json {
        Json::Text(value)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Json {
        value.map_or(Json::Null, Into::into)
    }
}

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(values: Vec<T>) -> Json {
        Json::List(values.into_iter().map(Into::into).collect())
    }
}
