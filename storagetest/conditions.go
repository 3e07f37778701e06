package storagetest

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

var conditionCases = []Case{
	{
		Name:        "IfAbsent creates and never overwrites",
		Rule:        "W5",
		Explanation: "on an existing key it fails with PreconditionFailed and fs.ErrExist and changes nothing, in one Put and in parts",
		Needs:       storage.ConditionalCreate,
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				first := body(path.size, 1)
				second := body(path.size, 2)
				t.put(b, "a", first, storage.IfAbsent())
				for _, source := range []string{"in place", "stream"} {
					var err error
					if source == "stream" {
						_, err = b.Upload(t.Context(), "a", stream(second), storage.IfAbsent())
					} else {
						_, err = b.Upload(t.Context(), "a", strings.NewReader(second), storage.IfAbsent())
					}
					t.requireNothingDone(err, storage.PreconditionFailed)
					require.ErrorIs(t, err, fs.ErrExist)
					t.requireContent(b, "a", first)
				}
				require.NoError(t, b.Remove(t.Context(), "a"))
				t.put(b, "a", second, storage.IfAbsent())
				t.requireContent(b, "a", second)
			}
		},
	},
	{
		Name:        "exactly one concurrent creator wins",
		Rule:        "W5",
		Explanation: "all others fail with PreconditionFailed, and the object is the winner's, with one Put and with parts",
		Needs:       storage.ConditionalCreate,
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				t.requireOneWinner(8, func(i int) error {
					_, err := b.Upload(t.Context(), "a", strings.NewReader(body(path.size, byte(i))), storage.IfAbsent())
					return err
				}, func(winner int) {
					t.requireContent(b, "a", body(path.size, byte(winner)))
				})
			}
		},
	},
	{
		Name:        "IfRevision replaces only the revision that was read",
		Rule:        "W5",
		Explanation: "another revision or a missing key is PreconditionFailed, which is not fs.ErrExist",
		Needs:       storage.ConditionalUpdate,
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				first := t.put(b, "a", body(path.size, 1))
				second := t.put(b, "a", body(path.size, 2), storage.IfRevision(first.Revision))
				require.NotEqual(t, first.Revision, second.Revision)
				_, err := b.Upload(t.Context(), "a", strings.NewReader(body(path.size, 3)),
					storage.IfRevision(first.Revision))
				t.requireNothingDone(err, storage.PreconditionFailed)
				require.NotErrorIs(t, err, fs.ErrExist)
				t.requireContent(b, "a", body(path.size, 2))
				require.NoError(t, b.Remove(t.Context(), "a"))
				_, err = b.Upload(t.Context(), "a", strings.NewReader(body(path.size, 3)),
					storage.IfRevision(second.Revision))
				t.requireNothingDone(err, storage.PreconditionFailed)
				t.requireMissing(b, "a")
			}
		},
	},
	{
		Name:        "exactly one concurrent updater wins",
		Rule:        "W5",
		Explanation: "IfRevision is a compare-and-swap, with one Put and with parts",
		Needs:       storage.ConditionalUpdate,
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				attrs := t.put(b, "a", "old")
				t.requireOneWinner(8, func(i int) error {
					_, err := b.Upload(
						t.Context(), "a", strings.NewReader(body(path.size, byte(i))),
						storage.IfRevision(attrs.Revision),
					)
					return err
				}, func(winner int) {
					t.requireContent(b, "a", body(path.size, byte(winner)))
				})
			}
		},
	},
	{
		Name:        "IfAbsent guards the destination of a copy",
		Rule:        "W5",
		Explanation: "a copy inside the provider and a streamed one obey it, also against concurrent writers",
		Needs:       storage.ConditionalCreate,
		run: func(t *T) {
			for _, b := range []storage.Bucket{t.open(), t.openLimited(faults.Limits{Disable: storage.ServerCopy})} {
				t.puts(b, "source", "there")
				_, err := storage.Copy(t.Context(), b, "there", b, "source", storage.IfAbsent())
				t.requireNothingDone(err, storage.PreconditionFailed)
				require.ErrorIs(t, err, fs.ErrExist)
				t.requireContent(b, "there", "there")
				t.requireOneWinner(4, func(int) error {
					_, err := storage.Copy(t.Context(), b, "new", b, "source", storage.IfAbsent())
					return err
				}, func(int) {
					t.requireContent(b, "new", "source")
				})
			}
		},
	},
	{
		Name:        "IfRevision guards the destination of a copy",
		Rule:        "W5",
		Explanation: "it names the destination's revision, inside the provider and streamed",
		Needs:       storage.ConditionalUpdate,
		run: func(t *T) {
			for _, b := range []storage.Bucket{t.open(), t.openLimited(faults.Limits{Disable: storage.ServerCopy})} {
				t.puts(b, "source")
				old := t.put(b, "a", "old")
				current := t.put(b, "a", "now")
				_, err := storage.Copy(t.Context(), b, "a", b, "source", storage.IfRevision(old.Revision))
				t.requireNothingDone(err, storage.PreconditionFailed)
				t.requireContent(b, "a", "now")
				_, err = storage.Copy(t.Context(), b, "a", b, "source", storage.IfRevision(current.Revision))
				require.NoError(t, err)
				t.requireContent(b, "a", "source")
			}
		},
	},
	{
		Name:        "conditions guard Compose",
		Rule:        "W5",
		Explanation: "IfAbsent on an existing destination is PreconditionFailed, inside the provider and streamed",
		Needs:       storage.ConditionalCreate,
		run: func(t *T) {
			for _, b := range []storage.Bucket{t.open(), t.openLimited(faults.Limits{Disable: storage.ServerCompose})} {
				t.puts(b, "x", "y", "there")
				_, err := storage.Compose(t.Context(), b, "there", []string{"x", "y"}, storage.IfAbsent())
				t.requireNothingDone(err, storage.PreconditionFailed)
				t.requireContent(b, "there", "there")
				_, err = storage.Compose(t.Context(), b, "new", []string{"x", "y"}, storage.IfAbsent())
				require.NoError(t, err)
				t.requireContent(b, "new", "xy")
			}
		},
	},
	{
		Name:        "an object grows by Compose",
		Rule:        "W5",
		Explanation: "with IfRevision it adds bytes once, and PreconditionFailed adds nothing; of several writers at once, each one's bytes are there",
		Needs:       storage.ConditionalUpdate,
		run: func(t *T) {
			for _, b := range []storage.Bucket{t.open(), t.openLimited(faults.Limits{Disable: storage.ServerCompose})} {
				start := t.put(b, "log", "")
				t.put(b, "first", "x")
				add := func() error {
					_, err := storage.Compose(t.Context(), b, "log", []string{"log", "first"},
						storage.IfRevision(start.Revision))
					return err
				}
				require.NoError(t, add())
				t.requireNothingDone(add(), storage.PreconditionFailed)
				const writers = 3
				var errs [writers]error
				var all sync.WaitGroup
				for i := range writers {
					tail := strconv.Itoa(i)
					t.put(b, "tail"+tail, tail)
					all.Go(func() {
						errs[i] = grow(t.Context(), b, "log", "tail"+tail)
					})
				}
				all.Wait()
				require.NoError(t, errors.Join(errs[:]...))
				require.ElementsMatch(t, strings.Split("x012", ""), strings.Split(t.get(b, "log"), ""))
			}
		},
	},
	{
		Name:        "IfRevision guards Remove",
		Rule:        "D1",
		Explanation: "Remove of another revision is PreconditionFailed and keeps the object; of the same revision, or of a missing object, it succeeds",
		Needs:       storage.ConditionalRemove,
		run: func(t *T) {
			b := t.open()
			old := t.put(b, "a", "old")
			current := t.put(b, "a", "now")
			t.requireNothingDone(b.Remove(t.Context(), "a", storage.IfRevision(old.Revision)), storage.PreconditionFailed)
			t.requireContent(b, "a", "now")
			require.NoError(t, b.Remove(t.Context(), "a", storage.IfRevision(current.Revision)))
			t.requireMissing(b, "a")
			require.NoError(t, b.Remove(t.Context(), "a", storage.IfRevision(current.Revision)))
		},
	},
	{
		Name:        "a call takes one condition",
		Rule:        "W5",
		Explanation: "two conditions are InvalidArgument, before any request",
		run: func(t *T) {
			b := t.open()
			revision := t.put(b, "a", "x").Revision
			t.requireNoRequests(func() {
				_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), storage.IfAbsent(),
					storage.IfRevision(revision))
				t.requireNothingDone(err, storage.InvalidArgument)
				_, err = b.Upload(
					t.Context(), "a", strings.NewReader("x"), storage.IfRevision(revision),
					storage.IfRevision(revision),
				)
				t.requireNothingDone(err, storage.InvalidArgument)
				err = b.Remove(t.Context(), "a", storage.WithVersion("1"), storage.IfRevision(revision))
				// S3 would compare the condition with the current version, not with version "1".
				t.requireNothingDone(err, storage.InvalidArgument)
				_, err = b.Download(t.Context(), "a", storage.IfRevision(revision), storage.IfRevisionNot(revision))
				t.requireCode(err, storage.InvalidArgument)
				_, err = b.Attrs(t.Context(), "a", storage.IfRevisionNot(revision), storage.IfRevisionNot(revision))
				t.requireCode(err, storage.InvalidArgument)
			})
		},
	},
	{
		Name:        "an empty revision is no condition and no wildcard",
		Rule:        "W5",
		Explanation: `IfRevision("") and IfRevisionNot("") are InvalidArgument, before any request`,
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			t.requireNoRequests(func() {
				_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), storage.IfRevision(""))
				t.requireNothingDone(err, storage.InvalidArgument)
				t.requireNothingDone(b.Remove(t.Context(), "a", storage.IfRevision("")), storage.InvalidArgument)
				_, err = b.Download(t.Context(), "a", storage.IfRevision(""))
				t.requireCode(err, storage.InvalidArgument)
				_, err = b.Attrs(t.Context(), "a", storage.IfRevisionNot(""))
				t.requireCode(err, storage.InvalidArgument)
			})
			t.requireExists(b, "a")
		},
	},
	{
		Name:        "another provider's revision is refused",
		Rule:        "V1",
		Explanation: "a revision is tagged with its provider: one of another provider is InvalidArgument, and not a failed condition; so is a text that a server takes for any revision",
		Needs:       storage.ConditionalUpdate,
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			t.requireNoRequests(func() {
				for _, revision := range []string{"elsewhere:1", "1", t.desc.Provider + ":", "W/\"etag\"", t.desc.Provider + ":*", t.desc.Provider + ": ", t.desc.Provider + `:""`, t.desc.Provider + `:"a", *`} {
					_, err := b.Upload(t.Context(), "a", strings.NewReader("y"), storage.IfRevision(revision))
					t.requireNothingDone(err, storage.InvalidArgument)
					_, err = b.Download(t.Context(), "a", storage.IfRevision(revision))
					t.requireCode(err, storage.InvalidArgument)
					_, err = b.Attrs(t.Context(), "a", storage.IfRevisionNot(revision))
					t.requireCode(err, storage.InvalidArgument)
				}
			})
			t.requireContent(b, "a", "x")
		},
	},
	{
		Name:        "revisions change with the content",
		Rule:        "V1",
		Explanation: "other content has another revision everywhere, and with UniqueRevisions every write has one of its own",
		run: func(t *T) {
			b := t.open()
			first := t.put(b, "a", "one").Revision
			second := t.put(b, "a", "two").Revision
			third := t.put(b, "a", "two").Revision
			require.NotEmpty(t, first, "a write must return a Revision")
			require.NotEqual(t, first, second, "other content must have another Revision")
			if t.has(storage.UniqueRevisions) {
				require.NotEqual(t, second, third)
				require.NoError(t, b.Remove(t.Context(), "a"))
				require.NotContains(
					t, []string{first, second, third}, t.put(b, "a", "one").Revision,
					"also if the key was removed in between",
				)
			}
			for entry, err := range b.List(t.Context(), t.anyOrder()...) {
				require.NoError(t, err)
				require.Equal(t, t.attrs(b, "a").Revision, entry.Revision)
			}
		},
	},
	{
		Name:        "conditions that the provider does not enforce are not emulated",
		Rule:        "W6",
		Explanation: "without the feature a condition is Unsupported and makes no request: nothing checks first and writes afterwards",
		run: func(t *T) {
			b := t.openLimited(
				faults.Limits{
					Disable: storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove,
				},
			)
			revision := t.put(b, "a", "x").Revision
			t.requireNoRequests(func() {
				_, err := b.Upload(t.Context(), "new", strings.NewReader("x"), storage.IfAbsent())
				t.requireNothingDone(err, storage.Unsupported)
				_, err = b.Upload(t.Context(), "a", strings.NewReader("x"), storage.IfRevision(revision))
				t.requireNothingDone(err, storage.Unsupported)
				t.requireNothingDone(b.Remove(t.Context(), "a", storage.IfRevision(revision)), storage.Unsupported)
			})
		},
	},
}

