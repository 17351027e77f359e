//! The examination of a run: its place among the events, and its verdict.
//!
//! `NOLABEL_EXAM=20 cargo test --release --test exam -- --nocapture` examines that many runs of one step of the page's default
//! settings on Fashion-MNIST, 10 s each or more. `NOLABEL_EXAM_STEPS` is their length.

use std::env::var;

use futures_lite::future::block_on;
use nolabel::config::Preset;
use nolabel::data::{Dataset, Size, Spec, Split, store};
use nolabel::device::{self, DeviceChoice};
use nolabel::methods::find;
use nolabel::probe::{ProbeSettings, Source, Standing};
use nolabel::session::event::{Event, Exam};
use nolabel::session::schedule::{ExamPace, Pace, ProbePace};
use nolabel::session::{Progress, Session};

const SIDE: usize = 12;

/// Noise with a bright half, upper or lower.
fn halves(count: usize, seed: u64) -> Split {
    let mut noise = seed;
    let mut random = move |below: u64| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((noise >> 33) % below) as u8
    };
    let pixel = |at: usize| u8::from((at % (SIDE * SIDE) < SIDE * SIDE / 2) == (at / (SIDE * SIDE)).is_multiple_of(2));
    let pixels = (0..count * SIDE * SIDE).map(|at| random(200) + 25 * pixel(at)).collect();
    let labels = (0..count).map(|image| (image % 2) as u16).collect();
    Split::new(Size { channels: 1, height: SIDE, width: SIDE }, pixels, labels).expect("a label for each image")
}

fn small_data() -> Dataset {
    let classes = ["upper", "lower"].map(str::to_string).to_vec();
    Dataset { name: "halves".into(), classes, train: halves(120, 1), validation: None, test: halves(60, 2) }
}

/// A short run of rotation on small images, with an examination at its end.
async fn short_run() -> Session {
    let method = find("rotation").expect("a method of the list");
    let mut config = method.tiny(method.config(Preset::Small, "halves"));
    config.encoder.width = 2;
    config.batch = 8;
    config.steps = 3;
    let selected = device::select(DeviceChoice::Cpu).await.expect("there is always a CPU");
    let settings =
        ProbeSettings { train_images: 60, test_images: 30, penalties: vec![1e-1, 1e-2], ..ProbeSettings::default() };
    let probe = Some(ProbePace { every: 2, settings, among: [usize::MAX; 2] });
    let exam = Some(ExamPace { at_end: true, ..ExamPace::default() });
    let pace = Pace { read_every: 1, health_every: 0, held_out: 16, probe, exam };
    Session::new(method, config, small_data(), &selected, pace).await.expect("a run")
}

/// The events until the end; `between` is called before each unit of work.
async fn events(session: &mut Session, mut between: impl FnMut(&mut Session)) -> Vec<Event> {
    let mut all = Vec::new();
    loop {
        between(session);
        match session.advance().await.expect("work") {
            Progress::Events(events) => all.extend(events),
            Progress::Finished => return all,
            Progress::WaitingForData => panic!("all images are there"),
        }
    }
}

fn kinds(events: &[Event]) -> Vec<String> {
    let name = |event: &Event| match event {
        Event::Step(step) => format!("step {}", step.step),
        Event::Probe(probe) => format!("probe {}", probe.step),
        Event::Exam(exam) => format!("exam {}", exam.probe.step),
        Event::Pretext(_) => "pretext".into(),
        Event::Done(_) => "done".into(),
        Event::Warning { .. } => "warning".into(),
        other => format!("{other:?}"),
    };
    events.iter().map(name).filter(|name| name != "warning").collect()
}

fn losses(events: &[Event]) -> Vec<f64> {
    events.iter().filter_map(|event| if let Event::Step(step) = event { Some(step.loss) } else { None }).collect()
}

