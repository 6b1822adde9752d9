//! Writes the first inputs of every corpus from one of everything that crosses a link:
//! `cargo run -p sync-fuzz-checks --example seed_corpora`.
#![expect(
    clippy::unwrap_used,
    reason = "a tool for the developers of the fuzz targets"
)]

#[path = "../../../crates/sync-core/tests/wire/mod.rs"]
#[allow(dead_code, reason = "the tests of sync-core use the rest")]
mod wire;

use std::fs;
use std::path::Path;

use bytes::Bytes;
use sync_core::{Payload, Value, codec, pieces};
use sync_transport::testing::compressed;

use wire::replies::{receipts, replies};
use wire::{frame, messages, segments, value};

const HELLO: u8 = 1;
const DATA: u8 = 6;

fn main() {
    write("frame", frames());
    write("json_lines", lines());
    write(
        "message",
        messages().iter().map(|m| frame(m).to_vec()).collect(),
    );
    write("pieces", items());
    write("policy_file", tables());
    write(
        "segment",
        segments().iter().map(|s| s.encode().to_vec()).collect(),
    );
    write("value", values());
}

fn tables() -> Vec<Vec<u8>> {
    let settings = [
        "rule = \"causal\"\non_concurrent = \"keep\"",
        "rule = \"custom\"\nmerge = \"max\"\npriority = \"high\"",
        "ttl = \"1h 30m\"\nttl_refresh = true\ndurability = \"hub\"",
        "max_value_bytes = 65536\nhistory_commits = 7\nhistory_age = \"30d\"\nreceipts = 50\nrule = \"register\"",
        "rule = \"unheard of\"\nttl = \"-1\"",
    ];
    let one = |(n, text): (usize, &&str)| format!("[[policy]]\npattern = \"k{n}*\"\n{text}\n");
    let mut tables: Vec<String> = settings.iter().enumerate().map(one).collect();
    tables.push(tables.concat());
    tables.push("[[policy]]\npattern = \"a*\"\n[[policy]]\npattern = \"*a\"\n".to_owned());
    tables.into_iter().map(String::into_bytes).collect()
}

fn write(target: &str, inputs: Vec<Vec<u8>>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpus")
        .join(target);
    fs::create_dir_all(&folder).unwrap();
    for (number, input) in inputs.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:02}")), input).unwrap();
    }
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).unwrap().to_le_bytes();
    [&length[..], &[kind], body].concat()
}

fn frames() -> Vec<Vec<u8>> {
    let hello = |versions: (u16, u16), role: u8, compressions: u32| {
        let fields = (versions, "team", "agent-1", 1_u64, role, compressions);
        let body = bincode::encode_to_vec(fields, bincode::config::standard()).unwrap();
        [&b"SwSy"[..], &body].concat()
    };
    let hellos = [
        hello((1, 1), 0, 0),
        hello((1, 1), 1, 3),
        hello((2, 9), 0, u32::MAX),
    ];
    let mut inputs: Vec<Vec<u8>> = hellos.to_vec();
    inputs.extend(hellos.iter().map(|hello| framed(HELLO, hello)));
    inputs.extend((0..=11).map(|kind| framed(kind, b"")));
    inputs.extend([
        [
            framed(DATA, b"one"),
            framed(4, b""),
            framed(DATA, b"two"),
            framed(7, b"bye"),
        ]
        .concat(),
        framed(DATA, &[7; 4096]),
        framed(DATA, &[7; 4097]),
        framed(DATA, &[7; 100])[..50].to_vec(),
        vec![255, 255, 255, 255, DATA],
        b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n".to_vec(),
    ]);
    inputs.extend(compressed_frames());
    inputs
}

/// Messages with a dictionary and without, and bombs: by the ratio, by the limit, in a row.
fn compressed_frames() -> Vec<Vec<u8>> {
    let dictionary =
        Bytes::from_static(b"{\"task\":\"task-\",\"state\":\"open\",\"owner\":\"agent-");
    let text: Bytes = "{\"task\":\"task-7\",\"state\":\"open\"}".repeat(5).into();
    let noise: Bytes = (0..=255_u8).map(|n| n.wrapping_mul(n)).collect();
    let said = |messages: &[Bytes]| compressed(&dictionary, messages).unwrap().to_vec();
    let zeros = |length: usize| Bytes::from(vec![0; length]);
    vec![
        said(&[]),
        said(std::slice::from_ref(&text)),
        said(&[text.slice(..9), noise, text, Bytes::new()]),
        said(&[zeros(4_096), zeros(4_096)]),
        said(&[zeros(4_097)]),
        said(&[zeros(1 << 20)]),
    ]
}