// requireOneWinner calls write from n goroutines, and requires that exactly one call succeeds and
// all others fail with PreconditionFailed. It then calls check with the number of the winner.
func (t *T) requireOneWinner(n int, write func(i int) error, check func(winner int)) {
	t.Helper()
	var wins, winner atomic.Int32

	// The goroutines wait for start, so that their writes overlap.
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			err := write(i)
			if storage.CodeOf(err) == storage.PreconditionFailed {
				return
			}
			if err != nil {
				t.Errorf("a loser's error: %v", err)
				return
			}
			wins.Add(1)
			winner.Store(int32(i))
		})
	}
	close(start)
	wg.Wait()

	// With one success, the stored number is that of the winner.
	require.Equal(t, int32(1), wins.Load(), "writers that won")
	check(int(winner.Load()))
}

var updateCases = []Case{
	{
		Name:        "an update whose outcome is unknown is not repeated",
		Rule:        "W7",
		Explanation: "if nothing shows that the write took effect or did not, Update fails with OutcomeUnknown: change is not called again, which would count twice",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate | storage.Metadata,
		run: func(t *T) {
			b := t.open()
			t.put(b, "counter", "1")
			t.faults.Set(faults.DropResponse(faults.Put), faults.Fail(faults.Head))
			_, err := storage.Update(t.Context(), b, "counter", increment)
			t.faults.Set()
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			t.requireContent(b, "counter", "2")
		},
	},
	{
		Name:        "concurrent updates are all counted",
		Rule:        "W5",
		Explanation: "Update is a compare-and-swap: it loses no increment, beginning with a missing key",
		Needs:       storage.ConditionalCreate | storage.ConditionalUpdate,
		run: func(t *T) {
			const workers, each = 4, 5
			b := t.open()
			var all sync.WaitGroup
			for range workers {
				all.Go(func() {
					for n := 0; n < each; {
						_, err := storage.Update(t.Context(), b, "counter", increment)
						switch storage.CodeOf(err) {
						case "":
							n++
						case storage.PreconditionFailed: // all attempts of Update lost to other writers; try again
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
		Name:        "an update sees the current object and can abort",
		Rule:        "W5",
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
			first, err := storage.Update(
				t.Context(), b, "a", func([]byte, *storage.Attrs) ([]byte, error) { return []byte("one"), nil },
				t.contentType("text/x-test"),
			)
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
		Name:        "an update whose responses are lost counts once",
		Rule:        "W7",
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
		Name:        "an update takes no condition",
		Rule:        "W5",
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

// increment is a function for Update that adds 1 to the decimal number in an object. A missing object
// counts as 0.
func increment(old []byte, _ *storage.Attrs) ([]byte, error) {
	if len(old) == 0 {
		return []byte("1"), nil
	}
	count, err := strconv.Atoi(string(old))
	if err != nil {
		return nil, err
	}
	return []byte(strconv.Itoa(count + 1)), nil
}

// grow appends the object tail to another with Compose, and tries again if another writer changes
// the object first.
func grow(ctx context.Context, b storage.Bucket, key, tail string) error {
	for {
		current, err := b.Attrs(ctx, key)
		if err != nil {
			return err
		}
		_, err = storage.Compose(ctx, b, key, []string{key, tail}, storage.IfRevision(current.Revision))
		switch storage.CodeOf(err) {
		case storage.PreconditionFailed, storage.Changed:
			continue
		default:
			return err
		}
	}
}
