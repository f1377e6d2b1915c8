use super::*;

fn read(set: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let all: Vec<_> = [("CATNAP_APP_DOMAIN", "app.example.com")].iter().chain(set).copied().collect();
    Config::read(|name| all.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).into()))
}

#[test]
fn defaults_are_the_documented_ones() {
    let config = read(&[("CATNAP_INSTANCE_ID", ""), ("CATNAP_ORIGIN", " ")]).unwrap();
    assert_eq!(config.instance_id, None);
    assert_eq!(config.health_path, "/");
    assert_eq!(config.origin, Origin { tls: true, port: 443 });
    assert_eq!(config.wake_on, WakeOn::Visit);
    assert_eq!(config.waiting_status, 503);
    assert_eq!(config.handoff, Handoff::Bridge);
    assert_eq!(config.look, PageLook::default());
    assert_eq!(config.boot_deadline, TimeDelta::seconds(300));
    assert_eq!(config.policy.idle, TimeDelta::minutes(60));
    assert_eq!(config.policy.activity_bytes, None);
    assert_eq!(config.policy.on_sick, OnSick::Nap);
    assert_eq!((config.keep_awake, config.hourly_price), (Windows::default(), None));
    assert!(!config.dry_run);
}

#[test]
fn an_unreadable_value_names_the_variable_the_value_and_what_it_takes() {
    let bad = [
        ("CATNAP_APP_DOMAIN", "https://app"),
        ("CATNAP_INSTANCE_ID", "web-1"),
        ("CATNAP_FLEET", "staging*"),
        ("CATNAP_HEALTH_CHECK_ID", "a b"),
        ("CATNAP_HEALTH_PATH", "health"),
        ("CATNAP_ORIGIN", "app.example.com"),
        ("CATNAP_ORIGIN", "https://app.example.com/path"),
        ("CATNAP_ORIGIN_ADDRESS", "localhost"),
        ("CATNAP_WAKE_ON", "visits"),
        ("CATNAP_WAKE_PATHS", "hooks"),
        ("CATNAP_WAKE_PATHS", "/"),
        ("CATNAP_WAKE_PATHS", "/hooks/,//"),
        ("CATNAP_HANDOFF", "redirect"),
        ("CATNAP_STATUS_ORIGIN", "ftp://x"),
        ("CATNAP_WAITING_STATUS", "404"),
        ("CATNAP_APP_NAME", "two\nlines"),
        ("CATNAP_ACCENT_COLOR", "teal"),
        ("CATNAP_LOGO_URL", "http://cdn.example.com/logo.png"),
        ("CATNAP_SUPPORT_URL", "help@example.com"),
        ("CATNAP_BOOT_DEADLINE_SECONDS", "5m"),
        ("CATNAP_IDLE_MINUTES", "4"),
        ("CATNAP_IDLE_MINUTES", "sixty"),
        ("CATNAP_ACTIVITY_BYTES", "-1"),
        ("CATNAP_ON_SICK", "stop"),
        ("CATNAP_KEEP_AWAKE", "always"),
        ("CATNAP_HOURLY_PRICE", "$0.05"),
        ("CATNAP_HOURLY_PRICE", "1e3"),
        ("CATNAP_HOURLY_PRICE", "-0.05"),
        ("CATNAP_STEER", "on"),
        ("CATNAP_DRY_RUN", "yes"),
    ];
    for (variable, value) in bad {
        let message = read(&[(variable, value)]).unwrap_err().to_string();
        assert!(message.starts_with(&format!("{variable} is {value:?}: it takes ")), "{message}");
    }
}

#[test]
fn visitors_are_led_by_the_health_check_only_where_the_starter_can_answer_for_the_app() {
    assert!(read(&[("CATNAP_STEER", "true")]).unwrap().policy.steer);
    let error = read(&[("CATNAP_STEER", "true"), ("CATNAP_HANDOFF", "poll")]).unwrap_err().to_string();
    assert_eq!(error, "CATNAP_STEER is \"true\": it takes false where Handoff is poll");
    let origin = |origin| read(&[("CATNAP_STEER", "true"), ("CATNAP_ORIGIN", origin)]);
    assert!(origin("https://app.example.com:8443").is_ok());
    let error = origin("http://app.example.com").unwrap_err().to_string();
    assert_eq!(error, "CATNAP_STEER is \"true\": it takes false where Origin is http://");
}

#[test]
fn wake_paths_are_a_list() {
    let config = read(&[("CATNAP_WAKE_PATHS", "/hooks/, /api/v1")]).unwrap();
    assert!(config.wake_paths.iter().any(|p| p.covers("/hooks")));
    assert!(config.wake_paths.iter().any(|p| p.covers("/api/v1/x")));
    assert!(!config.wake_paths.iter().any(|p| p.covers("/hooksmith") || p.covers("/api/v10")));
}
