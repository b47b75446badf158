//! What a Rust source says of other modules, as far as the module graph needs it: no parser of Rust, but enough for
//! sources that rustfmt has laid out.

/// A word, or `::`, or one other character.
pub(crate) type Token = String;

/// The tokens of a source without comments, literals, and what is only there under test.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    without_tests(&split(source))
}

fn split(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => literal_len(rest),
            'r' if rest.starts_with("r#\"") => rest.find("\"#").map_or(rest.len(), |end| end + 2),
            '\'' => character_len(rest),
            ':' if rest.starts_with("::") => {
                tokens.push("::".to_owned());
                2
            }
            _ if first.is_alphanumeric() || first == '_' => {
                let len = rest
                    .find(|next: char| !next.is_alphanumeric() && next != '_')
                    .unwrap_or(rest.len());
                tokens.push(rest[..len].to_owned());
                len
            }
            _ => {
                if !first.is_whitespace() {
                    tokens.push(first.to_string());
                }
                first.len_utf8()
            }
        };
        rest = &rest[len..];
    }
    tokens
}

/// Length of the string literal at the start.
fn literal_len(rest: &str) -> usize {
    let mut escaped = false;
    for (at, next) in rest.char_indices().skip(1) {
        match next {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Length of the character literal at the start, or of the quote of a lifetime.
fn character_len(rest: &str) -> usize {
    let mut inside = rest[1..].chars();
    match (inside.next(), inside.next()) {
        (Some('\\'), _) => rest[3..].find('\'').map_or(rest.len(), |end| end + 4),
        (Some(one), Some('\'')) => one.len_utf8() + 2,
        _ => 1,
    }
}

/// Leaves out every item and statement behind `#[cfg(test)]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].len() >= ATTRIBUTE.len()
            && tokens[at..].iter().zip(ATTRIBUTE).all(|(a, b)| a == b)
        {
            at = item_end(tokens, at + ATTRIBUTE.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The index behind the item or statement at `at`: behind its semicolon or its block.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth -= 1;
                // Of a `use` with a group the semicolon is still to come.
                if depth == 0 && tokens[at] == "}" && tokens.get(at + 1).is_none_or(|t| t != ";") {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

/// Every path that begins with `crate`, `super`, `self` or one of `children`, groups taken apart.
pub(crate) fn paths(tokens: &[Token], children: &[&str]) -> Vec<Vec<Token>> {
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let first = tokens[at].as_str();
        // `pub(in …)` tells where a thing may be used, not what it needs.
        let begins = at == 0 || !matches!(tokens[at - 1].as_str(), "::" | "." | "in");
        let is_root = matches!(first, "crate" | "super" | "self") || children.contains(&first);
        if begins && is_root && tokens.get(at + 1).is_some_and(|next| next == "::") {
            tree(tokens, at, &[], &mut found);
        }
    }
    found
}

/// Reads one path, or group of paths, at `at`; returns the index behind it.
fn tree(tokens: &[Token], mut at: usize, prefix: &[Token], found: &mut Vec<Vec<Token>>) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = tree(tokens, at, &path, found);
                    if tokens.get(at).is_some_and(|token| token == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            Some(name) => path.push(name.to_owned()),
            None => break,
        }
        at += 1;
        if tokens.get(at).is_none_or(|token| token != "::") {
            break;
        }
        at += 1;
    }
    if tokens.get(at).is_some_and(|token| token == "as") {
        at += 2;
    }
    found.push(path);
    at
}

/// The types that a module defines.
pub(crate) fn types(tokens: &[Token]) -> Vec<Token> {
    let pairs = tokens.windows(2);
    pairs
        .filter(|pair| matches!(pair[0].as_str(), "struct" | "enum"))
        .map(|pair| pair[1].clone())
        .collect()
}

/// The functions that a module defines, each with the type whose inherent `impl` it stands in.
pub(crate) fn functions(tokens: &[Token]) -> Vec<(Option<Token>, Token)> {
    let mut functions = Vec::new();
    let mut owner = None;
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "impl" if depth == 0 => {
                let head = &tokens[at..];
                let open = head.iter().position(|token| token == "{").unwrap_or(0);
                owner = inherent(&head[1..open.max(1)]);
                at += open;
                continue;
            }
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    owner = None;
                }
            }
            "fn" if depth < 2 => functions.push((owner.clone(), tokens[at + 1].clone())),
            _ => {}
        }
        at += 1;
    }
    functions
}

/// The type of `impl<…> Type<…>`; none for a trait's.
fn inherent(head: &[Token]) -> Option<Token> {
    let mut depth = 0;
    let mut name = None;
    for token in head {
        match token.as_str() {
            "<" => depth += 1,
            ">" => depth -= 1,
            "for" => return None,
            _ if depth == 0 && name.is_none() && token.starts_with(char::is_alphabetic) => {
                name = Some(token.clone());
            }
            _ => {}
        }
    }
    name
}

/// True if the source calls a method of this name.
pub(crate) fn calls(tokens: &[Token], method: &str) -> bool {
    tokens.windows(3).any(|window| {
        matches!(window[0].as_str(), "." | "::")
            && window[1] == method
            // A call, or the method as a value.
            && (window[2] == "(" || window[0] == "::")
    })
}
