use super::key::Keys;
use super::*;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use ring::{hmac, rand};
use serde_json::json;

const NOW: u64 = 2_000_000_000;
const SECRET: &[u8] = b"a secret of thirty-two bytes, at least";

/// Made for these tests, and used for nothing else.
const RSA: &str = "\
    MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQDUqvTJ1lR7yHjRAsXL9x08OoiAWtQOCCCsOAe78N4vJOTGFIAH\
    jz1fuqT6RZJnB6KBbgqaZQDmG3RNY6jvPn25Uh7dp3uHzCu9PF457gmWO2vaSgLn8ie4XQO/I197z05F/AQqO1nwoWLZcCF9LzQw\
    6gE3C8Dbl/YNA0hljTTsUxrCOK/WEbMLOHRbiD/vLgws4FkwPFsPoNaNOpKMTFD7KnrezQutrSjnjF8yzr+BQ3kdfP7MFPnGnBwn\
    XScChSmASA+ZcVlEndMNIxXuNOiXGLipZ5uX7P3O9jc4NyfRwUD0kj5Owrtk3F4hFBO6zDi2Jis8eH4S9KWbktDdivA9AgMBAAEC\
    ggEAD+LLUU5s1ihF+hryaoeFjAu1SZ0/TOMHicXPshbOigf//NnoLGhjRcTb8QQEaSTVW0S8jwbvd8DiQaupoWFyI8dCHf2WSTET\
    rVmWkk45MhszNcWkjO32UJvGHV+HkOiN6MVoDD2NvN9ZUnPBVKgThnncaF+84sppq1Qs8sUHCIYTx5okA1VExQWOwYNuvfsyWfkC\
    zGnABbqz7A4KiufATBvOceiwjZX9paVZR5kpFvXB5SAQ87zp1bC2I8OcVwOSxBxPBbS1NiAqWlQrm1iDteIY7m9LL9Zz5X+AZd9f\
    Jh1vU9UxxQ/B5R4BvitV4HOH+HHg38tcYp5Z8zUkjayvkwKBgQD2Cwr4f2pEKfNZCSL51UNEA1xs+oeW1Pt97q0T24yjolfkYzM9\
    w/O1I+mb1QdBSToXmpAfbio7WTyo5fihzOhKZals+hIGUrhCEoiAHqSSHJvpny78RIRqyU1b6r5aAMGkFf5vQ/AKKXjvNvqZP2NZ\
    4rqzkep6428vcT5RU2kc9wKBgQDdRibOtv0wKmJttKTmpR/Da7mxGLu5j/nlWi5/7A9IUwnv5HebVNFqlGOs9in6GDLAj1jNExfD\
    pq74cmDGpcJt6AW5Sm/GQm8tIDo2dCzzwTlIOiLIoV60cJqcvaBItJlbYnwxcbU6PvnBr1gmK78G74+wk/phUGAEKego5laTawKB\
    gQCzjSd6ZPFVwQ93QDWoADvQXGuMk99y8QZ+xjjELwoZOBXP85ynTGKDJCwMro9W02tzYjYe2bQ0D1E3KGwjF3fFIx9bCbsxphgV\
    D5VRegs7HWmiOap+Kjo/+5taopo68CZf6jT9WaTIpa89Uu/Z+eo05EK/XJKzD1pKUufZTXd9zQKBgQDVUqJrO8NQQixuc29e5OaA\
    ckStVZj1xrY2xQB7V0tMgLHd0rb0y4qxY6nMv+2sLNQRDKGh47xPZUzePPbLzFZruvp5riegTb/9E0rL4KjNvwTIezO5lMlG0CBe\
    5/m03lfS4Fm3GVaMdtY2QiOLeTVLLH2s0JzcYK6QlQ47EAV7TQKBgQDodOyABiIicvir2946Vu7niZa2in7gicEb8g/75gMupRZC\
    aITSOQP6rKBnXN06vjlATB+m4J1wmuoPdMyaTN2nUiZr/nEhpRtBVm204sScXnF7pk0TxbemrA7ye/mN0SHa7UW1P9Hrxf4YLaOT\
    zR2cVoDO6WoL/hyvH7VQzQCnsg==";
