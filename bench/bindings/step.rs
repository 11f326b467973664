//! step KEYS - step.c from Rust
use lctx::{Attn, Tensor, With};
use std::time::Instant;

fn main() -> lctx::Result<()> {
    let n: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(64);
    let (calls, zeros) = (if n > 1000 { 20 } else { 200 }, vec![0.0; (n + 4) * 128]);
    let q = Tensor::f32(&zeros[..512], &[1, 8, 64])?;
    let (k, v) = (&zeros[..n * 128], &zeros[..n * 128]);
    let (k, v) = (Tensor::f32(k, &[n, 2, 64])?, Tensor::f32(v, &[n, 2, 64])?);
    let mut times = Vec::new();
    for _ in 0..31 {
        let start = Instant::now();
        for _ in 0..calls {
            lctx::attend(&q, &k, &v, Attn::default(), With::default())?;
        }
        times.push(start.elapsed().as_secs_f64() / f64::from(calls) * 1e6);
    }
    times.sort_by(|a, b| a.partial_cmp(b).unwrap());
    println!("{:.2} -", times[15]);
    Ok(())
}
