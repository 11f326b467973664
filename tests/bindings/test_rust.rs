//! The crate lctx against itself and plain sums, and what it must refuse without a crash. What
//! would use a closed object does not compile.
use lctx::*;
use std::cell::Cell;

fn noise(n: usize) -> Vec<f32> {
    let mut state = n as u64 + 7;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// It must be refused, with all of these words.
fn refused<T>(result: Result<T>, words: &[&str]) {
    let text = result.err().expect("nothing was refused").to_string();
    for word in words {
        assert!(text.contains(word), "'{}' without '{}'", text, word);
    }
}

struct Arrays {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
}

impl Arrays {
    fn new() -> Self {
        Arrays { q: noise(3 * 8 * 64), k: noise(200 * 2 * 64), v: noise(200 * 128 + 128) }
    }
    fn tensors(&self) -> (Tensor<'_>, Tensor<'_>, Tensor<'_>) {
        (
            Tensor::f32(&self.q, &[3, 8, 64]).unwrap(),
            Tensor::f32(&self.k, &[200, 2, 64]).unwrap(),
            Tensor::f32(&self.v[128..], &[200, 2, 64]).unwrap(),
        )
    }
}

#[test]
fn the_library_fits() {
    assert_eq!(check().unwrap(), lctx_sys::VERSION);
    assert_eq!(Status::E_CANCELLED.name(), "E_CANCELLED");
    assert_eq!(Status(-9).name(), "unknown");
}

#[test]
fn a_window_of_one_key_gives_its_value() {
    let arrays = Arrays::new();
    let (q, k, v) = arrays.tensors();
    let one = attend(&q, &k, &v, Attn { window: 1, ..Attn::default() }, With::default()).unwrap();
    let last = &arrays.v[128 + 199 * 128..];
    assert_eq!(one.out[2 * 512..2 * 512 + 64], last[..64]);
    assert_eq!(one.lse.len(), 24);
}

#[test]
fn spans_caches_and_threads_keep_the_bits() {
    let arrays = Arrays::new();
    let (q, k, v) = arrays.tensors();
    let whole = attend(&q, &k, &v, Attn::default(), With::default()).unwrap();
    let part = |x: &'static [f32], n| Tensor::f32(x, &[n, 2, 64]).unwrap();
    let (k2, v2): (&'static [f32], &'static [f32]) =
        (Box::leak(arrays.k.clone().into()), Box::leak(arrays.v[128..].to_vec().into()));
    let (a, b) = (128 * 128, 72);
    let later = lctx_sys::Span { pos: 128, ..Default::default() };
    let spans = [
        Span::new(&part(&k2[..a], 128), &part(&v2[..a], 128), Default::default()).unwrap(),
        Span::new(&part(&k2[a..], b), &part(&v2[a..], b), later).unwrap(),
    ];
    let threads = Threads::new(2).unwrap();
    let with = With { threads: Some(&threads), ..With::default() };
    assert_eq!(attend_spans(&q, &spans, Attn::default(), with).unwrap(), whole);
    let mut cache = cache(None);
    cache.append(&part(&k2[..a], 128), &part(&v2[..a], 128)).unwrap();
    let mut fork = cache.fork().unwrap();
    cache.append(&part(&k2[a..], b), &part(&v2[a..], b)).unwrap();
    assert_eq!(cache.attend(&q, Attn::default(), With::default()).unwrap(), whole);
    assert_eq!((cache.info().n, fork.info().n), (200, 128));
    let mut saved = Vec::new();
    cache.save(&mut saved).unwrap();
    fork.restore(&mut &saved[..]).unwrap();
    assert_eq!(fork.attend(&q, Attn::default(), With::default()).unwrap(), whole);
    refused(fork.restore(&mut &saved[..saved.len() - 9]), &["fill"]);
    let middle = saved.len() / 2;
    saved[middle] ^= 1;
    refused(fork.restore(&mut &saved[..]), &["E_FORMAT"]);
    refused(cache.rewind(500), &["E_POS"]);
}

fn cache(pool: Option<&Pool>) -> Cache<'_> {
    Cache::new(CacheDesc { n_head_kv: 2, d_k: 64, ..Default::default() }, pool).unwrap()
}

