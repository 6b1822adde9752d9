//! What keys are typed, and what each asks for.

use std::io;
use std::thread;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc::{Receiver, channel};

use super::rows::Order;

/// What the reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Leave,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Sort(Order),
    /// All of it anew: somebody else has written across it.
    Redraw,
}

/// Keys that may wait to be looked at. Past it the terminal keeps them.
const EVENTS_MAX: usize = 64;

/// What the terminal tells, its size included, until it cannot be read. A thread waits for it, because that
/// cannot be cancelled and must not hold the runtime's end.
pub(super) fn listen() -> Receiver<io::Result<Event>> {
    let (sender, events) = channel(EVENTS_MAX);
    thread::spawn(move || {
        loop {
            let event = event::read();
            let failed = event.is_err();
            if sender.blocking_send(event).is_err() || failed {
                return;
            }
        }
    });
    events
}

/// None for what asks for nothing.
pub(super) fn act(event: &Event) -> Option<Act> {
    match event {
        // A terminal may tell of keys that are let go, too.
        Event::Key(key) if key.kind != KeyEventKind::Release => key_act(*key),
        _ => None,
    }
}

fn key_act(key: KeyEvent) -> Option<Act> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Act::Leave),
            KeyCode::Char('l') => Some(Act::Redraw),
            _ => None,
        };
    }
    Some(match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Act::Leave,
        KeyCode::Up | KeyCode::Char('k') => Act::Up,
        KeyCode::Down | KeyCode::Char('j') => Act::Down,
        KeyCode::PageUp => Act::PageUp,
        KeyCode::PageDown | KeyCode::Char(' ') => Act::PageDown,
        KeyCode::Home => Act::Home,
        KeyCode::End => Act::End,
        KeyCode::Char('l') => Act::Sort(Order::Lag),
        KeyCode::Char('n') => Act::Sort(Order::Name),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ask_for_what_the_help_says() {
        let plain = [
            (KeyCode::Char('q'), Some(Act::Leave)),
            (KeyCode::Esc, Some(Act::Leave)),
            (KeyCode::Char('c'), None),
            (KeyCode::Char('l'), Some(Act::Sort(Order::Lag))),
            (KeyCode::Char('n'), Some(Act::Sort(Order::Name))),
            (KeyCode::PageDown, Some(Act::PageDown)),
            (KeyCode::Char('x'), None),
        ];
        for (code, expected) in plain {
            let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
            assert_eq!(act(&event), expected, "{code:?}");
        }
        let control = [
            ('c', Some(Act::Leave)),
            ('l', Some(Act::Redraw)),
            ('q', None),
        ];
        for (key, expected) in control {
            let event = Event::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::CONTROL));
            assert_eq!(act(&event), expected, "{key}");
        }
    }

    #[test]
    fn a_key_that_is_let_go_asks_for_nothing() {
        let mut key = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        key.kind = KeyEventKind::Release;
        assert_eq!(act(&Event::Key(key)), None);
    }
}
