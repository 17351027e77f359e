//! Trains one small network with nolabel and with jax-js on WebGPU in headless Chromium, and prints times and counts side by side.
//!
//! `make bench-web` calls it. It fails if the losses of the two libraries differ, or if one of them does not run.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::exit;
use std::time::{Duration, Instant};

use axum::Router;
use browser_tests::browser::SOFTWARE_GPU;
use browser_tests::drivers::Browser;
use serde_json::Value;
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

const USAGE: &str =
    "usage: bench_web --wasm DIR --jax-js DIR [--adapter swiftshader|default] [--batch 64,128] [--steps 20]";
const LIBRARIES: [&str; 2] = ["nolabel", "jax-js"];
/// Steps before those that are timed.
const WARM: usize = 5;
/// Turns of each library. The fastest counts, so that a short load on the machine does not decide.
const TURNS: usize = 2;
/// Largest difference of two losses.
const LIMIT: f64 = 1e-3;
/// Limit of a turn: an emulated GPU on a busy machine.
const PATIENCE: Duration = Duration::from_secs(1800);
/// Flags for the GPU of the machine.
const OWN_GPU: [&str; 3] = ["--enable-unsafe-webgpu", "--use-vulkan", "--enable-features=Vulkan"];

struct Arguments {
    wasm: PathBuf,
    jax_js: PathBuf,
    flags: &'static [&'static str],
    batches: Vec<usize>,
    steps: usize,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let (mut wasm, mut jax_js) = (None, None);
        let (mut flags, mut batches, mut steps): (&[&str], _, _) = (&SOFTWARE_GPU, vec![64, 128], 20);
        while let Some(name) = words.next() {
            let value = words.next()?;
            match name.as_str() {
                "--wasm" => wasm = Some(PathBuf::from(value)),
                "--jax-js" => jax_js = Some(PathBuf::from(value)),
                "--adapter" if value == "swiftshader" => flags = &SOFTWARE_GPU,
                "--adapter" if value == "default" => flags = &OWN_GPU,
                "--batch" => batches = value.split(',').map(|n| n.parse().ok()).collect::<Option<_>>()?,
                "--steps" => steps = value.parse().ok().filter(|steps| *steps > 0)?,
                _ => return None,
            }
        }
        Some(Self { wasm: wasm?, jax_js: jax_js?, flags, batches, steps })
    }
}

/// A library's turn.
struct Turn {
    median: f64,
    fastest: f64,
    first: f64,
    dispatches: f64,
    submits: f64,
    pipelines: f64,
    losses: Vec<f64>,
    adapter: String,
}

impl Turn {
    fn of(result: &Value) -> Option<Self> {
        let number = |name: &str| result[name].as_f64();
        Some(Self {
            median: number("median")?,
            fastest: number("fastest")?,
            first: number("first")?,
            dispatches: number("dispatches")?,
            submits: number("submits")?,
            pipelines: number("pipelines")?,
            losses: result["losses"].as_array()?.iter().map(Value::as_f64).collect::<Option<_>>()?,
            adapter: result["adapter"].as_str()?.to_string(),
        })
    }
}

#[tokio::main]
async fn main() {
    let Some(arguments) = Arguments::parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        exit(2);
    };
    let address = serve(&arguments).await;
    let mut equal = true;
    for &batch in &arguments.batches {
        equal &= compare(&arguments, address, batch).await;
    }
    if !equal {
        eprintln!("error: the libraries' losses are more than {LIMIT} apart");
        exit(1);
    }
}

/// Serves the page of `benches/web`, nolabel's program and jax-js.
async fn serve(Arguments { wasm, jax_js, .. }: &Arguments) -> SocketAddr {
    let page = ServeDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/web/page"));
    let router = Router::new()
        .nest_service("/jax-js", ServeDir::new(jax_js))
        .fallback_service(page.fallback(ServeDir::new(wasm)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Measures both libraries in turn and prints a line for each. False if their losses differ.
async fn compare(arguments: &Arguments, address: SocketAddr, batch: usize) -> bool {
    let mut best: [Option<Turn>; LIBRARIES.len()] = [None, None];
    for _ in 0..TURNS {
        for (best, library) in best.iter_mut().zip(LIBRARIES) {
            let turn = measure(arguments, address, library, batch).await;
            if best.as_ref().is_none_or(|best| turn.median < best.median) {
                *best = Some(turn);
            }
        }
    }
    let [Some(own), Some(other)] = best else { return false };
    println!("batch {batch}, {} steps after {WARM}, adapter: {}", arguments.steps, own.adapter);
    println!("library   median ms  fastest ms  first step ms  dispatches  submits  pipelines");
    for (library, turn) in LIBRARIES.into_iter().zip([&own, &other]) {
        let Turn { median, fastest, first, dispatches, submits, pipelines, .. } = turn;
        println!(
            "{library:<9} {median:>9.1} {fastest:>11.1} {first:>14.0} {dispatches:>11.1} {submits:>8.1} {pipelines:>10}"
        );
    }
    let apart = own.losses.iter().zip(&other.losses).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let [first, last] = [own.losses.first(), own.losses.last()].map(|loss| loss.copied().unwrap_or(f64::NAN));
    println!(
        "time of nolabel over jax-js: {:.2}; losses {first:.5} to {last:.5}, at most {apart:.1e} apart\n",
        own.median / other.median
    );
    apart <= LIMIT
}

/// Trains in a browser of its own, so that nothing is left of the turn before.
async fn measure(arguments: &Arguments, address: SocketAddr, library: &str, batch: usize) -> Turn {
    let browser = Browser::chromium(arguments.flags, None).await;
    let steps = arguments.steps;
    let url = format!("http://{address}/index.html?library={library}&batch={batch}&warm={WARM}&steps={steps}");
    browser.driver.goto(url).await.expect("the page answers");
    let start = Instant::now();
    let result = loop {
        let answer = browser.driver.execute("return window.result ?? null", Vec::new()).await;
        match answer.expect("the page is there").json() {
            Value::Null if start.elapsed() > PATIENCE => break Value::Null,
            Value::Null => tokio::time::sleep(Duration::from_millis(200)).await,
            result => break result.clone(),
        }
    };
    browser.driver.clone().quit().await.expect("the browser ends");
    Turn::of(&result).unwrap_or_else(|| {
        eprintln!("error: {library} did not train: {}", result["error"].as_str().unwrap_or("it took too long"));
        exit(1);
    })
}
