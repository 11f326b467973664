// Package lctx calls lctx.h on slices. What the library refuses is an *Error with the status and
// the place; arrays are checked for type and shape; what was opened is freed by Close, and is
// refused after it. Descriptors are the header's, of which what points to memory is an argument
// here. An object is for one goroutine at a time, which is checked.
//
//	out, err := lctx.Attend(q, k, v, lctx.Attn{}, lctx.With{})    // Arrays
//	defer session.Close()
//	for tokens := session.Generate(prompt, 100); tokens.Next(); { fmt.Print(tokens.Token()) }
package lctx

// #cgo CFLAGS: -I${SRCDIR}/../../..
// #cgo LDFLAGS: -L${SRCDIR}/../../../build -llctx
// #include "shim.h"
// #include <stdlib.h>
// #include <string.h>
import "C"

import (
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"runtime/cgo"
	"strings"
	"sync"
	"unsafe"
)

// An Error is what a call refused.
type Error struct {
	Status Status
	Text   string
}

func (e *Error) Error() string { return fmt.Sprintf("%v: %s", e.Status, e.Text) }

// Causes of errors that are not the library's.
var (
	ErrLibrary = errors.New("the library does not fit")
	ErrArray   = errors.New("array")
	ErrClosed  = errors.New("closed")
	ErrInUse   = errors.New("in use")
)

func badArray(format string, words ...any) error {
	return fmt.Errorf("%w "+format, append([]any{ErrArray}, words...)...)
}

// ---------------------------------------------------------------- the library
var (
	once  sync.Once
	wrong error
)

// Check says what the library that was found has otherwise: its version, a size or an offset. All
// that opens something does so first.
func Check() error {
	once.Do(func() { wrong = compare() })
	return wrong
}

func dotted(v uint32) string { return fmt.Sprintf("%d.%d.%d", v>>16, v>>8&255, v&255) }

func compare() error {
	if v := uint32(C.lctx_version()); v != Version {
		return fmt.Errorf("%w: it is of version %s, this package of %s", ErrLibrary, dotted(v),
			dotted(Version))
	}
	for _, s := range layouts {
		if size := ask(s.name, func(c *C.char) C.size_t {
			return C.lctx_sizeof(c)
		}); size != s.size {
			return fmt.Errorf("%w: %s has %d bytes there, %d here", ErrLibrary, s.name, size,
				s.size)
		}
		for _, f := range s.fields {
			field := s.name + "." + f.field
			at := ask(field, func(c *C.char) C.size_t { return C.lctx_offsetof(c) })
			if at != f.at {
				return fmt.Errorf("%w: %s stands at %d there, %d here", ErrLibrary, field, at, f.at)
			}
		}
	}
	return nil
}

func ask(name string, call func(*C.char) C.size_t) uintptr {
	words := C.CString(name)
	defer C.free(unsafe.Pointer(words))
	return uintptr(call(words))
}

// ISA is the instruction set in use.
func ISA() Isa { return Isa(C.lctx_isa_get()) }

func refusal(status C.lctx_status, refused *C.lctx_refusal) error {
	if status == C.LCTX_OK {
		return nil
	}
	text := C.GoString(C.lctx_status_text(status))
	if refused != nil && C.lctx_status(refused.status) == status {
		var words [300]C.char
		C.lctx_refusal_text(refused, &words[0], C.size_t(len(words)))
		text = C.GoString(&words[0])
	}
	return &Error{Status(status), text}
}

// ---------------------------------------------------------------- arrays
// An Array is packed and has a shape, the last dimension in a row: float32, int8 with a scale for
// each row, or the bits of f16 or bf16.
type Array struct {
	data  unsafe.Pointer
	kind  Type
	scale []float32
	shape []int
	bytes int
	err   error
}

func newArray[T any](kind Type, data []T, scale []float32, shape []int) Array {
	a := Array{data: first(data), kind: kind, scale: scale, shape: shape}
	size, rows := 1, 1
	for i, n := range shape {
		if n < 0 || n > 0 && size > math.MaxInt/8/n {
			a.err = badArray("%v is no shape", shape)
			return a
		}
		size *= n
		if i+1 < len(shape) {
			rows *= n
		}
	}
	a.bytes = size * int(unsafe.Sizeof(*new(T)))
	if size != len(data) {
		a.err = badArray("%v has %d elements, not %d", shape, size, len(data))
	} else if kind == TypeI8 && len(scale) != rows {
		a.err = badArray("%d scales are wanted, not %d", rows, len(scale))
	}
	return a
}

