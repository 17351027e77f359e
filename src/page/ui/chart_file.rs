//! A drawn chart as a picture: SVG that needs no style sheet, and PNG.

use js_sys::{Array, Object, Reflect};
use leptos::prelude::document;
use wasm_bindgen::prelude::*;
use web_sys::{Element, HtmlCanvasElement, Node, Url};

/// Properties of the style sheet that the picture of a chart needs. All are presentation attributes too.
const PROPERTIES: [&str; 9] = [
    "fill",
    "font-family",
    "font-size",
    "opacity",
    "paint-order",
    "stroke",
    "stroke-dasharray",
    "stroke-linejoin",
    "stroke-width",
];
/// Height of the title above the chart, in pixels.
const TITLE: f64 = 34.0;
/// Height of a line of the legend.
const LINE: f64 = 20.0;
/// Width of the piece of curve that a line of the legend begins with.
const SWATCH: f64 = 34.0;
/// Space around title and chart.
const EDGE: f64 = 12.0;
/// Pixels of a PNG file per pixel of the page, so that it can be printed.
const SCALE: f64 = 3.0;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_name = getComputedStyle)]
    fn computed_style(element: &Element) -> Result<Style, JsValue>;

    type Style;

    #[wasm_bindgen(method, js_name = getPropertyValue)]
    fn get(this: &Style, property: &str) -> String;

    type XMLSerializer;

    #[wasm_bindgen(constructor)]
    fn new() -> XMLSerializer;

    #[wasm_bindgen(method, js_name = serializeToString)]
    fn serialize(this: &XMLSerializer, node: &Node) -> String;

    type Image;

    #[wasm_bindgen(constructor)]
    fn new() -> Image;

    #[wasm_bindgen(method, setter)]
    fn set_src(this: &Image, address: &str);

    #[wasm_bindgen(method, catch)]
    async fn decode(this: &Image) -> Result<JsValue, JsValue>;

    type Context;

    #[wasm_bindgen(method, catch, js_name = drawImage)]
    fn draw_image(this: &Context, image: &Image, x: f64, y: f64, width: f64, height: f64) -> Result<(), JsValue>;

    type Blob;

    #[wasm_bindgen(catch, constructor)]
    fn new(parts: &Array, options: &Object) -> Result<Blob, JsValue>;
}

/// A picture of a chart.
pub struct Picture {
    svg: String,
    width: f64,
    height: f64,
}

impl Picture {
    /// The chart that `drawn` shows, as it looks now, under its title and the name of the run; below it a line of the legend for each
    /// of `names`. None if the browser refuses.
    pub fn of(drawn: &Element, title: &str, run: &str, names: Vec<(Element, String)>) -> Option<Self> {
        let copy = drawn.clone_node_with_deep(true).ok()?.unchecked_into::<Element>();
        write_style(drawn, &copy)?;
        let shown = drawn.get_bounding_client_rect();
        for (name, value) in [("x", EDGE), ("y", TITLE + EDGE)] {
            copy.set_attribute(name, &value.to_string()).ok()?;
        }
        copy.set_attribute("overflow", "visible").ok()?;
        let bottom = shown.height() + TITLE + 2.0 * EDGE;
        let (width, height) = (shown.width() + 2.0 * EDGE, bottom + LINE * names.len() as f64);
        let body = document().body()?;
        let page = computed_style(&body).ok()?;
        let chart = XMLSerializer::new().serialize(&copy);
        let [paper, ink, fonts] = ["background-color", "color", "font-family"].map(|name| escaped(&page.get(name)));
        let lines = names.iter().enumerate().map(|(at, (line, name))| {
            let copy = line.clone_node_with_deep(true).ok()?.unchecked_into::<Element>();
            write_style(line, &copy)?;
            let across = EDGE + SWATCH;
            let down = bottom + LINE * (at as f64 + 0.5);
            let line = XMLSerializer::new().serialize(&copy);
            let name = escaped(name);
            Some(format!(
                r#"<g transform="translate({EDGE} {down})">{line}</g><text x="{across}" y="{down}" dy="0.65em" font-size="12">{name}</text>"#
            ))
        });
        let legend = lines.collect::<Option<String>>()?;
        let right = width - EDGE;
        let [title, run] = [title, run].map(escaped);
        let svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="{fonts}" fill="{ink}"><title>{title}</title><rect width="{width}" height="{height}" fill="{paper}"/><text x="{EDGE}" y="{TITLE}" font-size="16" font-weight="600">{title}</text><text x="{right}" y="{TITLE}" font-size="12" text-anchor="end">{run}</text>{chart}{legend}</svg>"#
        );
        Some(Self { svg, width, height })
    }

    /// The text of an SVG file.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// The address of a PNG file in memory. None if the browser refuses.
    pub async fn png(&self) -> Option<String> {
        let options = Object::new();
        Reflect::set(&options, &"type".into(), &"image/svg+xml".into()).ok()?;
        let blob = Blob::new(&Array::of1(&self.svg.as_str().into()), &options).ok()?;
        let address = Url::create_object_url_with_blob(blob.unchecked_ref()).ok()?;
        let image = Image::new();
        image.set_src(&address);
        let decoded = image.decode().await;
        Url::revoke_object_url(&address).ok()?;
        decoded.ok()?;
        let canvas = document().create_element("canvas").ok()?.unchecked_into::<HtmlCanvasElement>();
        let (width, height) = (SCALE * self.width, SCALE * self.height);
        canvas.set_width(width as u32);
        canvas.set_height(height as u32);
        let context = canvas.get_context("2d").ok()??.unchecked_into::<Context>();
        context.draw_image(&image, 0.0, 0.0, width, height).ok()?;
        canvas.to_data_url().ok()
    }
}

/// Writes what the style sheet says of the lines and texts inside an element into the attributes of its copy.
fn write_style(original: &Element, copy: &Element) -> Option<()> {
    let mut inside = original.first_element_child().zip(copy.first_element_child());
    if inside.is_none() {
        let style = computed_style(original).ok()?;
        PROPERTIES.iter().try_for_each(|property| copy.set_attribute(property, &style.get(property)).ok())?;
    }
    while let Some((original, copy)) = inside {
        write_style(&original, &copy)?;
        inside = original.next_element_sibling().zip(copy.next_element_sibling());
    }
    Some(())
}

/// Text for XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
