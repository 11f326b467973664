//! lctx on slices. What the library refuses is an `Error` with the status and the place; arrays are
//! checked for type and shape; objects are freed when they are dropped, and do not outlive what
//! they were made with. Descriptors are those of `lctx_sys`, of which what points to memory stays
//! zero and is an argument here.
//!
//! ```ignore
//! let q = Tensor::f32(&floats, &[n_q, n_head, d])?;
//! let out = lctx::attend(&q, &k, &v, Attn::default(), With::default())?.out;
//! for token in session.generate(&prompt, 100) { print!("{}", token?); }
//! ```
use lctx_sys as sys;
use std::any::Any;
use std::cell::RefCell;
use std::ffi::CStr;
use std::io::{Read, Write};
use std::marker::PhantomData;
use std::os::raw::c_void;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::{Mutex, Once};
use std::{fmt, ptr};
pub use sys::{
    Activation, Attn, CacheDesc, CacheInfo, FarKind, FarRule, Isa, Layer, Mask, Pattern,
    PatternKind, Policy, PoolInfo, RopeDesc, RopePairing, RopeScheme, Routing, SessionDesc,
    SessionInfo, Status, Type,
};

#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// The library is not of the version and layout that this crate has.
    Library(String),
    /// A call was refused.
    Refused { status: Status, text: String },
    /// An array or a descriptor does not go with the call.
    Argument(String),
    /// A reader or a writer failed.
    Io(String),
}
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Error::Refused { status, text } => write!(f, "{}: {}", status.name(), text),
            Error::Library(text) | Error::Argument(text) | Error::Io(text) => f.write_str(text),
        }
    }
}
impl std::error::Error for Error {}

fn argument<T>(text: String) -> Result<T> {
    Err(Error::Argument(text))
}

// ---------------------------------------------------------------- the library
/// Compares the library with the declarations, once.
fn ready() -> Result<()> {
    static START: Once = Once::new();
    static WRONG: Mutex<Option<String>> = Mutex::new(None);
    START.call_once(|| *WRONG.lock().unwrap() = sys::check().err());
    match &*WRONG.lock().unwrap() {
        Some(text) => Err(Error::Library(text.clone())),
        None => Ok(()),
    }
}

/// The version that was found, or what of it does not fit.
pub fn check() -> Result<u32> {
    ready().map(|_| unsafe { sys::lctx_version() })
}

pub fn isa() -> Result<Isa> {
    ready().map(|_| unsafe { sys::lctx_isa_get() })
}

/// What a call said, whose descriptor had a report.
fn told(status: Status, refused: &sys::Refusal) -> Result<()> {
    if status == Status::OK {
        return Ok(());
    }
    let mut words = [0; 300];
    let text = unsafe {
        if refused.status == status.0 {
            sys::lctx_refusal_text(refused, words.as_mut_ptr(), words.len());
            CStr::from_ptr(words.as_ptr())
        } else {
            CStr::from_ptr(sys::lctx_status_text(status))
        }
    };
    Err(Error::Refused { status, text: text.to_string_lossy().into_owned() })
}

fn plainly(status: Status) -> Result<()> {
    told(status, &sys::Refusal::default())
}

// ---------------------------------------------------------------- arrays
/// Elements; f16 and bf16 as their bits, int8 with a scale for each row.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    F32(&'a [f32]),
    F16(&'a [u16]),
    Bf16(&'a [u16]),
    I8(&'a [i8], &'a [f32]),
}

impl<'a> Data<'a> {
    fn parts(&self) -> (*const c_void, usize, Type, &'a [f32]) {
        match *self {
            Data::F32(x) => (x.as_ptr().cast(), x.len(), Type::F32, &[]),
            Data::F16(x) => (x.as_ptr().cast(), x.len(), Type::F16, &[]),
            Data::Bf16(x) => (x.as_ptr().cast(), x.len(), Type::BF16, &[]),
            Data::I8(x, scale) => (x.as_ptr().cast(), x.len(), Type::I8, scale),
        }
    }
}

/// A packed array with a shape, the last dimension in a row.
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    data: Data<'a>,
    shape: Vec<usize>,
}

