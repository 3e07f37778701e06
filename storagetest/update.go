package storagetest

import (
	"io"
	"strconv"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

var updateCases = []Case{
	{
		Name: "concurrent updates are all counted", Rule: "W5",
		Explanation: "Update is a compare-and-swap: it loses no increment, beginning with a missing key",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate,
		run: func(t *T) {
			const workers, each = 4, 5
			b := t.open()
			var all sync.WaitGroup
			for range workers {
				all.Go(func() {
					for done := 0; done < each; {
						_, err := storage.Update(t.Context(), b, "counter", increment)
						switch storage.CodeOf(err) {
						case "":
							done++
						case storage.PreconditionFailed: // outrun too often, but reported
						default:
							t.Errorf("update: %v", err)
							return
						}
					}
				})
			}
			all.Wait()
			t.requireContent(b, "counter", strconv.Itoa(workers*each))
		},
	},
	{
		Name: "an update sees the current object and can abort", Rule: "W5",
		Explanation: "change gets nil, nil for a missing object; its error ends the update and stores nothing",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate,
		run: func(t *T) {
			b := t.open()
			_, err := storage.Update(t.Context(), b, "a", func(old []byte, attrs *storage.Attrs) ([]byte, error) {
				require.Nil(t, old)
				require.Nil(t, attrs)
				return nil, errBoom
			})
			require.ErrorIs(t, err, errBoom)
			t.requireMissing(b, "a")
			first, err := storage.Update(t.Context(), b, "a", func([]byte, *storage.Attrs) ([]byte, error) { return []byte("one"), nil },
				t.contentType("text/x-test"))
			require.NoError(t, err)
			_, err = storage.Update(t.Context(), b, "a", func(old []byte, attrs *storage.Attrs) ([]byte, error) {
				require.Equal(t, "one", string(old))
				require.Equal(t, first.Revision, attrs.Revision)
				require.Equal(t, t.keptType("text/x-test"), attrs.ContentType)
				return append(old, " two"...), nil
			})
			require.NoError(t, err)
			t.requireContent(b, "a", "one two")
		},
	},
	{
		Name: "an update whose responses are lost counts once", Rule: "W7",
		Explanation: "a lost response is reconciled, so that no increment is applied twice",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate | storage.Metadata,
		run: func(t *T) {
			b := t.open()
			for range 3 {
				t.faults.Set(faults.DropResponse(faults.Put).Nth(1))
				_, err := storage.Update(t.Context(), b, "counter", increment)
				require.NoError(t, err)
			}
			t.faults.Set()
			t.requireContent(b, "counter", "3")
		},
	},
	{
		Name: "an update takes no condition", Rule: "W5",
		Explanation: "the condition is Update's own, and another one is InvalidArgument",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate,
		run: func(t *T) {
			b := t.open()
			_, err := storage.Update(t.Context(), b, "a", increment, storage.IfAbsent())
			t.requireNothingDone(err, storage.InvalidArgument)
			t.requireMissing(b, "a")
		},
	},
}

func increment(old []byte, _ *storage.Attrs) ([]byte, error) {
	n, _ := strconv.Atoi(string(old))
	return []byte(strconv.Itoa(n + 1)), nil
}

var readerAtCases = []Case{
	{
		Name: "a ReaderAt reads at any offset", Rule: "R3",
		Explanation: "ReadAt, Seek and Read work as for a file, from several goroutines at once",
		run: func(t *T) {
			b := t.open()
			text := body(10_000, 1)
			t.put(b, "a", text)
			r, err := storage.NewReaderAt(t.Context(), b, "a")
			require.NoError(t, err)
			require.Equal(t, int64(10_000), r.Size())
			require.Equal(t, "a", r.Attrs().Key)
			var all sync.WaitGroup
			for i := range 4 {
				all.Go(func() {
					p := make([]byte, 100)
					at := int64(i * 2000)
					if n, err := r.ReadAt(p, at); n != 100 || err != nil || string(p) != text[at:at+100] {
						t.Errorf("%d bytes at %d, %v", n, at, err)
					}
				})
			}
			all.Wait()
			p := make([]byte, 100)
			n, err := r.ReadAt(p, 9_950)
			require.Equal(t, 50, n)
			require.Equal(t, io.EOF, err)
			n, err = r.ReadAt(p, 10_000)
			require.Zero(t, n)
			require.Equal(t, io.EOF, err)
			_, err = r.ReadAt(p, -1)
			require.Error(t, err)
			at, err := r.Seek(-10, io.SeekEnd)
			require.NoError(t, err)
			require.Equal(t, int64(9_990), at)
			rest, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, text[9_990:], string(rest))
			_, err = r.Seek(0, io.SeekStart)
			require.NoError(t, err)
			whole, err := io.ReadAll(r)
			require.NoError(t, err)
			requireSame(t, text, string(whole))
			_, err = r.Seek(-1, io.SeekStart)
			require.Error(t, err)
			require.NoError(t, r.Close())
			require.NoError(t, r.Close())
		},
	},
	{
		Name: "a ReaderAt is pinned to one revision", Rule: "R2",
		Explanation: "if the object is overwritten or removed, reads are Changed and never a mixture",
		run: func(t *T) {
			b := t.open()
			text := body(10_000, 1)
			t.put(b, "a", text)
			r, err := storage.NewReaderAt(t.Context(), b, "a")
			require.NoError(t, err)
			t.put(b, "a", body(10_000, 2))
			p := make([]byte, 100)
			if _, err = r.ReadAt(p, 5_000); err == nil {
				require.Equal(t, text[5_000:5_100], string(p), "the provider still had the revision")
			} else {
				t.requireCode(err, storage.Changed)
			}
			require.NoError(t, r.Close())
			_, err = storage.NewReaderAt(t.Context(), b, "missing")
			t.requireCode(err, storage.ObjectNotFound)
		},
	},
	{
		Name: "a ReaderAt is the source of an upload", Rule: "W2",
		Explanation: "the upload reads it in place and in parallel, and stores the same content",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				text := body(path.size, 1)
				t.put(b, "a", text)
				r, err := storage.NewReaderAt(t.Context(), b, "a")
				require.NoError(t, err)
				_, err = b.Upload(t.Context(), "b", r)
				require.NoError(t, err)
				require.NoError(t, r.Close())
				t.requireContent(b, "b", text)
			}
		},
	},
}
