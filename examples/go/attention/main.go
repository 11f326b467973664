// Command attention demonstrates attention on slices, a plain one and lctx side by side; and what
// is refused. Exit codes: 0 ok, 1 an error, 2 the library does not fit, 3 a result is wrong.
package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand"
	"os"

	"lctx.example/lctx"
)

func plainAttend(q, k, v []float32, nQ, nHead, nHeadKv, dim int) (out []float32) {
	n := len(k) / (nHeadKv * dim)
	for row := 0; row < nQ*nHead; row++ {
		group, weights, sum := row%nHead/(nHead/nHeadKv), make([]float64, n-nQ+row/nHead+1), 0.0
		query := q[row*dim : (row+1)*dim]
		for j := range weights {
			for d, x := range query {
				weights[j] += float64(x*k[(j*nHeadKv+group)*dim+d]) / math.Sqrt(float64(dim))
			}
			weights[j] = math.Exp(weights[j])
			sum += weights[j]
		}
		for d := 0; d < dim; d++ {
			value := 0.0
			for j, w := range weights {
				value += w / sum * float64(v[(j*nHeadKv+group)*dim+d])
			}
			out = append(out, float32(value))
		}
	}
	return
}

func noise(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = rand.Float32()*2 - 1
	}
	return x
}

func show() (right bool, err error) {
	q, k, v := noise(3*8*64), noise(1000*2*64), noise(1000*2*64)
	queries, keys, values := lctx.F32(q, 3, 8, 64), lctx.F32(k, 1000, 2, 64), lctx.F32(v, 1000, 2,
		64)

	ours, err := lctx.Attend(queries, keys, values, lctx.Attn{}, lctx.With{})
	plain := plainAttend(q, k, v, 3, 8, 2, 64)

	if err != nil {
		return
	}
	worst := 0.0
	for i, x := range ours.Out {
		worst = math.Max(worst, math.Abs(float64(x-plain[i])))
	}
	fmt.Printf("3 queries over 1000 tokens (%v): largest difference to plain Go %.1e\n", lctx.ISA(),
		worst)
	threads, err := lctx.NewThreads(0)
	if err != nil {
		return
	}
	defer threads.Close()
	cache, err := lctx.NewCache(lctx.CacheDesc{NHeadKv: 2, DK: 64}, nil)
	if err != nil {
		return
	}
	defer cache.Close()
	if err = cache.Append(keys, values); err != nil {
		return
	}
	again, err := cache.Attend(queries, lctx.Attn{}, lctx.With{Threads: threads})
	same := err == nil
	for i := range again.Out {
		same = same && again.Out[i] == ours.Out[i]
	}
	fmt.Println("out of a cache, with threads, the same bits:", same)
	_, refused := lctx.NewRope(lctx.RopeDesc{NRot: 63})
	fmt.Println(refused)
	_, refused = lctx.Attend(lctx.F32(q, 3, 8, 32), keys, values, lctx.Attn{}, lctx.With{})
	fmt.Println(refused)
	return worst < 1e-5 && same, err
}

func main() {
	right, err := show()
	switch {
	case errors.Is(err, lctx.ErrLibrary):
		fmt.Fprintln(os.Stderr, "attention:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "attention:", err)
		os.Exit(1)
	case !right:
		os.Exit(3)
	}
}
