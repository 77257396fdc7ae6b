//! The few bytes of DER around a public key (SubjectPublicKeyInfo, RFC 5280). Reads forms and lengths; judges nothing.

/// What kind of key it says that it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Rsa,
    P256,
    Ed25519,
}

const SEQUENCE: u8 = 0x30;
const OBJECT_ID: u8 = 0x06;
const BIT_STRING: u8 = 0x03;
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// The kind and the bytes of the key in a SubjectPublicKeyInfo.
pub(super) fn public_key(der: &[u8]) -> Option<(Kind, &[u8])> {
    let (info, rest) = take(der, SEQUENCE)?;
    let (algorithm, key) = take(info, SEQUENCE)?;
    let (key, after) = take(key, BIT_STRING)?;
    // The first byte says how many bits of the last one are not used.
    let (unused, key) = key.split_first()?;
    if !rest.is_empty() || !after.is_empty() || *unused != 0 {
        return None;
    }
    let (name, parameters) = take(algorithm, OBJECT_ID)?;
    let kind = match name {
        RSA => Kind::Rsa,
        ED25519 => Kind::Ed25519,
        EC if take(parameters, OBJECT_ID)?.0 == P256 => Kind::P256,
        _ => return None,
    };
    Some((kind, key))
}

/// The contents of the first value, if it has this tag, and what follows it.
fn take(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, der) = der.split_first()?;
    let (&first, der) = der.split_first()?;
    let (length, der) = match first {
        0..=0x7f => (usize::from(first), der),
        0x81 => (usize::from(*der.first()?), &der[1..]),
        0x82 => (usize::from(u16::from_be_bytes([*der.first()?, *der.get(1)?])), &der[2..]),
        _ => return None,
    };
    (found == tag && length <= der.len()).then(|| der.split_at(length))
}
