//! How the waiting page looks: what the operator may set about it, read and checked.

use std::str::FromStr;

use http::Uri;

use crate::model::{HostName, Unreadable};

/// All that can be set about the page's looks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageLook {
    /// What the app of `AppDomain` is called; none is its host name.
    pub app_name: Option<AppName>,
    /// The colour of the button, the bar and the links.
    pub accent: Rgb,
    /// A picture above the headline.
    pub logo: Option<Logo>,
    /// Where visitors get help.
    pub support: Option<SupportUrl>,
}

/// What people call the app: one line of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppName(String);

impl FromStr for AppName {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let readable = (1..=80).contains(&text.chars().count()) && !text.contains(char::is_control);
        readable.then(|| Self(text.into())).ok_or(Unreadable { takes: "a name of at most 80 characters, in one line" })
    }
}

/// A colour in sRGB: red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub [u8; 3]);

impl Default for Rgb {
    fn default() -> Self {
        Self([0x35, 0x59, 0xc7])
    }
}

impl FromStr for Rgb {
    type Err = Unreadable;

    /// ```
    /// use shared::look::Rgb;
    ///
    /// assert_eq!("#3559C7".parse(), Ok(Rgb([0x35, 0x59, 0xc7])));
    /// assert!("teal".parse::<Rgb>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let digits = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let number = digits.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let [_, rgb @ ..] = number.ok_or(Unreadable { takes: "a colour such as #3559c7" })?.to_be_bytes();
        Ok(Self(rgb))
    }
}

/// The address of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    url: String,
    origin: Option<String>,
}

impl Logo {
    /// The address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it is loaded from, `https://host` and perhaps a port; none when the address is the picture itself.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }
}

impl FromStr for Logo {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let takes = "https://… or data:image/… without spaces, at most 2048 characters";
        let origin = if is_picture(text) { None } else { Some(https_origin(text).ok_or(Unreadable { takes })?) };
        if text.len() > 2_048 {
            return Err(Unreadable { takes });
        }
        Ok(Self { url: text.into(), origin })
    }
}

/// Where a visitor gets help: a page, or an address to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportUrl(String);

impl FromStr for SupportUrl {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let mail =
            || text.strip_prefix("mailto:").and_then(|to| to.split_once('@')).is_some_and(|(to, _)| !to.is_empty());
        let readable = is_plain(text) && (mail() || https_origin(text).is_some());
        let takes = "https://… or mailto:name@example.com, without spaces";
        readable.then(|| Self(text.into())).ok_or(Unreadable { takes })
    }
}

macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl $name {
            /// As it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )+};
}
as_text!(AppName, SupportUrl);

/// A picture that is its own address.
fn is_picture(text: &str) -> bool {
    let kind = |rest: &str| rest.find([';', ',']).is_some_and(|end| end > 0 && rest[end..].contains(','));
    text.strip_prefix("data:image/").is_some_and(kind) && is_plain(text)
}

/// The origin of an HTTPS address. Its host is a host name and nothing else: it goes into a security policy, where
/// a semicolon would begin another rule.
fn https_origin(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok().filter(|_| is_plain(text))?;
    let host: HostName = uri.host()?.parse().ok()?;
    let authority = uri.port_u16().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
    let is_all = uri.authority()?.as_str().eq_ignore_ascii_case(&authority); // no user, no odd port
    (uri.scheme_str() == Some("https") && is_all).then(|| format!("https://{authority}"))
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_names_the_one_origin_that_it_is_loaded_from() {
        let origin = |text: &str| text.parse::<Logo>().map(|logo| logo.origin().map(String::from));
        let from = |origin: &str| Ok(Some(origin.into()));
        assert_eq!(origin("https://cdn.example.com/logo.svg?v=2#dark"), from("https://cdn.example.com"));
        assert_eq!(origin("https://CDN.example.com:8443"), from("https://cdn.example.com:8443"));
        assert_eq!(origin("data:image/svg+xml,%3Csvg/%3E"), Ok(None));
        assert_eq!(origin("data:image/png;base64,iVBORw0KGgo="), Ok(None));
        let long = format!("https://cdn.example.com/{}", "x".repeat(2_048));
        for bad in [
            "http://cdn.example.com/logo.png",
            "//cdn.example.com/logo.png",
            "/logo.png",
            "https://user@cdn.example.com/",
            "https://a.example.com;script-src/x",
            "https://*.example.com/logo.png",
            "https://cdn.example.com/a b.png",
            "https://cdn.example.com:99999/",
            "https://",
            "data:text/html,<script>",
            "data:image/,x",
            "data:image/png",
            "data:image/svg+xml,<svg x y>",
            "javascript:alert(1)",
            &long,
        ] {
            assert!(bad.parse::<Logo>().is_err(), "{bad}");
        }
    }

    #[test]
    fn support_is_a_page_or_a_mail_address_and_no_script() {
        for good in ["https://help.example.com/catnap?x=1", "mailto:help@example.com", "mailto:a@b.de?subject=x"] {
            assert!(good.parse::<SupportUrl>().is_ok(), "{good}");
        }
        for bad in
            ["help@example.com", "http://help.example.com", "javascript:alert(1)", "mailto:", "mailto:@x", "tel:1"]
        {
            assert!(bad.parse::<SupportUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_one_line_and_a_colour_has_six_digits() {
        assert_eq!("Wiki & Co. <ü>".parse::<AppName>().unwrap().as_str(), "Wiki & Co. <ü>");
        assert!("ü".repeat(80).parse::<AppName>().is_ok());
        for bad in ["", "two\nlines", &"ü".repeat(81)] {
            assert!(bad.parse::<AppName>().is_err(), "{bad}");
        }
        for bad in ["3559c7", "#fff", "#3559c7ff", "#35g9c7", "#+559c7", "red"] {
            assert!(bad.parse::<Rgb>().is_err(), "{bad}");
        }
    }
}
