//! The page on WebGPU: obstacles are explained, losses agree with the CPU's, a lost GPU is left behind, a step takes few launches.

use browser_tests::browser::{Page, SOFTWARE_GPU};

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_without_webgpu_is_told_so_and_goes_on() {
    let page =
        Page::open("/?device=gpu", &["--disable-features=WebGPU,WebGPUService", "--disable-blink-features=WebGPU"])
            .await;
    page.wait_for(&["error"]).await;
    let said = page.text("message").await;
    assert!(said.contains("WebGPU") || said.contains("found none"), "{said}");
    page.click("remedy").await;
    page.wait_for(&["ready"]).await;
    assert!(page.text("device-name").await.starts_with("CPU"));
    assert_eq!(page.value("device").await, "cpu");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_obstacle_to_the_gpu_has_its_own_sentence() {
    let page = Page::open("/no-adapter/?device=gpu", &SOFTWARE_GPU).await;
    let obstacles = [
        ("no-adapter", "the browser found none"),
        ("no-timers", "timestamp-query"),
        ("wrong-numbers", "failed a test calculation"),
    ];
    for (variant, words) in obstacles {
        page.goto(&format!("/{variant}/?device=gpu")).await;
        page.wait_for(&["error"]).await;
        page.wait_for_text("message", words).await;
    }
    page.goto("/?device=auto").await;
    page.wait_for(&["ready"]).await;
    page.wait_for_text("device-why", "emulated by the CPU").await;
    page.close().await;

    let page = Page::open_insecurely("/?device=gpu", &SOFTWARE_GPU).await;
    page.wait_for(&["error"]).await;
    page.wait_for_text("message", "https").await;
    page.close().await;
}

/// Compares the losses of twenty steps: on the CPU, and on the GPU with the variant of the page at `place`.
async fn assert_devices_agree(page: &Page, place: &str, run: &str) {
    page.goto(&format!("/?{run}&device=cpu")).await;
    page.wait("twenty steps", async || page.losses().await.len() >= 20).await;
    let cpu = page.losses().await;
    page.goto(&format!("{place}?{run}&device=gpu")).await;
    page.wait("twenty steps", async || page.losses().await.len() >= 20).await;
    assert!(page.text("device-name").await.contains("WebGPU"));
    let gpu = page.losses().await;
    let apart = gpu.iter().zip(&cpu).take(20).map(|(gpu, cpu)| ((gpu - cpu) / cpu).abs()).fold(0.0, f64::max);
    println!("{run}: losses at most {apart:.1e} apart");
    for (step, (gpu, cpu)) in gpu.iter().zip(&cpu).take(20).enumerate() {
        assert!((gpu - cpu).abs() <= 1e-3 * cpu.abs(), "step {}: {gpu} on the GPU, {cpu} on the CPU", step + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webgpu_and_cpu_agree_on_views_and_their_comparison() {
    let page = Page::open("/", &SOFTWARE_GPU).await;
    let run = "method=simsiam&seed=1&batch=4&width=4&steps=20&probe_every=0&read_every=1&autostart=1";
    // an adapter with the least limits of the standard: what runs there runs on every one
    assert_devices_agree(&page, "/least/", run).await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webgpu_and_cpu_agree_and_a_lost_gpu_is_left_behind() {
    let run = "method=rotation&seed=3&batch=2&width=4&steps=1000&probe_every=0&read_every=1&autostart=1";
    let page = Page::open("/", &SOFTWARE_GPU).await;
    assert_devices_agree(&page, "/lost/", run).await;

    // the variant destroys the device after the next checkpoint
    page.wait_for(&["error"]).await;
    page.wait_for_text("message", "stopped answering").await;
    let offer = page.text("remedy").await;
    let step: usize = offer.rsplit(' ').next().and_then(|number| number.replace(',', "").parse().ok()).expect("a step");
    assert!(step > 0 && offer.starts_with("Continue on the CPU from step"), "{offer}");
    page.click("remedy").await;
    page.wait_for(&["running"]).await;
    assert!(page.text("device-name").await.starts_with("CPU"));
    page.wait("a further step", async || {
        page.events("step")
            .await
            .last()
            .and_then(|event| event["step"].as_u64())
            .is_some_and(|at| at as usize > step + 1)
    })
    .await;
    let resumed = page.events("started").await.last().cloned().expect("a second start");
    assert_eq!(resumed["resumed_at"].as_u64(), Some(step as u64));
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_from_the_gpu_does_not_wait_for_a_tick() {
    let page = Page::open("/polled/?device=cpu", &SOFTWARE_GPU).await;
    page.wait_for(&["ready"]).await;
    page.script("window.polls = []; new BroadcastChannel('polls').onmessage = ({ data }) => window.polls.push(data)")
        .await;
    // the device's test reads the values of all kernels
    page.choose("device", "gpu").await;
    page.wait_for(&["ready"]).await;
    let count = async |cause: &str| {
        let count = page.script(&format!("return window.polls.filter((cause) => cause === '{cause}').length")).await;
        count.as_u64().expect("a number")
    };
    let [submissions, ticks] = [count("submission").await, count("tick").await];
    assert!(submissions > 0 && submissions >= ticks, "{submissions} submissions, {ticks} ticks");
    page.close().await;
}

/// Medians over the steps of a run: dispatches and queue submits, the reading of the loss included.
async fn counts(page: &Page, run: &str) -> [u64; 2] {
    page.goto(&format!("/counted/?{run}&seed=1&probe_every=0&read_every=1&steps=8&device=gpu")).await;
    page.wait_for(&["ready"]).await;
    let listen =
        "window.counts = []; new BroadcastChannel('counts').onmessage = ({ data }) => window.counts.push(data);";
    page.script(listen).await;
    page.click("start").await;
    page.wait("all steps", async || page.script("return window.counts.length").await == 8).await;
    let counted = page.script("return window.counts").await;
    ["dispatches", "submits"].map(|key| {
        let mut steps: Vec<u64> = (0..8).filter_map(|step| counted[step][key].as_u64()).collect();
        steps.sort_unstable();
        steps[steps.len() / 2]
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_step_is_few_dispatches() {
    let page = Page::open("/", &SOFTWARE_GPU).await;
    // MoCo's loss still takes Burn's operations, which are not always fused alike
    let limits = [("rotation", 48, 3), ("simsiam", 78, 3), ("barlow-twins", 81, 3), ("moco", 130, 5)];
    for (method, most, most_submits) in limits {
        let [dispatches, submits] = counts(&page, &format!("method={method}&batch=4&width=4")).await;
        println!("{method}: {dispatches} dispatches and {submits} submits a step");
        assert!(dispatches <= most, "{method}: {dispatches} dispatches a step, at most {most} are expected");
        assert!(submits <= most_submits, "{method}: {submits} submits a step, at most {most_submits} are expected");
    }
    page.close().await;
}