const RSA_PEM: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1Kr0ydZUe8h40QLFy/cd
PDqIgFrUDgggrDgHu/DeLyTkxhSAB489X7qk+kWSZweigW4KmmUA5ht0TWOo7z59
uVIe3ad7h8wrvTxeOe4Jljtr2koC5/InuF0DvyNfe89ORfwEKjtZ8KFi2XAhfS80
MOoBNwvA25f2DQNIZY007FMawjiv1hGzCzh0W4g/7y4MLOBZMDxbD6DWjTqSjExQ
+yp63s0Lra0o54xfMs6/gUN5HXz+zBT5xpwcJ10nAoUpgEgPmXFZRJ3TDSMV7jTo
lxi4qWebl+z9zvY3ODcn0cFA9JI+TsK7ZNxeIRQTusw4tiYrPHh+EvSlm5LQ3Yrw
PQIDAQAB
-----END PUBLIC KEY-----";
const RSA_PKCS1_PEM: &str = "-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEA1Kr0ydZUe8h40QLFy/cdPDqIgFrUDgggrDgHu/DeLyTkxhSAB489
X7qk+kWSZweigW4KmmUA5ht0TWOo7z59uVIe3ad7h8wrvTxeOe4Jljtr2koC5/In
uF0DvyNfe89ORfwEKjtZ8KFi2XAhfS80MOoBNwvA25f2DQNIZY007FMawjiv1hGz
Czh0W4g/7y4MLOBZMDxbD6DWjTqSjExQ+yp63s0Lra0o54xfMs6/gUN5HXz+zBT5
xpwcJ10nAoUpgEgPmXFZRJ3TDSMV7jTolxi4qWebl+z9zvY3ODcn0cFA9JI+TsK7
ZNxeIRQTusw4tiYrPHh+EvSlm5LQ3YrwPQIDAQAB
-----END RSA PUBLIC KEY-----";

fn policy() -> Policy {
    Policy { issuer: "https://app.example".to_owned(), audience: "chat".to_owned() }
}

fn claims() -> Value {
    json!({ "iss": "https://app.example", "aud": "chat", "sub": "u-1", "name": "Amy", "exp": NOW + 300 })
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn signed(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn hs256(secret: &[u8], bytes: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), bytes).as_ref().to_vec()
}

/// A token for HS256.
fn token(claims: &Value) -> String {
    signed(&json!({ "alg": "HS256", "typ": "JWT" }), claims, |bytes| hs256(SECRET, bytes))
}

fn judged(claims: &Value) -> Result<Claims, Doubt> {
    verify(&Keys::secret(SECRET).unwrap(), &policy(), &token(claims), NOW)
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn rsa() -> RsaKeyPair {
    let der: String = RSA.split_whitespace().collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap()
}

fn rs256(bytes: &[u8]) -> Vec<u8> {
    let pair = rsa();
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature).unwrap();
    signature
}

/// One key of each kind: its JWK, and how it signs.
type Signer = (Value, Box<dyn Fn(&[u8]) -> Vec<u8>>);

fn signers() -> Vec<(&'static str, Signer)> {
    let random = SystemRandom::new();
    let ed = Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref()).unwrap();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random).unwrap();
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let x = text(ed.public_key().as_ref());
    let ed_jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": x });
    let point = ec.public_key().as_ref().to_vec();
    let ec_jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "ec", "x": text(&point[1..33]), "y": text(&point[33..]) });
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(rsa().public());
    let (n, e) = (text(&public.n), text(&public.e));
    let rsa_jwk = json!({ "kty": "RSA", "kid": "rsa", "n": n, "e": e, "alg": "RS256", "use": "sig" });
    let oct_jwk = json!({ "kty": "oct", "kid": "oct", "k": text(SECRET) });
    vec![
        ("EdDSA", (ed_jwk, Box::new(move |bytes| ed.sign(bytes).as_ref().to_vec()))),
        (
            "ES256",
            (
                ec_jwk,
                Box::new(move |bytes| ec.sign(&rand::SystemRandom::new(), bytes).unwrap().as_ref().to_vec()),
            ),
        ),
        ("RS256", (rsa_jwk, Box::new(rs256))),
        ("HS256", (oct_jwk, Box::new(|bytes| hs256(SECRET, bytes)))),
    ]
}