fn items() -> Vec<Vec<u8>> {
    let mut inputs: Vec<Vec<u8>> = replies()
        .iter()
        .map(|r| codec::to_bytes(r).to_vec())
        .collect();
    inputs.push(codec::to_bytes(&receipts()).to_vec());
    // And cut, as the check reads pieces: of what, which, of how many, length.
    let page = 100;
    for reply in replies().iter().take(4) {
        let cut = pieces::cut(reply, page).unwrap();
        let count = u8::try_from(cut.len()).unwrap();
        let piece = |(index, bytes): (u8, &Bytes)| {
            let length = u8::try_from(bytes.len()).unwrap();
            [&[9, index, count, length], &bytes[..]].concat()
        };
        inputs.push((0..).zip(&cut).flat_map(piece).collect());
    }
    inputs
}

fn values() -> Vec<Vec<u8>> {
    let mut leaves = vec![
        Value::from(i64::MAX),
        Value::from(""),
        Value::Map([].into()),
    ];
    if let Value::Map(fields) = value()
        && let Some(Value::List(items)) = fields.get("list")
    {
        leaves.extend(items.iter().cloned());
    }
    leaves.push(value());
    let mut inputs: Vec<Vec<u8>> = leaves.iter().map(Value::encode).collect();
    inputs.push([[7, 1].repeat(31), vec![0]].concat());
    inputs.push([[8, 1, 0].repeat(33), vec![0]].concat());
    let payloads = [
        Payload::put(&value()),
        Payload::absent(),
        Payload::count(-1),
        Payload::element(&value()),
    ];
    inputs.extend(payloads.iter().map(|p| p.as_bytes().to_vec()));
    inputs
}

fn lines() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"id":1,"op":"set","key":"config","value":{"model":"m1","n":[1,2.5,null,true]}}"#,
        r#"{"id":"a","op":"set","key":"k","value":"\u00e4\n","metadata":{"why":"because"}}"#,
        r#"{"op":"delete","key":"k","value":null}"#,
        r#"{"op":"add","key":"n","amount":-9223372036854775808}"#,
        r#"{"op":"insert","key":"s","element":[[[[1]]]]}"#,
        r#"{"op":"remove","key":"s","element":{"a":{}}}"#,
        r#"{"op":"get","key":"any thing / ∀"}"#,
        r#"{"op":"version","key":"k"}"#,
        r#"{"op":"keys","pattern":"a*b?c"}"#,
        r#"{"op":"cursor"}"#,
        r#"{"op":"delta","since":7}"#,
        r#"{"op":"delta","since":{"epoch":"0123456789abcdef","revision":3,"head":4}}"#,
        r#"{"op":"delta","since":{"epoch":null,"revision":0}}"#,
        r#"{"op":"sync","keys":["a","b"],"timeout_ms":100}"#,
        r#"{"op":"clear","key":"k"}"#,
        r#"{"op":"clear","all":true}"#,
        r#"{"op":"flush","level":"disk","timeout_ms":3600000}"#,
        r#"{"op":"wait","timeout_ms":0}"#,
        "{\"op\":\"offline\"}\n{\"op\":\"online\"}\n{\"op\":\"digest\"}\n{\"op\":\"status\"}",
        r#"{"op":"receipts","take":["agent-1/6b1f0c8f5a3e9d21/1"]}"#,
        r#"{"op":"receipts","take":true}"#,
        r#"{"op":"repropose","write":"agent-1/6b1f0c8f5a3e9d21/1"}"#,
        r#"{"op":"ack_receipt","write":"agent-1/6b1f0c8f5a3e9d21/1"}"#,
        r#"{"op":"fate","write":"agent-1/6b1f0c8f5a3e9d21/1"}"#,
        r#"{"op":"set","key":"k","value":1,"level":"replicas","replicas":2,"timeout_ms":500}"#,
        r#"{"op":"get","key":"k","at_least":17,"timeout_ms":500}"#,
        r#"{"id":{"deep":[]},"op":"quit"}"#,
        r#"{"op":"set","key":"k","value":18446744073709551616}"#,
        r#"{"op":"set","key":"k","value":NaN}"#,
        r#"{"op":"set","key":"k","value":1e999}"#,
        r#"{"id":1,"id":2}"#,
        r#"{"op":"propose","proposal":{"a":1},"key":"k","value":2,"algorithm":"quorum","threshold":0.66,"timeout_ms":5000}"#,
        r#"{"op":"propose","proposal":"go","key":"k","field":"f","value":[],"proposal_id":"00ff","sync":true}"#,
        r#"{"op":"propose","proposal":null,"threshold":1e-320,"key":"n","add":-1}"#,
        r#"{"op":"vote","proposal_id":"6b1f0c8f5a3e9d21","vote":"against","reason":"because"}"#,
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
