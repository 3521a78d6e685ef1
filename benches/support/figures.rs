//! Figures of rounds that ran in turns, and how they are shown: the median, and the least and the greatest beside it.
#![allow(dead_code, reason = "not every bench needs all of it")]

use std::time::Duration;

/// Rounds of each comparison.
pub(crate) const ROUNDS: usize = 5;

/// The middle of some figures.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The middle of some times, in microseconds.
pub(crate) fn median_micros(times: &[Duration]) -> f64 {
    median(&times.iter().map(|time| time.as_secs_f64() * 1e6).collect::<Vec<_>>())
}

/// Round by round, how many times the one is the other.
pub(crate) fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect()
}

/// One line: what, how much, and the spread.
pub(crate) fn show(name: &str, unit: &str, figures: &[f64]) {
    println!("{}", line(name, unit, figures));
}

/// One line with a goal: the figure is to be at most this.
pub(crate) fn show_at_most(name: &str, unit: &str, figures: &[f64], goal: f64) {
    let verdict = if median(figures) <= goal { "met" } else { "MISSED" };
    println!("{}  goal <= {goal}: {verdict}", line(name, unit, figures));
}

/// One line with a goal: the figure is to be at least this.
pub(crate) fn show_at_least(name: &str, unit: &str, figures: &[f64], goal: f64) {
    let verdict = if median(figures) >= goal { "met" } else { "MISSED" };
    println!("{}  goal >= {goal}: {verdict}", line(name, unit, figures));
}

fn line(name: &str, unit: &str, figures: &[f64]) -> String {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(0.0, f64::max);
    format!("{name:<62} {:>10.2} {unit:<8} ({least:.2} .. {most:.2})", median(figures))
}