#[test]
fn arrays_are_checked() {
    let arrays = Arrays::new();
    let (q, k, v) = arrays.tensors();
    refused(Tensor::f32(&arrays.q, &[3, 8, 63]), &["[3][8][63]", "1512", "1536"]);
    refused(Tensor::new(Data::I8(&[1; 6], &[1.0; 3]), &[2, 3]), &["2 scales", "3"]);
    let flat = Tensor::f32(&arrays.q, &[1536]).unwrap();
    let run = |q: &Tensor, with| attend(q, &k, &v, Attn::default(), with);
    refused(run(&flat, With::default()), &["q:", "[n][n][64]", "[1536]"]);
    let halves = vec![0u16; 1536];
    let half = Tensor::new(Data::F16(&halves), &[3, 8, 64]).unwrap();
    refused(run(&half, With::default()), &["q:", "f32"]);
    let few = Tensor::f32(&arrays.k[..100 * 128], &[100, 2, 64]).unwrap();
    refused(Span::new(&k, &few, Default::default()), &["v:", "[200][2][n]", "[100]"]);
    refused(run(&q, With { q_pos: Some(&[1, 2]), ..With::default() }), &["lctx_attn.q_pos", "3"]);
    refused(run(&q, With { bias: Some(&[0.0; 9]), ..With::default() }), &["bias", "4800"]);
    refused(run(&q, With { mask_bits: Some(&[0; 9]), ..With::default() }), &["mask_bits", "96"]);
    let mut few = [0.0; 9];
    refused(run(&q, With { mass: Some(&mut few), ..With::default() }), &["mass", "400"]);
    refused(run(&q, With { list: Some((&[0, 1], [1, 1, 3])), ..With::default() }), &["list", "3"]);
    let each = Attn { list_queries: 1, ..Attn::default() };
    let rows = With { list: Some((&[0, 1], [2, 1, 1])), ..With::default() };
    refused(attend(&q, &k, &v, each, rows), &["list", "2 rows"]);
    refused(attend_spans(&q, &[], Attn::default(), With::default()), &["spans"]);
}

#[test]
fn descriptors_are_checked() {
    let arrays = Arrays::new();
    let (q, k, v) = arrays.tensors();
    let run = |desc| attend(&q, &k, &v, desc, With::default());
    refused(run(Attn { window: -1, ..Attn::default() }), &["E_WINDOW", "lctx_attn.window"]);
    refused(run(Attn { mask: 9, ..Attn::default() }), &["E_ENUM", "lctx_attn.mask"]);
    refused(run(Attn { out_token: 1 << 30, ..Attn::default() }), &["lctx_attn.out_token"]);
    refused(run(Attn { bias: 8 as *const f32, ..Attn::default() }), &["lctx_attn.bias"]);
    let tiles = lctx_sys::Span { layout: 1, ..Default::default() };
    refused(Span::new(&k, &v, tiles), &["lctx_span.layout"]);
    let odd = Tensor::f32(&arrays.q[..3 * 3 * 64], &[3, 3, 64]).unwrap();
    refused(attend(&odd, &k, &v, Attn::default(), With::default()), &["E_HEADS"]);
    let pattern =
        Pattern { kind: PatternKind::DILATED.0, length: 4, dilation: 9, ..Default::default() };
    let with = With { pattern: Some(pattern), ..With::default() };
    refused(attend(&q, &k, &v, Attn::default(), with), &["E_DILATION", "lctx_pattern.dilation"]);
    refused(Rope::new(RopeDesc { n_rot: 63, ..Default::default() }), &["E_N_ROT", "n_rot"]);
    refused(
        Rope::new(RopeDesc { n_rot: 8, freq: 8 as *const f64, ..Default::default() }),
        &["freq"],
    );
    let sinks = CacheDesc { n_head_kv: 2, d_k: 64, policy: Policy::SINKS.0, ..Default::default() };
    refused(Cache::new(sinks, None), &["E_WINDOW", "lctx_cache_desc.window"]);
}