#[test]
fn an_examination_follows_the_last_probes() {
    let mut session = block_on(short_run());
    let mut parts = Vec::new();
    let events = block_on(events(&mut session, |session| parts.extend(session.exam_progress())));
    // a step comes before the probes of the encoder as it was, so that there is something to see
    let expected = ["step 1", "probe 0", "step 2", "probe 2", "step 3", "probe 3", "exam 3", "pretext", "done"];
    assert_eq!(kinds(&events), expected);
    let Some(Event::Exam(Exam { probe, settings, .. })) = events.iter().find(|event| matches!(event, Event::Exam(_)))
    else {
        panic!("there is an examination")
    };
    assert_eq!((probe.train_images, probe.test_images), (120, 60), "what the data set has");
    assert!(settings.contains("fitted to 100 of the training images; the other 20"), "{settings}");
    for (source, layers) in [(Source::Trained, 5), (Source::Untrained, 5), (Source::RawPixels, 1), (Source::Pca, 1)] {
        assert_eq!(probe.rows.iter().filter(|row| row.source == source).count(), layers, "{source:?}");
    }
    assert!(probe.rows.iter().all(|row| row.validation.is_some()), "layers are chosen by validation");
    let [gain] = probe.gains.as_slice() else { panic!("one probe decides: {:?}", probe.gains) };
    let best = |source| nolabel::probe::ProbeRow::best(&probe.rows, source, "linear").expect("rows").accuracy;
    assert!((gain.difference() - (best(Source::Trained) - best(gain.control))).abs() < 1e-9, "{gain:?}");
    assert_eq!((parts[0].done, parts[0].parts), (0, 0), "asked for");
    let (done, of): (Vec<_>, Vec<_>) = parts[1..].iter().map(|part| (part.done, part.parts)).unzip();
    assert_eq!(done, (1..of[0]).collect::<Vec<_>>());
    let small = events.iter().filter_map(|event| if let Event::Probe(probe) = event { Some(probe) } else { None });
    assert_eq!(small.map(|probe| probe.gains.len()).collect::<Vec<_>>(), [0, 2, 2], "nothing is gained before a step");
}

#[test]
fn an_examination_can_be_skipped_or_asked_for_in_between() {
    let mut session = block_on(short_run());
    let undisturbed = block_on(events(&mut session, |_| ()));
    let mut session = block_on(short_run());
    let skipped = block_on(events(&mut session, |session| {
        if session.exam_progress().is_some_and(|progress| progress.done == 3) {
            assert!(session.skip_exam() && !session.skip_exam());
        }
    }));
    let kept = kinds(&undisturbed).into_iter().filter(|name| name != "exam 3").collect::<Vec<_>>();
    assert_eq!(kinds(&skipped), kept, "the result of the run is kept");
    let mut session = block_on(short_run());
    let mut asked = false;
    let early = block_on(events(&mut session, |session| {
        if session.step() == 2 && !asked {
            asked = true;
            session.exam_next();
        }
    }));
    assert!(kinds(&early).contains(&"exam 2".to_string()), "{:?}", kinds(&early));
    assert_eq!(losses(&early), losses(&undisturbed), "an examination does not change the run");
}

/// The examination of a run of the page's default settings.
async fn examined(data: &Dataset, seed: u64, steps: usize) -> Exam {
    let method = find("rotation").expect("a method of the list");
    let mut config = method.config(Preset::Small, &data.name);
    config.encoder.width = nolabel::worker::protocol::CPU_WIDTH;
    config.seed = seed;
    config.steps = steps;
    let selected = device::select(DeviceChoice::Cpu).await.expect("there is always a CPU");
    let pace = Pace { read_every: 100, health_every: 0, held_out: 1, probe: None, exam: Some(ExamPace::default()) };
    let mut session = Session::new(method, config, data.clone(), &selected, pace).await.expect("a run");
    loop {
        if session.is_finished() {
            session.exam_next();
        }
        let Progress::Events(events) = session.advance().await.expect("work") else { panic!("it ended unexamined") };
        let exam = events.into_iter().find_map(|event| if let Event::Exam(exam) = event { Some(exam) } else { None });
        if let Some(exam) = exam {
            return exam;
        }
    }
}

#[test]
fn runs_of_one_step_have_learned_nothing() {
    let Some(runs) = var("NOLABEL_EXAM").ok().and_then(|runs| runs.parse::<u64>().ok()) else { return };
    let steps = var("NOLABEL_EXAM_STEPS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(1);
    let data = store::load(&Spec::named("fashion-mnist"), &mut |_| ()).expect("`make data` fetches it");
    let mut learned = 0;
    for seed in 1..=runs {
        let exam = block_on(examined(&data, seed, steps));
        let gain = &exam.probe.gains[0];
        let best = |source| nolabel::probe::ProbeRow::best(&exam.probe.rows, source, "linear").expect("rows");
        let row = |source| format!("{} {:.2}", best(source).layer, 100.0 * best(source).accuracy);
        println!(
            "seed {seed}: {:?}, {:+.2} points [{:+.2}, {:+.2}], p {:.3}; trained {}, untrained {}, {}, {}; {:.1} s",
            gain.standing,
            100.0 * gain.difference(),
            100.0 * gain.interval[0],
            100.0 * gain.interval[1],
            nolabel::probe::interval::sign_test(gain.gained, gain.lost),
            row(Source::Trained),
            row(Source::Untrained),
            row(Source::RawPixels),
            row(Source::Pca),
            exam.seconds
        );
        learned += u64::from(gain.standing == Standing::Above);
    }
    if steps == 1 {
        assert!(learned <= runs.div_ceil(20), "{learned} of {runs} runs of one step are said to have learned");
    }
}
