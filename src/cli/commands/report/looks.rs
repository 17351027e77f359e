//! Nearest neighbours and maps of features.

use std::fmt::Write as _;

use futures_lite::future::block_on;

use crate::cli::output::exit::Outcome;
use crate::cli::output::html::escape;
use crate::cli::output::html::image::Image;
use crate::cli::output::spinner::Spinner;
use crate::cli::run::open_run::Loaded;
use crate::data::{Dataset, Split};
use crate::net::Encoder;
use crate::probe::features::{self, Features};
use crate::probe::knn;
use crate::probe::plane::{Plane, plane};
use crate::probe::tsne::tsne;

/// Training images among which neighbours are searched.
const GALLERY: usize = 5000;
/// Neighbours of each image.
const NEIGHBOURS: usize = 8;
/// Test images with neighbours, one of each of the first classes.
const ASKED: usize = 10;
/// Images on a map.
const MAPPED: usize = 1000;
/// Cells of a feature map in each direction, as for the probes.
const GRID: usize = 3;
/// The side of a map.
const SIDE: f64 = 420.0;
/// Colours of classes in the style sheet; further classes repeat them.
const COLOURS: usize = 10;

/// The layers whose features are drawn.
#[derive(Clone, Debug)]
pub(super) struct DrawnLayers {
    pub(super) trained: String,
    pub(super) untrained: String,
}

/// Some test images and their nearest training images.
#[derive(Clone, Debug)]
pub(super) struct Neighbours {
    rows: Vec<(usize, Vec<usize>)>,
    /// Number of neighbours of the same class: by features, and by raw pixels.
    pub(super) right: [usize; 2],
    pub(super) total: usize,
    pub(super) gallery: usize,
}

/// The neighbours of one test image of each class among the first training images.
pub(super) fn neighbours(loaded: &Loaded, layer: &str, spinner: &Spinner) -> Outcome<Neighbours> {
    let data = loaded.session.data();
    let device = &loaded.selected.device;
    let gallery = data.train.len().min(GALLERY);
    spinner.tell(&format!("{layer}: neighbours"));
    let known = of_layer(&loaded.session.encoder(), &data.train, gallery, layer, loaded)?;
    let asked = asked(data);
    let reach = asked.iter().max().map_or(0, |last| last + 1);
    let all = of_layer(&loaded.session.encoder(), &data.test, reach, layer, loaded)?;
    let nearest = block_on(knn::neighbours(&known, &rows_at(&all, &asked), NEIGHBOURS, device))?;
    let pixels = [(&data.train, gallery), (&data.test, reach)].map(|(split, count)| pixels(split, count));
    let by_pixels = block_on(knn::neighbours(&pixels[0], &rows_at(&pixels[1], &asked), NEIGHBOURS, device))?;
    let right = [&nearest, &by_pixels].map(|found| {
        let same = |test: usize, train: usize| {
            data.test.labels().get(test).is_some_and(|label| data.train.labels().get(train) == Some(label))
        };
        found.iter().zip(&asked).map(|(row, test)| row.iter().filter(|(_, train)| same(*test, *train)).count()).sum()
    });
    let total = nearest.iter().map(Vec::len).sum();
    let rows = asked.into_iter().zip(nearest.into_iter().map(|row| row.into_iter().map(|(_, place)| place).collect()));
    Ok(Neighbours { rows: rows.collect(), right, total, gallery })
}

/// The first test image of each of the first classes; the first images where there are no classes.
fn asked(data: &Dataset) -> Vec<usize> {
    let labels = data.test.labels();
    let count = data.classes.len();
    if count == 0 {
        return (0..data.test.len().min(ASKED)).collect();
    }
    (0..count.min(ASKED)).filter_map(|class| labels.iter().position(|&label| usize::from(label) == class)).collect()
}

fn of_layer(encoder: &Encoder, split: &Split, count: usize, layer: &str, loaded: &Loaded) -> Outcome<Features> {
    let device = &loaded.selected.device;
    let mut found = block_on(features::of_images(encoder, split, count, GRID, &[layer.to_string()], device))?;
    Ok(found.pop().expect("the layer was taken from the encoder's own list"))
}

fn pixels(split: &Split, count: usize) -> Features {
    let values = (0..count).flat_map(|index| split.image(index).iter().map(|&byte| f32::from(byte) / 255.0));
    Features { layer: "pixels".into(), width: split.size().bytes(), values: values.collect() }
}