#[test]
fn latent_keys_are_values() {
    let arrays = Arrays::new();
    let (q, k, v) = arrays.tensors();
    let desc = CacheDesc { n_head_kv: 2, d_k: 64, latent: 1, ..Default::default() };
    let mut cache = Cache::new(desc, None).unwrap();
    cache.append_latent(&k).unwrap();
    let want = attend(&q, &k, &k, Attn::default(), With::default()).unwrap();
    assert!(cache.attend(&q, Attn::default(), With::default()).unwrap().out == want.out);
    refused(cache.append(&k, &v), &["E_SPAN", "lctx_rows.v"]);
}

#[test]
fn a_rope_turns() {
    let rope = Rope::new(RopeDesc { n_rot: 8, ..Default::default() }).unwrap();
    let x = noise(12);
    let turned = rope.apply(&Tensor::f32(&x, &[1, 1, 12]).unwrap(), 3).unwrap();
    let angle = 3.0 * rope.freq()[1];
    let expected = f64::from(x[1]) * angle.cos() - f64::from(x[5]) * angle.sin();
    assert!((f64::from(turned[1]) - expected).abs() < 1e-6 && turned[8..] == x[8..]);
    refused(rope.apply(&Tensor::f32(&x, &[12]).unwrap(), 0), &["x:", "[n][n][n]"]);
}

#[test]
fn a_pool_has_its_bound() {
    let arrays = Arrays::new();
    let (_, k, v) = arrays.tensors();
    let pool = Pool::new(300 << 10).unwrap();
    let mut cache = cache(Some(&pool));
    let filled = (0..99).try_for_each(|_| cache.append(&k, &v));
    refused(filled, &["E_MEMORY"]);
    assert!(pool.info().bytes_used > 0);
}

struct Weighted(Vec<Vec<f32>>);

impl Weighted {
    const NAMES: [(&'static str, &'static [usize]); 9] = [
        ("attn_norm", &[32]),
        ("ffn_norm", &[32]),
        ("wq", &[32, 32]),
        ("wk", &[16, 32]),
        ("wv", &[16, 32]),
        ("wo", &[32, 32]),
        ("w_gate", &[48, 32]),
        ("w_up", &[48, 32]),
        ("w_down", &[32, 48]),
    ];
    fn new() -> Self {
        let all = Weighted::NAMES.iter().map(|(_, shape)| noise(shape.iter().product()));
        Weighted(all.chain(vec![noise(50 * 32)]).collect())
    }
    fn layer(&self) -> (Layer, Weights<'_>) {
        let named = Weighted::NAMES.iter().zip(&self.0);
        let weights = named.map(|((name, shape), x)| (*name, Tensor::f32(x, shape).unwrap()));
        (Layer::default(), weights.collect())
    }
    fn model<'a>(&'a self, layers: &[(Layer, Weights<'a>)], rope: &'a Rope) -> Result<Model<'a>> {
        let desc = lctx_sys::Model {
            n_head: 4,
            n_head_kv: 2,
            d_model: 32,
            d_ff: 48,
            n_vocab: 50,
            ..Default::default()
        };
        let tensors = vec![
            ("tok_embd", Tensor::f32(&self.0[9], &[50, 32]).unwrap()),
            ("output_norm", Tensor::f32(&self.0[0], &[32]).unwrap()),
        ];
        Model::new(desc, &tensors, layers, Some(rope))
    }
}

fn rope() -> Rope {
    Rope::new(RopeDesc { n_rot: 8, ..Default::default() }).unwrap()
}

