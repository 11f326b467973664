//! Demonstrates attention on slices, a plain one and lctx side by side; and what is refused.
//! Exit codes: 0 ok, 2 the library does not fit, 3 a result is wrong.
use lctx::{Attn, Cache, CacheDesc, Error, Rope, RopeDesc, Tensor, Threads, With};

fn plain_attend(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    [n_q, n_head, n_head_kv, dim]: [usize; 4],
) -> Vec<f32> {
    let n = k.len() / (n_head_kv * dim);
    let mut out = Vec::new();
    for (row, query) in q.chunks(dim).enumerate() {
        let (seen, group) = (n - n_q + row / n_head + 1, row % n_head / (n_head / n_head_kv));
        let at = |j: usize| (j * n_head_kv + group) * dim;
        let dot = |j: usize| query.iter().zip(&k[at(j)..]).map(|(a, b)| a * b).sum::<f32>();
        let scores: Vec<f32> = (0..seen).map(|j| dot(j) / (dim as f32).sqrt()).collect();
        let top = scores.iter().cloned().fold(f32::MIN, f32::max);
        let weights: Vec<f32> = scores.iter().map(|s| (s - top).exp()).collect();
        let sum: f32 = weights.iter().sum();
        for d in 0..dim {
            out.push(weights.iter().enumerate().map(|(j, w)| w * v[at(j) + d]).sum::<f32>() / sum);
        }
    }
    out
}

fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn show() -> lctx::Result<bool> {
    let (q, k, v) = (noise(3 * 8 * 64, 1), noise(1000 * 2 * 64, 2), noise(1000 * 2 * 64, 3));
    let queries = Tensor::f32(&q, &[3, 8, 64])?;
    let (keys, values) = (Tensor::f32(&k, &[1000, 2, 64])?, Tensor::f32(&v, &[1000, 2, 64])?);

    let ours = lctx::attend(&queries, &keys, &values, Attn::default(), With::default())?.out;
    let plain = plain_attend(&q, &k, &v, [3, 8, 2, 64]);

    let worst = ours.iter().zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!(
        "3 queries over 1000 tokens ({}): largest difference to plain Rust {:.1e}",
        lctx::isa()?.name(),
        worst
    );
    let threads = Threads::new(0)?;
    let mut cache = Cache::new(CacheDesc { n_head_kv: 2, d_k: 64, ..Default::default() }, None)?;
    cache.append(&keys, &values)?;
    let with = With { threads: Some(&threads), ..With::default() };
    let same = cache.attend(&queries, Attn::default(), with)?.out == ours;
    println!("out of a cache, with threads, {} bits", if same { "the same" } else { "other" });

    let refused = Rope::new(RopeDesc { n_rot: 63, ..Default::default() });
    println!("{}", refused.err().map_or("not refused".into(), |error| error.to_string()));
    println!("{}", Tensor::f32(&q, &[3, 8, 32]).unwrap_err());
    Ok(worst < 1e-5 && same)
}

fn main() {
    std::process::exit(match show() {
        Ok(true) => 0,
        Ok(false) => 3,
        Err(error) => {
            eprintln!("attention: {}", error);
            matches!(error, Error::Library(_)) as i32 + 1
        }
    });
}