func first[T any](x []T) unsafe.Pointer {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Pointer(&x[0])
}

// F32 is an array of float32; where the shape does not fit, the call that takes it says so.
func F32(data []float32, shape ...int) Array { return newArray(TypeF32, data, nil, shape) }

// F16 is an array of float16's bits.
func F16(data []uint16, shape ...int) Array { return newArray(TypeF16, data, nil, shape) }

// BF16 is an array of bfloat16's bits.
func BF16(data []uint16, shape ...int) Array { return newArray(TypeBf16, data, nil, shape) }

// I8 is an array of int8 with a scale for each row.
func I8(data []int8, scale []float32, shape ...int) Array {
	return newArray(TypeI8, data, scale, shape)
}

// wants checks a shape, of which -1 is any.
func (a Array) wants(name string, shape ...int) error {
	if a.err != nil {
		return fmt.Errorf("%s: %w", name, a.err)
	}
	fits := len(shape) == len(a.shape)
	for i := 0; fits && i < len(shape); i++ {
		fits = shape[i] < 0 || shape[i] == a.shape[i]
	}
	if !fits {
		return badArray("%s: the shape %s is wanted, not %v", name,
			strings.ReplaceAll(fmt.Sprint(shape), "-1", "n"), a.shape)
	}
	return nil
}

func (a Array) floats(name string, shape ...int) error {
	if err := a.wants(name, shape...); err != nil {
		return err
	}
	if a.kind != TypeF32 {
		return badArray("%s: float32 is wanted, not %v", name, a.kind)
	}
	return nil
}

// slice checks the length of one that is there, and gives its address.
func slice[T any](err *error, name string, x []T, n int) unsafe.Pointer {
	if x != nil && len(x) != n && *err == nil {
		*err = badArray("%s: %d elements are wanted, not %d", name, n, len(x))
	}
	return first(x)
}

// ---------------------------------------------------------------- objects
// object is something of the library's: closed once, in one call at a time, and not while what was
// made with it is open.
type object struct {
	kind  string
	mutex sync.Mutex
	open  bool
	free  func()
	uses  []*object
	users int
}

var users sync.Mutex // guards their numbers

func (o *object) start(kind string, free func(), uses ...*object) {
	o.kind, o.open, o.free, o.uses = kind, true, free, uses
	users.Lock()
	defer users.Unlock()
	for _, other := range uses {
		other.users++
	}
}

// use runs a call with the object open and in no other.
func (o *object) use(call func() error) error {
	if o == nil {
		return call()
	}
	if !o.mutex.TryLock() {
		return fmt.Errorf("the %s is %w by another call", o.kind, ErrInUse)
	}
	defer o.mutex.Unlock()
	if !o.open {
		return fmt.Errorf("the %s is %w", o.kind, ErrClosed)
	}
	return call()
}

// lend keeps the object open during a call that uses it beside others.
func (o *object) lend(call func() error) error {
	if o == nil {
		return call()
	}
	err := o.use(func() error {
		users.Lock()
		defer users.Unlock()
		o.users++
		return nil
	})
	if err != nil {
		return err
	}
	defer func() {
		users.Lock()
		defer users.Unlock()
		o.users--
	}()
	return call()
}

// Close frees it; a second time does nothing.
func (o *object) Close() error {
	if !o.mutex.TryLock() {
		return fmt.Errorf("the %s is %w by another call", o.kind, ErrInUse)
	}
	defer o.mutex.Unlock()
	users.Lock()
	defer users.Unlock()
	if !o.open {
		return nil
	}
	if o.users > 0 {
		return fmt.Errorf("the %s is %w by %d that are open", o.kind, ErrInUse, o.users)
	}
	o.open = false
	o.free()
	for _, other := range o.uses {
		other.users--
	}
	return nil
}

// Threads are the library's own.
type Threads struct {
	object
	c *C.lctx_threads
}

