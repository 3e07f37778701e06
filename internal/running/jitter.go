package running

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// Jitter returns a random duration from 0 up to bound, without bound itself. It panics if bound is not positive. The
// random bits are those of package crypto/rand, so that a test with package cryptotest repeats its waits.
func Jitter(bound time.Duration) time.Duration {
	return time.Duration(rand.New(source{}).Int64N(int64(bound)))
}

type source struct{}

func (source) Uint64() uint64 {
	var b [8]byte
	_, _ = crand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}
