//! Screens as they look on a terminal that only a test sees.

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::board::Report;
use super::super::examples::{board, member};
use super::super::keys::Act;
use super::*;

/// What is on the screen, and how.
fn drawn(board: &Board, width: u16, height: u16, later: u64, colour: bool) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let now = board.latest.at + Duration::from_secs(later);
    terminal
        .draw(|frame| draw(frame, board, now, colour))
        .unwrap();
    terminal.backend().buffer().clone()
}

/// Its lines, without what is empty at their ends.
fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width).max(1);
    let rows = buffer.content().chunks(width);
    rows.map(|row| {
        let text: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.trim_end().to_owned()
    })
    .collect()
}

fn screen(board: &Board, width: u16, height: u16) -> Vec<String> {
    lines(&drawn(board, width, height, 0, false))
}

#[test]
fn everything_is_on_a_screen_of_80_by_24() {
    let mut board = board(2);
    board.latest.status.members[1].receipts = 3;
    board
        .latest
        .status
        .members
        .push(member("a-late-one", Some(34)));
    board.scroll(Act::Sort(Order::Lag), 9);
    let expected = [
        " swarm-sync top   hub 127.0.0.1:7420   swarm team",
        " connected, asked every 1s",
        " keys       56 at revision 1,234",
        " agents     3 of 3 connected, 1 not in step, 3 receipts wait",
        " rounds     0, 0 complete, 0 incomplete, 0 failed",
        " conflicts  none; 0 writes refused",
        " sent       0 B, 0 % saved by compression",
        " received   0 B, 0 % saved by compression",
        " spared     0 B by deltas, 0 B by 0 answers of nothing new",
        " schedule   nothing is synchronized every so often",
        " votes      0 open, 0 approved, 0 rejected, 0 out of time",
        " epoch      0000000000000001, digest 00000000000000000000000000000000",
        "",
        " agent                      connected    lag ▼   in step up to          receipts",
        " a-late-one                       yes       34            1200                 0",
        " agent-0                          yes        0            1234                 0",
        " agent-1                          yes        0            1234                 3",
    ];
    let screen = screen(&board, 80, 24);
    assert_eq!(screen[..expected.len()], expected);
    assert!(screen[expected.len()..23].iter().all(String::is_empty));
    let keys = " q leave  ↑ ↓ PgUp PgDn Home End scroll  l by lag  n by name";
    assert_eq!(screen[23], format!("{keys}{:>19}", "1-3 of 3").trim_end());
}

#[test]
fn a_hub_that_is_away_is_said_in_full_and_what_was_known_stays() {
    let mut board = board(2);
    let at = board.latest.at;
    let why = "no hub answers at 127.0.0.1:7420: the connection was refused; check --hub, as another \
               program may listen there, or the hub may hang\u{1b}[2J";
    board.report(Report::Away {
        at,
        why: why.to_owned(),
    });
    let screen = lines(&drawn(&board, 80, 24, 12, false));
    assert!(
        screen[1]
            .starts_with(" the hub is away for 12 s; what it said last stays. Trying again: no"),
        "{screen:?}"
    );
    let said = screen[1..4].concat();
    assert!(said.contains("or the hub may hang\\u{1b}[2J"), "{screen:?}");
    assert!(
        screen.iter().any(|line| line.starts_with(" agent-0")),
        "{screen:?}"
    );
    // A small screen keeps its lines for the agents.
    let small = lines(&drawn(&board, 40, 8, 12, false));
    assert!(small[1].ends_with('…'), "{small:?}");
    assert!(
        small.iter().any(|line| line.starts_with(" agent-0")),
        "{small:?}"
    );
}

#[test]
fn of_many_agents_those_are_shown_that_fit_and_all_can_be_reached() {
    let mut board = board(100);
    let area = Rect::new(0, 0, 80, 24);
    let shown = rows_shown(area, &board);
    assert!(shown >= 8, "{shown}");
    let visible = |board: &Board| -> Vec<String> {
        let lines = screen(board, 80, 24);
        let names = lines.iter().filter(|line| line.starts_with(" agent-"));
        names
            .map(|line| {
                line.split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    };
    let mut seen = visible(&board);
    while seen.len() < 100 {
        board.scroll(Act::PageDown, shown);
        let page = visible(&board);
        let new: Vec<_> = page
            .into_iter()
            .filter(|name| !seen.contains(name))
            .collect();
        assert!(!new.is_empty(), "{seen:?}");
        seen.extend(new);
    }
    let last = screen(&board, 80, 24)[23].clone();
    assert!(
        last.ends_with(&format!("{}-100 of 100", 101 - shown)),
        "{last}"
    );
    // Twice as high shows more.
    assert!(rows_shown(Rect::new(0, 0, 80, 48), &board) >= shown + 24);
}

#[test]
fn no_size_is_too_small_or_too_large() {
    let mut board = board(30);
    for away in [false, true] {
        for width in [1, 2, 5, 19, 40, 79, 80, 200, 500] {
            for height in (1..=30).chain([100, 300]) {
                let screen = screen(&board, width, height);
                assert_eq!(screen.len(), usize::from(height));
                let area = Rect::new(0, 0, width, height);
                board.scroll(Act::End, rows_shown(area, &board));
            }
        }
        if !away {
            let at = board.latest.at;
            let why = "gone ".repeat(100);
            board.report(Report::Away { at, why });
        }
    }
    // From six lines on there is an agent.
    let screen = screen(&board, 80, 6);
    assert!(
        screen.iter().any(|line| line.starts_with(" agent-")),
        "{screen:?}"
    );
}

#[test]
fn a_name_that_is_too_long_is_cut_and_moves_no_column() {
    let mut board = board(1);
    board
        .latest
        .status
        .members
        .push(member(&"n".repeat(100), Some(0)));
    board.scroll(Act::Sort(Order::Name), 9);
    let screen = screen(&board, 80, 24);
    let row = screen.iter().find(|line| line.starts_with(" nn")).unwrap();
    assert!(row.contains('…') && row.chars().count() == 80, "{row}");
    let heading = screen
        .iter()
        .find(|line| line.starts_with(" agent ▲"))
        .unwrap();
    let end =
        |line: &str, of: &str| line.split(of).next().unwrap_or_default().chars().count() + of.len();
    assert_eq!(end(heading, "connected"), end(row, "yes"));
}

#[test]
fn without_colour_nothing_is_coloured_and_all_is_said_in_words() {
    let mut board = board(1);
    board.latest.status.members.push(member("gone", None));
    board
        .latest
        .status
        .members
        .push(member("late", Some(1_233)));
    board.latest.status.id_alarms = 1;
    board.scroll(Act::Sort(Order::Lag), 9);
    let coloured = |colour| {
        let buffer = drawn(&board, 80, 24, 0, colour);
        let cells = buffer.content().iter();
        cells.filter(|cell| cell.fg != Color::Reset).count()
    };
    assert_eq!(coloured(false), 0);
    assert!(coloured(true) > 0);
    let plain = screen(&board, 80, 24);
    assert_eq!(plain, lines(&drawn(&board, 80, 24, 0, true)));
    let gone = plain.iter().find(|line| line.starts_with(" gone")).unwrap();
    let words: Vec<_> = gone.split_whitespace().collect();
    assert_eq!(words, ["gone", "no", "?", "-", "0"]);
}