fn rows_at(features: &Features, places: &[usize]) -> Features {
    let parts = places.iter().map(|&place| features.rows_of(place..place + 1).values);
    Features { layer: features.layer.clone(), width: features.width, values: parts.collect::<Vec<_>>().concat() }
}

impl Neighbours {
    pub(super) fn html(&self, data: &Dataset) -> String {
        let mut html = String::from("<div class=\"scroll\"><ul class=\"neighbours\">");
        for (test, found) in &self.rows {
            let class = class_of(&data.test, &data.classes, *test);
            let _ =
                write!(html, "<li><figure>{}<figcaption>{class}</figcaption></figure>", tile(&data.test, *test, ""));
            for &train in found {
                let labels = (data.test.labels().get(*test), data.train.labels().get(train));
                let mark = match labels {
                    (Some(own), Some(other)) if own == other => "right",
                    (Some(_), Some(_)) => "wrong",
                    _ => "",
                };
                html.push_str(&tile(&data.train, train, mark));
            }
            html.push_str("</li>");
        }
        html + "</ul></div>"
    }
}

fn class_of(split: &Split, classes: &[String], index: usize) -> String {
    let label = split.labels().get(index).and_then(|&label| classes.get(usize::from(label)));
    escape(label.map_or("", String::as_str))
}

fn tile(split: &Split, index: usize, class: &str) -> String {
    let size = split.size();
    let image = Image::planar(size.width, size.height, size.channels, split.image(index));
    format!("<img class=\"{class}\" alt=\"{class}\" src=\"{}\">", image.address())
}

/// Maps of test images before and after training: by PCA and by t-SNE.
pub(super) fn maps(loaded: &Loaded, chosen: &DrawnLayers, spinner: &Spinner) -> Outcome<String> {
    let data = loaded.session.data();
    let count = data.test.len().min(MAPPED);
    let trained = loaded.session.encoder();
    let subjects = [
        ("Before training", loaded.session.untrained(), &chosen.untrained),
        ("After training", &trained, &chosen.trained),
    ];
    let mut planes = String::new();
    let mut neighbours = String::new();
    for (title, encoder, layer) in subjects {
        spinner.tell(&format!("{layer}: map"));
        let features = of_layer(encoder, &data.test, count, layer, loaded)?;
        let Plane { points, explained } = plane(&features);
        let [first, second] = explained.map(|share| format!("{:.0} %", 100.0 * share));
        let words =
            format!("PCA: the two directions along which they vary most, with {first} and {second} of the variance.");
        planes.push_str(&map(&format!("{title}, {layer}"), &points, &words, data));
        let words = "t-SNE: neighbours stay neighbours, distances between far groups mean little.";
        let places = block_on(tsne(&features, &loaded.selected.device, |_| {}))?;
        neighbours.push_str(&map(&format!("{title}, {layer}"), &places, words, data));
    }
    Ok(format!("<div class=\"charts\">{planes}{neighbours}</div>{}", key(&data.classes)))
}

fn map(title: &str, points: &[[f64; 2]], words: &str, data: &Dataset) -> String {
    let reach = |axis: usize| {
        let values = || points.iter().map(move |point| point[axis]);
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    };
    let ranges = [reach(0), reach(1)];
    let at = |point: &[f64; 2], axis: usize| {
        let (low, high) = ranges[axis];
        10.0 + (point[axis] - low) / (high - low).max(1e-12) * (SIDE - 20.0)
    };
    let mut dots = String::new();
    for (index, point) in points.iter().enumerate() {
        let class = data.test.labels().get(index).map_or(0, |&label| usize::from(label) % COLOURS);
        let _ =
            write!(dots, "<circle class=\"c{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>", at(point, 0), at(point, 1));
    }
    let title = escape(title);
    let count = points.len();
    format!(
        "<figure class=\"chart\"><figcaption>{title}</figcaption><svg class=\"map\" viewBox=\"0 0 {SIDE} {SIDE}\" role=\"img\" \
         aria-label=\"{count} test images. {words}\">{dots}</svg><p class=\"quiet\">{words}</p></figure>"
    )
}

fn key(classes: &[String]) -> String {
    let one = |(class, name): (usize, &String)| {
        format!("<li class=\"c{}\"><span></span>{}</li>", class % COLOURS, escape(name))
    };
    // with more classes colours repeat, and a legend would mislead
    let named: String =
        classes.iter().take(COLOURS).enumerate().filter(|_| classes.len() <= COLOURS).map(one).collect();
    format!("<ul class=\"key classes\">{named}</ul>")
}