// NewThreads starts n of them; 0 is one a processor.
func NewThreads(n int) (*Threads, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	t := &Threads{}
	desc := C.lctx_threads_desc{n_threads: C.int32_t(n)}
	if err := refusal(C.lctx_threads_create(&desc, &t.c), nil); err != nil {
		return nil, err
	}
	t.start("threads", func() { C.lctx_threads_free(t.c) })
	return t, nil
}

func (t *Threads) of() (*C.lctx_threads, *object) {
	if t == nil {
		return nil, nil
	}
	return t.c, &t.object
}

// A Pool is memory of at most so many bytes for many caches and sessions.
type Pool struct {
	object
	c *C.lctx_pool
}

// NewPool makes one that is empty.
func NewPool(maxBytes int64) (*Pool, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	p := &Pool{}
	desc := C.lctx_pool_desc{max_bytes: C.int64_t(maxBytes)}
	if err := refusal(C.lctx_pool_create(&desc, &p.c), nil); err != nil {
		return nil, err
	}
	p.start("pool", func() { C.lctx_pool_free(p.c) })
	return p, nil
}

func (p *Pool) of() (*C.lctx_pool, *object) {
	if p == nil {
		return nil, nil
	}
	return p.c, &p.object
}

// Info tells what is in use.
func (p *Pool) Info() (info PoolInfo, err error) {
	err = p.use(func() error {
		return refusal(C.lctx_pool_get_info(p.c, (*C.lctx_pool_info)(unsafe.Pointer(&info))), nil)
	})
	return
}

// ---------------------------------------------------------------- floor 1: RoPE
// A RopeSchedule is computed by NewRope.
type RopeSchedule struct{ c Rope }

// NewRope computes one.
func NewRope(desc RopeDesc) (*RopeSchedule, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	r, refused := &RopeSchedule{}, C.lctx_refusal{}
	status := C.shim_rope_init(r.ptr(), *(*C.lctx_rope_desc)(unsafe.Pointer(&desc)), &refused)
	if err := refusal(status, &refused); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *RopeSchedule) ptr() *C.lctx_rope { return (*C.lctx_rope)(unsafe.Pointer(&r.c)) }

// Freq are the radians per position of each pair.
func (r *RopeSchedule) Freq() []float64 { return r.c.Freq[:r.c.NRot/2] }

// AttnFactor is multiplied into cos and sin.
func (r *RopeSchedule) AttnFactor() float64 { return r.c.AttnFactor }

// Apply rotates x [n_tok][n_head][head_dim] to positions pos0 and after.
func (r *RopeSchedule) Apply(x Array, pos0 int64) ([]float32, error) {
	if err := x.floats("x", -1, -1, -1); err != nil {
		return nil, err
	}
	out, refused := make([]float32, x.bytes/4), C.lctx_refusal{}
	job := RopeJob{NTok: int64(x.shape[0]), NHead: int32(x.shape[1]), HeadDim: int32(x.shape[2]),
		x: x.data, out: first(out), Pos0: pos0}
	status := C.shim_rope_apply(r.ptr(), *(*C.lctx_rope_job)(unsafe.Pointer(&job)), &refused)
	return out, refusal(status, &refused)
}

// ---------------------------------------------------------------- floor 2: attention
// With is what an attention takes beside its descriptor; nil is the default.
type With struct {
	QPos      []int64
	QGroup    []int32
	Alibi     []float32
	SinkLogit []float32
	Bias      []float32
	MaskBits  []uint64
	Mass      []float32
	List      []int32 // blocks, of ListShape [n_list][list_heads][list_len]
	ListShape [3]int
	Pattern   *Pattern
	Rope      *RopeSchedule
	FarRule   *FarRule
	Threads   *Threads
}

// Attended has rows [n_q][n_head][d_v], and of each row the log of its softmax's denominator.
type Attended struct{ Out, Lse []float32 }

type keys struct {
	n, heads, dK, dV int
	end              int64
}

