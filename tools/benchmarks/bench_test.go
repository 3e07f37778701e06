package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// Children run the program of the tests.
func TestMain(m *testing.M) {
	if job := os.Getenv(childVariable); job != "" {
		if err := runChild(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	removeCertificate()
	os.Exit(code)
}

// BenchmarkCases runs each contender as an ordinary benchmark, for profiles:
//
//	go test -bench 'Cases/memory-put-1k/omnibucket' -cpuprofile cpu.out
//
// For ratios between contenders, use "go run .", which runs them in turn.
func BenchmarkCases(b *testing.B) {
	for _, c := range cases(10_000) {
		b.Run(c.name, func(b *testing.B) {
			e := newEnv(b.Context())
			b.Cleanup(func() {
				require.NoError(b, e.close())
			})
			for _, r := range c.rows {
				op, err := r.setup(e)
				require.NoError(b, err)
				b.Run(r.name, func(b *testing.B) {
					b.ReportAllocs()
					if err := op(b.N); err != nil {
						b.Fatal(err)
					}
				})
			}
		})
	}
}

// The median of an even number of values is the mean of the two in the middle.
func TestMedian(t *testing.T) {
	require.Zero(t, median(nil))
	require.InDelta(t, 3, median([]float64{3}), 0)
	require.InDelta(t, 5, median([]float64{9, 1, 5}), 0)
	require.InDelta(t, 3, median([]float64{4, 2}), 0)
}

// ratio compares the two values of each round, because a machine that is slow in one round is slow for both.
func TestRatioIsOfEachRound(t *testing.T) {
	// The second round is slow.
	require.InDelta(t, 2, ratio([]float64{2, 20, 2}, []float64{1, 10, 1}), 1e-9)
	require.InDelta(t, 3, ratio([]float64{3}, []float64{100, 1, 1}), 1e-9, "a row that ran once is compared with the median")
}
