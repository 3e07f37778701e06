package layers_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// A laggingStack makes drivers of several layers, one of which is a mirror. The objects "k" and "j"
// have the content "new" in the primary of that mirror, and "old" in its second store. While the
// injector of the field failing makes calls of the primary fail, reads come from the second store.
type laggingStack struct {
	t       *testing.T
	failing *faults.Injector
}

func (s *laggingStack) bucket(d driver.Driver) storage.Bucket {
	return engine.New(d, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
}

func (s *laggingStack) empty() driver.Driver { return memstore.NewDriver(memstore.Config{}) }

// store returns a store whose objects have the given content.
func (s *laggingStack) store(text string) driver.Driver {
	d := s.empty()
	for _, key := range []string{"j", "k"} {
		_, err := engine.New(d).Upload(s.t.Context(), key, strings.NewReader(text))
		require.NoError(s.t, err)
	}
	return d
}

func (s *laggingStack) mirror(primary, second driver.Driver) driver.Driver {
	layer, err := mirror.New(s.bucket(second), mirror.Config{Probe: time.Nanosecond})
	require.NoError(s.t, err)
	return layer(primary)
}

// lagging returns a mirror whose second store has older objects than its primary.
func (s *laggingStack) lagging() driver.Driver {
	return s.mirror(s.failing.Layer()(s.store("new")), s.store("old"))
}

func (s *laggingStack) overlay(base, old driver.Driver, c overlay.Config) driver.Driver {
	layer, err := overlay.New(s.bucket(old), c)
	require.NoError(s.t, err)
	return layer(base)
}

func (s *laggingStack) cache(d driver.Driver) driver.Driver {
	return newCache(s.t, diskcache.Config{Unpinned: true})(d)
}

var laggingStacks = map[string]func(s *laggingStack) driver.Driver{
	"a mirror":              (*laggingStack).lagging,
	"a cache over a mirror": func(s *laggingStack) driver.Driver { return s.cache(s.lagging()) },
	"an overlay over a mirror": func(s *laggingStack) driver.Driver {
		return s.overlay(s.lagging(), s.empty(), overlay.Config{})
	},
	"an overlay of an old mirror": func(s *laggingStack) driver.Driver {
		return s.overlay(s.empty(), s.lagging(), overlay.Config{})
	},
	"an overlay of an old mirror, copying on read": func(s *laggingStack) driver.Driver {
		return s.overlay(s.empty(), s.lagging(), overlay.Config{CopyOnRead: true})
	},
	"an overlay of an old mirror, keeping it": func(s *laggingStack) driver.Driver {
		return s.overlay(s.empty(), s.lagging(), overlay.Config{KeepOld: true})
	},
	"an overlay of an old mirror with a cache": func(s *laggingStack) driver.Driver {
		return s.overlay(s.empty(), s.cache(s.lagging()), overlay.Config{})
	},
	"an overlay of an old overlay of an old mirror": func(s *laggingStack) driver.Driver {
		return s.overlay(s.empty(), s.overlay(s.empty(), s.lagging(), overlay.Config{}), overlay.Config{})
	},
	"an overlay of an old overlay over a mirror": func(s *laggingStack) driver.Driver {
		return s.overlay(s.empty(), s.overlay(s.lagging(), s.empty(), overlay.Config{}), overlay.Config{})
	},
	"a mirror over an overlay of an old mirror": func(s *laggingStack) driver.Driver {
		return s.mirror(s.overlay(s.empty(), s.lagging(), overlay.Config{}), s.empty())
	},
	"a mirror whose second store is a mirror": func(s *laggingStack) driver.Driver {
		return s.mirror(s.store("new"), s.lagging())
	},
	"a mirror whose second store is an overlay of an old mirror": func(s *laggingStack) driver.Driver {
		return s.mirror(s.store("new"), s.overlay(s.empty(), s.lagging(), overlay.Config{}))
	},
}

// A readingWrite is a call that first reads an object. What it then writes depends on that object.
type readingWrite struct {
	name string
	call func(ctx context.Context, b storage.Bucket, revision string) error
}

var readingWrites = []readingWrite{
	{"Compose", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := storage.Compose(ctx, b, "k", []string{"k", "j"})
		return err
	}},
	{"Compose of another key", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := storage.Compose(ctx, b, "m", []string{"k", "j"})
		return err
	}},
	{"Move", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := storage.Move(ctx, b, "k", "m")
		return err
	}},
	{"Move over another object", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := storage.Move(ctx, b, "j", "k")
		return err
	}},
	{"Move with an attribute", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := storage.Move(ctx, b, "k", "m", storage.WithContentType("text/x-moved"))
		return err
	}},
	{"Copy", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := storage.Copy(ctx, b, "m", b, "k")
		return err
	}},
	{"Copy onto itself", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := storage.Copy(ctx, b, "k", b, "k", storage.WithContentType("text/x-changed"))
		return err
	}},
	{"Copy from a view", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := storage.Copy(ctx, b, "k", storage.Ref[storage.Downloader](b), "j")
		return err
	}},
	{"Append", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := storage.Append(ctx, b, "k", []byte("new"))
		return err
	}},
	{"Update", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := storage.Update(ctx, b, "k", func(old []byte, _ *storage.Attrs) ([]byte, error) {
			return append(old, "new"...), nil
		})
		return err
	}},
	{"SetTags", func(ctx context.Context, b storage.Bucket, _ string) error {
		return storage.SetTags(ctx, b, "k", map[string]string{"a": "b"})
	}},
	{"Upload with IfRevision", func(ctx context.Context, b storage.Bucket, revision string) error {
		_, err := b.Upload(ctx, "k", strings.NewReader("new and newer"), storage.IfRevision(revision))
		return err
	}},
	{"Upload with IfAbsent", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := b.Upload(ctx, "k", strings.NewReader("old"), storage.IfAbsent())
		return err
	}},
	{"SignedDownloadURL", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := b.SignedDownloadURL(ctx, "k")
		return err
	}},
	{"a read", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, _, err := storage.ReadAll(ctx, b, "k")
		return err
	}},
	{"a listing", func(ctx context.Context, b storage.Bucket, _ string) error {
		for _, err := range b.List(ctx) {
			return err
		}
		return nil
	}},
	{"Repair", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := mirror.Repair(ctx, b)
		return err
	}},
	{"RepairAll", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := mirror.RepairAll(ctx, b)
		return err
	}},
	{"a job that copies within the bucket", func(ctx context.Context, b storage.Bucket, _ string) error {
		_, err := transfer.Copy(ctx, storage.Prefixed(b, "copies/"), b, transfer.WithMissingOnly())
		return err
	}},
}

