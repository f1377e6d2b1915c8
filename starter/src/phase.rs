//! How far a waking is, for programs; and what the page makes of it: a mood with its picture, and a step.

use std::fmt;

use serde::Serialize;

/// What a reason comes down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    Asleep,
    OnHold,
    FallingAsleep,
    /// EC2 was told to start the server.
    Waking,
    /// EC2 starts it.
    Booting,
    /// It is on, the app is not.
    Starting,
    /// The same, for too long.
    Overdue,
    Ready,
    /// AWS has to make room first.
    Waiting,
    /// It cannot be seen just now.
    Checking,
    Failed,
    Refused,
}

/// What the phases have in common: the page's picture and pace go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mood {
    Asleep,
    /// Something goes on, and it is known about how long it takes.
    Waking,
    /// Something is waited for that nobody can tell the end of.
    Waiting,
    Failed,
    Ready,
}

/// How many steps of a waking there are.
pub(crate) const STEPS: usize = 4;

impl Phase {
    pub(crate) fn mood(self) -> Mood {
        match self {
            Self::Asleep | Self::OnHold => Mood::Asleep,
            Self::FallingAsleep | Self::Waking | Self::Booting | Self::Starting | Self::Overdue => Mood::Waking,
            Self::Waiting | Self::Checking => Mood::Waiting,
            Self::Failed | Self::Refused => Mood::Failed,
            Self::Ready => Mood::Ready,
        }
    }

    /// How many steps of the waking are done; none where there is no waking.
    pub(crate) fn steps_done(self) -> Option<usize> {
        match self {
            Self::Waking | Self::Waiting => Some(0),
            Self::Booting => Some(1),
            Self::Starting | Self::Overdue => Some(2),
            Self::Ready => Some(STEPS),
            _ => None,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Mood {
    pub(crate) const ALL: [Self; 5] = [Self::Asleep, Self::Waking, Self::Waiting, Self::Failed, Self::Ready];

    /// Whether something goes on that has no end yet.
    pub(crate) fn is_moving(self) -> bool {
        matches!(self, Self::Waking | Self::Waiting)
    }

    /// What stands before the title in the tab.
    pub(crate) fn mark(self) -> &'static str {
        match self {
            Self::Ready => "✓ ",
            Self::Failed => "⚠ ",
            _ => "",
        }
    }

    /// What its icon is made of: the colour of the ground, and the lines on it. Told apart by shape, not by colour
    /// alone, and readable on a light and on a dark tab.
    pub(crate) fn drawing(self) -> (&'static str, &'static str) {
        match self {
            Self::Asleep => ("3b4168", "M22 19a8.5 8.5 0 1 1-9-11 7 7 0 0 0 9 11z"), // a moon
            Self::Waking => ("96500b", "M6 23h20M10.5 23a5.5 5.5 0 0 1 11 0M16 9v4M7.5 13l2.5 2.5M24.5 13L22 15.5"), // the sun rises
            Self::Waiting => ("5a6072", "M11 8h10M11 24h10M12 8c0 7 8 9 8 16M20 8c0 7-8 9-8 16"), // an hourglass
            Self::Failed => ("b3261e", "M16 8v10M16 23.5v.1"),                                    // !
            Self::Ready => ("1b7a43", "M9 16.5l5 5 9-11"),                                        // ✓
        }
    }

    /// The tab's icon, which the page shows as well.
    pub(crate) fn icon(self) -> String {
        let (ground, lines) = self.drawing();
        ICON.replace("{ground}", ground).replace("{lines}", lines)
    }
}

/// An icon as a data URI, without its drawing.
pub(crate) const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E\
    %3Crect width='32' height='32' rx='8' fill='%23{ground}'/%3E%3Cpath d='{lines}' fill='none' stroke='%23fff' \
    stroke-width='2.6' stroke-linecap='round' stroke-linejoin='round'/%3E%3C/svg%3E";
