package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

const appends = storage.ConditionalCreate | storage.ConditionalUpdate

// openStreamedAppends opens an empty bucket that streams the whole object for each append, because
// its driver does not declare ServerAppend.
func openStreamedAppends(t *T, opts ...storage.OpenOption) storage.Bucket {
	return t.open(append(opts, withoutFeatures(storage.ServerAppend))...)
}

// An appendCase is run twice: once on a store that appends to objects itself, and once on a bucket
// that streams the whole object for each append.
type appendCase struct {
	name, rule, explanation string
	needs                   storage.Features
	run                     func(t *T, path storage.OpenOption)
}

// appendCases returns two cases for each row of growingObjects, with and without a store that can
// append, and the cases of refusedAppends.
func appendCases() []Case {
	var cases []Case
	for _, c := range growingObjects {
		inStore := Case{
			Name:        c.name,
			Rule:        c.rule,
			Explanation: c.explanation,
			Needs:       c.needs | appends | storage.ServerAppend,
			run: func(t *T) {
				const noFeatures = 0
				c.run(t, withoutFeatures(noFeatures))
			},
		}
		streamed := Case{
			Name:        c.name + ", streamed",
			Rule:        c.rule,
			Explanation: c.explanation + "; likewise if the store cannot append",
			Needs:       c.needs | appends,
			run: func(t *T) {
				c.run(t, withoutFeatures(storage.ServerAppend))
			},
		}
		cases = append(cases, inStore, streamed)
	}
	return append(cases, refusedAppends...)
}