#[test]
fn a_session_feeds_and_generates() {
    let (w, rope) = (Weighted::new(), rope());
    let model = w.model(&[w.layer(), w.layer()], &rope).unwrap();
    let session = || Session::new(&model, SessionDesc::default(), Uses::default()).unwrap();
    let (mut s, mut t) = (session(), session());
    let whole = s.feed(&[1, 2, 3, 4, 5], Logits::All).unwrap();
    let parts: Vec<f32> = (1..6).flat_map(|i| t.feed(&[i], Logits::Last).unwrap()).collect();
    assert_eq!(whole, parts);
    let mut fork = s.fork().unwrap();
    let given: Vec<i32> = s.generate(&[6], 4).map(|token| token.unwrap()).collect();
    assert_eq!(given, fork.generate(&[6], 4).map(|token| token.unwrap()).collect::<Vec<_>>());
    let mut token = 6;
    for expected in &given {
        token = likeliest(&t.feed(&[token], Logits::Last).unwrap());
        assert_eq!(token, *expected);
    }
    let mut saved = Vec::new();
    t.save(&mut saved).unwrap();
    fork.restore(&mut &saved[..]).unwrap();
    let next = |s: &mut Session| s.feed(&[1], Logits::Last).unwrap();
    assert_eq!(next(&mut fork), next(&mut t));
    t.rewind(5).unwrap();
    assert_eq!(t.info().n, 5);
    refused(s.feed(&[1, 50], Logits::None), &["E_TOKEN", "tokens[1]"]);
    refused(s.feed(&[], Logits::None), &["E_COUNT"]);
    let mut tokens = s.generate(&[99], 4);
    refused(tokens.next().unwrap(), &["E_TOKEN"]);
    assert!(tokens.next().is_none());
}

#[test]
fn progress_is_told_and_ends_a_feed() {
    let (w, rope, seen) = (Weighted::new(), rope(), Cell::new((0, 0)));
    let model = w.model(&[w.layer()], &rope).unwrap();
    let session = |told: Box<dyn FnMut(i64, i64) -> bool>| {
        let desc = SessionDesc { chunk: 2, ..Default::default() };
        Session::new(&model, desc, Uses { progress: Some(told), ..Uses::default() })
    };
    let told = |done, total| {
        seen.set((done, total));
        false
    };
    let uses = Uses { progress: Some(Box::new(told)), ..Uses::default() };
    let mut s = Session::new(&model, SessionDesc::default(), uses).unwrap();
    let mut fork = s.fork().unwrap();
    drop(s.feed(&[1; 5], Logits::None).unwrap());
    drop(s);
    assert_eq!(seen.get(), (5, 5));
    drop(fork.feed(&[1; 3], Logits::None).unwrap());
    assert_eq!(seen.get(), (3, 3));
    let mut stopped = session(Box::new(|done, _| done > 2)).unwrap();
    refused(stopped.feed(&[1; 9], Logits::None), &["E_CANCELLED"]);
    assert_eq!(stopped.info().n, 0);
    let mut bad = session(Box::new(|_, _| panic!("mine"))).unwrap();
    let feed = std::panic::AssertUnwindSafe(|| bad.feed(&[1], Logits::None));
    let panic = std::panic::catch_unwind(feed).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"mine"));
}

#[test]
fn models_are_checked() {
    let (w, rope) = (Weighted::new(), rope());
    let broken = |name: &'static str, tensor: Option<Tensor<'static>>| {
        let (layer, mut weights) = w.layer();
        weights.retain(|(have, _)| *have != name);
        weights.extend(tensor.map(|tensor| (name, tensor)));
        w.model(&[w.layer(), (layer, weights)], &rope)
    };
    let other: &'static [f32] = Box::leak(noise(31 * 32).into());
    let tensor = |shape: &[usize]| Some(Tensor::f32(other, shape).unwrap());
    refused(broken("wq", tensor(&[32, 31])), &["lctx_layer.wq", "[32][32]", "[32][31]"]);
    refused(broken("wx", tensor(&[32, 31])), &["lctx_layer.wx"]);
    refused(broken("wo", None), &["E_WEIGHT", "lctx_layer[1].wo"]);
    let model = w.model(&[w.layer()], &rope).unwrap();
    let desc = SessionDesc { policy: 7, ..Default::default() };
    refused(Session::new(&model, desc, Uses::default()), &["E_ENUM", "lctx_session_desc.policy"]);
}