fn brackets(shape: &[Option<usize>]) -> String {
    shape.iter().map(|n| n.map_or("[n]".to_string(), |n| format!("[{}]", n))).collect()
}

fn known(shape: &[usize]) -> Vec<Option<usize>> {
    shape.iter().map(|&n| Some(n)).collect()
}

impl<'a> Tensor<'a> {
    pub fn new(data: Data<'a>, shape: &[usize]) -> Result<Self> {
        let (_, n, kind, scale) = data.parts();
        let size = shape.iter().try_fold(1usize, |size, n| size.checked_mul(*n));
        let size = size.filter(|&size| size <= isize::MAX as usize).unwrap_or(usize::MAX);
        if size != n {
            return argument(format!(
                "tensor: {} has {} elements, not {}",
                brackets(&known(shape)),
                size,
                n
            ));
        }
        let rows = size.checked_div(shape.last().copied().unwrap_or(1)).unwrap_or(0);
        if kind == Type::I8 && scale.len() != rows {
            return argument(format!("tensor: {} scales are wanted, not {}", rows, scale.len()));
        }
        Ok(Tensor { data, shape: shape.to_vec() })
    }
    pub fn f32(data: &'a [f32], shape: &[usize]) -> Result<Self> {
        Tensor::new(Data::F32(data), shape)
    }
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn wants(&self, name: &str, shape: &[Option<usize>]) -> Result<()> {
        let fits = self.shape.len() == shape.len()
            && shape.iter().zip(&self.shape).all(|(a, b)| a.map_or(true, |a| a == *b));
        if fits {
            return Ok(());
        }
        argument(format!(
            "{}: the shape {} is wanted, not {}",
            name,
            brackets(shape),
            brackets(&known(&self.shape))
        ))
    }
    fn floats(&self, name: &str, shape: &[Option<usize>]) -> Result<*const f32> {
        self.wants(name, shape)?;
        match self.data {
            Data::F32(x) => Ok(x.as_ptr()),
            _ => argument(format!("{}: f32 is wanted", name)),
        }
    }
    fn raw(&self) -> sys::Tensor {
        let (data, _, kind, scale) = self.data.parts();
        let scale = if kind == Type::I8 { scale.as_ptr() } else { ptr::null() };
        sys::Tensor { data, scale, r#type: kind.0, ..Default::default() }
    }
}

/// Descriptors whose memory is given beside them must have none of their own.
fn no_raw(name: &str, field: Option<&str>) -> Result<()> {
    field.map_or(Ok(()), |f| argument(format!("{}.{} follows from the arrays", name, f)))
}

/// A slice as long as it must be, as a pointer; null where there is none.
fn slice<T>(name: &str, x: Option<&[T]>, wanted: usize) -> Result<*const T> {
    match x {
        Some(x) if x.len() != wanted => {
            argument(format!("{}: {} elements are wanted, not {}", name, wanted, x.len()))
        }
        x => Ok(x.map_or(ptr::null(), |x| x.as_ptr())),
    }
}

fn int(name: &str, n: usize) -> Result<i32> {
    if n > i32::MAX as usize {
        return argument(format!("{}: {} is no i32", name, n));
    }
    Ok(n as i32)
}

// ---------------------------------------------------------------- floor 0: threads and memory
/// Threads of the library's own; 0 is one a processor.
pub struct Threads(*mut sys::Threads);

impl Threads {
    pub fn new(n_threads: i32) -> Result<Self> {
        ready()?;
        let mut refused = sys::Refusal::default();
        let desc = sys::ThreadsDesc { n_threads, refused: &mut refused, ..Default::default() };
        let mut threads = ptr::null_mut();
        told(unsafe { sys::lctx_threads_create(&desc, &mut threads) }, &refused)?;
        Ok(Threads(threads))
    }
    fn hook(&self) -> sys::Parallel {
        let mut par = sys::Parallel::default();
        unsafe { sys::lctx_threads_parallel(self.0, &mut par) };
        par
    }
}
impl Drop for Threads {
    fn drop(&mut self) {
        unsafe { sys::lctx_threads_free(self.0) }
    }
}

/// Memory of at most max_bytes for many caches and sessions.
pub struct Pool(*mut sys::Pool);

impl Pool {
    pub fn new(max_bytes: i64) -> Result<Self> {
        ready()?;
        let mut refused = sys::Refusal::default();
        let desc = sys::PoolDesc { max_bytes, refused: &mut refused, ..Default::default() };
        let mut pool = ptr::null_mut();
        told(unsafe { sys::lctx_pool_create(&desc, &mut pool) }, &refused)?;
        Ok(Pool(pool))
    }
    pub fn info(&self) -> PoolInfo {
        let mut info = PoolInfo::default();
        unsafe { sys::lctx_pool_get_info(self.0, &mut info) };
        info
    }
    fn hook(&self) -> sys::Allocator {
        let mut alloc = sys::Allocator::default();
        unsafe { sys::lctx_pool_allocator(self.0, &mut alloc) };
        alloc
    }
}
impl Drop for Pool {
    fn drop(&mut self) {
        unsafe { sys::lctx_pool_free(self.0) };
    }
}

// ---------------------------------------------------------------- floor 1: RoPE
/// A schedule.
#[derive(Clone)]
pub struct Rope(Box<sys::Rope>);

impl Rope {
    pub fn new(desc: RopeDesc) -> Result<Self> {
        ready()?;
        no_raw("lctx_rope_desc", desc.raw())?;
        let mut refused = sys::Refusal::default();
        let (desc, mut rope) = (RopeDesc { refused: &mut refused, ..desc }, Rope(Box::default()));
        told(unsafe { sys::lctx_rope_init(&mut *rope.0, &desc) }, &refused)?;
        Ok(rope)
    }
    pub fn attn_factor(&self) -> f64 {
        self.0.attn_factor
    }
    pub fn freq(&self) -> &[f64] {
        &self.0.freq[..self.0.n_rot as usize / 2]
    }
    /// x [n_tok][n_head][head_dim] rotated to positions pos0 and after
    pub fn apply(&self, x: &Tensor, pos0: i64) -> Result<Vec<f32>> {
        let address = x.floats("x", &[None; 3])?;
        let mut out = vec![0.0; x.shape.iter().product()];
        let mut refused = sys::Refusal::default();
        let job = sys::RopeJob {
            n_tok: x.shape[0] as i64,
            n_head: int("x", x.shape[1])?,
            head_dim: int("x", x.shape[2])?,
            x: address,
            out: out.as_mut_ptr(),
            pos0,
            refused: &mut refused,
            ..Default::default()
        };
        told(unsafe { sys::lctx_rope_apply(&*self.0, &job) }, &refused)?;
        Ok(out)
    }
}

// ---------------------------------------------------------------- floor 2: attention
/// Keys and values.
#[derive(Clone)]
pub struct Span<'a> {
    raw: sys::Span,
    shape: [usize; 4],
    of: PhantomData<&'a ()>,
}

