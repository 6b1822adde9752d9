//! Bytes: segments and messages, encoded and decoded.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sync_benches::{key, set_of, value, writer};
use sync_core::codec;
use sync_core::{
    Body, Context, Entry, Message, Payload, Revision, Segment, Seq, Stamp, Value, Version, Write,
    WriteId,
};

fn small_segment() -> Segment {
    let write = Write {
        stamp: Stamp::at_millis(1),
        payload: Payload::put(&value(1)),
        prev: Seq::new(0),
        over: Context::new(),
        note: None,
    };
    let entry = Entry::of_write(WriteId::new(writer("agent"), Seq::new(1)), write);
    Segment {
        key: key(1),
        version: Version::new(1),
        revision: Revision::new(1),
        entry,
    }
}

fn segments(c: &mut Criterion) {
    let set = set_of(1_000);
    let large = Segment {
        key: key(2),
        entry: set,
        ..small_segment()
    };
    let mut group = c.benchmark_group("segment");
    for (name, segment) in [("64_byte_value", small_segment()), ("set_of_1000", large)] {
        let bytes = segment.encode();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("encode/{name}"), |b| {
            b.iter(|| black_box(&segment).encode());
        });
        group.bench_function(format!("decode/{name}"), |b| {
            b.iter(|| Segment::decode(black_box(&bytes)));
        });
    }
    group.finish();
}

fn messages(c: &mut Criterion) {
    let body = Body::Push {
        incarnation: writer("agent").incarnation(),
        after: Seq::new(0),
        upto: Seq::new(1),
        seqs: vec![Seq::new(1)].into(),
    };
    let message = Message::with(body, vec![small_segment().encode()]);
    let frame = codec::encode(&message).to_bytes();
    let mut group = c.benchmark_group("message");
    group.throughput(Throughput::Bytes(frame.len() as u64));
    group.bench_function("encode/push", |b| {
        b.iter(|| codec::encode(black_box(&message)));
    });
    group.bench_function("decode/push", |b| {
        b.iter(|| codec::decode(black_box(&frame)));
    });
    group.finish();
}

fn values(c: &mut Criterion) {
    let item = Value::Map(
        (0..10)
            .map(|n| (format!("field-{n}"), Value::Int(n)))
            .collect(),
    );
    let document = Value::List(vec![item; 20]);
    let bytes = document.encode();
    let mut group = c.benchmark_group("value");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("encode/document", |b| {
        b.iter(|| black_box(&document).encode());
    });
    group.bench_function("decode/document", |b| {
        b.iter(|| Value::decode(black_box(&bytes)));
    });
    group.bench_function("validate/document", |b| {
        b.iter(|| Value::validate(black_box(&bytes)));
    });
    group.finish();
}

criterion_group!(benches, segments, messages, values);
criterion_main!(benches);
