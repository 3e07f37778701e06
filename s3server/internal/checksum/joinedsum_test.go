package checksum

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// JoinedSum computes the checksum of the whole object from those of its parts.
func TestJoinedChecksumIsThatOfTheWholeObject(t *testing.T) {
	texts := []string{"", "a", strings.Repeat("part", 5000), "", "the last one"}
	for _, kind := range Kinds {
		if !kind.Full {
			continue
		}
		t.Run(kind.Name, func(t *testing.T) {
			// Hash each part by itself. Also hash all parts together.
			wholeHash := kind.make()
			var parts []Part
			for _, text := range texts {
				h := kind.make()
				h.Write([]byte(text))
				wholeHash.Write([]byte(text))
				parts = append(parts, Part{
					Value: base64.StdEncoding.EncodeToString(h.Sum(nil)),
					Size:  int64(len(text)),
				})
			}

			want := Sum{
				Kind:   kind,
				Value:  base64.StdEncoding.EncodeToString(wholeHash.Sum(nil)),
				Covers: FullObject,
			}
			require.Equal(t, want, JoinedSum(kind, parts))
		})
	}
}

// Also joins two digests. They compute both checksums, but share one MD5.
func TestDigestAlsoSharesMD5(t *testing.T) {
	const withSHA256 = true
	d := NewDigest(ByName("CRC32"), withSHA256)
	other := d.Also(ByName("CRC64NVME"))
	for _, text := range []string{"", "hello, ", "world"} {
		_, err := d.Write([]byte(text))
		require.NoError(t, err)
	}

	// Each of the two digests has the same result as a digest that is not joined.
	for _, digest := range []*Digest{d, other} {
		alone := NewDigest(digest.kind, !withSHA256)
		_, err := alone.Write([]byte("hello, world"))
		require.NoError(t, err)
		require.Equal(t, alone.Sum(), digest.Sum())
		require.EqualValues(t, 12, digest.Size)
		require.Equal(t, alone.MD5.Sum(nil), digest.MD5.Sum(nil))
	}
}
