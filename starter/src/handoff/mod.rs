//! How a waiting visitor gets to the woken app: one strategy a file.

pub(crate) mod poll;
