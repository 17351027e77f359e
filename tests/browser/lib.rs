//! Drives nolabel's built page in headless browsers: for the tests, and for the picture in the README.

pub mod browser;
pub mod drivers;
pub mod host;
