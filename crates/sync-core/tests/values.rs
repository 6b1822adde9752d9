//! The data model: one value has one form in bytes and one in JSON, and what does not fit is refused
//! rather than bent.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::json;
use sync_core::value::DEPTH_MAX;
use sync_core::{Float, Metadata, Payload, Value, ValueError};

fn config(cases: u32) -> ProptestConfig {
    let failure_persistence = None;
    ProptestConfig {
        cases,
        failure_persistence,
        rng_seed: RngSeed::Fixed(7),
        ..ProptestConfig::default()
    }
}

fn finite() -> impl Strategy<Value = f64> {
    let edges = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.1,
        f64::MIN,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        1e21,
        1e-7,
    ];
    let edge = prop::sample::select(edges.to_vec());
    let whole = any::<i64>().prop_map(|n| {
        #[expect(clippy::cast_precision_loss, reason = "any float will do")]
        let float = n as f64;
        float
    });
    let bits = any::<u64>()
        .prop_map(f64::from_bits)
        .prop_filter("finite", |f| f.is_finite());
    prop_oneof![edge, whole, bits]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,2}", any::<String>(), Just("x".repeat(200))]
}

fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(i64::MIN),
        Just(i64::MAX),
        Just(0),
        -3..3_i64,
        any::<i64>()
    ]
}

/// Values of a few levels, from few names, so that equal and nearly equal ones are common.
fn values(with_bytes: bool) -> impl Strategy<Value = Value> {
    let bytes = prop::collection::vec(any::<u8>(), 0..4).prop_map(move |bytes| {
        if with_bytes {
            Value::Bytes(bytes)
        } else {
            Value::Null
        }
    });
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        integer().prop_map(Value::Int),
        finite().prop_map(|f| Value::float(f).unwrap()),
        text().prop_map(Value::Text),
        bytes,
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::btree_map(text(), inner, 0..4).prop_map(Value::Map),
        ]
    })
}

proptest! {
    #![proptest_config(config(1_000))]

    /// Equal values are equal bytes and nothing else is: digests compare bytes.
    #[test]
    fn equal_values_are_equal_bytes(a in values(true), b in values(true)) {
        let (left, right) = (a.encode(), b.encode());
        prop_assert_eq!(a == b, left == right);
        prop_assert_eq!(Value::decode(&left), Ok(a.clone()));
        prop_assert_eq!(Value::validate(&left), Ok(()));
        prop_assert_eq!(a.check_depth(), Ok(()));
        let put = Payload::put(&a);
        prop_assert_eq!(Payload::from_bytes(put.as_bytes()).unwrap().value(), Some(a.clone()));
        prop_assert_eq!(Payload::element(&a) == Payload::element(&b), a == b);
    }

    /// Checking without building comes to the same verdict as building, on bytes near to good ones.
    #[test]
    fn validate_and_decode_agree_on_damaged_bytes(
        value in values(true), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut bytes = value.encode();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let decoded = Value::decode(&bytes);
        prop_assert_eq!(decoded.clone().map(|_| ()), Value::validate(&bytes));
        if let Ok(read) = decoded {
            prop_assert_eq!(read.encode(), bytes, "two encodings of one value");
        }
    }

    /// Everything but bytes, which JSON has not, survives JSON and JSON's text, bit for bit.
    #[test]
    fn json_gives_back_what_it_was_given(value in values(false)) {
        let json = value.to_json();
        prop_assert_eq!(Value::from_json(json.clone()), Ok(value.clone()));
        let parsed: serde_json::Value = serde_json::from_str(&json.to_string()).unwrap();
        prop_assert_eq!(Value::from_json(parsed).unwrap().encode(), value.encode());
        prop_assert_eq!(serde_json::to_value(&value).unwrap(), json);
        prop_assert_eq!(value.to_string(), value.to_json().to_string());
    }

    #[test]
    fn a_float_keeps_its_bits(number in finite()) {
        let float = Float::new(number).unwrap();
        let expected = if number == 0.0 { 0.0_f64 } else { number };
        prop_assert_eq!(float.get().to_bits(), expected.to_bits());
        let value = Value::Float(float);
        let text = value.to_json().to_string();
        let parsed = Value::from_json(serde_json::from_str(&text).unwrap()).unwrap();
        prop_assert_eq!(parsed, value.clone(), "{}", text);
        prop_assert_eq!(Value::decode(&value.encode()), Ok(value));
    }
}

