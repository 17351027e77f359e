//! Drives nolabel's built page in headless Chromium: for the tests, and for the picture in the README.

pub mod browser;
pub mod host;
