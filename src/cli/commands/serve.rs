//! `nolabel serve`: serves the page to browsers on this machine.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::http::{HeaderValue, header};
use clap::Args;
use futures_lite::future;
use tokio::net::TcpListener;
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::print;

const EXAMPLES: &str = "\
Examples:
  nolabel serve                  the page in dist/, which `make dist` builds
  nolabel serve --port 8123      on another port
  nolabel serve www --port 0     another folder, on any free port";

/// Serve the built page to browsers on this machine
///
/// Only this machine can connect (127.0.0.1), which also makes browsers offer WebGPU. Ctrl-C ends it.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    /// The folder with the page
    #[arg(value_name = "DIR", default_value = "dist")]
    folder: PathBuf,

    /// The port; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
}

impl Serve {
    pub(crate) fn run(self) -> Outcome {
        check(&self.folder)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let runtime = runtime.map_err(|error| Failure::Failed(format!("the server could not start: {error}")))?;
        runtime.block_on(self.serve())
    }

    async fn serve(self) -> Outcome {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await;
        let listener = bound.map_err(|error| {
            Failure::Failed(format!("port {} cannot be used ({error}); choose another with --port", self.port))
        })?;
        let failed = |error: std::io::Error| Failure::Failed(format!("the server stopped: {error}"));
        let address = listener.local_addr().map_err(failed)?;
        print::out(&format!("{} is at http://{address}/ (Ctrl-C ends it)", self.folder.display()))?;
        let serving = async { axum::serve(listener, pages(&self.folder)).await.map_err(failed) };
        let stopping = async { tokio::signal::ctrl_c().await.map_err(failed) };
        future::or(serving, stopping).await
    }
}

fn check(folder: &Path) -> Outcome {
    let shown = folder.display();
    if !folder.is_dir() {
        return Err(Failure::Failed(format!(
            "there is no folder `{shown}`; build the page with `make dist`, or name its folder"
        )));
    }
    if !folder.join("index.html").is_file() {
        return Err(Failure::Failed(format!(
            "`{shown}` holds no page: it has no index.html; build it with `make dist`"
        )));
    }
    Ok(())
}

/// The folder's files. Browsers revalidate them on every visit, so that a new build is seen at once.
fn pages(folder: &Path) -> Router {
    let fresh = SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Router::new().fallback_service(ServeDir::new(folder)).layer(fresh)
}