var growingObjects = []appendCase{
	{
		name:        "bytes are added to an object",
		rule:        "W16",
		explanation: "the object is the old bytes and the new ones, with its attributes; a missing object is created",
		run: func(t *T, path storage.OpenOption) {
			b := t.open(path)
			want := ""
			for _, p := range []string{"one", "two", "", "three"} {
				a, err := storage.Append(
					t.Context(), b, "log", []byte(p), t.contentType("text/x-test"),
					t.metadata(map[string]string{"k": "v"}),
				)
				require.NoError(t, err)
				want += p
				require.Equal(t, int64(len(want)), a.Size)
				t.requireContent(b, "log", want)
				current := t.attrs(b, "log")
				require.Equal(t, current.Revision, a.Revision)
				if current.CRC32C.Known {
					require.Equal(t, current.CRC32C, a.CRC32C)
				}
				require.Equal(t, t.keptType("text/x-test"), current.ContentType)
				require.Equal(t, t.keptMetadata(map[string]string{"k": "v"}), current.Metadata)
			}
			require.Equal(t, []string{"log"}, t.keys(b))
		},
	},
	{
		name:        "an object that grows keeps its attributes",
		rule:        "W16",
		explanation: "headers and metadata stay, unless an option replaces them",
		run: func(t *T, path storage.OpenOption) {
			b := t.open(path)
			t.put(
				b, "a", "x", t.contentType("text/x-test"),
				t.optional(storage.ContentProperties, storage.WithCacheControl("no-store")),
				t.optional(storage.ContentProperties, storage.WithContentLanguage("fr")),
				t.metadata(map[string]string{"k": "v", "two": "\u00e9"}),
			)
			before := t.attrs(b, "a")
			returned, err := storage.Append(t.Context(), b, "a", []byte("y"))
			require.NoError(t, err)
			require.Equal(t, before.Properties, t.attrs(b, "a").Properties)
			require.Equal(t, before.Properties, returned.Properties)
			_, err = storage.Append(t.Context(), b, "a", []byte("z"), t.metadata(map[string]string{"new": "w"}))
			require.NoError(t, err)
			after := t.attrs(b, "a")
			require.Equal(t, t.keptMetadata(map[string]string{"new": "w"}), after.Metadata)
			require.Equal(t, before.CacheControl, after.CacheControl)
			t.requireContent(b, "a", "xyz")
		},
	},
	{
		name:        "an object that grows keeps its tags",
		rule:        "G2",
		needs:       storage.ObjectTags,
		explanation: "the tags are those of the object, or of WithTags",
		run: func(t *T, path storage.OpenOption) {
			b := t.open(path)
			t.put(b, "a", "x", storage.WithTags(map[string]string{"of": "object"}))
			_, err := storage.Append(t.Context(), b, "a", []byte("y"))
			require.NoError(t, err)
			t.requireTags(b, "a", map[string]string{"of": "object"})
			_, err = storage.Append(t.Context(), b, "a", []byte("z"), storage.WithTags(map[string]string{"of": "append"}))
			require.NoError(t, err)
			t.requireTags(b, "a", map[string]string{"of": "append"})
			t.requireContent(b, "a", "xyz")
		},
	},
	{
		name:        "a large object grows",
		rule:        "W16",
		explanation: "also one of more bytes than a part must have, after parts and after appends",
		run: func(t *T, path storage.OpenOption) {
			b := t.open(path)
			want := bytes.Repeat([]byte("0123456789abcdef"), int(max(t.desc.MinPartSize, 1<<10))/16)
			_, err := b.Upload(t.Context(), "large", bytes.NewReader(want))
			require.NoError(t, err)
			for _, p := range []string{"one", "two", "three"} {
				a, err := storage.Append(t.Context(), b, "large", []byte(p))
				require.NoError(t, err)
				want = append(want, p...)
				require.Equal(t, int64(len(want)), a.Size)
			}
			t.requireContent(b, "large", string(want))
			require.Equal(t, []string{"large"}, t.keys(b))
		},
	},
	{
		name:        "each of several writers appends its bytes once",
		rule:        "W16",
		explanation: "the bytes of an Append begin at its Size less their number, and each is there once",
		run: func(t *T, path storage.OpenOption) {
			b := t.open(path)
			const writers, rounds = 4, 3
			var at sync.Map
			var errs [writers]error
			var all sync.WaitGroup
			for i := range writers {
				all.Go(func() {
					for range rounds {
						p := strings.Repeat(string(rune('a'+i)), i+1)
						a, err := storage.Append(t.Context(), b, "log", []byte(p))
						if err != nil {
							errs[i] = err
							return
						}
						at.Store(a.Size-int64(len(p)), p)
					}
				})
			}
			all.Wait()
			require.NoError(t, errors.Join(errs[:]...))
			text := t.get(b, "log")
			require.Len(t, text, rounds*(1+2+3+4))
			n := 0
			for start, p := range at.Range {
				n++
				require.Equal(t, p, text[start.(int64):start.(int64)+int64(len(p.(string)))])
			}
			require.Equal(t, writers*rounds, n)
		},
	},
	{
		name:        "conditions guard Append",
		rule:        "W5",
		explanation: "it fails with PreconditionFailed, and adds nothing; without a condition it starts over if another writer was faster",
		run: func(t *T, path storage.OpenOption) {
			b := t.open(path)
			old := t.put(b, "a", "old")
			current := t.put(b, "a", "now")
			appending := func(key string, opts ...storage.CopyOption) error {
				_, err := storage.Append(t.Context(), b, key, []byte("+"), opts...)
				return err
			}
			t.requireNothingDone(appending("a", storage.IfRevision(old.Revision)), storage.PreconditionFailed)
			t.requireNothingDone(appending("a", storage.IfAbsent()), storage.PreconditionFailed)
			t.requireNothingDone(appending("missing", storage.IfRevision(old.Revision)), storage.PreconditionFailed)
			t.requireMissing(b, "missing")
			t.requireContent(b, "a", "now")
			require.NoError(t, appending("a", storage.IfRevision(current.Revision)))
			t.requireContent(b, "a", "now+")
			require.NoError(t, appending("new", storage.IfAbsent()))
			t.requireContent(b, "new", "+")
		},
	},
	{
		name:        "an object that another writer replaces meanwhile grows",
		rule:        "W16",
		explanation: "bytes are added to the object that is there then, with its attributes",
		run: func(t *T, path storage.OpenOption) {
			var other storage.Bucket
			replace := sync.OnceFunc(func() {
				t.put(other, "a", "newer", t.contentType("text/x-newer"))
			})
			b, second := t.openTwice(path, observe.BeforeCall("Compose", 1, replace), observe.BeforeCall("Put", 1, replace))
			other = second
			t.put(other, "a", "old")
			a, err := storage.Append(t.Context(), b, "a", []byte("+"))
			require.NoError(t, err)
			t.requireContent(b, "a", "newer+")
			require.Equal(t, t.keptType("text/x-newer"), a.ContentType)
		},
	},
	{
		name:        "an append whose response was lost adds its bytes once",
		rule:        "W7",
		needs:       storage.Metadata,
		explanation: "the write id tells that the object is the one that was written",
		run: func(t *T, path storage.OpenOption) {
			b := t.open(path)
			t.put(b, "a", "x")
			t.faults.Set(loseFirst(nil, faults.Compose, faults.Put)...)
			a, err := storage.Append(t.Context(), b, "a", []byte("y"))
			t.faults.Set()
			require.NoError(t, err)
			require.Equal(t, int64(2), a.Size)
			t.requireContent(b, "a", "xy")
		},
	},
	{
		name:        "an append whose response was lost never adds its bytes twice",
		rule:        "W16",
		explanation: "if the reads that could tell fail, too, the outcome is unknown; Append does not start over",
		run: func(t *T, path storage.OpenOption) {
			failing, lost := 0, 0 // reads that fail after the response was lost, and lost responses
			b := t.open(path, observe.AfterLostResponse(func() {
				lost++
				t.faults.Set(faults.Fail(faults.Head | faults.Get).First(failing))
			}))
			for _, failing = range []int{1, 5, 7, 9, 12} {
				key := fmt.Sprint("a", failing)
				t.put(b, key, "x")
				lost = 0
				t.faults.Set(loseFirst(nil, faults.Compose, faults.Put)...)
				_, err := storage.Append(t.Context(), b, key, []byte("y"))
				t.faults.Set()
				require.Equal(t, 1, lost)
				if err != nil {
					require.ErrorIs(t, err, storage.OutcomeUnknown, "%d failing reads", failing)
				}
				t.requireContent(b, key, "xy")
			}
		},
	},
	{
		name:        "an append makes a version",
		rule:        "V3",
		needs:       storage.Versioning,
		explanation: "the version before it stays as it was",
		run: func(t *T, path storage.OpenOption) {
			b := t.openVersioned(path)
			before := t.put(b, "a", "x")
			current, err := storage.Append(t.Context(), b, "a", []byte("y"))
			require.NoError(t, err)
			require.NotEqual(t, before.Version, current.Version)
			require.Equal(t, "x", t.get(b, "a", storage.WithVersion(before.Version)))
			require.Equal(t, "xy", t.get(b, "a", storage.WithVersion(current.Version)))
		},
	},
}

