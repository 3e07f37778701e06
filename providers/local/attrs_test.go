package local

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

func TestAttrsRoundTrip(t *testing.T) {
	crc := storage.CRC32C{Sum: 7, Known: true}
	for _, row := range []struct {
		name  string
		attrs attrs
	}{
		{"nothing", attrs{}},
		{"size and time", attrs{size: 1 << 40, mtime: 1_700_000_000_123_456_789}},
		{"before 1970", attrs{mtime: math.MinInt64}},
		{"checksum", attrs{crc: crc}},
		{"public", attrs{publicRead: true}},
		{"type", attrs{Properties: storage.Properties{ContentType: "text/plain"}}},
		{"the last property", attrs{Properties: storage.Properties{StorageClass: "COLD"}}},
		{"revision", attrs{unique: "0123"}},
		{"tags", attrs{tags: map[string]string{"k": "v", "empty": ""}}},
		{"retention", attrs{retention: storage.Retention{Mode: storage.Governance, Until: time.Unix(1_900_000_000, 0).UTC()}}},
		{"legal hold", attrs{hold: true}},
		{"only metadata", attrs{Properties: storage.Properties{Metadata: map[string]string{"a": "", "b": "ü"}}}},
		{"everything", attrs{
			Properties: storage.Properties{
				ContentType: "1", ContentEncoding: "2", ContentDisposition: "3", ContentLanguage: "4",
				CacheControl: "5", StorageClass: "6", Metadata: map[string]string{"k": strings.Repeat("v", 2000)},
			},
			crc: crc, publicRead: true, size: 1, mtime: 2, unique: "u",
			tags: map[string]string{"t": "1"}, hold: true,
			retention: storage.Retention{Mode: storage.Compliance, Until: time.Unix(253_402_300_799, 0).UTC()},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, &row.attrs, decodeAttrs(row.attrs.encode()))
		})
	}
}

func FuzzAttrs(f *testing.F) {
	crc := storage.CRC32C{Sum: 7, Known: true}
	f.Add((&attrs{crc: crc, size: 3, unique: "x", Properties: storage.Properties{Metadata: map[string]string{"a": "b"}}}).encode())
	f.Add([]byte{attrsFormat, 0xFF})
	f.Add((&attrs{tags: map[string]string{"a": "b"}, retention: storage.Retention{Mode: storage.Governance, Until: time.Unix(1, 0)}}).encode())
	f.Add([]byte{attrsFormatLocked, flagTags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if a := decodeAttrs(b); a != nil {
			require.Equal(t, a, decodeAttrs(a.encode()))
		}
	})
}

func TestAttributesTooLongForAnExtendedAttributeAreKept(t *testing.T) {
	s := open(t)
	r := request("k", "x")
	r.ContentDisposition = strings.Repeat("d", 1024)
	r.CacheControl = strings.Repeat("c", 1024)
	r.ContentLanguage = strings.Repeat("l", 1024)
	r.Metadata = map[string]string{"m": strings.Repeat("v", 2000)}
	a, err := s.driver.Put(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, r.Properties.Metadata, a.Metadata)
	require.Equal(t, a, s.head("k"))
}

func TestSidecars(t *testing.T) {
	sidecars := func(s *subject) int {
		entries, err := os.ReadDir(s.root + "/" + attrsPath)
		require.NoError(t, err)
		return len(entries)
	}
	t.Run("are removed with their objects", func(t *testing.T) {
		s := open(t, withoutXattrs)
		s.put("a", "x")
		s.put("b", "x")
		s.put("a", "y")
		require.Equal(t, 2, sidecars(s))
		s.put("a/b", "z")
		require.True(t, s.head("a").CRC32C.Known, "at the alternate name")
		for _, key := range []string{"a", "b", "a/b"} {
			s.remove(key)
		}
		require.Zero(t, sidecars(s))
	})
	t.Run("are not used for an edited file", func(t *testing.T) {
		s := open(t, withoutXattrs)
		r := request("k", "old")
		r.ContentType = "text/css"
		_, err := s.driver.Put(t.Context(), r)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(s.root+"/k", []byte("by hand"), 0o666))
		a := s.head("k")
		require.Empty(t, a.ContentType, "the core derives it from the key")
		require.False(t, a.CRC32C.Known)
	})
}