impl<'a> Span<'a> {
    /// k and v: [n][n_head_kv][d]
    pub fn new(k: &Tensor<'a>, v: &Tensor<'a>, desc: sys::Span) -> Result<Self> {
        no_raw("lctx_span", desc.raw())?;
        k.wants("k", &[None; 3])?;
        v.wants("v", &[Some(k.shape[0]), Some(k.shape[1]), None])?;
        let (a, b) = (k.raw(), v.raw());
        let raw = sys::Span {
            k: a.data,
            v: b.data,
            k_type: a.r#type,
            v_type: b.r#type,
            k_scale: a.scale,
            v_scale: b.scale,
            n: k.shape[0] as i64,
            ..desc
        };
        Ok(Span { raw, shape: [k.shape[0], k.shape[1], k.shape[2], v.shape[2]], of: PhantomData })
    }
}

/// What an attention takes beside its descriptor; None is the default.
#[derive(Default)]
pub struct With<'a> {
    pub q_pos: Option<&'a [i64]>,
    pub q_group: Option<&'a [i32]>,
    pub alibi: Option<&'a [f32]>,
    pub sink_logit: Option<&'a [f32]>,
    pub bias: Option<&'a [f32]>,
    pub mask_bits: Option<&'a [u64]>,
    pub mass: Option<&'a mut [f32]>,
    /// Blocks [n_list][list_heads][list_len]
    pub list: Option<(&'a [i32], [usize; 3])>,
    pub pattern: Option<Pattern>,
    pub rope: Option<&'a Rope>,
    pub far_rule: Option<FarRule>,
    pub threads: Option<&'a Threads>,
}

