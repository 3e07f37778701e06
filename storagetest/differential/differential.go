// Package differential makes the same random calls on a bucket and on one in memory, and compares all
// results. The suite of package storagetest says what each call does; this package looks for calls
// whose order or options it did not foresee.
package differential

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A Config says which calls are made.
type Config struct {
	Seeds    int  // number of seeds; 0 means 2; OMNIBUCKET_RANDOM_SEEDS replaces it
	Versions bool // open can also make buckets with versions
	Locks    bool // open can also make buckets with object lock, which keep versions
	// Change, if set, replaces the bucket after half of the calls by another one with the same objects.
	Change  func(t *testing.T, b storage.Bucket) storage.Bucket
	Without []string // calls or choices that a server gets wrong, such as the name of a call, or `delimiter "b/"`
}

const callsOfASeed = 300

// Run makes calls on empty buckets and on others in memory. A test fails at the first result that
// differs, and prints the calls before it. Run leaves out a call that is Unsupported, and a CRC32C that
// one of the two buckets does not report.
func Run(t *testing.T, c Config, open func(t *testing.T, opts ...storage.OpenOption) storage.Bucket) {
	t.Helper()
	seeds := cmp.Or(c.Seeds, 2)
	if given, err := strconv.Atoi(os.Getenv("OMNIBUCKET_RANDOM_SEEDS")); err == nil {
		seeds = given
	}
	kinds := []kind{{calls: calls}}
	if c.Versions {
		kinds = append(
			kinds,
			kind{
				" with versions", slices.Concat(calls, versionCalls),
				[]storage.OpenOption{storage.WithVersioning(true)},
			},
		)
	}
	if c.Locks {
		kinds = append(
			kinds,
			kind{
				" with locks", slices.Concat(calls, versionCalls, lockCalls),
				[]storage.OpenOption{storage.WithVersioning(true), storage.WithObjectLock()},
			},
		)
	}
	for seed := range seeds {
		for _, k := range kinds {
			t.Run(
				fmt.Sprintf("seed %d%s", seed, k.name),
				func(t *testing.T) { play(t, c, seed, k.calls, open(t, k.opts...), memstore.New(k.opts...)) },
			)
		}
	}
}

// A kind is a kind of buckets that has more calls, and is opened with options.
type kind struct {
	name  string
	calls []call
	opts  []storage.OpenOption
}

func play(t *testing.T, c Config, seed int, all []call, b, memory storage.Bucket) {
	t.Helper()
	p := &player{
		ctx: t.Context(), began: time.Now().UTC(), random: rand.New(rand.NewPCG(uint64(seed), 1)), without: c.Without,
		memory: memory, other: b, dir: t.TempDir(), unique: storage.Supports(b, storage.UniqueRevisions),
	}
	for n := range callsOfASeed {
		if n == callsOfASeed/2 && c.Change != nil {
			p.other, p.revisions = c.Change(t, p.other), nil
			p.history = append(p.history, "  the bucket is replaced")
		}
		if difference := one(p, all...).make(p); difference != "" {
			t.Fatalf("call %d: %s\nbefore it:\n%s", n, difference, strings.Join(p.history, "\n"))
		}
	}
}

// A player makes the calls.
type player struct {
	ctx           context.Context
	began         time.Time
	random        *rand.Rand
	without       []string
	memory, other storage.Bucket
	dir           string // directory for files
	unique        bool
	revisions     []revision // revisions that were seen, the oldest first
	bodies        int        // number of bodies that were made, so that no two are equal
	history       []string
}

// A revision is one revision of an object, which has another name in each bucket.
type revision struct {
	key, memory, other          string
	memoryVersion, otherVersion string // "" if the bucket keeps none
	content                     string
}

// A result is what a call returned. The text is the part that must be equal for both buckets.
type result struct {
	text  string
	attrs *storage.Attrs
	err   error
}

var checksum = regexp.MustCompile(` crc32c=\w*`)

// compare makes a call on both buckets, and returns how the results differ, or "".
func (p *player) compare(what, key string, call func(b storage.Bucket, inMemory bool) result) string {
	other := call(p.other, false)
	if storage.CodeOf(other.err) == storage.Unsupported {
		return ""
	}
	memory := call(p.memory, true)
	p.history = append(p.history, "  "+what)
	wanted, got := memory.describe(), other.describe()
	if len(checksum.FindAllString(wanted, -1)) != len(checksum.FindAllString(got, -1)) {
		wanted, got = checksum.ReplaceAllString(wanted, ""), checksum.ReplaceAllString(got, "")
	}
	if wanted != got {
		return fmt.Sprintf(
			"%s\n  in memory: %s\n             %v\n  here:      %s\n             %v", what, wanted, memory.err, got,
			other.err,
		)
	}
	p.remember(key, memory.attrs, other.attrs)
	return ""
}

// remember keeps the names of a revision, for conditions.
func (p *player) remember(key string, memory, other *storage.Attrs) {
	if memory == nil || other == nil {
		return
	}
	same := func(r revision) bool {
		return r.key == key && r.memory == memory.Revision && r.memoryVersion == memory.Version
	}
	if slices.ContainsFunc(p.revisions, same) {
		return
	}
	content, _, err := storage.ReadAll(p.ctx, p.memory, key, storage.IfRevision(memory.Revision))
	if err == nil {
		p.revisions = append(
			p.revisions, revision{key, memory.Revision, other.Revision, memory.Version, other.Version, string(content)},
		)
	}
}

func (r result) describe() string {
	if r.err == nil {
		return "ok " + r.text
	}
	e, ok := errors.AsType[*storage.Error](r.err)
	if !ok {
		return fmt.Sprintf("%T, which is no *storage.Error", r.err)
	}
	return fmt.Sprintf("%s, Op %s, Key %q, Retryable %v; before it %s", e.Code, e.Op, e.Key, e.Retryable, r.text)
}

func describe(a *storage.Attrs) string {
	if a == nil {
		return "no attributes"
	}
	text := fmt.Sprintf(
		"%q size=%d type=%q encoding=%q disposition=%q language=%q cache=%q class=%q metadata=%q", a.Key, a.Size,
		a.ContentType, a.ContentEncoding, a.ContentDisposition, a.ContentLanguage, a.CacheControl, a.StorageClass,
		a.Metadata,
	)
	if a.CRC32C.Known {
		text += fmt.Sprintf(" crc32c=%x", a.CRC32C.Sum)
	}
	return text
}
