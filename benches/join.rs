//! The join: one write into a large set must not cost what the set costs.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sync_benches::{addition, set_of, writer};

fn one_write(c: &mut Criterion) {
    let mut group = c.benchmark_group("join_one_write_into_set");
    for count in [1_000_u64, 100_000] {
        let mut set = set_of(count);
        let author = writer("author");
        let mut seq = 0;
        group.bench_function(count.to_string(), |b| {
            b.iter_batched(
                || {
                    seq += 1;
                    addition(&author, seq, seq - 1)
                },
                |delta| black_box(set.join(delta).inflated()),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn repeated(c: &mut Criterion) {
    let mut set = set_of(100_000);
    let delta = addition(&writer("filler"), 50_000, 49_999);
    c.bench_function("join_repeated_write_into_set/100000", |b| {
        b.iter(|| black_box(set.join(delta.clone()).inflated()));
    });
}

criterion_group!(benches, one_write, repeated);
criterion_main!(benches);
