//! The modules of each crate form no circle, and the arrows between the rooms of the addon go down only.
//!
//! An arrow is a `use` or a path that names another module, or a call of a method that another module adds to a type
//! which it does not define. Modules that exist under test only are left out. Folders are held to the same rule: what
//! is in one folder and what is in another do not need each other.

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module's path in its crate; the root is empty.
type Module = Vec<String>;

#[derive(Default)]
struct Graph {
    sources: BTreeMap<Module, Vec<source::Token>>,
    /// What each module needs, and the word that says so.
    arrows: BTreeMap<(Module, Module), String>,
}

impl Graph {
    /// The modules of the crate whose sources are in this folder of the repository.
    fn read(folder: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut files = Vec::new();
        collect(&root, &mut Vec::new(), &mut files);
        assert!(files.len() > 10, "no sources in {folder}");
        Self::of(
            files
                .iter()
                .map(|(module, text)| (module.clone(), &text[..])),
        )
    }

    fn of<'a>(files: impl IntoIterator<Item = (Module, &'a str)>) -> Self {
        let mut graph = Self::default();
        for (module, text) in files {
            graph.sources.insert(module, source::tokens(text));
        }
        graph.follow_paths();
        graph.follow_methods();
        graph
    }

    fn follow_paths(&mut self) {
        for (module, tokens) in &self.sources {
            let children: Vec<&str> = self
                .sources
                .keys()
                .filter(|other| other.len() == module.len() + 1 && other.starts_with(module))
                .filter_map(|child| child.last().map(String::as_str))
                .collect();
            for path in source::paths(tokens, &children) {
                let Some(target) = self.resolve(module, &path) else {
                    continue;
                };
                if target != *module {
                    let arrow = (module.clone(), target);
                    self.arrows.entry(arrow).or_insert_with(|| path.join("::"));
                }
            }
        }
    }

    /// The module that a path from `module` leads into. None for modules that exist under test only.
    fn resolve(&self, module: &Module, path: &[String]) -> Option<Module> {
        let mut target = module.clone();
        for segment in path {
            match segment.as_str() {
                "crate" => target.clear(),
                "self" => {}
                "super" => {
                    target.pop();
                }
                "tests" => return None,
                name => {
                    target.push(name.to_owned());
                    if !self.sources.contains_key(&target) {
                        target.pop();
                        break;
                    }
                }
            }
        }
        Some(target)
    }

    /// A type may get its methods in several modules. A call of one needs the module that has it. Only names that stand
    /// for one thing in the crate tell which that is.
    fn follow_methods(&mut self) {
        let mut homes: BTreeMap<String, BTreeSet<&Module>> = BTreeMap::new();
        let mut added = Vec::new();
        for (module, tokens) in &self.sources {
            let own = source::types(tokens);
            for (owner, name) in source::functions(tokens) {
                homes.entry(name.clone()).or_default().insert(module);
                if owner.is_some_and(|owner| !own.contains(&owner)) {
                    added.push((module, name));
                }
            }
        }
        for (home, name) in added {
            if homes[&name].len() > 1 || FOREIGN.contains(&name.as_str()) {
                continue;
            }
            for (module, tokens) in &self.sources {
                if module != home && source::calls(tokens, &name) {
                    let arrow = (module.clone(), home.clone());
                    self.arrows
                        .entry(arrow)
                        .or_insert_with(|| format!("{name}()"));
                }
            }
        }
    }

    /// The arrows between what is directly in `folder`, itself included, with the modules that they stand for.
    fn level(&self, folder: &Module) -> BTreeMap<Module, BTreeMap<Module, String>> {
        let room = |module: &Module| module[..module.len().min(folder.len() + 1)].to_vec();
        let mut level: BTreeMap<Module, BTreeMap<Module, String>> = BTreeMap::new();
        for ((from, to), word) in &self.arrows {
            if from.starts_with(folder) && to.starts_with(folder) && room(from) != room(to) {
                let text = format!("  {} -> {}: {word}", name(from), name(to));
                let arrows = level.entry(room(from)).or_default();
                arrows.entry(room(to)).or_insert(text);
            }
        }
        level
    }

    /// What stands in a circle, a line for each arrow that is part of one.
    fn circles(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let folders: BTreeSet<Module> = self
            .sources
            .keys()
            .filter_map(|module| module.split_last().map(|(_, folder)| folder.to_vec()))
            .collect();
        for folder in folders {
            let level = self.level(&folder);
            for (from, arrows) in &level {
                for (to, line) in arrows {
                    if reaches(&level, to, from) {
                        lines.push(line.clone());
                    }
                }
            }
        }
        lines
    }

    /// The arrows from one folder or module into another.
    fn between(&self, from: &str, to: &str) -> Vec<String> {
        let inside = |module: &Module, room: &str| {
            let module = name(module);
            room == "crate" || module == room || module.starts_with(&format!("{room}::"))
        };
        self.arrows
            .iter()
            .filter(|((a, b), _)| inside(a, from) && inside(b, to) && !inside(b, from))
            .map(|((a, b), word)| format!("{} -> {}: {word}", name(a), name(b)))
            .collect()
    }
}