func fill(a *Attn, q Array, k keys, with With) (found Attended, err error) {
	if err = q.floats("q", -1, -1, k.dK); err != nil {
		return
	}
	nQ, nHead := q.shape[0], q.shape[1]
	found = Attended{make([]float32, nQ*nHead*k.dV), make([]float32, nQ*nHead)}
	a.NQ, a.NHead, a.q = int64(nQ), int32(nHead), q.data
	a.out, a.lse = first(found.Out), first(found.Lse)
	a.qPos = slice(&err, "lctx_attn.q_pos", with.QPos, nQ)
	a.qGroup = slice(&err, "lctx_attn.q_group", with.QGroup, nQ)
	a.alibi = slice(&err, "lctx_attn.alibi", with.Alibi, nHead)
	a.sinkLogit = slice(&err, "lctx_attn.sink_logit", with.SinkLogit, nHead)
	a.bias = slice(&err, "lctx_attn.bias", with.Bias, nHead*nQ*k.n)
	a.maskBits = slice(&err, "lctx_attn.mask_bits", with.MaskBits, nHead*nQ*((k.n+63)/64))
	a.mass = slice(&err, "lctx_attn.mass", with.Mass, k.heads*k.n)
	if with.List != nil && err == nil {
		err = list(a, with)
	}
	a.pattern, a.farRule = unsafe.Pointer(with.Pattern), unsafe.Pointer(with.FarRule)
	if with.Rope != nil {
		a.rope = unsafe.Pointer(&with.Rope.c)
	}
	if with.QPos == nil && a.QPos0 == 0 {
		a.QPos0 = k.end - a.NQ
	}
	return
}

// list checks that a list has a row for each query.
func list(a *Attn, with With) (err error) {
	shape, rows := with.ListShape, int64(1)
	a.list = slice(&err, "lctx_attn.list", with.List, shape[0]*shape[1]*shape[2])
	if a.ListQueries > 0 {
		if a.ListFirst < 0 || a.ListFirst > math.MaxInt32 {
			return badArray("lctx_attn.list: list_first is %d", a.ListFirst)
		}
		rows = (a.ListFirst+a.NQ-1)/a.ListQueries + 1
	}
	if int64(shape[0]) < rows && a.NQ > 0 && err == nil {
		err = badArray("lctx_attn.list: %d rows for queries of %d", shape[0], rows)
	}
	a.ListHeads, a.ListLen = int32(shape[1]), int64(shape[2])
	return
}

func attend(cache *C.lctx_cache, a *Attn, s *Span, with With) error {
	threads, lent := with.Threads.of()
	return lent.lend(func() error {
		var refused C.lctx_refusal
		status := C.shim_attend(cache, *(*C.lctx_attn)(unsafe.Pointer(a)),
			*(*C.lctx_span)(unsafe.Pointer(s)), threads, &refused)
		return refusal(status, &refused)
	})
}

// Attend is attention of q [n_q][n_head][d] over k and v [n][n_head_kv][d]: causal, queries last,
// unless desc.QPos0 or with.QPos says otherwise.
func Attend(q, k, v Array, desc Attn, with With) (Attended, error) {
	err := Check()
	if err == nil {
		err = k.wants("k", -1, -1, -1)
	}
	if err == nil {
		err = v.wants("v", k.shape[0], k.shape[1], -1)
	}
	if err != nil {
		return Attended{}, err
	}
	of := keys{k.shape[0], k.shape[1], k.shape[2], v.shape[2], int64(k.shape[0])}
	desc.NHeadKv, desc.DK, desc.DV = int32(of.heads), int32(of.dK), int32(of.dV)
	s := Span{k: k.data, v: v.data, KType: int32(k.kind), VType: int32(v.kind), N: int64(of.n),
		kScale: first(k.scale), vScale: first(v.scale)}
	found, err := fill(&desc, q, of, with)
	if err == nil {
		err = attend(nil, &desc, &s, with)
	}
	return found, err
}

// ---------------------------------------------------------------- saving
// stream lends a reader or a writer to a call.
func stream(t *told, call func(C.uintptr_t) C.lctx_status) error {
	handle := cgo.NewHandle(t)
	defer handle.Delete()
	return t.raise(refusal(call(C.uintptr_t(handle)), nil))
}

// ---------------------------------------------------------------- floor 3: the cache
// A Cache holds keys and values of one sequence in one layer.
type Cache struct {
	object
	c         *C.lctx_cache
	n, dK, dV int
	latent    bool
}

