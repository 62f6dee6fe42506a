//! Between the component's exports, which are functions, and a consumer, which is a value.

use std::{cell::RefCell, thread::LocalKey};

#[cfg(feature = "checkpoint")]
use crate::Checkpoint;
use crate::{Consumer, Descriptor, Metric, Settings};
#[cfg(feature = "processor")]
use crate::{LogRecord, Processed, Processor, log};

/// Where the one consumer of a component is kept, from `configure` on.
pub type Slot<C> = LocalKey<RefCell<Option<C>>>;

/// Makes a component of the type that is named: a [`Consumer`], with the feature `processor` also a
/// `Processor`, with `checkpoint` also a `Checkpoint`, with `measures` also a `Measures`. Elsewhere than on Wasm only checks that it is a [`Consumer`].
#[macro_export]
macro_rules! export {
    ($consumer:ident) => {
        const _: fn() = $crate::export::check::<$consumer>;

        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::bindings::exports::loghost::plugin as exports;

            ::std::thread_local! {
                static CONSUMER: ::std::cell::RefCell<::core::option::Option<$consumer>> =
                    const { ::std::cell::RefCell::new(::core::option::Option::None) };
            }

            struct Exported;

            impl exports::consumer::Guest for Exported {
                fn configure(
                    settings: ::std::vec::Vec<(::std::string::String, ::std::string::String)>,
                ) -> ::core::result::Result<$crate::Descriptor, ::std::string::String> {
                    $crate::export::configure(&CONSUMER, settings)
                }

                fn format_metric(metric: $crate::Metric) -> ::std::string::String {
                    $crate::export::format_metric(&CONSUMER, &metric)
                }
            }
            $crate::__export_processor!(Exported, CONSUMER);
            $crate::__export_checkpoint!(Exported, CONSUMER);
            $crate::__export_measures!(Exported, CONSUMER);
    $crate::bindings::export_world!(Exported with_types_in $crate::bindings);
        };
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(not(feature = "processor"))]
macro_rules! __export_processor {
    ($exported:ident, $consumer:ident) => {};
}

#[doc(hidden)]
#[macro_export]
#[cfg(feature = "processor")]
macro_rules! __export_processor {
    ($exported:ident, $consumer:ident) => {
        impl exports::processor::Guest for $exported {
            fn process(now: u64, batch: ::std::vec::Vec<$crate::LogRecord>) -> $crate::Processed {
                $crate::export::process(&$consumer, now, batch)
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(not(feature = "checkpoint"))]
macro_rules! __export_checkpoint {
    ($exported:ident, $consumer:ident) => {};
}

#[doc(hidden)]
#[macro_export]
#[cfg(feature = "checkpoint")]
macro_rules! __export_checkpoint {
    ($exported:ident, $consumer:ident) => {
        impl exports::checkpoint::Guest for $exported {
            fn save() -> ::std::vec::Vec<u8> {
                $crate::export::save(&$consumer)
            }

            fn restore(state: ::std::vec::Vec<u8>) -> ::core::result::Result<(), ::std::string::String> {
                $crate::export::restore(&$consumer, &state)
            }
        }
    };
}

/// Does nothing: that it compiles is the check.
pub fn check<C: Consumer>() {}

/// The first call: makes the consumer.
pub fn configure<C: Consumer>(
    slot: &'static Slot<C>,
    settings: Vec<(String, String)>,
) -> Result<Descriptor, String> {
    // A processor works on what others wrote: the text of its panics is worth the import.
    #[cfg(feature = "processor")]
    log::report_panics();
    let (consumer, descriptor) = crate::configure(&settings.into_iter().collect::<Settings>())?;
    slot.set(Some(consumer));
    Ok(descriptor)
}

/// Has the consumer write the metric.
pub fn format_metric<C: Consumer>(slot: &'static Slot<C>, metric: &Metric) -> String {
    with(slot, |consumer| consumer.format_metric(metric))
}

/// Hands the consumer a batch.
#[cfg(feature = "processor")]
pub fn process<C: Processor>(slot: &'static Slot<C>, now: u64, batch: Vec<LogRecord>) -> Processed {
    with(slot, |consumer| consumer.process(now, batch))
}

/// Asks the consumer for what it keeps.
#[cfg(feature = "checkpoint")]
pub fn save<C: Checkpoint>(slot: &'static Slot<C>) -> Vec<u8> {
    with(slot, |consumer| consumer.save())
}

/// Hands the consumer what was saved.
#[cfg(feature = "checkpoint")]
pub fn restore<C: Checkpoint>(slot: &'static Slot<C>, state: &[u8]) -> Result<(), String> {
    with(slot, |consumer| consumer.restore(state))
}

fn with<C: Consumer, R>(slot: &'static Slot<C>, call: impl FnOnce(&mut C) -> R) -> R {
    slot.with_borrow_mut(|consumer| match consumer {
        Some(consumer) => call(consumer),
        None => not_configured(),
    })
}

fn not_configured() -> ! {
    #[cfg(feature = "processor")]
    log::report_panics();
    panic!("`configure` is the first call on an instance, and has to succeed")
}

#[doc(hidden)]
#[macro_export]
#[cfg(not(feature = "measures"))]
macro_rules! __export_measures {
    ($exported:ident, $consumer:ident) => {};
}

#[doc(hidden)]
#[macro_export]
#[cfg(feature = "measures")]
macro_rules! __export_measures {
    ($exported:ident, $consumer:ident) => {
        impl $crate::bindings::measuring::exports::loghost::plugin::measures::Guest for $exported {
            fn measure() -> ::std::vec::Vec<$crate::Measurement> {
                $crate::export::measure(&$consumer)
            }
        }

        $crate::bindings::measuring::export_measuring!(
            $exported with_types_in $crate::bindings::measuring
        );
    };
}

/// Has the consumer measure.
#[cfg(feature = "measures")]
pub fn measure<C: crate::Measures>(slot: &'static Slot<C>) -> Vec<crate::Measurement> {
    with(slot, |consumer| consumer.measure())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    struct Plain;

    impl Consumer for Plain {
        fn configure(_: &Settings) -> Result<(Self, Descriptor), String> {
            Ok((Self, Descriptor::new("plain", "1.0.0")))
        }

        fn format_metric(&self, metric: &Metric) -> String {
            metric.accepted.total().to_string()
        }
    }

    thread_local! {
        static PLAIN: RefCell<Option<Plain>> = const { RefCell::new(None) };
    }

    #[test]
    fn a_configured_consumer_answers() {
        let descriptor = configure(&PLAIN, Vec::new());
        assert_eq!(descriptor.map(|it| it.name), Ok("plain".to_owned()));
        assert_eq!(format_metric(&PLAIN, &Metric::default()), "0");
    }

    #[test]
    #[should_panic = "`configure` is the first call on an instance"]
    fn a_consumer_that_was_not_configured_does_not() {
        format_metric(&PLAIN, &Metric::default());
    }
}