/// Rows [n_q][n_head][d_v], and of each row the log of its softmax's denominator.
#[derive(Clone, Debug, PartialEq)]
pub struct Attended {
    pub out: Vec<f32>,
    pub lse: Vec<f32>,
}

/// Of keys: how many, heads, dimensions; how many there are in all, which is where queries end.
struct Keys {
    n: usize,
    n_head_kv: usize,
    d_k: usize,
    d_v: usize,
    end: i64,
}

fn run(
    q: &Tensor,
    keys: Keys,
    desc: Attn,
    with: With,
    call: &dyn Fn(&Attn, &mut Vec<u8>, &mut usize) -> Status,
) -> Result<Attended> {
    no_raw("lctx_attn", desc.raw())?;
    let address = q.floats("q", &[None, None, Some(keys.d_k)])?;
    let (n_q, n_head) = (q.shape[0], q.shape[1]);
    let n = |parts: &[usize]| parts.iter().product::<usize>();
    let (out, lse) = (vec![0.0; n(&[n_q, n_head, keys.d_v])], vec![0.0; n_q * n_head]);
    let mut found = Attended { out, lse };
    let mut refused = sys::Refusal::default();
    let par = with.threads.map(Threads::hook);
    let mut a = Attn {
        n_q: n_q as i64,
        n_head: int("q", n_head)?,
        q: address,
        out: found.out.as_mut_ptr(),
        lse: found.lse.as_mut_ptr(),
        refused: &mut refused,
        ..desc
    };
    a.q_pos = slice("lctx_attn.q_pos", with.q_pos, n_q)?;
    a.q_group = slice("lctx_attn.q_group", with.q_group, n_q)?;
    a.alibi = slice("lctx_attn.alibi", with.alibi, n_head)?;
    a.sink_logit = slice("lctx_attn.sink_logit", with.sink_logit, n_head)?;
    a.bias = slice("lctx_attn.bias", with.bias, n(&[n_head, n_q, keys.n]))?;
    let words = (keys.n + 63) / 64;
    a.mask_bits = slice("lctx_attn.mask_bits", with.mask_bits, n(&[n_head, n_q, words]))?;
    if let Some(mass) = with.mass {
        slice("lctx_attn.mass", Some(&*mass), keys.n_head_kv * keys.n)?;
        a.mass = mass.as_mut_ptr();
    }
    if let Some((blocks, shape)) = with.list {
        take_list(&mut a, blocks, shape)?;
    }
    if let Some(pattern) = &with.pattern {
        no_raw("lctx_pattern", pattern.raw())?;
        a.pattern = pattern;
    }
    a.rope = with.rope.map_or(ptr::null(), |r| &*r.0);
    a.far_rule = with.far_rule.as_ref().map_or(ptr::null(), |r| r);
    a.par = par.as_ref().map_or(ptr::null(), |p| p);
    if with.q_pos.is_none() && desc.q_pos0 == 0 {
        a.q_pos0 = keys.end - n_q as i64;
    }
    told(call(&a, &mut Vec::new(), &mut 0), &refused)?;
    Ok(found)
}

/// A list has a row for each query.
fn take_list(a: &mut Attn, blocks: &[i32], shape: [usize; 3]) -> Result<()> {
    a.list = slice("lctx_attn.list", Some(blocks), shape.iter().product())?;
    let rows = match a.list_queries {
        0 => 1,
        each => (a.list_first.max(0).saturating_add(a.n_q - 1)) / each.max(1) + 1,
    };
    if a.n_q > 0 && (shape[0] as i64) < rows {
        return argument(format!("lctx_attn.list: {} rows for queries of {}", shape[0], rows));
    }
    a.list_heads = int("lctx_attn.list", shape[1])?;
    a.list_len = shape[2] as i64;
    Ok(())
}

