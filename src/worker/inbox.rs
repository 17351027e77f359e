//! The engine's input queue: commands of the page, data, the opened run store.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::dataset::Delivery;
use super::protocol::Command;
use super::run_store::RunStore;

/// An input of the engine.
pub(super) enum Input {
    Command(Command),
    Data(Delivery),
    /// The run store, open or with the reason why not.
    RunStore(Box<RunStore>),
}

/// A queue that the engine empties between two steps and awaits when it is idle. Copies share the queue.
#[derive(Clone, Default)]
pub(super) struct Inbox(Rc<RefCell<Waiting>>);

#[derive(Default)]
struct Waiting {
    inputs: VecDeque<Input>,
    sleeper: Option<Waker>,
}

impl Inbox {
    pub(super) fn push(&self, input: Input) {
        let sleeper = {
            let mut waiting = self.0.borrow_mut();
            waiting.inputs.push_back(input);
            waiting.sleeper.take()
        };
        sleeper.into_iter().for_each(Waker::wake);
    }

    /// The next input, if there is one.
    pub(super) fn take(&self) -> Option<Input> {
        self.0.borrow_mut().inputs.pop_front()
    }

    /// Waits for the next input.
    pub(super) async fn next(&self) -> Input {
        poll_fn(|context| {
            let mut waiting = self.0.borrow_mut();
            match waiting.inputs.pop_front() {
                Some(input) => Poll::Ready(input),
                None => {
                    waiting.sleeper = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
