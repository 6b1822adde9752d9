//! Text within a width. Widths are counted in characters: names are ASCII, and what else there is has been made
//! visible, so that one which is wider is cut at worst by the edge of the screen.

/// As much of it as fits, with a mark where it was cut.
pub(super) fn fit(text: &str, width: usize) -> String {
    if text.chars().nth(width).is_none() {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let start: String = text.chars().take(width - 1).collect();
    format!("{start}…")
}

/// The same of a name, cut in its middle: what tells names apart is as often at their ends as at their beginnings.
pub(super) fn fit_name(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width || width == 0 {
        return fit(name, width);
    }
    let end = (width - 1) / 2;
    let start: String = name.chars().take(width - 1 - end).collect();
    let end: String = name.chars().skip(length - end).collect();
    format!("{start}…{end}")
}

/// Broken between words into at most `lines_max` lines; what is left of it is cut.
pub(super) fn wrap(text: &str, width: usize, lines_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.peek() {
        let last = lines.len() + 1 >= lines_max;
        let joined = line.chars().count() + 1 + word.chars().count();
        if line.is_empty() || last || joined <= width {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            words.next();
        } else {
            lines.push(std::mem::take(&mut line));
        }
    }
    lines.push(line);
    lines.iter().map(|line| fit(line, width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_and_marked() {
        let cases = [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("ab", 1, "…"),
            ("a", 0, ""),
            ("", 0, ""),
        ];
        for (text, width, expected) in cases {
            assert_eq!(fit(text, width), expected);
        }
    }

    #[test]
    fn a_name_that_does_not_fit_shows_both_its_ends() {
        let cases = [
            ("abc", 3, "abc"),
            ("abcd", 3, "a…d"),
            ("abcdef", 4, "ab…f"),
            ("ab", 1, "…"),
            ("abc", 2, "a…"),
            ("a", 0, ""),
        ];
        for (name, width, expected) in cases {
            assert_eq!(fit_name(name, width), expected);
        }
    }

    #[test]
    fn a_sentence_is_broken_between_words_and_cut_at_the_last_line() {
        let text = "the hub is away and nobody knows why";
        assert_eq!(wrap(text, 80, 3), [text]);
        assert_eq!(wrap(text, 12, 2), ["the hub is", "away and no…"]);
        assert_eq!(
            wrap(text, 20, 3),
            ["the hub is away and", "nobody knows why"]
        );
        assert_eq!(wrap("aaaaaa b", 3, 3), ["aa…", "b"]);
        assert_eq!(wrap("", 3, 3), [""]);
    }
}
