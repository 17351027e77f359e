//! `Display` of recipes, in plain words.

use std::fmt::{self, Display, Formatter};

use super::blur::Kernel;
use super::jitter::{BrightnessMode, ContrastCentre, Jitter};
use super::op::Op;
use super::recipe::{Recipe, ViewKind};
use super::resample::Filter;

impl Display for Recipe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.name, self.source)?;
        let mut first = 1;
        for ViewKind { count, size, ops } in &self.kinds {
            let last = first + count - 1;
            match count {
                1 => writeln!(f, "view {first}, {size} px")?,
                _ => writeln!(f, "views {first} to {last}, {size} px")?,
            }
            ops.iter().try_for_each(|op| writeln!(f, "  {op}"))?;
            first = last + 1;
        }
        Ok(())
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Op::Crop { area: [low, high], aspect, filter } => {
                let [narrow, wide] = aspect.map(|x| x.to_string().chars().take(4).collect::<String>());
                let [low, high] = [*low, *high].map(percent);
                write!(
                    f,
                    "crop: {low} to {high} of the area, width {narrow} to {wide} of the height, {}",
                    filter.words()
                )
            }
            Op::Tiles { grid, tile, shuffle } => {
                let order = if *shuffle { "in an order drawn for each image" } else { "row by row" };
                write!(
                    f,
                    "tiles: one of {tile} px at a random place in each cell of a grid of {grid} by {grid}, {order}"
                )
            }
            Op::Flip { p } => write!(f, "mirror left to right: {}", percent(*p)),
            Op::Jitter(jitter) => jitter.fmt(f),
            Op::Gray { p } => write!(f, "gray: {}", percent(*p)),
            Op::Blur { p, sigma: [low, high], kernel } => {
                write!(f, "blur: {}, sigma {low} to {high} px, {}", percent(*p), kernel.words())
            }
            Op::Solarise { p, threshold } => write!(f, "solarise: {}, inverts from {threshold:.3} up", percent(*p)),
            Op::Photometric { p, bits, sharpness, threshold } => write!(
                f,
                "photometric group: {}, posterise to {} to {} bits, sharpness times {} to {}, \
                 solarise from {} to {} of 255 up, autocontrast",
                percent(*p),
                bits[0],
                bits[1],
                sharpness[0],
                sharpness[1],
                threshold[0],
                threshold[1]
            ),
        }
    }
}

impl Display for Jitter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "colour jitter: {}", percent(self.p))?;
        match self.light {
            BrightnessMode::Multiplied => factor(f, "brightness", self.brightness, "")?,
            BrightnessMode::Added => write!(f, ", brightness plus -{0} to {0}", self.brightness)?,
        }
        let about = match self.about {
            ContrastCentre::Gray => " about the mean gray",
            ContrastCentre::Colour => " about the mean colour",
        };
        factor(f, "contrast", self.contrast, about)?;
        if self.saturation > 0.0 {
            factor(f, "saturation", self.saturation, "")?;
        }
        if self.hue > 0.0 {
            write!(f, ", hue turned by up to {:.0}°", self.hue * 360.0)?;
        }
        f.write_str(", in an order drawn for each image, clipped each time")
    }
}

fn factor(f: &mut Formatter<'_>, name: &str, amount: f64, about: &str) -> fmt::Result {
    let low = two_places((1.0 - amount).max(0.0));
    write!(f, ", {name} times {low} to {}{about}", two_places(1.0 + amount))
}

/// Rounded to two decimal places; `Display` drops trailing zeros.
fn two_places(x: f64) -> f64 {
    (x * 100.0).round() / 100.0
}

fn percent(share: f64) -> String {
    format!("{} %", two_places(share * 100.0))
}

impl Filter {
    fn words(self) -> &'static str {
        match self {
            Filter::Bilinear => "bilinear",
            Filter::Bicubic => "bicubic",
        }
    }
}

impl Kernel {
    fn words(self) -> String {
        match self {
            Kernel::Explicit { inverse_share } => format!("kernel 1/{inverse_share} of the side wide"),
            Kernel::Pillow => "as Pillow (three box blurs)".to_string(),
        }
    }
}
