// Command step is step.c from Go.
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"time"

	"lctx.example/lctx"
)

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	zeros, calls, times := make([]float32, (n+4)*128), 200, []float64{}
	if n > 1000 {
		calls = 20
	}
	q := lctx.F32(zeros[:512], 1, 8, 64)
	k, v := lctx.F32(zeros[:n*128], n, 2, 64), lctx.F32(zeros[:n*128], n, 2, 64)
	for i := 0; i < 31; i++ {
		start := time.Now()
		for j := 0; j < calls; j++ {
			if _, err := lctx.Attend(q, k, v, lctx.Attn{}, lctx.With{}); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
		times = append(times, time.Since(start).Seconds()/float64(calls)*1e6)
	}
	sort.Float64s(times)
	fmt.Printf("%.2f -\n", times[15])
}
