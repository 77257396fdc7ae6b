//! A colour and a letter for each server, told apart by people who see few colours too.

/// The first eight: after Okabe and Ito, a little darker where a pale one would be lost on white.
const FIRST: [(u8, u8, u8); 8] = [
    (0x00, 0x72, 0xb2),
    (0xe6, 0x9f, 0x00),
    (0x00, 0x9e, 0x73),
    (0xcc, 0x79, 0xa7),
    (0x56, 0xb4, 0xe9),
    (0xd5, 0x5e, 0x00),
    (0x8f, 0x8a, 0x00),
    (0x5b, 0x4f, 0xa2),
];

/// What goes round robin.
pub const NOBODY: (u8, u8, u8) = (0xb8, 0xbd, 0xc4);

/// The colour of a server; further ones go around the hues by the golden angle.
pub fn colour(server: Option<usize>) -> (u8, u8, u8) {
    match server {
        None => NOBODY,
        Some(server) if server < FIRST.len() => FIRST[server],
        Some(server) => hue(server as f64 * 137.508, [0.42, 0.55, 0.68][server % 3]),
    }
}

/// `#0072b2`.
pub fn hex(server: Option<usize>) -> String {
    let (red, green, blue) = colour(server);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// A hue in degrees at a lightness, at half of full saturation.
fn hue(degrees: f64, lightness: f64) -> (u8, u8, u8) {
    let strength = 0.55 * lightness.min(1.0 - lightness);
    let part = |n: f64| {
        let k = (n + degrees / 30.0) % 12.0;
        let value = lightness - strength * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        (value * 255.0).round() as u8
    };
    (part(0.0), part(8.0), part(4.0))
}

/// How many servers have a letter of their own: more cannot be told apart.
pub const LETTERS: usize = 52;

/// A to Z, a to z, and then `+` for all others.
pub fn letter(server: Option<usize>) -> char {
    const ALL: &[u8; LETTERS] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    match server {
        None => '?',
        Some(server) => ALL.get(server).map_or('+', |&letter| char::from(letter)),
    }
}
