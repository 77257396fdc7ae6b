//! The document of the API against the API: its paths, the fields of each, and what real answers look like.

use crate::common::api::{Api, TOKEN, start};
use serde_json::{Map, Value, json};

fn document(api: &mut Api) -> Value {
    api.write(format!("GET /v1/openapi.json HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").as_bytes());
    api.hear().json()
}

/// What is wrong with a value: the part of JSON Schema that the document speaks.
fn wrong(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    for (key, says) in schema.as_object().expect("a schema") {
        let holds = match key.as_str() {
            "$ref" => {
                let path = says.as_str().and_then(|path| path.strip_prefix('#')).expect("a path within");
                let named = document.pointer(path).unwrap_or_else(|| panic!("no {path}"));
                wrong(document, named, value)?;
                true
            }
            "type" => match says.as_str().expect("a type") {
                "object" => value.is_object(),
                "string" => value.is_string(),
                "integer" => value.is_u64() || value.is_i64(),
                "boolean" => value.is_boolean(),
                "array" => value.is_array(),
                other => panic!("type {other}"),
            },
            "const" => says == value,
            "enum" => says.as_array().expect("values").contains(value),
            "allOf" => {
                for part in says.as_array().expect("schemas") {
                    wrong(document, part, value)?;
                }
                true
            }
            "anyOf" => {
                let mut held =
                    says.as_array().expect("schemas").iter().map(|one| wrong(document, one, value));
                held.any(|one| one.is_ok())
            }
            "oneOf" => {
                let held = says.as_array().expect("schemas").iter().map(|one| wrong(document, one, value));
                let held: Vec<Result<(), String>> = held.collect();
                if held.iter().filter(|one| one.is_ok()).count() != 1 {
                    return Err(format!("{value} is not one of {}: {held:?}", says));
                }
                true
            }
            "required" => {
                says.as_array().expect("names").iter().all(|name| value.get(name.as_str().unwrap()).is_some())
            }
            "properties" => {
                for (name, property) in says.as_object().expect("properties") {
                    if let Some(found) = value.get(name) {
                        wrong(document, property, found).map_err(|why| format!("{name}: {why}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let none = Map::new();
                let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
                says != false
                    || value.as_object().is_none_or(|of| of.keys().all(|name| known.contains_key(name)))
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    wrong(document, says, item)?;
                }
                true
            }
            "minimum" => value.as_u64() >= says.as_u64(),
            "maximum" => value.as_u64() <= says.as_u64(),
            "minLength" => value.as_str().map(str::len) >= says.as_u64().map(|n| n as usize),
            "maxLength" => {
                value.as_str().map(|text| text.chars().count()) <= says.as_u64().map(|n| n as usize)
            }
            "description" => true,
            other => panic!("a schema says {other}"),
        };
        if !holds {
            return Err(format!("{key} {says} does not hold for {value}"));
        }
    }
    Ok(())
}

#[test]
fn the_document_is_what_the_server_does() {
    let (_chatd, mut api) = start(2);
    let document = document(&mut api);
    assert_eq!(document["openapi"], "3.1.0");
    for name in ["amy", "ben"] {
        api.done("users.put", &json!({ "name": name }));
    }
    let group =
        api.done("groups.put", &json!({ "owner": { "name": "amy" }, "name": "walks" }))["groupid"].clone();
    let (amy, ben) = (json!({ "name": "amy" }), json!({ "name": "ben" }));
    let token = api.done("tokens.issue", &json!({ "user": amy }));
    let said = [
        ("users.put", json!({ "external": "u-1", "name": "Carl", "disabled": false, "cid": "c" })),
        ("users.put", json!({ "id": 999 })),
        ("users.delete", json!({ "user": { "external": "u-1" } })),
        ("tokens.issue", json!({ "user": ben, "device": "phone", "cid": "c" })),
        ("tokens.issue", json!({ "user": { "external": "u-1" } })),
        ("tokens.revoke", json!({ "user": ben })),
        ("groups.put", json!({ "groupid": group, "owner": amy, "desc": "", "join": "open" })),
        ("groups.put", json!({ "owner": ben, "name": "walks" })),
        ("groups.members", json!({ "groupid": group, "by": amy, "add": [ben], "role": "normal" })),
        ("groups.members", json!({ "groupid": 999, "by": amy, "remove": [ben] })),
        (
            "messages.send",
            json!({ "from": amy, "with": ben, "msg": "hi", "cid": "m", "time": "now", "data": { "a": 1 } }),
        ),
        ("messages.send", json!({ "from": amy, "with": ben, "msg": "ho", "cid": "m" })),
        ("messages.send", json!({ "from": amy, "groupid": group, "msg": "hi", "cid": "n", "reply": 1 })),
        ("announce", json!({ "msg": "Down at ten", "cid": "a" })),
        ("announce", json!({ "msg": "Down at nine", "cid": "a" })),
        ("history", json!({ "user": amy, "with": ben, "after": 0, "limit": 10 })),
        ("history", json!({ "user": amy, "groupid": 999 })),
        ("sessions.list", json!({ "user": amy })),
        ("sessions.kick", json!({ "user": amy, "deviceid": token["deviceid"] })),
        ("sessions.kick", json!({ "user": amy, "deviceid": token["deviceid"] })),
        ("export", json!({ "user": { "name": "nobody" } })),
    ];
    let paths = document["paths"].as_object().expect("paths");
    for (act, body) in &said {
        let post = &paths.get(&format!("/v1/{act}")).unwrap_or_else(|| panic!("{act} is not there"))["post"];
        let asked = &post["requestBody"]["content"]["application/json"]["schema"];
        wrong(&document, asked, body).unwrap_or_else(|why| panic!("{act} {body}: {why}"));
        let answer = api.act(act, body);
        let answered = &post["responses"]["200"]["content"]["application/json"]["schema"];
        wrong(&document, answered, &answer).unwrap_or_else(|why| panic!("{act} {body} → {answer}: {why}"));
    }
    for (path, of) in paths {
        let Some(act) = path.strip_prefix("/v1/").filter(|_| of.get("post").is_some()) else { continue };
        // Whatever is there is answered, and knows the fields that it says it has, and no other.
        if act == "drain" {
            continue;
        }
        assert!(said.iter().any(|(of, _)| of == &act), "{act} was not tried");
        let schema = &of["post"]["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(schema["additionalProperties"], false, "{act}");
        let (_, good) = said.iter().find(|(of, _)| of == &act).expect("it was");
        let mut more = good.clone();
        more["nobody_knows_this"] = json!(1);
        let refused = api.act(act, &more);
        assert_eq!(refused["errno"], 102, "{act}: {refused}");
        for name in schema["properties"].as_object().expect("fields").keys() {
            // A field that it does not know is refused as unknown; one that it knows never is.
            let mut with = good.clone();
            if act == "users.put" && ["external", "id", "name"].contains(&name.as_str()) {
                // One of these is enough: the others then name nobody.
                with = json!({});
            }
            with[name] = json!([[]]);
            let refused = api.act(act, &with);
            let text = refused["errmsg"].as_str().unwrap_or("");
            assert!(!text.contains("no such field"), "{act} does not know {name}: {refused}");
        }
    }
    assert_eq!(api.post("none", &json!({})).status, 404);
}
