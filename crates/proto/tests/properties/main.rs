//! What is true whatever bytes come: here for the cases of the tables, cut and spoiled in some ways; for any bytes,
//! `npm run fuzz:proto`.

#[path = "../support/case.rs"]
mod case;
#[path = "../wire/forbidden.rs"]
mod forbidden;
#[path = "mod.rs"]
pub mod properties;
mod seeds;
#[allow(dead_code, reason = "the cases are wanted, not what is made of them")]
#[path = "../support/table.rs"]
mod table;

/// Each seed as it is, with other cuts and options, and with each byte of its front dropped or turned into another.
fn near(seed: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let with = |place: usize, byte: u8| {
        let mut other = seed.to_vec();
        if let Some(place) = other.get_mut(place) {
            *place = byte;
        }
        other
    };
    let cuts = [0, 1, 2, 5].map(|cuts| with(5, cuts));
    let modes = [0, 1, 2].map(|mode| with(0, seed[0] & !3 | mode));
    let spoiled = (0..seed.len().min(160)).flat_map(move |place| {
        let dropped = [&seed[..place], &seed[place + 1..]].concat();
        let byte = b"\r\n\0:"[place % 4];
        [dropped, with(place, byte)]
    });
    cuts.into_iter().chain(modes).chain(spoiled)
}

#[test]
fn properties_hold_for_the_tables() {
    for (name, property) in properties::TARGETS {
        let seeds = seeds::of(name);
        assert!(seeds.len() > 30, "{name}: {} seeds", seeds.len());
        for seed in seeds {
            for input in near(&seed) {
                let holds = std::panic::catch_unwind(|| property(&input)).is_ok();
                assert!(holds, "{name}: \"{}\"", input.escape_ascii());
            }
        }
    }
}

#[test]
fn the_dictionary_has_what_messages_are_made_of() {
    let dictionary = seeds::dictionary();
    for word in ["GET", "chunked", "Content-Length:", "HTTP/1.1"] {
        let escaped: String = word.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
        assert!(dictionary.contains(&format!("\"{escaped}\"\n")), "{word}");
    }
}
