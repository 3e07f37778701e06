package crc32c

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Join returns the checksum of two parts together.
func TestJoinReturnsTheChecksumOfTheWhole(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 5000)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	want := Sum(data)
	for _, cut := range []int{0, 1, 7, 8, 9, 2500, 4095, 4999, 5000} {
		first := Sum(data[:cut])
		second := Sum(data[cut:])
		require.Equal(t, want, Join(first, second, int64(len(data)-cut)), "cut at %d", cut)
	}
}

// SumString returns the checksum of the string's bytes without allocating memory.
func TestSumString(t *testing.T) {
	for _, text := range []string{"", "a", "123456789", "a/key\xff", strings.Repeat("long ", 300)} {
		require.Equal(t, Sum([]byte(text)), SumString(text), "%q", text)
	}

	long := strings.Repeat("k", 1000)
	require.Zero(t, testing.AllocsPerRun(10, func() {
		SumString(long)
	}))
}

// Encode and Decode convert a checksum to its text and back.
func TestText(t *testing.T) {
	const sum, encoded = uint32(0xE3069283), "4waSgw==" // of "123456789"
	require.Equal(t, encoded, Encode(sum))

	decoded, ok := Decode(encoded)
	require.True(t, ok)
	require.Equal(t, sum, decoded)

	for _, text := range []string{"", "4waSg", "4waSgwA=", "not base64!"} {
		_, ok := Decode(text)
		require.False(t, ok, text)
	}
}
