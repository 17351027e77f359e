//! Nearest neighbours and maps of features.

use std::fmt::Write as _;

use futures_lite::future::block_on;

use crate::cli::output::exit::Outcome;
use crate::cli::output::spinner::Spinner;
use crate::cli::run::open_run::Loaded;
use crate::data::{Dataset, Split, draw};
use crate::net::Encoder;
use crate::probe::features::{self, Features};
use crate::probe::knn;
use crate::probe::plane::{Plane, plane};
use crate::probe::tsne::tsne;
use crate::report::escape;
use crate::report::image::Image;

/// Training images that neighbours are searched in.
const GALLERY: usize = 5000;
/// Neighbours of each image.
const NEIGHBOURS: usize = 8;
/// Test images with neighbours: one of each class where there are ten.
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

/// The neighbours of some test images, of as many classes as possible, among the training images; both are drawn.
pub(super) fn neighbours(loaded: &Loaded, layer: &str, spinner: &Spinner) -> Outcome<Neighbours> {
    let data = loaded.session.data();
    let device = &loaded.selected.device;
    let gallery = data.train.draw(GALLERY, draw::SEED);
    let asked = data.test.draw(ASKED, draw::SEED);
    spinner.tell(&format!("{layer}: neighbours"));
    let encoder = loaded.session.encoder();
    let known = of_layer(&encoder, &data.train, &gallery, layer, loaded)?;
    let queries = of_layer(&encoder, &data.test, &asked, layer, loaded)?;
    let nearest = block_on(knn::neighbours(&known, &queries, NEIGHBOURS, device))?;
    let factor = features::pooling(data.train.size(), gallery.len() + asked.len());
    let known = features::of_pixels(&data.train, &gallery, factor);
    let queries = features::of_pixels(&data.test, &asked, factor);
    let by_pixels = block_on(knn::neighbours(&known, &queries, NEIGHBOURS, device))?;
    let right = [&nearest, &by_pixels].map(|found| {
        let same = |test: usize, row: usize| {
            data.test.labels().get(test).is_some_and(|label| data.train.labels().get(gallery[row]) == Some(label))
        };
        found.iter().zip(&asked).map(|(row, test)| row.iter().filter(|(_, row)| same(*test, *row)).count()).sum()
    });
    let total = nearest.iter().map(Vec::len).sum();
    let rows =
        asked.into_iter().zip(nearest.into_iter().map(|row| row.into_iter().map(|(_, row)| gallery[row]).collect()));
    Ok(Neighbours { rows: rows.collect(), right, total, gallery: gallery.len() })
}

fn of_layer(encoder: &Encoder, split: &Split, images: &[usize], layer: &str, loaded: &Loaded) -> Outcome<Features> {
    let device = &loaded.selected.device;
    let mut found = block_on(features::of_encoder(encoder, split, images, GRID, &[layer.to_string()], device))?;
    Ok(found.pop().expect("the layer was taken from the encoder's own list"))
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
    let images = data.test.draw(MAPPED, draw::SEED);
    let classes: Vec<usize> = images.iter().map(|&image| colour(&data.test, image)).collect();
    let trained = loaded.session.encoder();
    let subjects = [
        ("Before training", loaded.session.untrained(), &chosen.untrained),
        ("After training", &trained, &chosen.trained),
    ];
    let mut planes = String::new();
    let mut neighbours = String::new();
    for (title, encoder, layer) in subjects {
        spinner.tell(&format!("{layer}: map"));
        let features = of_layer(encoder, &data.test, &images, layer, loaded)?;
        let Plane { points, explained } = plane(&features);
        let [first, second] = explained.map(|share| format!("{:.0} %", 100.0 * share));
        let words =
            format!("PCA: the two directions along which they vary most, with {first} and {second} of the variance.");
        planes.push_str(&map(&format!("{title}, {layer}"), &points, &words, &classes));
        let words = "t-SNE: neighbours stay neighbours, distances between far groups mean little.";
        let places = block_on(tsne(&features, &loaded.selected.device, |_| {}))?;
        neighbours.push_str(&map(&format!("{title}, {layer}"), &places, words, &classes));
    }
    Ok(format!("<div class=\"charts\">{planes}{neighbours}</div>{}", key(&data.classes)))
}

/// Number of the colour of an image's class.
fn colour(split: &Split, image: usize) -> usize {
    split.labels().get(image).map_or(0, |&label| usize::from(label) % COLOURS)
}

fn map(title: &str, points: &[[f64; 2]], words: &str, classes: &[usize]) -> String {
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
    for (point, class) in points.iter().zip(classes) {
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