#[test]
fn each_algorithm_is_believed_by_its_key_and_no_other() {
    let signers = signers();
    let set = json!({ "keys": signers.iter().map(|(_, (jwk, _))| jwk).collect::<Vec<_>>() });
    let all = Keys::read(&set.to_string()).unwrap();
    assert_eq!(all.len(), 4);
    for (algorithm, (jwk, sign)) in &signers {
        let alone = Keys::read(&jwk.to_string()).unwrap();
        for kid in [json!({ "alg": algorithm }), json!({ "alg": algorithm, "kid": jwk["kid"] })] {
            let token = signed(&kid, &claims(), sign);
            for keys in [&alone, &all] {
                let told = verify(keys, &policy(), &token, NOW).unwrap();
                let expected =
                    Claims { subject: "u-1".to_owned(), name: Some("Amy".to_owned()), expires: NOW + 300 };
                assert_eq!(told, expected, "{algorithm}");
            }
        }
        let other = json!({ "alg": algorithm, "kid": "another" });
        assert_eq!(verify(&all, &policy(), &signed(&other, &claims(), sign), NOW), Err(Doubt::NoKey));
        // Signed well, and said to be signed otherwise.
        for (claimed, _) in signers.iter().filter(|(claimed, _)| claimed != algorithm) {
            let token = signed(&json!({ "alg": claimed }), &claims(), sign);
            assert_eq!(verify(&all, &policy(), &token, NOW), Err(Doubt::Forged), "{algorithm} as {claimed}");
            assert_eq!(verify(&alone, &policy(), &token, NOW), Err(Doubt::NoKey));
        }
    }
}

#[test]
fn the_algorithm_belongs_to_the_key() {
    for pem in [RSA_PEM, RSA_PKCS1_PEM] {
        let keys = Keys::read(pem).unwrap();
        assert!(verify(&keys, &policy(), &signed(&json!({ "alg": "RS256" }), &claims(), rs256), NOW).is_ok());
        // What everybody knows of a public key is no secret to sign with.
        let known = signed(&json!({ "alg": "HS256" }), &claims(), |bytes| hs256(pem.as_bytes(), bytes));
        assert_eq!(verify(&keys, &policy(), &known, NOW), Err(Doubt::NoKey));
        for none in ["none", "None", "NONE", "", "RS512", "rs256"] {
            let unsigned = signed(&json!({ "alg": none }), &claims(), |_| Vec::new());
            assert_eq!(verify(&keys, &policy(), &unsigned, NOW), Err(Doubt::NoKey), "{none}");
        }
    }
}

#[test]
fn what_it_must_say_it_says() {
    assert!(judged(&claims()).is_ok());
    for (claims, doubt) in [
        (without("iss"), Doubt::Issuer),
        (with("iss", json!("https://app.example.evil")), Doubt::Issuer),
        (with("iss", json!(["https://app.example"])), Doubt::Issuer),
        (without("aud"), Doubt::Audience),
        (with("aud", json!("other")), Doubt::Audience),
        (with("aud", json!([])), Doubt::Audience),
        (with("aud", json!({ "chat": true })), Doubt::Audience),
        (without("sub"), Doubt::Subject),
        (with("sub", json!("")), Doubt::Subject),
        (with("sub", json!(7)), Doubt::Subject),
        (with("sub", json!("x".repeat(191))), Doubt::Subject),
        (without("exp"), Doubt::NoExpiry),
        (with("exp", json!("2000000300")), Doubt::NoExpiry),
        (with("exp", json!(-1)), Doubt::NoExpiry),
        (with("exp", json!(NOW - 60)), Doubt::Expired),
        (with("nbf", json!(NOW + 61)), Doubt::NotYet),
        (with("nbf", json!("now")), Doubt::NotYet),
    ] {
        assert_eq!(judged(&claims), Err(doubt), "{claims}");
    }
    assert_eq!(Doubt::Expired.code(), Code::Expired);
    assert_eq!(Doubt::Forged.code(), Code::Refused);
    for good in [
        with("aud", json!(["other", "chat"])),
        with("exp", json!(NOW - 59)),
        with("exp", json!(NOW as f64 + 0.5)),
        with("nbf", json!(NOW + 60)),
        with("sub", json!("x".repeat(190))),
        with("name", json!(7)),
    ] {
        assert!(judged(&good).is_ok(), "{good}");
    }
}

#[test]
fn nothing_that_was_changed_is_believed() {
    let keys = Keys::secret(SECRET).unwrap();
    let good = token(&claims());
    for at in 0..good.len() {
        let mut changed = good.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        // The last character of a part may have bits that mean nothing: a decoder that is strict refuses those, too.
        assert!(verify(&keys, &policy(), &changed, NOW).is_err(), "changed at {at}");
        assert!(verify(&keys, &policy(), &good[..at], NOW).is_err(), "cut at {at}");
    }
    for odd in
        ["", ".", "..", "...", "a.b.c", "e30.e30.", "bnVsbA.bnVsbA.AA", "\u{1f600}.\u{1f600}.\u{1f600}"]
    {
        assert!(verify(&keys, &policy(), odd, NOW).is_err(), "{odd}");
    }
    let critical = json!({ "alg": "HS256", "crit": ["exp"] });
    let critical = signed(&critical, &claims(), |bytes| hs256(SECRET, bytes));
    assert_eq!(verify(&keys, &policy(), &critical, NOW), Err(Doubt::Critical));
}