/// Attention of q [n_q][n_head][d] over spans: causal, queries last, unless said otherwise.
pub fn attend_spans(q: &Tensor, spans: &[Span], desc: Attn, with: With) -> Result<Attended> {
    ready()?;
    let first = match spans.first() {
        Some(span) => span.shape,
        None => return argument("spans: at least one is wanted".to_string()),
    };
    if spans.iter().any(|s| s.shape[1..] != first[1..]) {
        return argument("spans: they differ in heads or dimensions".to_string());
    }
    let n = spans.iter().map(|s| s.shape[0]).sum();
    let raw: Vec<sys::Span> = spans.iter().map(|s| s.raw).collect();
    let desc = Attn {
        n_head_kv: int("k", first[1])?,
        d_k: int("k", first[2])?,
        d_v: int("v", first[3])?,
        n_spans: raw.len() as i64,
        ..desc
    };
    let keys = Keys { n, n_head_kv: first[1], d_k: first[2], d_v: first[3], end: n as i64 };
    run(q, keys, desc, with, &|a, scratch, bytes| unsafe {
        let a = Attn { spans: raw.as_ptr(), ..*a };
        match sys::lctx_attend_size(&a, bytes) {
            Status::OK => {
                scratch.reserve(*bytes);
                sys::lctx_attend(&a, scratch.as_mut_ptr().cast(), *bytes)
            }
            refused => refused,
        }
    })
}

/// Attention over k and v [n][n_head_kv][d]
pub fn attend(q: &Tensor, k: &Tensor, v: &Tensor, desc: Attn, with: With) -> Result<Attended> {
    attend_spans(q, &[Span::new(k, v, Default::default())?], desc, with)
}

// ---------------------------------------------------------------- saving
/// A stream that callbacks use, and how it failed.
struct Stream<S> {
    stream: S,
    failed: Option<std::io::Error>,
}

impl<S> Stream<S> {
    fn step(user: *mut c_void, work: impl FnOnce(&mut S) -> std::io::Result<()>) -> i32 {
        let stream = unsafe { &mut *user.cast::<Self>() };
        match catch_unwind(AssertUnwindSafe(|| work(&mut stream.stream))) {
            Ok(Ok(())) => 0,
            Ok(Err(error)) => {
                stream.failed = Some(error);
                1
            }
            Err(_) => 1,
        }
    }
    fn told(self, status: Status) -> Result<()> {
        self.failed.map_or_else(|| plainly(status), |error| Err(Error::Io(error.to_string())))
    }
}

unsafe extern "C" fn write_to(user: *mut c_void, data: *const c_void, n: usize) -> i32 {
    let bytes = if n > 0 { std::slice::from_raw_parts(data.cast(), n) } else { &[] };
    Stream::<&mut dyn Write>::step(user, |to| to.write_all(bytes))
}
unsafe extern "C" fn read_from(user: *mut c_void, data: *mut c_void, n: usize) -> i32 {
    let bytes = if n > 0 { std::slice::from_raw_parts_mut(data.cast(), n) } else { &mut [] };
    Stream::<&mut dyn Read>::step(user, |from| from.read_exact(bytes))
}

// ---------------------------------------------------------------- floor 3: the cache
/// Keys and values of one sequence in one layer. A cache may use a pool, which outlives it.
pub struct Cache<'a> {
    handle: *mut sys::Cache,
    heads: [usize; 3],
    of: PhantomData<&'a ()>,
}