// NewCache makes one that is empty; pool may be nil.
func NewCache(desc CacheDesc, pool *Pool) (*Cache, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	c, refused := &Cache{n: int(desc.NHeadKv), dK: int(desc.DK), dV: int(desc.DV)}, C.lctx_refusal{}
	c.latent = desc.Latent != 0
	if c.dV == 0 {
		c.dV = c.dK
	}
	memory, lent := pool.of()
	err := lent.lend(func() error {
		return refusal(C.shim_cache_create(*(*C.lctx_cache_desc)(unsafe.Pointer(&desc)), memory,
			&c.c,
			&refused), &refused)
	})
	if err != nil {
		return nil, err
	}
	c.begin(lent)
	return c, nil
}

func (c *Cache) begin(uses ...*object) {
	c.start("cache", func() { C.lctx_cache_free(c.c) }, given(uses)...)
}

func given(objects []*object) (there []*object) {
	for _, o := range objects {
		if o != nil {
			there = append(there, o)
		}
	}
	return
}

// Append takes float32 rows [n][n_head_kv][d], keys rotated already; v is Array{} if the cache is
// latent.
func (c *Cache) Append(k, v Array) error {
	if err := k.floats("k", -1, c.n, c.dK); err != nil {
		return err
	}
	if !c.latent || v.data != nil {
		if err := v.floats("v", k.shape[0], c.n, c.dV); err != nil {
			return err
		}
	}
	return c.use(func() error {
		var refused C.lctx_refusal
		rows := Rows{N: int64(k.shape[0]), k: k.data, v: v.data}
		return refusal(C.shim_cache_append(c.c, *(*C.lctx_rows)(unsafe.Pointer(&rows)), &refused),
			&refused)
	})
}

// Attend is attention of queries that were appended last.
func (c *Cache) Attend(q Array, desc Attn, with With) (found Attended, err error) {
	info, err := c.Info()
	if err != nil {
		return
	}
	found, err = fill(&desc, q, keys{int(info.NHeld), c.n, c.dK, c.dV, info.N}, with)
	if err == nil {
		err = c.use(func() error { return attend(c.c, &desc, &Span{}, with) })
	}
	return
}

// Info tells what the cache holds.
func (c *Cache) Info() (info CacheInfo, err error) {
	err = c.use(func() error {
		return refusal(C.lctx_cache_get_info(c.c, (*C.lctx_cache_info)(unsafe.Pointer(&info))), nil)
	})
	return
}

// Rewind forgets the tokens n and after.
func (c *Cache) Rewind(n int64) error {
	return c.use(func() error { return refusal(C.lctx_cache_rewind(c.c, C.int64_t(n)), nil) })
}

// Fork makes a second one with the same contents.
func (c *Cache) Fork() (*Cache, error) {
	fork := &Cache{n: c.n, dK: c.dK, dV: c.dV}
	if err := c.use(func() error {
		return refusal(C.lctx_cache_fork(c.c, &fork.c), nil)
	}); err != nil {
		return nil, err
	}
	fork.begin(c.uses...)
	return fork, nil
}

// Save writes the contents, and Restore reads those of one of the same description.
func (c *Cache) Save(to io.Writer) error {
	return c.use(func() error {
		return stream(&told{out: to}, func(h C.uintptr_t) C.lctx_status {
			return C.shim_cache_save(c.c, h)
		})
	})
}

// Restore replaces the contents.
func (c *Cache) Restore(from io.Reader) error {
	return c.use(func() error {
		return stream(&told{in: from}, func(h C.uintptr_t) C.lctx_status {
			return C.shim_cache_restore(c.c, h)
		})
	})
}

// ---------------------------------------------------------------- floor 4: the model
// An OpenModel has weights, copied to memory that is not Go's.
type OpenModel struct {
	object
	c      *C.lctx_model
	memory []unsafe.Pointer
	nVocab int
}

// Weights are arrays by the names of lctx_layer's and lctx_model's tensors.
type Weights map[string]Array

// A LayerOf is a layer's numbers and weights.
type LayerOf struct {
	Layer
	Weights Weights
}

// Open copies a model's weights; rope may be nil.
func Open(desc Model, weights Weights, layers []LayerOf, rope *RopeSchedule) (*OpenModel, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	m := &OpenModel{nVocab: int(desc.NVocab)}
	m.start("model", m.release)
	if err := m.fill(desc, weights, layers, rope); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *OpenModel) release() {
	for _, p := range m.memory {
		C.free(p)
	}
}