/// RFC 7517, section 5: a set of keys that somebody else publishes may have some that this server has no use for.
#[test]
fn a_key_that_is_damaged_takes_no_other_of_a_published_set_along() {
    let signers = signers();
    let (_, (good, sign)) = signers.iter().find(|(algorithm, _)| *algorithm == "RS256").unwrap();
    let token = signed(&json!({ "alg": "RS256", "kid": "rsa" }), &claims(), sign);
    for (other, is_damaged) in [
        (json!({ "kty": "RSA", "kid": "half", "n": good["n"] }), true),
        (json!({ "kty": "RSA", "kid": "padded", "n": "AQAB==", "e": "AQAB" }), true),
        (json!({ "kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA" }), true),
        (json!({ "kty": "oct", "k": "AAAA" }), true),
        (json!("no object"), true),
        (json!(null), true),
        (json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA" }), false),
        (json!({ "kty": "EC", "crv": "P-521", "x": "AAAA", "y": "AAAA" }), false),
        (json!({ "kty": 7 }), false),
        (json!({}), false),
    ] {
        for set in [json!({ "keys": [other, good] }), json!({ "keys": [good, other] })] {
            let (keys, left_out) = Keys::read_published(&set.to_string()).unwrap();
            assert_eq!((keys.len(), left_out.len()), (1, usize::from(is_damaged)), "{set}");
            assert!(verify(&keys, &policy(), &token, NOW).is_ok(), "{set}");
            // Whoever runs the server has written a file, and is told what is wrong with it.
            assert_eq!(Keys::read(&set.to_string()).is_err(), is_damaged, "{set}");
        }
    }
    for (none, why) in
        [("{\"keys\":[]}", "no key"), ("{\"keys\":[7]}", "no object"), ("{\"keys\":7}", "no list")]
    {
        assert!(Keys::read_published(none).unwrap_err().to_string().contains(why), "{none}");
    }
    assert_eq!(Keys::read_published(RSA_PEM).map(|(keys, _)| keys.len()).ok(), Some(1));
}

/// Some publish the number of an RSA key with a zero in front of it, as DER has it.
#[test]
fn a_zero_in_front_of_the_number_of_a_key_makes_no_difference() {
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(rsa().public());
    let with_zero = |bytes: &[u8]| URL_SAFE_NO_PAD.encode([&[0], bytes].concat());
    let jwk = json!({ "kty": "RSA", "n": with_zero(&public.n), "e": with_zero(&public.e) });
    let keys = Keys::read(&jwk.to_string()).unwrap();
    assert!(verify(&keys, &policy(), &signed(&json!({ "alg": "RS256" }), &claims(), rs256), NOW).is_ok());
}

#[test]
fn a_file_without_keys_says_why() {
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
    for (file, why) in [
        ("", "no key"),
        ("{}", "no key"),
        ("{\"keys\":[]}", "no key"),
        ("{\"keys\":7}", "no list"),
        ("{nonsense", "not JSON"),
        ("{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", "no x"),
        ("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}", "32 bytes"),
        ("{\"kty\":\"oct\",\"k\":\"AAAA\"}", "32 bytes at least"),
        (private, "private key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "neither RSA"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA", "ends too soon"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "CERTIFICATE"),
    ] {
        let error = Keys::read(file).unwrap_err().to_string();
        assert!(error.contains(why), "{file}: {error}");
        assert!(!error.contains("AAAA"), "{error}");
    }
    assert!(!format!("{:?}", Keys::secret(SECRET).unwrap()).contains("secret of"));
}

#[test]
fn keys_in_der_are_read_and_cut_ones_are_not() {
    let der: Vec<u8> = RSA_PEM
        .lines()
        .filter(|line| !line.starts_with('-'))
        .flat_map(|line| STANDARD.decode(line).unwrap())
        .collect();
    assert_eq!(der::public_key(&der).map(|(kind, _)| kind), Some(der::Kind::Rsa));
    for end in 0..der.len() {
        assert_eq!(der::public_key(&der[..end]), None, "cut at {end}");
    }
}