impl<'a> Cache<'a> {
    pub fn new(desc: CacheDesc, pool: Option<&'a Pool>) -> Result<Self> {
        ready()?;
        no_raw("lctx_cache_desc", desc.raw())?;
        let (mut refused, alloc) = (sys::Refusal::default(), pool.map(Pool::hook));
        let alloc = alloc.as_ref().map_or(ptr::null(), |a| a as *const _);
        let desc = CacheDesc { refused: &mut refused, alloc, ..desc };
        let mut handle = ptr::null_mut();
        told(unsafe { sys::lctx_cache_create(&desc, &mut handle) }, &refused)?;
        let d_v = if desc.d_v == 0 { desc.d_k } else { desc.d_v };
        let heads = [desc.n_head_kv as usize, desc.d_k as usize, d_v as usize];
        Ok(Cache { handle, heads, of: PhantomData })
    }
    /// f32 rows [n][n_head_kv][d], keys rotated already
    pub fn append(&mut self, k: &Tensor, v: &Tensor) -> Result<()> {
        self.append_rows(k, Some(v))
    }
    /// The same of a latent cache, whose values are a part of the keys
    pub fn append_latent(&mut self, k: &Tensor) -> Result<()> {
        self.append_rows(k, None)
    }
    fn append_rows(&mut self, k: &Tensor, v: Option<&Tensor>) -> Result<()> {
        let [n_head_kv, d_k, d_v] = self.heads;
        let a = k.floats("k", &[None, Some(n_head_kv), Some(d_k)])?;
        let b = match v {
            Some(v) => v.floats("v", &[Some(k.shape[0]), Some(n_head_kv), Some(d_v)])?,
            None => ptr::null(),
        };
        let mut refused = sys::Refusal::default();
        let n = k.shape[0] as i64;
        let rows = sys::Rows { n, k: a, v: b, refused: &mut refused, ..Default::default() };
        told(unsafe { sys::lctx_cache_append(self.handle, &rows) }, &refused)
    }
    /// Attention of queries that were appended last
    pub fn attend(&mut self, q: &Tensor, desc: Attn, with: With) -> Result<Attended> {
        let ([n_head_kv, d_k, d_v], info) = (self.heads, self.info());
        let keys = Keys { n: info.n_held as usize, n_head_kv, d_k, d_v, end: info.n };
        let handle = self.handle;
        run(q, keys, desc, with, &|a, scratch, bytes| unsafe {
            match sys::lctx_cache_attend_size(handle, a, bytes) {
                Status::OK => {
                    scratch.reserve(*bytes);
                    sys::lctx_cache_attend(handle, a, scratch.as_mut_ptr().cast(), *bytes)
                }
                refused => refused,
            }
        })
    }
    pub fn info(&self) -> CacheInfo {
        let mut info = CacheInfo::default();
        unsafe { sys::lctx_cache_get_info(self.handle, &mut info) };
        info
    }
    pub fn far_pos(&self, pos: i64) -> i64 {
        unsafe { sys::lctx_cache_far_pos(self.handle, pos) }
    }
    pub fn rewind(&mut self, n: i64) -> Result<()> {
        plainly(unsafe { sys::lctx_cache_rewind(self.handle, n) })
    }
    pub fn fork(&self) -> Result<Cache<'a>> {
        let mut handle = ptr::null_mut();
        plainly(unsafe { sys::lctx_cache_fork(self.handle, &mut handle) })?;
        Ok(Cache { handle, ..*self })
    }
    pub fn save(&self, to: &mut dyn Write) -> Result<()> {
        let mut to = Stream { stream: to, failed: None };
        let user = &mut to as *mut _ as *mut c_void;
        let status = unsafe { sys::lctx_cache_save(self.handle, Some(write_to), user) };
        to.told(status)
    }
    pub fn restore(&mut self, from: &mut dyn Read) -> Result<()> {
        let mut from = Stream { stream: from, failed: None };
        let user = &mut from as *mut _ as *mut c_void;
        let status = unsafe { sys::lctx_cache_restore(self.handle, Some(read_from), user) };
        from.told(status)
    }
}
impl Drop for Cache<'_> {
    fn drop(&mut self) {
        unsafe { sys::lctx_cache_free(self.handle) }
    }
}

// ---------------------------------------------------------------- floor 4: the model
/// A layer: its numbers, and its weights by the names of lctx_layer's.
pub type Weights<'a> = Vec<(&'static str, Tensor<'a>)>;

/// Weights, borrowed.
pub struct Model<'a> {
    raw: sys::Model,
    _layers: Vec<Layer>,
    of: PhantomData<&'a ()>,
}

