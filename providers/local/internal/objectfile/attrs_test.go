package objectfile

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/stretchr/testify/require"
)

func TestAttrsRoundTrip(t *testing.T) {
	crc := storage.CRC32C{Sum: 7, Known: true}
	for _, row := range []struct {
		name  string
		attrs Attrs
	}{
		{"nothing", Attrs{}},
		{"size and time", Attrs{Size: 1 << 40, MTime: 1_700_000_000_123_456_789}},
		{"before 1970", Attrs{MTime: math.MinInt64}},
		{"checksum", Attrs{CRC32C: crc}},
		{"public", Attrs{PublicRead: true}},
		{"type", Attrs{Properties: storage.Properties{ContentType: "text/plain"}}},
		{"the last property", Attrs{Properties: storage.Properties{StorageClass: "COLD"}}},
		{"revision", Attrs{Unique: "0123"}},
		{"tags", Attrs{Tags: map[string]string{"k": "v", "empty": ""}}},
		{"retention", Attrs{Retention: storage.Retention{
			Mode: storage.Governance, Until: time.Unix(1_900_000_000, 0).UTC(),
		}}},
		{"legal hold", Attrs{LegalHold: true}},
		{"only metadata", Attrs{Properties: storage.Properties{Metadata: map[string]string{"a": "", "b": "ü"}}}},
		{"everything", Attrs{
			Properties: storage.Properties{
				ContentType: "1", ContentEncoding: "2", ContentDisposition: "3", ContentLanguage: "4",
				CacheControl: "5", StorageClass: "6", Metadata: map[string]string{"k": strings.Repeat("v", 2000)},
			},
			CRC32C: crc, PublicRead: true, Size: 1, MTime: 2, Unique: "u",
			Tags: map[string]string{"t": "1"}, LegalHold: true,
			Retention: storage.Retention{Mode: storage.Compliance, Until: time.Unix(253_402_300_799, 0).UTC()},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, &row.attrs, decodeAttrs(row.attrs.Encode()))
		})
	}
}

func FuzzAttrs(f *testing.F) {
	crc := storage.CRC32C{Sum: 7, Known: true}
	f.Add((&Attrs{
		CRC32C: crc, Size: 3, Unique: "x", Properties: storage.Properties{Metadata: map[string]string{"a": "b"}},
	}).Encode())
	f.Add([]byte{attrsFormat, 0xFF})
	f.Add((&Attrs{
		Tags: map[string]string{"a": "b"}, Retention: storage.Retention{Mode: storage.Governance, Until: time.Unix(1, 0)},
	}).Encode())
	f.Add([]byte{attrsFormatLocked, flagTags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if a := decodeAttrs(b); a != nil {
			require.Equal(t, a, decodeAttrs(a.Encode()))
		}
	})
}
