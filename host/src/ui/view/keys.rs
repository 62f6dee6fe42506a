//! What keys do.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use loghost_board::State;
use loghost_core::application::Request;
use loghost_core::domain::ConsumerName;

use super::model::{Model, Page};

/// What a key asks for, of somebody else than the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyCommand {
    /// Nothing.
    None,
    /// That the run ends.
    End,
    /// That the process is suspended.
    Suspend,
    /// That the process ends at once, as at SIGQUIT.
    Quit,
    /// That all is drawn again.
    Redraw,
    /// That the consumer in this row is selected.
    Select(usize),
    /// Something of this consumer.
    Ask(ConsumerName, Request),
    /// That the configuration is read again, and all plugins are loaded again.
    ReloadAll,
}

/// Takes a key in. `lines` are what fits on a page.
pub(super) fn take(model: &mut Model, key: KeyEvent, lines: usize) -> KeyCommand {
    model.answer = None;
    let question = model.question.take();
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => KeyCommand::End,
            KeyCode::Char('z') => KeyCommand::Suspend,
            // Ctrl-\ : terminals send the same for both.
            KeyCode::Char('4' | '\\') => KeyCommand::Quit,
            KeyCode::Char('l') => KeyCommand::Redraw,
            _ => KeyCommand::None,
        };
    }
    if let Some((name, request)) = question {
        if key.code == KeyCode::Char('y') {
            return KeyCommand::Ask(name, request);
        }
        model.answer = Some(format!("{}: {name} is not asked to", request.as_str()));
        return KeyCommand::None;
    }
    match model.page {
        Page::Filter => filter(model, key.code),
        Page::Overview => overview(model, key.code, lines),
        Page::Consumer | Page::Log | Page::Help => page(model, key.code, lines),
    }
}

fn filter(model: &mut Model, key: KeyCode) -> KeyCommand {
    match key {
        KeyCode::Enter => model.page = Page::Overview,
        KeyCode::Esc => {
            model.filter.clear();
            model.page = Page::Overview;
        }
        KeyCode::Backspace => {
            model.filter.pop();
        }
        // No name is longer.
        KeyCode::Char(c) if model.filter.len() < 64 => model.filter.push(c),
        _ => return KeyCommand::None,
    }
    model.arrange();
    model.selected_index().map_or(KeyCommand::Select(0), |_| KeyCommand::None)
}

fn overview(model: &mut Model, key: KeyCode, lines: usize) -> KeyCommand {
    let (selected_index, last) = (model.selected_index().unwrap_or(0), model.rows.len().saturating_sub(1));
    match key {
        KeyCode::Up | KeyCode::Char('k') => return KeyCommand::Select(selected_index.saturating_sub(1)),
        KeyCode::Down | KeyCode::Char('j') => return KeyCommand::Select((selected_index + 1).min(last)),
        KeyCode::PageUp => return KeyCommand::Select(selected_index.saturating_sub(lines)),
        KeyCode::PageDown => return KeyCommand::Select((selected_index + lines).min(last)),
        KeyCode::Home | KeyCode::Char('g') => return KeyCommand::Select(0),
        KeyCode::End | KeyCode::Char('G') => return KeyCommand::Select(last),
        KeyCode::Enter | KeyCode::Right => open(model, Page::Consumer),
        KeyCode::Char('/') => model.page = Page::Filter,
        KeyCode::Esc => {
            model.filter.clear();
            model.arrange();
        }
        KeyCode::Char('s') => {
            model.sort = model.sort.next();
            model.arrange();
        }
        other => return common(model, other),
    }
    KeyCommand::None
}

fn page(model: &mut Model, key: KeyCode, lines: usize) -> KeyCommand {
    match key {
        KeyCode::Up | KeyCode::Char('k') => model.scroll = model.scroll.saturating_sub(1),
        // No further than there is something to see: that is known when it is drawn.
        KeyCode::Down | KeyCode::Char('j') => model.scroll += 1,
        KeyCode::PageUp => model.scroll = model.scroll.saturating_sub(lines),
        KeyCode::PageDown => model.scroll += lines,
        KeyCode::Home | KeyCode::Char('g') => model.scroll = 0,
        KeyCode::End | KeyCode::Char('G') => model.scroll = usize::MAX / 2,
        KeyCode::Esc | KeyCode::Left | KeyCode::Enter => open(model, Page::Overview),
        other => return common(model, other),
    }
    KeyCommand::None
}

/// What a key does on every page.
fn common(model: &mut Model, key: KeyCode) -> KeyCommand {
    match key {
        KeyCode::Char('q') => return KeyCommand::End,
        KeyCode::Char('p') => {
            let is_paused = model.selected.as_ref().is_some_and(|it| it.consumer.state == State::Paused);
            return ask(model, if is_paused { Request::Resume } else { Request::Pause });
        }
        KeyCode::Char('r') => return ask(model, Request::Reload),
        KeyCode::Char('d') => {
            let selected = model.selected.as_ref();
            model.question = selected.map(|it| (it.name.clone(), Request::ReplayDeadLetters));
        }
        KeyCode::Char('R') => return KeyCommand::ReloadAll,
        KeyCode::Char('l') => open_or_close(model, Page::Log),
        KeyCode::Char('h' | '?') => open_or_close(model, Page::Help),
        _ => {}
    }
    KeyCommand::None
}

/// Asks something of the consumer that is selected.
fn ask(model: &Model, request: Request) -> KeyCommand {
    model.selected.as_ref().map_or(KeyCommand::None, |it| KeyCommand::Ask(it.name.clone(), request))
}

fn open_or_close(model: &mut Model, page: Page) {
    let page = if model.page == page { Page::Overview } else { page };
    open(model, page);
}

fn open(model: &mut Model, page: Page) {
    // The log is read from its end.
    model.scroll = if page == Page::Log { usize::MAX / 2 } else { 0 };
    model.page = page;
}