var refusedAppends = []Case{
	{
		Name:        "an append without conditions is Unsupported",
		Rule:        "W16",
		Explanation: "a store that does not compare revisions could lose the bytes of others: it is refused, before any request",
		run: func(t *T) {
			b := t.open(withoutFeatures(storage.ConditionalUpdate))
			t.put(b, "a", "x")
			t.requireNoRequests(func() {
				_, err := storage.Append(t.Context(), b, "a", []byte("y"))
				require.Equal(t, "Append", t.requireNothingDone(err, storage.Unsupported).Op)
			})
			t.requireContent(b, "a", "x")
		},
	},
	{
		Name:        "an append that is refused adds nothing",
		Rule:        "W16",
		Needs:       appends,
		Explanation: "a version does not fit, and the key is checked, before any request",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "x")
			t.requireNoRequests(func() {
				for _, err := range []error{
					second(storage.Append(t.Context(), b, "a", []byte("y"), storage.WithVersion("1"))),
					second(storage.Append(t.Context(), b, "", []byte("y"))),
					second(storage.Append(t.Context(), b, "a/../b", []byte("y"))),
					second(storage.Append(t.Context(), b, "a", []byte("y"), storage.IfAbsent(), storage.IfAbsent())),
				} {
					require.Equal(t, "Append", t.requireNothingDone(err, storage.InvalidArgument).Op)
				}
			})
			t.requireContent(b, "a", "x")
		},
	},
}
