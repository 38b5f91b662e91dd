//! Charts of anything: they stand, they are bounded, and nothing that is no number is drawn.

use bastide_console::*;
use html5gum::{Token, Tokenizer};
use proptest::prelude::*;

fn drawn(values: &[Vec<f64>], points: usize) -> Vec<Html> {
    let names = || (0..points).map(|point| point.to_string());
    let series =
        |nth: usize, values: &Vec<f64>| Series::new(nth.to_string(), Tone::nth(nth), values.iter().copied());
    let bars =
        values.iter().enumerate().fold(BarChart::new("bars", names()), |c, (n, v)| c.series(series(n, v)));
    let lines =
        values.iter().enumerate().fold(LineChart::new("lines", names()), |c, (n, v)| c.series(series(n, v)));
    let heat =
        values.iter().fold(Heatmap::new("heat", Tone::Flag, names()), |c, v| c.row("row", v.iter().copied()));
    let first = values.iter().flatten().copied().next().unwrap_or(f64::NAN);
    let flow = values.iter().flatten().enumerate().fold(Flow::new("flow"), |flow, (n, value)| {
        flow.link((n % 17).to_string(), ((n % 13).to_string(), Tone::nth(n)), (n % 11).to_string(), *value)
    });
    let spark = Sparkline::new("spark", Tone::Accent, values.iter().flatten().copied());
    vec![
        bars.into(),
        lines.into(),
        heat.into(),
        Gauge::new("gauge", Tone::Allow, first).into(),
        flow.into(),
        spark.into(),
    ]
}

fn check(chart: &Html) {
    for token in Tokenizer::new(chart.as_str()) {
        let Ok(Token::StartTag(tag)) = token else { continue };
        for (name, value) in &tag.attributes {
            let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            assert!(!value.contains("NaN") && !value.contains("inf"), "{name}={value}");
            if ["width", "height", "opacity"].contains(&&*name) && value != "100%" {
                let number = value.trim_end_matches('%').parse::<f64>();
                assert!(number.is_ok_and(|number| (0.0..=1500.0).contains(&number)), "{name}={value}");
            }
        }
    }
}

#[test]
fn nothing_one_point_and_far_too_many() {
    for (values, points) in [
        (vec![], 0),
        (vec![vec![]], 5),
        (vec![vec![3.0]], 1),
        (vec![vec![0.0; 4]], 4),
        (vec![vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]], 3),
        (vec![vec![f64::MAX, f64::MIN, 1e-300]], 3),
        (vec![vec![1.0; 5000]; 40], 5000),
    ] {
        for chart in drawn(&values, points) {
            check(&chart);
            assert!(chart.as_str().len() < 1_200_000, "{} bytes", chart.as_str().len());
        }
    }
}

#[test]
fn every_chart_has_a_name_a_description_and_a_table_that_says_the_same() {
    let charts = drawn(&[vec![12.0, 3500.0], vec![7.0, 90.0]], 2);
    for chart in &charts {
        let chart = chart.as_str();
        assert!(
            chart.contains(r#"role="img""#) && chart.contains("<title>") && chart.contains("<desc>"),
            "{chart}"
        );
    }
    // The gauge writes its value; the small line stands beside a figure.
    for chart in [&charts[0], &charts[1], &charts[2], &charts[4]] {
        let table = chart.as_str().split("<table").nth(1).unwrap();
        for value in ["12", "3.5k", "7", "90"] {
            assert!(table.contains(&format!(">{value}<")), "{value} in {table}");
        }
    }
}

proptest! {
    #[test]
    fn any_numbers_can_be_drawn(
        values in prop::collection::vec(prop::collection::vec(prop::num::f64::ANY, 0..12), 0..5),
        points in 0usize..14,
    ) {
        drawn(&values, points).iter().for_each(check);
    }
}
