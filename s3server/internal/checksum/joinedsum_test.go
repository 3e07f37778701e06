package checksum

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// JoinedSum of the checksums of parts is the checksum of the whole object.
func TestJoinedChecksumIsThatOfTheWholeObject(t *testing.T) {
	texts := []string{"", "a", strings.Repeat("part", 5000), "", "the last one"}
	for _, kind := range Kinds {
		if !kind.Full {
			continue
		}
		t.Run(kind.Name, func(t *testing.T) {
			wholeHash := kind.make()
			var parts []Part
			for _, text := range texts {
				h := kind.make()
				h.Write([]byte(text))
				wholeHash.Write([]byte(text))
				parts = append(parts, Part{base64.StdEncoding.EncodeToString(h.Sum(nil)), int64(len(text))})
			}
			want := base64.StdEncoding.EncodeToString(wholeHash.Sum(nil))
			require.Equal(t, Sum{kind, want, FullObject}, JoinedSum(kind, parts))
		})
	}
}

// Two digests that Also joins share one MD5 and compute the right sums.
func TestDigestAlsoSharesMD5(t *testing.T) {
	d := NewDigest(ByName("CRC32"), true)
	other := d.Also(ByName("CRC64NVME"))
	for _, text := range []string{"", "hello, ", "world"} {
		_, err := d.Write([]byte(text))
		require.NoError(t, err)
	}
	for _, digest := range []*Digest{d, other} {
		alone := NewDigest(digest.kind, false)
		_, err := alone.Write([]byte("hello, world"))
		require.NoError(t, err)
		require.Equal(t, alone.Sum(), digest.Sum())
		require.EqualValues(t, 12, digest.Size)
		require.Equal(t, alone.MD5.Sum(nil), digest.MD5.Sum(nil))
	}
}
