//! What becomes of frames that are JSON, nearly JSON, and none.

use super::*;

fn parse(text: &str, check: impl FnOnce(Result<Fields<'_>, NotAnObject>)) {
    let mut bytes = text.as_bytes().to_vec();
    check(Parser::new().parse(&mut bytes, 4));
}

#[test]
fn fields_come_out_unescaped_whatever_lies_between_them() {
    parse(
        r#"{"a":"x\"\u00e9\n","skip":[1,{"b":[]}],"n":7,"neg":-7,"f":7.0,"big":99999999999999999999,"o":{},"null":null}"#,
        |fields| {
            let fields = fields.unwrap();
            assert_eq!(fields.get("a"), Some(Value::Text("x\"é\n")));
            assert_eq!(fields.get("n"), Some(Value::Number(7)));
            for other in ["neg", "f", "big", "skip", "null"] {
                assert_eq!(fields.get(other), Some(Value::Other), "{other}");
            }
            assert_eq!(fields.get("b"), None);
            assert_eq!(fields.repeated(), None);
        },
    );
}

#[test]
fn lists_of_strings_keep_their_order_and_other_lists_are_of_no_use() {
    let frame = r#"{"x":["1","\u0032"],"on":true,"mixed":["3",4],"deep":["5",["6"]],"none":[],"y":["7"],"off":false}"#;
    parse(frame, |fields| {
        let fields = fields.unwrap();
        let texts = |name: &str| match fields.get(name) {
            Some(Value::Texts(list)) => Some(fields.texts(list)),
            _ => None,
        };
        assert_eq!(texts("x"), Some(&["1", "2"][..]));
        assert_eq!(texts("y"), Some(&["7"][..]));
        assert_eq!(texts("none"), Some(&[][..]));
        assert_eq!((fields.get("mixed"), fields.get("deep")), (Some(Value::Other), Some(Value::Other)));
        assert_eq!(fields.get("on"), Some(Value::Flag(true)));
        assert_eq!(fields.get("off"), Some(Value::Flag(false)));
    });
}

#[test]
fn lists_of_objects_have_their_own_fields_and_mixed_ones_are_of_no_use() {
    let frame = r#"{"since":[{"with":7,"after":3,"x":[1]},{},{"groupid":5,"after":0,"after":1}],"mixed":[{"a":1},2],"n":1}"#;
    parse(frame, |fields| {
        let fields = fields.unwrap();
        let Some(Value::Records(list)) = fields.get("since") else { panic!("a list of objects") };
        let records: Vec<Fields<'_>> = fields.records(list).collect();
        assert_eq!(records.len(), 3);
        assert_eq!(
            (records[0].get("with"), records[0].get("after")),
            (Some(Value::Number(7)), Some(Value::Number(3)))
        );
        assert_eq!(records[0].get("x"), Some(Value::Other));
        assert_eq!(records[1].get("with"), None);
        assert_eq!(records[2].repeated(), Some("after"));
        assert_eq!((fields.get("mixed"), fields.get("n")), (Some(Value::Other), Some(Value::Number(1))));
    });
}

#[test]
fn what_is_not_one_object_is_refused() {
    for text in [
        "",
        " ",
        "1",
        "[]",
        "[{}]",
        "null",
        "\"x\"",
        "{",
        "{}{}",
        "{} x",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\"}",
        "{\"a\":\"\u{1}\"}",
    ] {
        parse(text, |fields| assert_eq!(fields.err(), Some(NotAnObject), "{text}"));
    }
    assert!(Parser::new().parse(&mut b"{\"a\":\"\xff\"}".to_vec(), 4).is_err());
    assert!(Parser::new().parse(&mut br#"{"a":"\ud800"}"#.to_vec(), 4).is_err());
}

#[test]
fn depth_is_bounded_exactly() {
    parse(r#"{"a":[[[]]],"b":[[{}]]}"#, |fields| assert!(fields.is_ok()));
    parse(r#"{"a":[[]],"b":[[[[]]]]}"#, |fields| assert!(fields.is_err()));
    parse(r#"{"a":[[],[],[[]],[{}]]}"#, |fields| assert!(fields.is_ok()));
    parse(r#"{"a":[{"x":[{}]}]}"#, |fields| assert!(fields.is_err()));
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
    parse(&deep, |fields| assert!(fields.is_err()));
}

#[test]
fn a_repeated_key_is_found_among_few_and_many_and_however_it_is_spelt() {
    parse(r#"{"id":1,"x":2,"\u0069d":3}"#, |fields| assert_eq!(fields.unwrap().repeated(), Some("id")));
    let many: String = (0..5_000).map(|n| format!("\"k{n}\":{n},")).collect();
    parse(&format!("{{{many}\"z\":0}}"), |fields| assert_eq!(fields.unwrap().repeated(), None));
    parse(&format!("{{{many}\"k3\":0}}"), |fields| assert_eq!(fields.unwrap().repeated(), Some("k3")));
}

#[test]
fn a_parser_forgets_the_last_frame() {
    let mut parser = Parser::new();
    assert!(parser.parse(&mut br#"{"a":1}"#.to_vec(), 4).unwrap().has("a"));
    assert!(parser.parse(&mut br#"{"a":"#.to_vec(), 4).is_err());
    assert!(!parser.parse(&mut br#"{"b":1}"#.to_vec(), 4).unwrap().has("a"));
}

#[test]
fn an_object_is_kept_compact_and_in_the_order_sent() {
    let object = |text: &str| {
        let mut kept = None;
        parse(&format!("{{\"n\":{{}},\"o\":{text},\"m\":1}}"), |fields| {
            let fields = fields.unwrap();
            assert_eq!(fields.get("m"), Some(Value::Number(1)), "what follows is read");
            kept = match fields.get("o") {
                Some(Value::Object(object)) => fields.object(object).map(str::to_owned),
                _ => None,
            };
        });
        kept
    };
    for (sent, kept) in [
        ("{}", "{}"),
        (r#"{ "b" : [ 1 , {"x":null} ] , "a" : "\u00e9\n\/" }"#, r#"{"b":[1,{"x":null}],"a":"é\n/"}"#),
        (r#"{"a":[],"b":{},"t":true,"f":false}"#, r#"{"a":[],"b":{},"t":true,"f":false}"#),
        (
            r#"{"n":-7,"big":18446744073709551615,"d":0.1,"e":1e300,"z":2.0}"#,
            r#"{"n":-7,"big":18446744073709551615,"d":0.1,"e":1e300,"z":2.0}"#,
        ),
    ] {
        assert_eq!(object(sent).as_deref(), Some(kept));
        assert_eq!(object(kept).as_deref(), Some(kept), "what was kept is kept as it is");
    }
    assert_eq!(object("[{}]"), None);
    // Of two values of one key each reader takes another.
    for twice in [r#"{"a":1,"b":2,"a":1}"#, r#"{"a":[{"c":1,"\u0063":2}]}"#, r#"{"":1,"":1}"#] {
        assert_eq!(object(twice), None, "{twice}");
    }
    let once = r#"{"a":{"a":{"b":1}},"b":[{"a":1},{"a":2}],"A":1}"#;
    assert_eq!(object(once).as_deref(), Some(once));
}
