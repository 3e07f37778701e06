package objectfile

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/stretchr/testify/require"
)

// Attributes that were encoded are decoded to the same attributes.
func TestAttrsRoundTrip(t *testing.T) {
	crc := storage.CRC32C{Sum: 7, Known: true}
	tests := []struct {
		name  string
		attrs Attrs
	}{
		{name: "nothing", attrs: Attrs{}},
		{name: "size and time", attrs: Attrs{Size: 1 << 40, MTime: 1_700_000_000_123_456_789}},
		{name: "before 1970", attrs: Attrs{MTime: math.MinInt64}},
		{name: "checksum", attrs: Attrs{CRC32C: crc}},
		{name: "public", attrs: Attrs{PublicRead: true}},
		{name: "type", attrs: Attrs{Properties: storage.Properties{ContentType: "text/plain"}}},
		{name: "the last property", attrs: Attrs{Properties: storage.Properties{StorageClass: "COLD"}}},
		{name: "revision", attrs: Attrs{Unique: "0123"}},
		{name: "tags", attrs: Attrs{Tags: map[string]string{"k": "v", "empty": ""}}},
		{
			name: "retention",
			attrs: Attrs{Retention: storage.Retention{
				Mode:  storage.Governance,
				Until: time.Unix(1_900_000_000, 0).UTC(),
			}},
		},
		{name: "legal hold", attrs: Attrs{LegalHold: true}},
		{
			name:  "only metadata",
			attrs: Attrs{Properties: storage.Properties{Metadata: map[string]string{"a": "", "b": "ü"}}},
		},
		{
			name: "everything",
			attrs: Attrs{
				Properties: storage.Properties{
					ContentType:        "1",
					ContentEncoding:    "2",
					ContentDisposition: "3",
					ContentLanguage:    "4",
					CacheControl:       "5",
					StorageClass:       "6",
					Metadata:           map[string]string{"k": strings.Repeat("v", 2000)},
				},
				CRC32C:     crc,
				PublicRead: true,
				Size:       1,
				MTime:      2,
				Unique:     "u",
				Tags:       map[string]string{"t": "1"},
				LegalHold:  true,
				Retention: storage.Retention{
					Mode:  storage.Compliance,
					Until: time.Unix(253_402_300_799, 0).UTC(),
				},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			decoded, err := decodeAttrs(tt.attrs.Encode())
			require.NoError(t, err)
			require.Equal(t, &tt.attrs, decoded)
		})
	}
}

// Bytes that can be decoded are encoded to bytes with the same attributes.
func FuzzAttrs(f *testing.F) {
	crc := storage.CRC32C{Sum: 7, Known: true}
	f.Add((&Attrs{
		CRC32C:     crc,
		Size:       3,
		Unique:     "x",
		Properties: storage.Properties{Metadata: map[string]string{"a": "b"}},
	}).Encode())
	f.Add([]byte{attrsFormat, 0xFF})
	f.Add((&Attrs{
		Tags:      map[string]string{"a": "b"},
		Retention: storage.Retention{Mode: storage.Governance, Until: time.Unix(1, 0)},
	}).Encode())
	f.Add([]byte{attrsFormatLocked, flagTags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		attrs, err := decodeAttrs(b)
		if attrs == nil || err != nil {
			return
		}
		second, err := decodeAttrs(attrs.Encode())
		require.NoError(t, err)
		require.Equal(t, attrs, second)
	})
}

// Encode writes the same bytes as the files of existing directories have, and decodeAttrs reads them. The first byte is
// the number of the form, so a new form needs another first byte.
func TestAttrsOfStoredFormsStay(t *testing.T) {
	attrs := Attrs{
		Properties: storage.Properties{
			ContentType:        "1",
			ContentEncoding:    "2",
			ContentDisposition: "3",
			ContentLanguage:    "4",
			CacheControl:       "5",
			StorageClass:       "6",
			Metadata:           map[string]string{"k": "v"},
		},
		CRC32C:     storage.CRC32C{Sum: 7, Known: true},
		PublicRead: true,
		Size:       8,
		MTime:      9,
		Unique:     "u",
	}
	locked := attrs
	locked.Tags = map[string]string{"t": "1"}
	locked.LegalHold = true
	locked.Retention = storage.Retention{Mode: storage.Compliance, Until: time.Unix(1_900_000_000, 0).UTC()}

	tests := []struct {
		name   string
		stored string // the bytes of a file, in hexadecimal
		attrs  Attrs
	}{
		{
			name:   "form 1, without tags and locks",
			stored: "0103080900000000000000070000000131013201330134013501360175016b0176",
			attrs:  attrs,
		},
		{
			name:   "form 2, with tags and locks",
			stored: "02370809000000000000000700000080ccfd930e01017401310131013201330134013501360175016b0176",
			attrs:  locked,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := hex.DecodeString(tt.stored)
			require.NoError(t, err)

			decoded, err := decodeAttrs(data)
			require.NoError(t, err)
			require.Equal(t, &tt.attrs, decoded)
			require.Equal(t, tt.stored, hex.EncodeToString(tt.attrs.Encode()))
		})
	}
}
