//! Properties that hold for all input. `PROPTEST_CASES` sets the number of cases.

use amq_protocol::protocol::basic::parse_properties;
use proptest::{collection::vec, prelude::*};

use crate::{
    content::{Assembly, Rules},
    frame::FrameReader,
    method::{Method, Publish},
};

const RULES: Rules<'static> = Rules { user: "guest", max_size: 1000 };

/// The frames in `bytes` that come in pieces, up to an error.
async fn frames(bytes: &[u8], piece: usize) -> (Vec<(u8, u16, Vec<u8>)>, bool) {
    let (mut near, far) = tokio::io::duplex(piece);
    let write = async {
        // The reader hangs up at an error.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut near, bytes).await;
        drop(near);
    };
    let read = async {
        let mut reader = FrameReader::new(far, 4096);
        let mut frames = Vec::new();
        loop {
            match reader.next() {
                Ok(Some(frame)) => {
                    frames.push((frame.kind, frame.channel, frame.payload.to_vec()));
                    continue;
                }
                Ok(None) => {}
                Err(_) => return (frames, false),
            }
            if reader.fill().await.unwrap_or(0) == 0 {
                return (frames, true);
            }
        }
    };
    tokio::join!(write, read).1
}

/// Bytes of which many are tables, short strings and other things that a parser goes into.
fn fields() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..6),
        (0..9_u8).prop_map(|length| vec![0, 0, 0, length]),
        proptest::sample::select(&b"tbBsUuIiLlfdDSATFxV"[..]).prop_map(|kind| vec![1, b'k', kind]),
        "[a-z]{0,5}".prop_map(|text| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Frames are the same however they come.
    #[test]
    fn frames_do_not_depend_on_pieces(
        parts in vec((prop_oneof![4 => 1..4_u8, 1 => any::<u8>()], any::<u16>(), fields(), prop_oneof![9 => Just(0xce), 1 => any::<u8>()]), 0..6),
        piece in 1..40_usize,
    ) {
        let bytes: Vec<u8> = parts
            .iter()
            .flat_map(|(kind, channel, payload, end)| {
                let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
                [&[*kind][..], &channel.to_be_bytes(), &size, payload, &[*end]].concat()
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (whole, pieces) = runtime.block_on(async { (frames(&bytes, 1 << 20).await, frames(&bytes, piece).await) });
        prop_assert_eq!(&whole, &pieces);
        if parts.iter().all(|(.., end)| *end == 0xce) {
            prop_assert_eq!(whole.0.len(), parts.len());
        }
    }

    /// A method is read or refused.
    #[test]
    fn any_method_is_read_or_refused(class in prop_oneof![Just(10_u16), Just(40), Just(50), Just(60), any::<u16>()], method in 0..13_u16, rest in fields()) {
        let payload = [&class.to_be_bytes()[..], &(method * 10).to_be_bytes(), &rest].concat();
        let _ = Method::parse(&payload);
        let _ = Method::parse(&rest);
    }

    /// What is taken of a message, clients can read.
    #[test]
    fn properties_that_are_taken_can_be_read(flags in 0..0x4000_u16, rest in fields(), size in 0..2000_u64) {
        let flags = flags << 2;
        let properties = [&flags.to_be_bytes()[..], &rest].concat();
        let payload = [&[0, 60, 0, 0][..], &size.to_be_bytes(), &properties].concat();
        let mut assembly = Assembly::default();
        assembly.begin(&Publish { exchange: "x", routing_key: "k", mandatory: false, immediate: false }).unwrap();
        if assembly.header(&payload, RULES).is_ok() {
            let body = vec![7; usize::try_from(size).unwrap()];
            assembly.body(&body).unwrap();
            let complete = assembly.take().expect("a message");
            prop_assert_eq!(complete.content.body(), &body);
            let read = parse_properties(complete.content.properties());
            prop_assert!(matches!(read, Ok(([], _))), "{:?}", read);
        }
    }
}
