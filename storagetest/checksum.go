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
		Name:        "the CRC32C is kept with the object",
		Rule:        "W10",
		Explanation: "Upload and Attrs return it, after one Put and after parts",
		Needs:       storage.StoredChecksums,
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				text := body(path.size, 1)
				want := sum([]byte(text))
				for _, upload := range []func() (*storage.Attrs, error){
					func() (*storage.Attrs, error) { return b.Upload(t.Context(), "a", strings.NewReader(text)) },
					func() (*storage.Attrs, error) { return b.Upload(t.Context(), "a", stream(text)) },
					func() (*storage.Attrs, error) {
						return b.Upload(t.Context(), "a", stream(text), storage.WithCRC32C(want), storage.WithSize(path.size))
					},
				} {
					attrs, err := upload()
					require.NoError(t, err, path.name)
					require.True(t, attrs.CRC32C.Known, path.name)
					require.Equal(t, want, attrs.CRC32C.Sum, path.name)
					existing := t.attrs(b, "a")
					require.True(t, existing.CRC32C.Known, path.name)
					require.Equal(t, want, existing.CRC32C.Sum, path.name)
				}
			}
		},
	},
	{
		Name:        "a body that is damaged in transit is not stored",
		Rule:        "W10",
		Explanation: "if the provider's checksum differs from ours, the upload is ChecksumMismatch and the old object stays; if the provider trusts our checksum, the read fails",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				t.put(b, "a", "old")
				text := body(path.size, 1)
				for _, source := range []io.Reader{strings.NewReader(text), stream(text)} {
					t.faults.Set(faults.Corrupt(faults.Put|faults.PutPart|faults.CompleteParts, 5))
					_, err := b.Upload(t.Context(), "a", source)
					t.faults.Set()
					if t.desc.Local && t.has(storage.StoredChecksums) && err == nil {
						_, _, err = storage.ReadAll(t.Context(), b, "a")
						t.requireCode(err, storage.ChecksumMismatch)
						t.put(b, "a", "old")
						continue
					}
					t.requireNothingDone(err, storage.ChecksumMismatch)
					t.requireContent(b, "a", "old")
				}
			}
		},
	},
	{
		Name:        "a whole read is verified",
		Rule:        "R5",
		Explanation: "if a byte is damaged in transit, the read ends with ChecksumMismatch in place of io.EOF",
		Needs:       storage.StoredChecksums,
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				text := body(path.size, 1)
				if !t.put(b, "a", text).CRC32C.Known {
					continue // the provider keeps no checksum
				}
				// The damaged byte lies before the offset at which a slow read starts parallel
				// ranges.
				t.faults.Set(faults.Corrupt(faults.Get, min(path.size/2, 500_000)))
				reader, err := b.Download(t.Context(), "a")
				require.NoError(t, err)
				got, err := drain(t, reader)
				t.requireCode(err, storage.ChecksumMismatch)
				require.Len(t, got, int(path.size))
				_, _, err = storage.ReadAll(t.Context(), b, "a")
				t.requireCode(err, storage.ChecksumMismatch)
				t.readAtVerified(b, path.size)
				// The damaged byte lies within the first of the parallel ranges.
				t.faults.Set(faults.Corrupt(faults.Get, min(path.size/2, 1000)).Nth(1))
				_, _, err = storage.ReadAll(t.Context(), b, "a", storage.WithConcurrency(2))
				t.requireCode(err, storage.ChecksumMismatch)
				t.faults.Set()
				t.requireContent(b, "a", text)
			}
		},
	},
	{
		Name:        "a damaged file is not put in place",
		Rule:        "R5",
		Explanation: "DownloadFile verifies the bytes before the file appears",
		Needs:       storage.StoredChecksums,
		run: func(t *T) {
			b := t.open()
			if !t.put(b, "a", "some text").CRC32C.Known {
				return
			}
			t.faults.Set(faults.Corrupt(faults.Get, 2))
			path := t.TempDir() + "/to"
			_, err := storage.DownloadFile(t.Context(), b, "a", path)
			t.requireCode(err, storage.ChecksumMismatch)
			require.NoFileExists(t, path)
		},
	},
}

// readAtVerified reads the damaged object "a" to its end through a ReaderAt, and requires
// ChecksumMismatch.
func (t *T) readAtVerified(b storage.Bucket, size int64) {
	t.Helper()
	r, err := storage.NewReaderAt(t.Context(), b, "a")
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	t.requireCode(err, storage.ChecksumMismatch)
	require.Len(t, got, int(size))
	require.NoError(t, r.Close())
}
