package storagetest

import (
	"io"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

var checksumCases = []Case{
	{
		Name: "the CRC32C is kept with the object", Rule: "W10",
		Explanation: "it is in the write's answer and in Attrs, of one Put as of parts",
		Needs:       storage.StoredChecksums,
		run: func(t *T) {
			for _, w := range t.ways() {
				b := w.open()
				text := body(w.size, 1)
				want := sum([]byte(text))
				for _, upload := range []func() (*storage.Attrs, error){
					func() (*storage.Attrs, error) { return b.Upload(t.Context(), "a", strings.NewReader(text)) },
					func() (*storage.Attrs, error) { return b.Upload(t.Context(), "a", stream(text)) },
					func() (*storage.Attrs, error) {
						return b.Upload(t.Context(), "a", stream(text), storage.WithCRC32C(want), storage.WithSize(w.size))
					},
				} {
					attrs, err := upload()
					require.NoError(t, err, w.name)
					require.NotNil(t, attrs.CRC32C, w.name)
					require.Equal(t, want, *attrs.CRC32C, w.name)
					stored := t.attrs(b, "a")
					require.NotNil(t, stored.CRC32C, w.name)
					require.Equal(t, want, *stored.CRC32C, w.name)
				}
			}
		},
	},
	{
		Name: "a body that is damaged on its way is not stored", Rule: "W10",
		Explanation: "the provider's checksum differs from ours: ChecksumMismatch, and the old object stays; where the bytes have no way to go and our sum is trusted, the read tells",
		run: func(t *T) {
			for _, w := range t.ways() {
				b := w.open()
				t.put(b, "a", "old")
				text := body(w.size, 1)
				for _, source := range []io.Reader{strings.NewReader(text), stream(text)} {
					t.faults.Set(faults.Corrupt(faults.Put|faults.PutPart|faults.CompleteParts, 5))
					_, err := b.Upload(t.Context(), "a", source)
					t.faults.Set()
					if t.desc.Local && t.has(storage.StoredChecksums) && err == nil {
						_, _, err = storage.ReadAll(t.Context(), b, "a")
						t.fails(err, storage.ChecksumMismatch)
						t.put(b, "a", "old")
						continue
					}
					t.settled(err, storage.ChecksumMismatch)
					t.holds(b, "a", "old")
				}
			}
		},
	},
	{
		Name: "a whole read is verified", Rule: "R5",
		Explanation: "a byte that is damaged on its way down is ChecksumMismatch in place of the last io.EOF",
		Needs:       storage.StoredChecksums,
		run: func(t *T) {
			for _, w := range t.ways() {
				b := w.open()
				text := body(w.size, 1)
				if t.put(b, "a", text).CRC32C == nil {
					continue // the provider keeps none
				}
				t.faults.Set(faults.Corrupt(faults.Get, w.size/2))
				reader, err := b.Download(t.Context(), "a")
				require.NoError(t, err)
				got, err := drain(t, reader)
				t.fails(err, storage.ChecksumMismatch)
				require.Len(t, got, int(w.size))
				_, _, err = storage.ReadAll(t.Context(), b, "a")
				t.fails(err, storage.ChecksumMismatch)
				t.faults.Set(faults.Corrupt(faults.Get, min(w.size/2, 1000)).Nth(1)) // within the first range
				_, _, err = storage.ReadAll(t.Context(), b, "a", storage.WithConcurrency(2))
				t.fails(err, storage.ChecksumMismatch)
				t.faults.Set()
				t.holds(b, "a", text)
			}
		},
	},
	{
		Name: "a damaged file is not put in place", Rule: "R5",
		Explanation: "DownloadFile verifies before the file appears",
		Needs:       storage.StoredChecksums,
		run: func(t *T) {
			b := t.open()
			if t.put(b, "a", "some text").CRC32C == nil {
				return
			}
			t.faults.Set(faults.Corrupt(faults.Get, 2))
			to := t.TempDir() + "/to"
			_, err := storage.DownloadFile(t.Context(), b, "a", to)
			t.fails(err, storage.ChecksumMismatch)
			require.NoFileExists(t, to)
		},
	},
}
