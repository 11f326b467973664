// Command test_go tests the package lctx against itself, and what it must refuse without a crash.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"lctx.example/lctx"
)

var passed, failed int

func check(ok bool, what string) {
	if ok {
		passed++
	} else {
		failed++
		fmt.Println("  FAIL:", what)
	}
}

// refused wants an error of a kind (nil: any of the library's) with all of the words.
func refused(what string, err, kind error, words ...string) {
	var ours *lctx.Error
	ok := err != nil && (kind == nil && errors.As(err, &ours) || kind != nil && errors.Is(err,
		kind))
	for _, word := range words {
		ok = ok && strings.Contains(err.Error(), word)
	}
	check(ok, fmt.Sprintf("%s: %v without %v, %v", what, err, kind, words))
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

func noise(n int) []float32 {
	x, state := make([]float32, n), uint64(n)+7
	for i := range x {
		state = state*6364136223846793005 + 1442695040888963407
		x[i] = float32(state>>40)/(1<<23) - 1
	}
	return x
}

func same(a, b []float32) bool {
	for i := range a {
		if len(a) != len(b) || a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

var (
	q, k, v = noise(3 * 8 * 64), noise(200 * 2 * 64), noise(200*128 + 128)[128:]
	qs      = lctx.F32(q, 3, 8, 64)
	ks, vs  = lctx.F32(k, 200, 2, 64), lctx.F32(v, 200, 2, 64)
)

func part(x []float32, from, to int) lctx.Array {
	return lctx.F32(x[from*128:to*128], to-from, 2, 64)
}

func testAttend() {
	one := must(lctx.Attend(qs, ks, vs, lctx.Attn{Window: 1}, lctx.With{}))
	check(same(one.Out[2*512:2*512+64], v[199*128:199*128+64]),
		"a window of one key gives its value")
	whole := must(lctx.Attend(qs, ks, vs, lctx.Attn{}, lctx.With{}))
	threads := must(lctx.NewThreads(2))
	with := lctx.With{Threads: threads}
	check(same(must(lctx.Attend(qs, ks, vs, lctx.Attn{}, with)).Out, whole.Out),
		"threads keep the bits")
	threads.Close()
	_, err := lctx.Attend(qs, ks, vs, lctx.Attn{}, with)
	refused("threads that are closed", err, lctx.ErrClosed, "threads")
	mass, sum := make([]float32, 400), float32(0)
	must(lctx.Attend(qs, ks, vs, lctx.Attn{}, lctx.With{Mass: mass}))
	for _, x := range mass {
		sum += x
	}
	check(math.Abs(float64(sum-24)) < 1e-3, "mass is 1 a row")
	listed := lctx.With{List: []int32{2, 3}, ListShape: [3]int{1, 1, 2}}
	last := lctx.F32(q[1024:], 1, 8, 64)
	near := must(lctx.Attend(last, part(k, 128, 200), part(v, 128, 200), lctx.Attn{}, lctx.With{}))
	found := must(lctx.Attend(last, ks, vs, lctx.Attn{}, listed))
	check(math.Abs(float64(near.Out[5]-found.Out[5])) < 1e-6, "a list names blocks")
	blocks := &lctx.Pattern{Kind: int32(lctx.PatternKindBlocks), Length: 128}
	found = must(lctx.Attend(last, ks, vs, lctx.Attn{}, lctx.With{Pattern: blocks}))
	check(math.Abs(float64(near.Out[5]-found.Out[5])) < 1e-6, "a pattern")
	cache := must(lctx.NewCache(lctx.CacheDesc{NHeadKv: 2, DK: 64}, nil))
	must(0, cache.Append(part(k, 0, 128), part(v, 0, 128)))
	fork := must(cache.Fork())
	must(0, cache.Append(part(k, 128, 200), part(v, 128, 200)))
	check(same(must(cache.Attend(qs, lctx.Attn{}, lctx.With{})).Out, whole.Out),
		"a cache keeps the bits")
	check(must(cache.Info()).N == 200 && must(fork.Info()).N == 128, "a fork goes its own way")
	latent := must(lctx.NewCache(lctx.CacheDesc{NHeadKv: 2, DK: 64, Latent: 1}, nil))
	must(0, latent.Append(ks, lctx.Array{}))
	check(same(must(latent.Attend(qs, lctx.Attn{}, lctx.With{})).Out,
		must(lctx.Attend(qs, ks, ks, lctx.Attn{}, lctx.With{})).Out), "latent keys are values")
	testSaved(cache, fork, whole.Out)
}

func testSaved(cache, fork *lctx.Cache, whole []float32) {
	var saved bytes.Buffer
	must(0, cache.Save(&saved))
	must(0, fork.Restore(bytes.NewReader(saved.Bytes())))
	check(same(must(fork.Attend(qs, lctx.Attn{}, lctx.With{})).Out, whole),
		"what was saved is restored")
	half := fork.Restore(bytes.NewReader(saved.Bytes()[:saved.Len()-9]))
	check(half != nil && strings.Contains(half.Error(), "EOF"), "half of it is refused")
	saved.Bytes()[saved.Len()/2] ^= 1
	refused("a wrong bit", fork.Restore(&saved), nil, "E_FORMAT")
	refused("no way forward", cache.Rewind(500), nil, "E_POS")
	refused("a writer that fails", cache.Save(failing{}), errFull)
	refused("other heads", cache.Append(lctx.F32(k, 400, 1, 64), vs), lctx.ErrArray, "k:",
		"[n 2 64]")
	cache.Close()
	check(cache.Close() == nil, "closing twice does nothing")
	refused("append", cache.Append(ks, vs), lctx.ErrClosed, "the cache")
	refused("rewind", cache.Rewind(0), lctx.ErrClosed, "the cache")
	refused("save", cache.Save(&saved), lctx.ErrClosed, "the cache")
	_, err := cache.Attend(qs, lctx.Attn{}, lctx.With{})
	refused("attend", err, lctx.ErrClosed, "the cache")
	_, err = cache.Fork()
	refused("fork", err, lctx.ErrClosed, "the cache")
	fork.Close()
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

func testBad() {
	attend := func(q, k, v lctx.Array, desc lctx.Attn, with lctx.With) error {
		_, err := lctx.Attend(q, k, v, desc, with)
		return err
	}
	array := func(what string, err error, words ...string) {
		refused(what, err, lctx.ErrArray,
			words...)
	}
	none, plain := lctx.With{}, lctx.Attn{}
	array("few elements", attend(lctx.F32(q, 3, 8, 63), ks, vs, plain, none), "q:", "1512", "1536")
	array("negative sizes", attend(lctx.F32(q, -3, -8, 64), ks, vs, plain, none), "q:", "no shape")
	array("a flat q", attend(lctx.F32(q, 1536), ks, vs, plain, none), "q:", "[n n 64]", "[1536]")
	array("q of f16", attend(lctx.F16(make([]uint16, 1536), 3, 8, 64), ks, vs, plain, none),
		"float32")
	array("no scales", attend(qs, lctx.I8(make([]int8, 25600), nil, 200, 2, 64), vs, plain, none),
		"400")
	array("few values", attend(qs, ks, part(v, 0, 100), plain, none), "v:", "[200 2 n]")
	array("few positions", attend(qs, ks, vs, plain, lctx.With{QPos: []int64{1}}),
		"lctx_attn.q_pos", "3")
	array("a short bias", attend(qs, ks, vs, plain, lctx.With{Bias: q}), "lctx_attn.bias", "4800")
	array("a short mask", attend(qs, ks, vs, plain, lctx.With{MaskBits: []uint64{1}}), "mask_bits",
		"96")
	array("a short mass", attend(qs, ks, vs, plain, lctx.With{Mass: q}), "lctx_attn.mass", "400")
	rows := lctx.With{List: []int32{0, 1}, ListShape: [3]int{2, 1, 1}}
	array("a list of few rows", attend(qs, ks, vs, lctx.Attn{ListQueries: 1}, rows), "2 rows")
	refused("a window", attend(qs, ks, vs, lctx.Attn{Window: -1}, none), nil, "E_WINDOW",
		"lctx_attn.window")
	refused("a mask", attend(qs, ks, vs, lctx.Attn{Mask: 9}, none), nil, "E_ENUM", "lctx_attn.mask")
	refused("heads", attend(lctx.F32(q[:576], 3, 3, 64), ks, vs, plain, none), nil, "E_HEADS")
	wrong := &lctx.Pattern{Kind: int32(lctx.PatternKindDilated), Length: 4, Dilation: 9}
	refused("a pattern", attend(qs, ks, vs, plain, lctx.With{Pattern: wrong}), nil,
		"lctx_pattern.dilation")
	_, err := lctx.NewRope(lctx.RopeDesc{NRot: 63})
	refused("an odd rope", err, nil, "E_N_ROT", "lctx_rope_desc.n_rot")
	_, err = lctx.NewCache(lctx.CacheDesc{NHeadKv: 2, DK: 64, Policy: int32(lctx.PolicySinks)}, nil)
	refused("sinks without a window", err, nil, "E_WINDOW", "lctx_cache_desc.window")
	pool := must(lctx.NewPool(300 << 10))
	cache := must(lctx.NewCache(lctx.CacheDesc{NHeadKv: 2, DK: 64}, pool))
	for err = nil; err == nil; {
		err = cache.Append(ks, vs)
	}
	refused("a pool's bound", err, nil, "E_MEMORY")
	refused("a pool in use", pool.Close(), lctx.ErrInUse, "the pool", "by 1")
	cache.Close()
	check(pool.Close() == nil, "a pool that is not in use any more is closed")
	_, err = lctx.NewCache(lctx.CacheDesc{NHeadKv: 2, DK: 64}, pool)
	refused("a closed pool", err, lctx.ErrClosed, "the pool")
}

func testRope() {
	rope, x := must(lctx.NewRope(lctx.RopeDesc{NRot: 8})), noise(12)
	turned, angle := must(rope.Apply(lctx.F32(x, 1, 1, 12), 3)), 3*rope.Freq()[1]
	expected := float64(x[1])*math.Cos(angle) - float64(x[5])*math.Sin(angle)
	check(math.Abs(float64(turned[1])-expected) < 1e-6 && turned[9] == x[9], "a rope turns")
	_, err := rope.Apply(lctx.F32(x, 12), 3)
	refused("a flat x", err, lctx.ErrArray, "x:")
}

// ---------------------------------------------------------------- models
func layer(name string, other *lctx.Array) lctx.LayerOf {
	w := lctx.Weights{
		"attn_norm": lctx.F32(noise(32), 32), "ffn_norm": lctx.F32(noise(32), 32),
		"wq": lctx.F32(noise(32*32), 32, 32), "wk": lctx.F32(noise(16*32), 16, 32),
		"wv": lctx.F32(noise(16*32), 16, 32), "wo": lctx.F32(noise(32*32), 32, 32),
		"w_gate": lctx.F32(noise(48*32), 48, 32), "w_up": lctx.F32(noise(48*32), 48, 32),
		"w_down": lctx.F32(noise(48*32), 32, 48),
	}
	delete(w, name)
	if other != nil {
		w[name] = *other
	}
	return lctx.LayerOf{Weights: w}
}

func open(layers ...lctx.LayerOf) (*lctx.OpenModel, error) {
	desc := lctx.Model{NHead: 4, NHeadKv: 2, DModel: 32, DFf: 48, NVocab: 50}
	weights := lctx.Weights{
		"tok_embd": lctx.F32(noise(50*32), 50, 32), "output_norm": lctx.F32(noise(32), 32),
	}
	return lctx.Open(desc, weights, layers, must(lctx.NewRope(lctx.RopeDesc{NRot: 8})))
}

func generated(s *lctx.Session, token int32) (given []int32) {
	tokens := s.Generate([]int32{token}, 4)
	for tokens.Next() {
		given = append(given, tokens.Token())
	}
	must(0, tokens.Err())
	return
}

func testSession() {
	model := must(open(layer("", nil), layer("", nil)))
	begin := func() *lctx.Session {
		return must(lctx.NewSession(model, lctx.SessionDesc{}, lctx.Uses{}))
	}
	s, t, parts := begin(), begin(), []float32{}
	whole := must(s.Feed([]int32{1, 2, 3, 4, 5}, lctx.All))
	for token := int32(1); token < 6; token++ {
		parts = append(parts, must(t.Feed([]int32{token}, lctx.Last))...)
	}
	check(same(whole, parts), "a prompt at once and token by token, the same bits")
	fork := must(s.Fork())
	given := generated(s, 6)
	check(fmt.Sprint(given) == fmt.Sprint(generated(fork, 6)), "a fork gives the same tokens")
	token, byHand := int32(6), []int32{}
	for range given {
		token = lctx.Likeliest(must(t.Feed([]int32{token}, lctx.Last)))
		byHand = append(byHand, token)
	}
	check(fmt.Sprint(given) == fmt.Sprint(byHand), "they are the likeliest")
	var saved bytes.Buffer
	must(0, t.Save(&saved))
	must(0, fork.Restore(&saved))
	next := func(s *lctx.Session) []float32 { return must(s.Feed([]int32{1}, lctx.Last)) }
	check(same(next(fork), next(t)), "what was saved is restored")
	_, err := s.Feed([]int32{1, 50}, lctx.None)
	refused("a token", err, nil, "E_TOKEN", "tokens[1]")
	_, err = s.Feed(nil, lctx.None)
	refused("no token", err, nil, "tokens")
	refused("a model in use", model.Close(), lctx.ErrInUse, "the model", "by 3")
	for _, session := range []*lctx.Session{s, t, fork} {
		session.Close()
	}
	check(model.Close() == nil, "a model that is not in use any more is closed")
	_, err = s.Feed([]int32{1}, lctx.Last)
	refused("a closed session", err, lctx.ErrClosed, "the session")
	tokens := s.Generate([]int32{1}, 4)
	check(!tokens.Next() && errors.Is(tokens.Err(), lctx.ErrClosed), "and its tokens")
	_, err = lctx.NewSession(model, lctx.SessionDesc{}, lctx.Uses{})
	refused("a closed model", err, lctx.ErrClosed, "the model")
}

func testProgress() {
	model, seen := must(open(layer("", nil))), int64(0)
	begin := func(told func(done, total int64) bool) *lctx.Session {
		return must(lctx.NewSession(model, lctx.SessionDesc{Chunk: 2}, lctx.Uses{Progress: told}))
	}
	s := begin(func(done, total int64) bool { seen = done; return false })
	fork := must(s.Fork())
	must(s.Feed(make([]int32, 5), lctx.None))
	check(seen == 5, "progress is told")
	s.Close()
	must(fork.Feed(make([]int32, 3), lctx.None))
	check(seen == 3, "and of forks")
	fork.Close()
	s = begin(func(done, total int64) bool { return done > 2 })
	_, err := s.Feed(make([]int32, 9), lctx.None)
	refused("progress ends a feed", err, nil, "E_CANCELLED")
	s.Close()
	s = begin(func(done, total int64) bool {
		refused("closed within its own call", s.Close(), lctx.ErrInUse, "the session")
		panic("mine")
	})
	func() {
		defer func() { check(recover() == "mine", "what progress panics with, the call does") }()
		s.Feed([]int32{1}, lctx.None)
	}()
	check(s.Close() == nil && model.Close() == nil, "and it is closed after that")
}

func testBadModel() {
	with := func(name string, other *lctx.Array) error {
		_, err := open(layer("", nil), layer(name, other))
		return err
	}
	other := lctx.F32(noise(31*32), 32, 31)
	refused("another shape", with("wq", &other), lctx.ErrArray, "lctx_layer.wq", "[32 32]",
		"[32 31]")
	refused("a weight that is none", with("wx", &other), lctx.ErrArray, "lctx_layer.wx")
	refused("a weight that is missing", with("wo", nil), nil, "E_WEIGHT", "lctx_layer[1].wo")
	model := must(open(layer("", nil)))
	_, err := lctx.NewSession(model, lctx.SessionDesc{Policy: 7}, lctx.Uses{})
	refused("a policy", err, nil, "E_ENUM", "lctx_session_desc.policy")
	model.Close()
}

func main() {
	must(0, lctx.Check())
	testAttend()
	testBad()
	testRope()
	testSession()
	testProgress()
	testBadModel()
	fmt.Printf("go: %d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