func (m *OpenModel) fill(desc Model, weights Weights, layers []LayerOf, rope *RopeSchedule) error {
	for name, a := range weights {
		if err := m.put("lctx_model", name, a, desc.tensor(name), dims(&desc, nil)); err != nil {
			return err
		}
	}
	rows := make([]Layer, len(layers))
	for i, l := range layers {
		rows[i] = l.Layer
		for name, a := range l.Weights {
			err := m.put("lctx_layer", name, a, rows[i].tensor(name), dims(&desc, &l.Layer))
			if err != nil {
				return err
			}
		}
	}
	desc.NLayer = int32(len(layers))
	desc.layers = m.keep(first(rows), len(rows)*int(unsafe.Sizeof(Layer{})))
	if rope != nil {
		desc.rope = m.keep(unsafe.Pointer(&rope.c), int(unsafe.Sizeof(rope.c)))
	}
	m.c = (*C.lctx_model)(m.keep(unsafe.Pointer(&desc), int(unsafe.Sizeof(desc))))
	report := (*C.lctx_refusal)(C.calloc(1, C.sizeof_lctx_refusal))
	defer C.free(unsafe.Pointer(report))
	m.c.refused = report
	defer func() { m.c.refused = nil }()
	return refusal(C.lctx_model_check(m.c), report)
}

// dims gives a dimension by its name: a layer's own, else the model's.
func dims(m *Model, l *Layer) func(string) int {
	return func(name string) int {
		if l != nil {
			if n, _ := l.number(name); n != 0 {
				return int(n)
			}
		}
		n, _ := m.number(name)
		if n == 0 && name == "head_dim" && m.NHead != 0 {
			return int(m.DModel / m.NHead)
		}
		return int(n)
	}
}

// keep copies to memory of C's, which the model frees.
func (m *OpenModel) keep(data unsafe.Pointer, bytes int) unsafe.Pointer {
	if bytes == 0 {
		return nil
	}
	p := C.malloc(C.size_t(bytes))
	C.memcpy(p, data, C.size_t(bytes))
	m.memory = append(m.memory, p)
	return p
}

func (m *OpenModel) put(of, name string, a Array, to *Tensor, dim func(string) int) error {
	path := of + "." + name
	shape, there := arrays[path]
	if to == nil || !there {
		return badArray("%s takes no weight", path)
	}
	if err := a.wants(path, sizes(shape, dim)...); err != nil {
		return err
	}
	*to = Tensor{data: m.keep(a.data, a.bytes), scale: m.keep(first(a.scale), 4*len(a.scale)),
		Type: int32(a.kind)}
	return nil
}

// sizes are the numbers of a shape "n_expert? d_ff n_head*head_dim".
func sizes(shape string, dim func(string) int) (all []int) {
	for _, word := range strings.Fields(shape) {
		name := strings.TrimSuffix(word, "?")
		if name != word && dim(name) == 0 {
			continue
		}
		n := 1
		for _, part := range strings.Split(name, "*") {
			n *= dim(part)
		}
		all = append(all, n)
	}
	return
}

// Which logits a feed gives: after the last token [n_vocab], after all [n][n_vocab], none.
const (
	Last = LogitsLast
	All  = LogitsAll
	None = LogitsNone
)

// Uses are what a session may use; nil is the default. Progress ends a feed by returning true.
type Uses struct {
	Threads  *Threads
	Pool     *Pool
	Progress func(done, total int64) bool
}

// A Session is one sequence over a model.
type Session struct {
	object
	c      *C.lctx_session
	nVocab int
	told   *progress
}

// progress is shared by forks; the last frees it.
type progress struct {
	told
	handle cgo.Handle
	users  int
}

// NewSession makes one that is empty.
func NewSession(m *OpenModel, desc SessionDesc, with Uses) (*Session, error) {
	var refused C.lctx_refusal
	var handle C.uintptr_t
	s := &Session{nVocab: m.nVocab}
	if with.Progress != nil {
		s.told = &progress{told: told{call: with.Progress}}
		s.told.handle = cgo.NewHandle(&s.told.told)
		handle = C.uintptr_t(s.told.handle)
	}
	pool, memory := with.Pool.of()
	threads, loops := with.Threads.of()
	lent := func(call func() error) error {
		return m.lend(func() error { return memory.lend(func() error { return loops.lend(call) }) })
	}
	err := lent(func() error {
		return refusal(C.shim_session_create(m.c, *(*C.lctx_session_desc)(unsafe.Pointer(&desc)),
			pool,
			threads, handle, &s.c, &refused), &refused)
	})
	if err != nil {
		if s.told != nil {
			s.told.handle.Delete()
		}
		return nil, err
	}
	s.begin(&m.object, memory, loops)
	return s, nil
}

