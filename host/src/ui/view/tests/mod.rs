//! What a view looks like, at several sizes. `UPDATE_EXPECT=1` writes the screens, and the picture in `doc/`, anew.

mod panicking;
mod picture;

use std::fs;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use expect_test::expect_file;
use loghost_board::{Connection, Consumer, Depths, State};
use loghost_core::application::{Level, NextOffset};
use loghost_core::domain::{ConsumerName, Counts, Severity, Tally};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::draw::draw;
use super::figures::{Figures, Row};
use super::model::{Model, Page, Selected, Sort};
use super::palette::Palette;
use crate::ui::terminal::Said;

/// A moment, in milliseconds since the Unix epoch.
const NOON: u64 = 1_790_000_000_000;

fn name(name: &str) -> ConsumerName {
    ConsumerName::new(name).expect("a name")
}

fn tally(of: [u64; 4]) -> Tally {
    let mut tally = Tally::default();
    for (severity, logs) in Severity::ALL.into_iter().zip(of) {
        tally[severity] = logs;
    }
    tally
}

fn row(of: &str, state: State, accepted: [u64; 4], rate: u64) -> Row {
    let wave = |step: u64| rate * (6 + (step * 7 % 5) + step / 12);
    Row {
        name: name(of),
        state,
        accepted: tally(accepted),
        rejected: 0,
        retried: 0,
        queue: Some(0),
        lag: None,
        rate,
        history: (0..60).map(wave).collect(),
    }
}

/// The four bundled consumers, and two that are not well.
fn rows() -> Vec<Row> {
    vec![
        row("all", State::Consuming, [48_210, 182_911, 5_310, 212], 812),
        row("critical", State::StandingBy, [0, 0, 0, 0], 0),
        row("debug-info", State::Consuming, [48_210, 182_911, 0, 0], 780),
        Row { queue: Some(1_250_000), ..row("error", State::Paused, [0, 0, 5_102, 0], 0) },
        Row { rejected: 12, retried: 340, ..row("geo-lookup", State::Consuming, [0, 182_880, 0, 0], 779) },
        Row { queue: None, ..row("pager", State::Stopped, [0, 0, 0, 198], 0) },
    ]
}

/// The consumer of a row, as it may be.
fn selected(row: &Row) -> Selected {
    let failure = (row.state == State::Stopped).then(|| "process: unreachable executed".to_owned());
    let backtrace = failure.as_ref().map(|_| {
        "0: pager::send at src/lib.rs:41\n1: pager::Pager::process at src/lib.rs:88\n2: loghost:plugin/processor#process".to_owned()
    });
    let lines = row.accepted.iter().map(|(severity, n)| format!("{severity:<10}{n}"));
    let metric = lines.chain([format!("total     {}", row.accepted.total())]).collect::<Vec<_>>().join("\n");
    let reason = failure.as_ref().map(|it| format!("keeps failing, and is tried again after 10s: {it}"));
    let mut consumer = Consumer::default();
    consumer.version = "1.4.0".to_owned();
    consumer.digest = "3f9a0c1de2b44c0a".repeat(4);
    consumer.state = row.state;
    consumer.reason = reason;
    consumer.since = NOON;
    consumer.last_failure = failure;
    consumer.backtrace = backtrace;
    consumer.metric = Some(Ok(metric));
    consumer.counts = Counts { accepted: row.accepted, ..Counts::default() };
    consumer.memory = 1_114_112;
    consumer.deliveries = row.accepted.total();
    consumer.acknowledged = row.accepted.total();
    consumer.settings =
        vec![("window".to_owned(), "5m".to_owned()), ("unit".to_owned(), "events".to_owned())];
    Selected { name: row.name.clone(), consumer }
}

fn model(rows: Vec<Row>, selected_index: usize) -> Model {
    let connection = Connection {
        is_up: true,
        address: Some("10.0.4.17:5672, virtual host /".to_owned()),
        reconnects: 1,
        ..Connection::default()
    };
    let said = |seconds, level, consumer: Option<&str>, text: &str| Said {
        at: UNIX_EPOCH + Duration::from_millis(NOON) + Duration::from_secs(seconds),
        level,
        consumer: consumer.map(ToOwned::to_owned),
        text: text.to_owned(),
    };
    let mut model = Model {
        selected: rows.get(selected_index).map(selected),
        said: vec![
            said(
                0,
                Level::Info,
                None,
                "consuming from 10.0.4.17:5672: all (loghost.all), error (loghost.error)",
            ),
            said(
                61,
                Level::Warning,
                None,
                "consuming: lost the connection to 10.0.4.17:5672 (connection reset by peer)",
            ),
            said(63, Level::Info, None, "consuming: connected to 10.0.4.17:5672 again after 2s"),
            said(
                80,
                Level::Error,
                Some("pager"),
                "stopped, because it keeps failing: its queue is left as it is, and one log is tried in 10s",
            ),
            said(95, Level::Info, Some("error"), "paused: what comes waits in its queue"),
        ],
        ..Model::default()
    };
    let connections = ["consuming", "publishing"].map(|it| (it.to_owned(), connection.clone()));
    model.show(Figures { rows, connections: connections.into(), ..Figures::default() });
    model
}