// If the primary of a mirror fails, a write that depends on an object, such as an append, does not read an old object
// from the mirror's second store.
func TestWriteNeverReadsLaggingStore(t *testing.T) {
	for stack, newDriver := range laggingStacks {
		t.Run(stack, func(t *testing.T) {
			openLagging := func(s *laggingStack) storage.Bucket { return s.bucket(newDriver(s)) }
			requireNoOldContent(t, readingWrites, openLagging)
		})
	}
}

// The second store of a mirror may lag: it has an old object that the primary has replaced. While the primary fails,
// a copy by a download and an upload does not write the content of the old object.
func TestStreamCopyNeverReadsLaggingStore(t *testing.T) {
	// Only copies and Append can be made by a download and an upload.
	isCopy := func(write readingWrite) bool {
		return strings.HasPrefix(write.name, "Copy") || write.name == "Append"
	}
	var copies []readingWrite
	for _, write := range readingWrites {
		if isCopy(write) {
			copies = append(copies, write)
		}
	}

	// The bucket is a mirror that lags, and makes each copy by a download and an upload.
	copyByDownload := func(c storage.Core) storage.Core { return streaming{c} }
	openLagging := func(s *laggingStack) storage.Bucket {
		b, err := storage.Wrap(s.bucket(s.lagging()), copyByDownload)
		require.NoError(t, err)
		return b
	}
	requireNoOldContent(t, copies, openLagging)
}

// A streaming Core sees each copy as a download and an upload.
type streaming struct{ storage.Core }

func (s streaming) Source(key string) storage.CopySource { return storage.NewCopySource(s, key) }

func (s streaming) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, o *storage.CopyOptions,
) (*storage.Attrs, error) {
	return storage.StreamCopy(ctx, s, key, src, o)
}

// requireNoOldContent runs each write on new buckets several times: while all reads of the primary
// fail, while the first one to four of them fail, and while only one of the first four fails. It
// requires that no write uses the old object of the second store.
func requireNoOldContent(t *testing.T, writes []readingWrite, open func(s *laggingStack) storage.Bucket) {
	t.Helper()
	rules := []faults.Rule{faults.Fail(faults.Reads)}
	for n := 1; n <= 4; n++ {
		rules = append(rules, faults.Fail(faults.Reads).First(n), faults.Fail(faults.Reads).Nth(n))
	}
	for _, write := range writes {
		for _, rule := range rules {
			s := &laggingStack{t: t, failing: faults.New()}
			s.requireNoOldContentAfter(open(s), write, rule)
		}
	}
}

// requireNoOldContentAfter makes a write while the rule lets reads of the primary fail. The write
// may fail, too. Afterwards, no object may have the old content.
func (s *laggingStack) requireNoOldContentAfter(b storage.Bucket, write readingWrite, rule faults.Rule) {
	t := s.t
	text := fmt.Sprintf("%s, %v", write.name, rule)
	attrs, err := b.Attrs(t.Context(), "k")
	require.NoError(t, err, text)

	s.failing.Set(rule)
	failure := write.call(t.Context(), b, attrs.Revision)
	s.failing.Set()

	objects := 0
	for _, key := range []string{"j", "k", "m", "copies/j", "copies/k"} {
		data, attrs, err := storage.ReadAll(t.Context(), b, key)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			continue
		}
		require.NoError(t, err, text)
		require.False(t, mirror.FailedOver(attrs), text)
		require.Contains(t, string(data), "new", "%s: %s (%v)", text, key, failure)
		require.NotContains(t, string(data), "old", "%s: %s (%v)", text, key, failure)
		objects++
	}
	require.GreaterOrEqual(t, objects, write.minObjects(), "%s (%v)", text, failure)
}

// minObjects returns how many of the objects "j" and "k" must exist after the write, under these or other keys.
func (w readingWrite) minObjects() int {
	if w.name == "Move over another object" {
		return 1
	}
	return 2
}
