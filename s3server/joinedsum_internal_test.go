package s3server

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJoinedChecksumIsThatOfTheWholeObject(t *testing.T) {
	texts := []string{"", "a", strings.Repeat("part", 5000), "", "the last one"}
	for _, kind := range checksumKinds {
		if !kind.full {
			continue
		}
		t.Run(kind.name, func(t *testing.T) {
			whole := kind.make()
			var parts []*part
			for i, text := range texts {
				h := kind.make()
				h.Write([]byte(text))
				whole.Write([]byte(text))
				parts = append(parts, &part{number: i + 1, size: int64(len(text)), sum: checksum{kind: kind, value: base64.StdEncoding.EncodeToString(h.Sum(nil))}})
			}
			want := base64.StdEncoding.EncodeToString(whole.Sum(nil))
			require.Equal(t, checksum{kind, want, fullObject}, joinedSum(kind, parts))
		})
	}
}