impl<'a> Model<'a> {
    pub fn new(
        desc: sys::Model,
        tensors: &Weights<'a>,
        layers: &[(Layer, Weights<'a>)],
        rope: Option<&'a Rope>,
    ) -> Result<Self> {
        ready()?;
        no_raw("lctx_model", desc.raw())?;
        let mut raw = sys::Model { n_layer: int("layers", layers.len())?, ..desc };
        for (name, tensor) in tensors {
            let place = raw.tensor(name).map(|place| place as *mut _);
            put("lctx_model", name, tensor, place, &|dim| number(&desc, None, dim))?;
        }
        let mut rows = Vec::new();
        for (layer, weights) in layers {
            no_raw("lctx_layer", layer.raw())?;
            let mut row = *layer;
            for (name, tensor) in weights {
                let place = row.tensor(name).map(|place| place as *mut _);
                put("lctx_layer", name, tensor, place, &|dim| number(&desc, Some(layer), dim))?;
            }
            rows.push(row);
        }
        let mut refused = sys::Refusal::default();
        raw.layers = rows.as_ptr();
        raw.rope = rope.map_or(ptr::null(), |r| &*r.0);
        raw.refused = &mut refused;
        told(unsafe { sys::lctx_model_check(&raw) }, &refused)?;
        raw.refused = ptr::null_mut();
        Ok(Model { raw, _layers: rows, of: PhantomData })
    }
}

/// A dimension by its name: a layer's own, else the model's.
fn number(model: &sys::Model, layer: Option<&Layer>, name: &str) -> Option<usize> {
    let own = layer.and_then(|l| l.number(name)).filter(|&n| n != 0);
    match own.or_else(|| model.number(name)) {
        Some(0) if name == "head_dim" => {
            model.d_model.checked_div(model.n_head).map(|n| n as usize)
        }
        found => found.map(|n| n.max(0) as usize),
    }
}

/// The sizes of a shape "n_expert? d_ff n_head*head_dim"
fn sizes(shape: &str, dim: &dyn Fn(&str) -> Option<usize>) -> Vec<Option<usize>> {
    let counts =
        |word: &&str| !word.ends_with('?') || dim(word.trim_end_matches('?')).unwrap_or(0) > 0;
    shape
        .split(' ')
        .filter(counts)
        .map(|word| {
            word.trim_end_matches('?')
                .split('*')
                .map(dim)
                .try_fold(1usize, |n, part| part.and_then(|part| n.checked_mul(part)))
        })
        .collect()
}

fn put(
    of: &str,
    name: &str,
    tensor: &Tensor,
    place: Option<*mut sys::Tensor>,
    dim: &dyn Fn(&str) -> Option<usize>,
) -> Result<()> {
    let path = format!("{}.{}", of, name);
    let shape = sys::ARRAYS.iter().find(|a| a.0 == path).map(|a| a.2);
    match (place, shape) {
        (Some(place), Some(shape)) => {
            tensor.wants(&path, &sizes(shape, dim))?;
            unsafe { *place = tensor.raw() };
            Ok(())
        }
        _ => argument(format!("{} takes no weight", path)),
    }
}

/// Which logits a feed gives: after the last token [n_vocab], after all [n][n_vocab], none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Logits {
    Last,
    All,
    None,
}

type Told<'a> = dyn FnMut(i64, i64) -> bool + 'a;

/// A closure that is told of progress, and what it panicked with.
struct Progress<'a> {
    call: RefCell<Box<Told<'a>>>,
    panic: RefCell<Option<Box<dyn Any + Send>>>,
}

unsafe extern "C" fn progress(user: *mut c_void, done: i64, total: i64) -> i32 {
    let told = &*user.cast::<Progress>();
    match catch_unwind(AssertUnwindSafe(|| (told.call.borrow_mut())(done, total))) {
        Ok(stop) => stop as i32,
        Err(panic) => {
            *told.panic.borrow_mut() = Some(panic);
            1
        }
    }
}

/// What a session may use: threads, a pool, a closure that ends a feed by returning true.
#[derive(Default)]
pub struct Uses<'a> {
    pub threads: Option<&'a Threads>,
    pub pool: Option<&'a Pool>,
    pub progress: Option<Box<Told<'a>>>,
}

/// One sequence over a model.
pub struct Session<'a> {
    handle: *mut sys::Session,
    n_vocab: usize,
    progress: Option<Rc<Progress<'a>>>,
    of: PhantomData<&'a ()>,
}

