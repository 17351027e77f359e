//! Tests that every method of the list passes.

use std::collections::HashMap;

use burn::tensor::{Tensor, TensorData};

use super::test_support::{
    IMAGES, POSITION, batch, channels, learner, learner_of, losses_of, state, step, step_on, tiny,
};
use super::{METHODS, STARTERS, find};
use crate::config::{Preset, RunConfig};
use crate::data::catalogue::{CIFAR_10, FASHION_MNIST};
use crate::data::shapes::SHAPES;
use crate::method::{Batch, Better, Experiment, Info, Needs, StepDisplay, StepPosition, Training};
use crate::rng::{Purpose, stream};

#[test]
fn every_loss_is_finite_and_falls_on_one_batch() {
    for entry in METHODS {
        let mut learner = learner(entry);
        let losses: Vec<f32> = (0..20).map(|at| step(learner.as_mut(), entry, at)).collect();
        assert!(losses.iter().all(|loss| loss.is_finite()), "{entry:?}: {losses:?}");
        // from the third step on, a queue of two batches holds these images only
        assert!(losses[19] < losses[2], "{entry:?} does not learn: {losses:?}");
    }
}

#[test]
fn every_method_learns_from_micro_batches() {
    for entry in METHODS {
        let config = RunConfig { micro_batches: 2, ..tiny(entry.info().id) };
        config.check().expect("two micro-batches of four images");
        let losses = losses_of(&config, channels(entry.info()), 20);
        assert!(losses.iter().all(|loss| loss.is_finite()), "{entry:?}: {losses:?}");
        assert!(losses[19] < losses[2], "{entry:?} does not learn: {losses:?}");
    }
}

#[test]
fn two_equal_micro_batches_are_one() {
    let mut config = tiny("rotation");
    for (name, value) in [("flip", "false"), ("crop_padding", "0")] {
        config.set(name, value).expect("a setting");
    }
    let after = |micro_batches: usize, images: Tensor<4>| {
        let count = images.dims()[0];
        let mut learner = learner_of(&RunConfig { micro_batches, batch: count, ..config.clone() }, 1);
        let loss = step_on(learner.as_mut(), &Batch::of(images, (0..count).collect()), 0);
        (loss, state(learner.as_ref()))
    };
    let images = batch(1).images;
    let whole = after(1, images.clone());
    let twice = after(2, images.clone().repeat_dim(0, 2));
    assert!((whole.0 - twice.0).abs() < 1e-6, "{} and {}", whole.0, twice.0);
    let weights =
        |state: &HashMap<String, TensorData>| state["model.encoder.body.stages.0.units.0.conv.weight"].clone();
    assert_eq!(weights(&whole.1), weights(&twice.1));
    assert_ne!(weights(&whole.1), weights(&after(1, images.flip([2])).1), "other images move it elsewhere");
}

#[test]
fn every_encoder_learns_from_its_first_layer_on() {
    for entry in METHODS {
        let mut learner = learner(entry);
        let features = |learner: &dyn Training| learner.encoder().forward(batch(channels(entry.info())).images);
        let before = features(learner.as_ref());
        assert_eq!(before.dims(), [IMAGES, 16]);
        step(learner.as_mut(), entry, 0);
        let name = "model.encoder.body.stages.0.units.0.conv.weight";
        let moved = state(learner.as_ref());
        let fresh = state(super::test_support::learner(entry).as_ref());
        let first = moved.keys().find(|key| key.ends_with("encoder.body.stages.0.units.0.conv.weight")).expect(name);
        assert_ne!(moved[first], fresh[first], "{entry:?}: no gradient reaches the first layer");
        assert_eq!(features(learner.as_ref()).dims(), before.dims());
    }
}

#[test]
fn one_seed_gives_one_run() {
    for entry in METHODS {
        let run = || {
            let mut learner = learner(entry);
            (0..3).map(|at| step(learner.as_mut(), entry, at)).collect::<Vec<_>>()
        };
        assert_eq!(run(), run(), "{entry:?}");
    }
}

#[test]
fn a_restored_run_is_equal_bit_for_bit() {
    for entry in METHODS {
        let mut whole = learner(entry);
        for at in 0..3 {
            step(whole.as_mut(), entry, at);
        }
        let mut resumed = learner(entry);
        resumed.load(state(whole.as_ref())).expect("its own state");
        for at in 3..6 {
            assert_eq!(step(whole.as_mut(), entry, at), step(resumed.as_mut(), entry, at), "{entry:?}, step {at}");
        }
        let whole = state(whole.as_ref());
        let resumed = state(resumed.as_ref());
        assert!(whole.iter().all(|(name, data)| resumed.get(name) == Some(data)), "{entry:?}");
    }
}

