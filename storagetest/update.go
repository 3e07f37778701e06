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
		Explanation: "Update is compare-and-swap: from a missing key on, no increment is lost",
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
						case storage.PreconditionFailed: // outrun too often: said, not lost
						default:
							t.Errorf("update: %v", err)
							return
						}
					}
				})
			}
			all.Wait()
			t.holds(b, "counter", strconv.Itoa(workers*each))
		},
	},
	{
		Name: "an update sees what is there and can give up", Rule: "W5",
		Explanation: "change gets nil, nil where nothing is; its error ends the update and stores nothing",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate,
		run: func(t *T) {
			b := t.open()
			_, err := storage.Update(t.Context(), b, "a", func(old []byte, attrs *storage.Attrs) ([]byte, error) {
				require.Nil(t, old)
				require.Nil(t, attrs)
				return nil, errBoom
			})
			require.ErrorIs(t, err, errBoom)
			t.missing(b, "a")
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
			t.holds(b, "a", "one two")
		},
	},
	{
		Name: "an update whose answers are lost counts once", Rule: "W7",
		Explanation: "a lost answer is reconciled, so that no increment is applied twice",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate | storage.Metadata,
		run: func(t *T) {
			b := t.open()
			for range 3 {
				t.faults.Set(faults.LoseAnswer(faults.Put).Nth(1))
				_, err := storage.Update(t.Context(), b, "counter", increment)
				require.NoError(t, err)
			}
			t.faults.Set()
			t.holds(b, "counter", "3")
		},
	},
	{
		Name: "an update takes no condition", Rule: "W5",
		Explanation: "the condition is Update's own: another is InvalidArgument",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate,
		run: func(t *T) {
			b := t.open()
			_, err := storage.Update(t.Context(), b, "a", increment, storage.IfAbsent())
			t.settled(err, storage.InvalidArgument)
			t.missing(b, "a")
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
		Explanation: "ReadAt, Seek and Read as a file's, from several goroutines at once",
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
		Explanation: "an object that is overwritten or removed is Changed, never a mixture",
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
				t.fails(err, storage.Changed)
			}
			require.NoError(t, r.Close())
			_, err = storage.NewReaderAt(t.Context(), b, "missing")
			t.fails(err, storage.ObjectNotFound)
		},
	},
	{
		Name: "a ReaderAt is the source of an upload", Rule: "W2",
		Explanation: "it is read in place, in parallel, and joins to the same object",
		run: func(t *T) {
			for _, w := range t.ways() {
				b := w.open()
				text := body(w.size, 1)
				t.put(b, "a", text)
				r, err := storage.NewReaderAt(t.Context(), b, "a")
				require.NoError(t, err)
				_, err = b.Upload(t.Context(), "b", r)
				require.NoError(t, err)
				require.NoError(t, r.Close())
				t.holds(b, "b", text)
			}
		},
	},
}