impl<'a> Session<'a> {
    pub fn new(model: &'a Model<'a>, desc: SessionDesc, uses: Uses<'a>) -> Result<Self> {
        no_raw("lctx_session_desc", desc.raw())?;
        let (mut refused, mut handle) = (sys::Refusal::default(), ptr::null_mut());
        let (alloc, par) = (uses.pool.map(Pool::hook), uses.threads.map(Threads::hook));
        let told_of = uses
            .progress
            .map(|call| Rc::new(Progress { call: RefCell::new(call), panic: RefCell::new(None) }));
        let mut desc = SessionDesc { refused: &mut refused, ..desc };
        desc.alloc = alloc.as_ref().map_or(ptr::null(), |a| a);
        desc.par = par.as_ref().map_or(ptr::null(), |p| p);
        if let Some(rc) = &told_of {
            desc.progress = Some(progress);
            desc.progress_user = Rc::as_ptr(rc) as *mut c_void;
        }
        told(unsafe { sys::lctx_session_create(&model.raw, &desc, &mut handle) }, &refused)?;
        let n_vocab = model.raw.n_vocab as usize;
        Ok(Session { handle, n_vocab, progress: told_of, of: PhantomData })
    }
    pub fn feed(&mut self, tokens: &[i32], logits: Logits) -> Result<Vec<f32>> {
        let (rows, which) = match logits {
            Logits::Last => (1, sys::Logits::LAST),
            Logits::All => (tokens.len(), sys::Logits::ALL),
            Logits::None => (0, sys::Logits::NONE),
        };
        let mut out = vec![0.0; rows * self.n_vocab];
        let n = tokens.len() as i64;
        let status = unsafe {
            sys::lctx_session_feed(self.handle, tokens.as_ptr(), n, which, out.as_mut_ptr())
        };
        if let Some(panic) = self.progress.as_ref().and_then(|p| p.panic.borrow_mut().take()) {
            resume_unwind(panic);
        }
        told(status, &self.info().refused)?;
        Ok(out)
    }
    /// Feeds a prompt and gives up to n tokens after it, the likeliest, each fed when the next is
    /// asked for.
    pub fn generate(&mut self, prompt: &[i32], n: usize) -> Tokens<'_, 'a> {
        Tokens { session: self, next: prompt.to_vec(), left: n }
    }
    pub fn info(&self) -> SessionInfo {
        let mut info = SessionInfo::default();
        unsafe { sys::lctx_session_get_info(self.handle, &mut info) };
        info
    }
    pub fn rewind(&mut self, n: i64) -> Result<()> {
        plainly(unsafe { sys::lctx_session_rewind(self.handle, n) })
    }
    pub fn fork(&self) -> Result<Session<'a>> {
        let mut handle = ptr::null_mut();
        plainly(unsafe { sys::lctx_session_fork(self.handle, &mut handle) })?;
        let progress = self.progress.clone();
        Ok(Session { handle, n_vocab: self.n_vocab, progress, of: PhantomData })
    }
    pub fn save(&self, to: &mut dyn Write) -> Result<()> {
        let mut to = Stream { stream: to, failed: None };
        let user = &mut to as *mut _ as *mut c_void;
        let status = unsafe { sys::lctx_session_save(self.handle, Some(write_to), user) };
        to.told(status)
    }
    pub fn restore(&mut self, from: &mut dyn Read) -> Result<()> {
        let mut from = Stream { stream: from, failed: None };
        let user = &mut from as *mut _ as *mut c_void;
        let status = unsafe { sys::lctx_session_restore(self.handle, Some(read_from), user) };
        from.told(status)
    }
}
impl Drop for Session<'_> {
    fn drop(&mut self) {
        unsafe { sys::lctx_session_free(self.handle) }
    }
}

/// The index of the greatest.
pub fn likeliest(logits: &[f32]) -> i32 {
    let mut best = 0;
    for (i, x) in logits.iter().enumerate() {
        if *x > logits[best] {
            best = i;
        }
    }
    best as i32
}

/// Tokens that a session gives; an error is the last.
pub struct Tokens<'s, 'a> {
    session: &'s mut Session<'a>,
    next: Vec<i32>,
    left: usize,
}

impl Iterator for Tokens<'_, '_> {
    type Item = Result<i32>;
    fn next(&mut self) -> Option<Result<i32>> {
        self.left = self.left.checked_sub(1)?;
        let token = self.session.feed(&self.next, Logits::Last).map(|logits| likeliest(&logits));
        match token {
            Ok(token) => self.next = vec![token],
            Err(_) => self.left = 0,
        }
        Some(token)
    }
}