func (s *Session) begin(uses ...*object) {
	if s.told != nil {
		users.Lock()
		s.told.users++
		users.Unlock()
	}
	s.start("session", s.release, given(uses)...)
}

func (s *Session) release() {
	C.lctx_session_free(s.c)
	if s.told == nil {
		return
	}
	if s.told.users--; s.told.users == 0 {
		s.told.handle.Delete()
	}
}

// Feed feeds tokens, and gives logits.
func (s *Session) Feed(tokens []int32, which Logits) (logits []float32, err error) {
	rows := map[Logits]int{Last: 1, All: len(tokens)}[which]
	logits = make([]float32, rows*s.nVocab)
	err = s.use(func() error {
		status := C.lctx_session_feed(s.c, (*C.int32_t)(first(tokens)), C.int64_t(len(tokens)),
			C.lctx_logits(which), (*C.float)(first(logits)))
		var info C.lctx_session_info
		if status != C.LCTX_OK {
			C.lctx_session_get_info(s.c, &info)
		}
		err := refusal(status, &info.refused)
		if s.told != nil {
			err = s.told.raise(err)
		}
		return err
	})
	runtime.KeepAlive(tokens)
	return
}

// Info tells what the session holds.
func (s *Session) Info() (info SessionInfo, err error) {
	err = s.use(func() error {
		return refusal(C.lctx_session_get_info(s.c, (*C.lctx_session_info)(unsafe.Pointer(&info))),
			nil)
	})
	return
}

// Rewind forgets the tokens n and after.
func (s *Session) Rewind(n int64) error {
	return s.use(func() error { return refusal(C.lctx_session_rewind(s.c, C.int64_t(n)), nil) })
}

// Fork makes a second one with the same contents.
func (s *Session) Fork() (*Session, error) {
	fork := &Session{nVocab: s.nVocab, told: s.told}
	if err := s.use(func() error {
		return refusal(C.lctx_session_fork(s.c, &fork.c), nil)
	}); err != nil {
		return nil, err
	}
	fork.begin(s.uses...)
	return fork, nil
}

// Save writes the contents, and Restore reads those of one with the same settings.
func (s *Session) Save(to io.Writer) error {
	return s.use(func() error {
		return stream(&told{out: to}, func(h C.uintptr_t) C.lctx_status {
			return C.shim_session_save(s.c, h)
		})
	})
}

// Restore replaces the contents.
func (s *Session) Restore(from io.Reader) error {
	return s.use(func() error {
		return stream(&told{in: from}, func(h C.uintptr_t) C.lctx_status {
			return C.shim_session_restore(s.c, h)
		})
	})
}

// Likeliest is the index of the greatest.
func Likeliest(logits []float32) int32 {
	best := 0
	for i, x := range logits {
		if x > logits[best] {
			best = i
		}
	}
	return int32(best)
}

// Tokens are those that a session gives, each fed when the next is asked for.
type Tokens struct {
	session *Session
	next    []int32
	left    int
	err     error
}

// Generate feeds a prompt and gives up to n tokens after it, the likeliest.
func (s *Session) Generate(prompt []int32, n int) *Tokens {
	return &Tokens{session: s, next: prompt, left: n}
}

// Next goes to the next token, if there is one; Err says whether an error ended them.
func (t *Tokens) Next() bool {
	if t.left <= 0 {
		return false
	}
	t.left--
	logits, err := t.session.Feed(t.next, Last)
	if err != nil {
		t.left, t.err = 0, err
		return false
	}
	t.next = []int32{Likeliest(logits)}
	return true
}

// Token is the one that Next went to.
func (t *Tokens) Token() int32 { return t.next[0] }

// Err is what ended the tokens, or nil.
func (t *Tokens) Err() error { return t.err }
