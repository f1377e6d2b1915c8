//! The page's colours: whatever accent is given, text and graphics stay readable on light and on dark.
//!
//! WCAG 2.2 asks for a contrast of 4.5 for text (1.4.3) and of 3 for graphics and focus marks (1.4.11).

use std::fmt;

use shared::look::Rgb;

const TEXT: f64 = 4.5;
const BLACK: Rgb = Rgb([0; 3]);
const WHITE: Rgb = Rgb([255; 3]);

/// The colours of one scheme that depend on the accent, and those that they have to stand out from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// What the page's text stands on.
    pub(crate) card: Hex,
    /// The part of the bar that is still to come.
    pub(crate) track: Hex,
    /// The button: the accent as it was given.
    pub(crate) fill: Hex,
    /// The text on the button.
    pub(crate) ink: Hex,
    /// Links, the bar, the edge of the button, the mark of the focus: the accent, made darker or lighter until it
    /// can be read on the card.
    pub(crate) line: Hex,
}

/// A colour as CSS writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hex(Rgb);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rgb([red, green, blue]) = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// The colours on a white card.
pub(crate) fn light(accent: Rgb) -> Scheme {
    scheme(accent, WHITE, Rgb([0xe6, 0xe9, 0xf0]), BLACK)
}

/// The colours on a dark card.
pub(crate) fn dark(accent: Rgb) -> Scheme {
    scheme(accent, Rgb([0x1d, 0x21, 0x2c]), Rgb([0x35, 0x3c, 0x4d]), WHITE)
}

fn scheme(accent: Rgb, card: Rgb, track: Rgb, towards: Rgb) -> Scheme {
    let ink = if contrast(BLACK, accent) > contrast(WHITE, accent) { BLACK } else { WHITE };
    let stronger = (0..=20).map(|twentieths| mix(accent, towards, twentieths));
    let line = stronger.into_iter().find(|colour| contrast(*colour, card) >= TEXT).unwrap_or(towards);
    Scheme { card: Hex(card), track: Hex(track), fill: Hex(accent), ink: Hex(ink), line: Hex(line) }
}

fn mix(from: Rgb, to: Rgb, twentieths: u16) -> Rgb {
    let part = |index: usize| {
        let sum = u16::from(from.0[index]) * (20 - twentieths) + u16::from(to.0[index]) * twentieths;
        u8::try_from(sum / 20).unwrap_or(u8::MAX)
    };
    Rgb([part(0), part(1), part(2)])
}

/// WCAG's contrast ratio, from 1 to 21.
fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// WCAG's relative luminance, from 0 to 1.
fn luminance(Rgb(channels): Rgb) -> f64 {
    let [red, green, blue] = channels.map(|channel| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_wcags() {
        assert!((contrast(BLACK, WHITE) - 21.0).abs() < 1e-9);
        assert!((contrast(Rgb([0x77; 3]), WHITE) - 4.48).abs() < 0.01, "the grey that just fails");
        assert!((contrast(Rgb([0x76; 3]), WHITE) - 4.54).abs() < 0.01, "the grey that just passes");
    }

    #[test]
    fn every_accent_can_be_read() {
        let steps = || (0..=255).step_by(15);
        for accent in steps().flat_map(|r| steps().flat_map(move |g| steps().map(move |b| Rgb([r, g, b])))) {
            for (scheme, of) in [(light(accent), "light"), (dark(accent), "dark")] {
                let ratio = |one: Hex, other: Hex| contrast(one.0, other.0);
                assert!(ratio(scheme.ink, scheme.fill) >= TEXT, "{of} {accent:?}: the button's text");
                assert!(ratio(scheme.line, scheme.card) >= TEXT, "{of} {accent:?}: a link");
                assert!(ratio(scheme.line, scheme.track) >= 3.0, "{of} {accent:?}: the bar");
                assert_eq!(scheme.fill.0, accent, "the brand's own colour");
            }
        }
    }

    #[test]
    fn an_accent_that_can_be_read_stays_as_it_is() {
        let accent = Rgb::default();
        let Scheme { fill, ink, line, .. } = light(accent);
        assert_eq!((fill, line, ink.to_string().as_str()), (Hex(accent), Hex(accent), "#ffffff"));
        assert_ne!(dark(accent).line, Hex(accent));
        assert_eq!(light(Rgb([0xff, 0xcc, 0])).ink.to_string(), "#000000");
    }
}