#[test]
fn the_task_can_be_evaluated_without_learning() {
    for entry in METHODS {
        let mut learner = learner(entry);
        step(learner.as_mut(), entry, 0);
        let before = state(learner.as_ref());
        // indices beyond the training images, as held-out images have
        let held_out = Batch { indices: (90..90 + IMAGES).collect(), ..batch(channels(entry.info())) };
        let answer =
            learner.answer(&held_out, &StepPosition { step: 1, ..POSITION }, &mut stream(1, Purpose::HeldOut, 0));
        let metric: f32 = answer.metric.expect("every method has a measure").into_scalar();
        assert!(metric.is_finite(), "{entry:?}: {metric}");
        let shown =
            learner.sample(&held_out, &StepPosition { step: 1, ..POSITION }, &mut stream(1, Purpose::HeldOut, 0));
        let titles = |shown: &StepDisplay| shown.rows.iter().map(|(title, _)| title.clone()).collect::<Vec<_>>();
        assert_eq!(titles(&shown), titles(&learner.shown().expect("views to draw")), "{entry:?} is drawn alike");
        for (title, images) in shown.rows {
            let values: Vec<f32> = images.into_data().try_to_vec().expect("floats");
            assert!(!values.is_empty() && values.iter().all(|x| x.is_finite()), "{entry:?}: {title}");
        }
        assert_eq!(state(learner.as_ref()), before, "{entry:?} moved");
    }
}

#[test]
fn every_step_can_be_drawn() {
    for entry in METHODS {
        let mut learner = learner(entry);
        assert!(learner.shown().is_none());
        step(learner.as_mut(), entry, 0);
        assert_eq!(!learner.embeddings().is_empty(), entry.compares(), "{entry:?}");
        let shown = learner.shown().expect("views to draw");
        assert!(!shown.rows.is_empty(), "{entry:?}");
        for figure in shown.figures {
            let values: Vec<f32> = figure.values.into_data().try_to_vec().expect("floats");
            assert!(values.iter().all(|x| x.is_finite()) && figure.low < figure.high, "{entry:?}: {}", figure.title);
        }
    }
}

#[test]
fn every_option_is_declared_with_meaning_and_range() {
    for entry in METHODS {
        let declared = entry.options();
        for (preset, data) in [(Preset::Small, "fashion-mnist"), (Preset::Full, "cifar-10"), (Preset::Full, "imagenet")]
        {
            let config = entry.config(preset, data);
            assert_eq!(config.options.len(), declared.len(), "{entry:?}: a preset writes every option");
            config.check().unwrap_or_else(|error| panic!("{entry:?}: {error}"));
            for option in &declared {
                option.check(&config.options[&option.key]).unwrap_or_else(|error| panic!("{entry:?}: {error}"));
                option.tiny.iter().for_each(|tiny| option.check(tiny).expect("a size for tests lies in the range"));
            }
        }
        let settings = entry.settings(&entry.config(Preset::Small, "fashion-mnist"));
        for (place, option) in settings.iter().enumerate() {
            assert!(option.help.ends_with('.') && !option.range.to_string().is_empty(), "{entry:?}: {}", option.key);
            assert!((3..=60).contains(&option.label().chars().count()), "{entry:?}: {} is long", option.label());
            assert!(settings[..place].iter().all(|other| other.key != option.key), "{entry:?}: {} twice", option.key);
        }
    }
}

#[test]
fn texts_say_what_the_numbers_mean() {
    let classes: Vec<&str> =
        [&FASHION_MNIST, &CIFAR_10].iter().flat_map(|data| data.classes).copied().chain(SHAPES).collect();
    for entry in METHODS {
        let Info { task, lesson, loss, metric, .. } = entry.info();
        assert!([*task, *lesson, *loss].iter().all(|text| text.ends_with('.')), "{entry:?}");
        assert!(!metric.baseline.is_empty() && !metric.baseline.ends_with('.'), "{entry:?}");
        assert!(
            metric.better == Better::Higher || metric.chance == Some(1.0),
            "{entry:?}: an error of 100 % is no success"
        );
        // shown beside any data
        let said = [*task, *lesson, *loss, metric.name, metric.baseline].join(" ").to_lowercase();
        let words: Vec<&str> = said.split(|letter: char| !letter.is_alphabetic() && letter != '-').collect();
        let named = classes.iter().find(|class| words.contains(&class.to_lowercase().as_str()));
        assert_eq!(named, None, "{entry:?} names a class");
    }
}

#[test]
fn experiments_change_a_setting_of_their_method() {
    assert!(METHODS.iter().any(|entry| entry.info().experiment.is_some()));
    for entry in METHODS {
        let Some(Experiment { key, value, watch, .. }) = entry.info().experiment else { continue };
        let preset = entry.config(Preset::Small, "fashion-mnist");
        let mut config = preset.clone();
        config.set_among(&entry.options(), key, value).unwrap_or_else(|error| panic!("{entry:?}: {error}"));
        assert_ne!(config, preset, "{entry:?}");
        assert!(watch.starts_with("Watch ") && watch.ends_with('.'), "{entry:?}");
    }
}

#[test]
fn beginners_get_three_methods_of_different_groups() {
    let [first, second, third] = STARTERS.map(|id| find(id).expect("a method").info());
    assert!(first.group != second.group && second.group != third.group && first.group != third.group);
    assert!([first, second, third].iter().all(|info| info.needs == Needs::default()), "any data will do");
}