#[test]
fn negative_zero_is_zero() {
    let zero = Value::float(0.0).unwrap();
    assert_eq!(Value::float(-0.0).unwrap().encode(), zero.encode());
    assert_eq!(Value::from_json(json!(-0.0)).unwrap(), zero);
    let parsed: serde_json::Value = serde_json::from_str("-0.0").unwrap();
    assert_eq!(Value::from_json(parsed).unwrap().encode(), zero.encode());
    // A float is not an integer: no reader has to guess which it was.
    assert_ne!(zero, Value::Int(0));
    assert_ne!(zero.encode(), Value::Int(0).encode());
}

#[test]
fn what_is_not_finite_is_refused_with_a_sentence() {
    for number in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Float::new(number), Err(ValueError::NotFinite));
        let sentence = Value::float(number).unwrap_err().to_string();
        assert_eq!(
            sentence,
            "a number is not finite; NaN and infinities cannot be stored"
        );
    }
}

#[test]
fn integers_fit_to_the_last_one() {
    for number in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX] {
        let value = Value::from_json(json!(number)).unwrap();
        assert_eq!(value, Value::Int(number));
        assert_eq!(Value::decode(&value.encode()), Ok(value.clone()));
        assert_eq!(value.to_json().to_string(), number.to_string());
    }
    // Beyond 2^53 a float would do as well for most languages, but not for these bytes.
    let big = (1_i64 << 53) + 1;
    assert_eq!(Value::from_json(json!(big)).unwrap(), Value::Int(big));
}

#[test]
fn a_number_beyond_i64_is_refused_with_a_sentence_and_its_digits() {
    for number in [1_u64 << 63, u64::MAX] {
        let inside = json!({"list": [1, number]});
        let sentence = Value::from_json(inside).unwrap_err().to_string();
        assert!(sentence.contains(&number.to_string()), "{sentence}");
        assert!(
            sentence.contains("send it as text or as a float"),
            "{sentence}"
        );
    }
}

/// Bad input, row 3.
/// The limit holds at every edge: on the way in from JSON, in bytes, in what a user builds.
#[test]
fn nesting_ends_at_the_same_depth_everywhere() {
    for (depth, fits) in [
        (1, true),
        (DEPTH_MAX, true),
        (DEPTH_MAX + 1, false),
        (100, false),
    ] {
        let lists = (1..depth).fold(Value::Null, |inner, _| Value::List(vec![inner]));
        let maps = (1..depth).fold(Value::Null, |inner, _| {
            Value::Map([(String::new(), inner)].into())
        });
        for value in [lists, maps] {
            assert_eq!(value.check_depth().is_ok(), fits, "{depth}");
            assert_eq!(Value::from_json(value.to_json()).is_ok(), fits, "{depth}");
            assert_eq!(Value::decode(&value.encode()).is_ok(), fits, "{depth}");
            assert_eq!(Value::validate(&value.encode()).is_ok(), fits, "{depth}");
            let put = Payload::put(&value);
            assert_eq!(Payload::from_bytes(put.as_bytes()).is_ok(), fits, "{depth}");
            // Metadata is a map around it.
            let metadata = Metadata::new([("k".to_owned(), value)].into());
            assert_eq!(metadata.is_ok(), fits && depth < DEPTH_MAX, "{depth}");
        }
    }
    assert!(
        ValueError::TooDeep { limit: DEPTH_MAX }
            .to_string()
            .contains("32 levels")
    );
}

#[test]
fn metadata_reads_back_and_is_bounded() {
    let map = |bytes: usize| [("k".to_owned(), Value::Bytes(vec![0; bytes]))].into();
    let metadata = Metadata::new(map(4_000)).unwrap();
    assert_eq!(metadata.value(), Value::Map(map(4_000)));
    assert_eq!(Metadata::from_bytes(metadata.as_bytes()), Ok(metadata));
    let refused = Metadata::new(map(4_096)).unwrap_err();
    assert!(
        matches!(refused, ValueError::TooLarge { limit: 4_096, .. }),
        "{refused}"
    );
}

/// Bytes have no JSON of their own: they read as numbers and do not come back as bytes.
#[test]
fn bytes_show_in_json_as_a_list_of_numbers() {
    let value = Value::Bytes(vec![0, 127, 255]);
    assert_eq!(value.to_json(), json!([0, 127, 255]));
}