/// Methods of ours that have the name of one of napi's, of socket2's or of `Weak`'s.
const FOREIGN: [&str; 3] = ["raw", "shutdown", "upgrade"];

fn name(module: &Module) -> String {
    if module.is_empty() {
        "crate".to_owned()
    } else {
        module.join("::")
    }
}

fn reaches(level: &BTreeMap<Module, BTreeMap<Module, String>>, from: &Module, to: &Module) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(at) = next.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            next.extend(level.get(at).into_iter().flat_map(BTreeMap::keys));
        }
    }
    false
}

/// The sources in a folder and below, but those of tests.
fn collect(folder: &Path, module: &mut Module, files: &mut Vec<(Module, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if stem == "tests" {
            continue;
        }
        if path.is_dir() {
            module.push(stem);
            collect(&path, module, files);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut module = module.clone();
            if stem != "mod" && stem != "lib" {
                module.push(stem);
            }
            files.push((module, fs::read_to_string(&path).unwrap()));
        }
    }
}

fn assert_none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}\n{}", found.join("\n"));
}

#[test]
fn the_modules_of_proto_form_no_circle() {
    assert_none(&Graph::read("crates/proto/src").circles(), "circles:");
}

#[test]
fn the_modules_of_the_addon_form_no_circle() {
    assert_none(&Graph::read("src").circles(), "circles:");
}

#[test]
fn net_does_not_know_the_binding_and_the_fence_knows_nothing_of_the_house() {
    let graph = Graph::read("src");
    assert_none(&graph.between("net", "binding"), "net needs the binding:");
    assert_none(&graph.between("binding::ffi", "crate"), "ffi needs:");
}

/// A crate of these modules.
fn of(files: &[(&str, &str)]) -> Graph {
    let module = |path: &str| match path {
        "" => Vec::new(),
        _ => path.split("::").map(str::to_owned).collect(),
    };
    Graph::of(files.iter().map(|(path, text)| (module(path), *text)))
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let cases: [&[(&str, &str)]; 7] = [
        &[("a", "use crate::b::B;"), ("b", "use super::a::A;")],
        &[
            ("a", "use crate::{b::{self, B as C}, c};"),
            ("b", "fn b() { crate::a::f(); }"),
            ("c", ""),
        ],
        &[
            ("a", "use super::b;"),
            ("b", "use super::c;"),
            ("c", "use super::a;"),
        ],
        // A folder's own file, and what is in the folder.
        &[("a", "mod b;\nuse b::B;"), ("a::b", "use super::A;")],
        &[("", "mod a;\npub use a::A;"), ("a", "use crate::A;")],
        // Folders, of which no two files need each other.
        &[
            ("a", ""),
            ("b", ""),
            ("a::x", "use crate::b::x::X;"),
            ("b::x", ""),
            ("b::y", "use crate::a::y::Y;"),
            ("a::y", ""),
        ],
        // Methods that another module adds to a type.
        &[
            ("a", "struct A; impl A { fn f(&self) { self.g('\"'); } }"),
            (
                "b",
                "use crate::a::A; impl<'x> A { fn g(&self, quote: char) {} }",
            ),
        ],
    ];
    for files in cases {
        assert!(!of(files).circles().is_empty(), "{files:?}");
    }
}

#[test]
fn tests_comments_and_literals_are_no_arrows() {
    let files = [
        ("a", "use crate::b::B;"),
        (
            "b",
            "//! [`crate::a::A`]\n/* use crate::a; */ const S: &str = \"use crate::a; \\\" \";\n\
             #[cfg(test)]\nuse super::a::{A, C};\n#[cfg(test)]\nsuper::tests::step();\n\
             #[cfg(test)]\nmod tests { use crate::a::A; fn f() { if true { A } } }",
        ),
    ];
    let graph = of(&files);
    assert_eq!(graph.arrows.len(), 1, "{:?}", graph.arrows);
    assert_eq!(graph.circles(), Vec::<String>::new());
}