fn drawn(model: &mut Model, (columns, rows): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a backend that cannot fail");
    let up = Duration::from_secs(4 * 3600 + 125);
    terminal.draw(|frame| draw(frame, model, Palette::Coloured, up)).expect("a backend that cannot fail");
    terminal.backend().buffer().clone()
}

/// What is on the screen, as text.
fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in buffer.content.chunks(usize::from(buffer.area.width)) {
        let row: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

#[test]
fn screens_of_four_sizes() {
    let sizes = [
        ((60, 20), 1, expect_file!["60x20.txt"]),
        ((80, 24), 5, expect_file!["80x24.txt"]),
        ((120, 36), 3, expect_file!["120x36.txt"]),
        ((250, 50), 5, expect_file!["250x50.txt"]),
    ];
    for (size, selected_index, expected) in sizes {
        expected.assert_eq(&text(&drawn(&mut model(rows(), selected_index), size)));
    }
}

#[test]
fn pages() {
    let pages = [
        (Page::Consumer, expect_file!["consumer.txt"]),
        (Page::Log, expect_file!["log.txt"]),
        (Page::Help, expect_file!["help.txt"]),
    ];
    for (page, expected) in pages {
        let mut model = Model { page, ..model(rows(), 5) };
        expected.assert_eq(&text(&drawn(&mut model, (80, 32))));
    }
}

#[test]
fn what_is_selected_is_seen_among_many() {
    let rows: Vec<Row> =
        (0..200).map(|n| row(&format!("consumer-{n:03}"), State::Consuming, [0, n, 0, 0], n)).collect();
    for selected_index in [0, 7, 100, 199] {
        let screen = text(&drawn(&mut model(rows.clone(), selected_index), (80, 24)));
        assert!(screen.contains(&format!("\nconsumer-{selected_index:03} ")), "{selected_index}:\n{screen}");
    }
    let mut model = model(rows, 0);
    model.sort = Sort::Rate;
    "-19".clone_into(&mut model.filter);
    model.arrange();
    let screen = text(&drawn(&mut model, (80, 40)));
    assert!(screen.contains("consumers: 10, by logs/s, with: -19"), "{screen}");
    let last = screen.find("consumer-190").expect("the slowest is seen");
    assert!(screen.find("consumer-199").is_some_and(|first| first < last), "{screen}");
}

#[test]
fn no_size_and_no_number_breaks_it() {
    let many = [u64::MAX; 4].map(|n| n / 4);
    let mut rows = rows();
    rows.push(Row {
        queue: Some(u32::MAX),
        lag: Some(u64::MAX),
        rejected: u64::MAX,
        ..row(&"x".repeat(64), State::Ended, many, 0)
    });
    for columns in [1, 20, 40, 59, 61, 99, 133, 400] {
        for height in [1, 8, 12, 25, 90] {
            for page in [Page::Overview, Page::Consumer, Page::Log, Page::Help, Page::Filter] {
                let mut model = Model { page, scroll: 1000, ..model(rows.clone(), 6) };
                drawn(&mut model, (columns, height));
            }
        }
    }
    drawn(&mut Model::default(), (80, 24));
}

#[test]
fn of_streams() {
    let mut rows = rows();
    rows[0].lag = Some(1_250_007);
    let mut model = model(rows, 0);
    let streams = [Arc::from("logs.error"), Arc::from("logs.info")];
    model.figures.depths =
        Depths { ends: [(Arc::clone(&streams[0]), 9_000_000)].into(), ..Depths::default() };
    let offsets = streams.map(|stream| NextOffset { stream, offset: 7_749_994, fingerprint: None });
    model.selected.as_mut().expect("the first").consumer.offsets = offsets.into();
    while model.sort != Sort::Lag {
        model.sort = model.sort.next();
    }
    model.arrange();
    expect_file!["streams.txt"].assert_eq(&text(&drawn(&mut model, (120, 36))));
}

/// The pictures in the README.
#[test]
fn picture() {
    let page = fs::metadata("doc/page.png").expect("the picture of the page").len();
    assert!(page < 200 << 10, "{page} bytes");
    let buffer = drawn(&mut model(rows(), 0), (110, 34));
    let svg = picture::svg(&buffer);
    assert!(svg.len() < 200 << 10, "{} bytes", svg.len());
    expect_file!["../../../../doc/live-view.svg"].assert_eq(&svg);
}
