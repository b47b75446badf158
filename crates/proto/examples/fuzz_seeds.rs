//! Writes what fuzzing begins with into a folder: inputs in `TARGET/`, made from the tables of `tests/wire`, and `dictionary`.
//!
//! ```text
//! $ cargo run --example fuzz_seeds -- FOLDER
//! ```

use std::path::Path;

#[path = "../tests/support/case.rs"]
mod case;
#[path = "../tests/wire/forbidden.rs"]
mod forbidden;
#[path = "../tests/properties/mod.rs"]
pub mod properties;
#[path = "../tests/properties/seeds.rs"]
mod seeds;
#[allow(dead_code, reason = "the cases are wanted, not what is made of them")]
#[path = "../tests/support/table.rs"]
mod table;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).expect("a folder is named");
    let folder = Path::new(&folder);
    for (name, _) in properties::TARGETS {
        let target = folder.join(name);
        std::fs::create_dir_all(&target)?;
        for (place, seed) in seeds::of(name).iter().enumerate() {
            std::fs::write(target.join(format!("{place:04}")), seed)?;
        }
    }
    std::fs::write(folder.join("dictionary"), seeds::dictionary())
}
