// Package differential makes the same random calls on a bucket and on a bucket in memory, and
// compares all results. The suite of package storagetest tests each call by itself. This package
// finds orders and options of calls that the suite does not cover.
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

// A Config says which calls Run makes.
type Config struct {
	Seeds    int  // number of runs; 0 means 2; the variable OMNIBUCKET_RANDOM_SEEDS replaces it
	Versions bool // true if open can create buckets that keep versions
	Locks    bool // true if open can create buckets with object lock, which keep versions
	// Change, if set, is called once in each run, after the first half of the calls. It returns
	// another bucket with the same objects. The second half of the calls uses that bucket instead
	// of b.
	Change func(t *testing.T, b storage.Bucket) storage.Bucket
	// The field Without lists calls and values that a server handles wrongly. An element is the
	// name of a call, or an option and its value, such as `delimiter "b/"`.
	Without []string
}

const callsOfASeed = 300

// Run makes random calls on empty buckets from open and on buckets in memory. At the first
// different result, a test fails and prints the calls before it. Calls that are Unsupported are not
// compared, nor is a CRC32C that only one bucket reports.
func Run(t *testing.T, c Config, open func(t *testing.T, opts ...storage.OpenOption) storage.Bucket) {
	t.Helper()
	seeds := cmp.Or(c.Seeds, 2)
	if n, err := strconv.Atoi(os.Getenv("OMNIBUCKET_RANDOM_SEEDS")); err == nil {
		seeds = n
	}

	kinds := []kind{{calls: calls}}
	if c.Versions {
		kinds = append(kinds, kind{
			name:  " with versions",
			calls: slices.Concat(calls, versionCalls),
			opts:  []storage.OpenOption{storage.WithVersioning(true)},
		})
	}
	if c.Locks {
		kinds = append(kinds, kind{
			name:  " with locks",
			calls: slices.Concat(calls, versionCalls, lockCalls),
			opts:  []storage.OpenOption{storage.WithVersioning(true), storage.WithObjectLock()},
		})
	}

	for seed := range seeds {
		for _, k := range kinds {
			t.Run(fmt.Sprintf("seed %d%s", seed, k.name), func(t *testing.T) {
				runSeed(t, c, seed, k.calls, open(t, k.opts...), memstore.New(k.opts...))
			})
		}
	}
}

// A kind describes a kind of bucket, such as one that keeps versions: how to open it, and which
// calls only it supports.
type kind struct {
	name  string
	calls []call
	opts  []storage.OpenOption
}

// runSeed makes the same random calls on b and on memory, and fails the test at the first difference.
func runSeed(t *testing.T, c Config, seed int, calls []call, b, memory storage.Bucket) {
	t.Helper()
	p := &player{
		ctx:        t.Context(),
		start:      time.Now().UTC(),
		random:     rand.New(rand.NewPCG(uint64(seed), 1)),
		exclusions: c.Without,
		memory:     memory,
		other:      b,
		dir:        t.TempDir(),
		unique:     storage.Supports(b, storage.UniqueRevisions),
	}
	for i := range callsOfASeed {
		// Halfway, the test may replace the bucket.
		isHalfway := i == callsOfASeed/2
		if isHalfway && c.Change != nil {
			p.other = c.Change(t, p.other)
			p.revisions = nil // the new bucket has other revisions
			p.history = append(p.history, "  the bucket is replaced")
		}

		difference := choose(p, calls...).make(p)
		if difference != "" {
			t.Fatalf("call %d: %s\nbefore it:\n%s", i, difference, strings.Join(p.history, "\n"))
		}
	}
}

// A player makes the random calls of one test on both buckets.
type player struct {
	ctx           context.Context
	start         time.Time
	random        *rand.Rand
	exclusions    []string
	memory, other storage.Bucket
	dir           string     // temporary directory for downloaded files
	unique        bool       // true if each write to other has a revision of its own
	revisions     []revision // revisions that calls have returned, oldest first
	bodies        int        // number of bodies so far, which makes each body different
	history       []string   // descriptions of the calls so far
}

// A revision is one revision of an object. The two buckets name it differently.
type revision struct {
	key, memory, other          string
	memoryVersion, otherVersion string // "" if the bucket keeps no versions
	content                     string
}

// A result is the result of one call. The test fails if the two buckets return different texts or
// errors.
type result struct {
	text  string
	attrs *storage.Attrs
	err   error
}

var checksum = regexp.MustCompile(` crc32c=\w*`)

// compare makes the call that the text what describes on both buckets, and returns how the results
// differ, or "".
//
// It remembers the revision of the result, unless key is noKey.
func (p *player) compare(what, key string, call func(b storage.Bucket) result) string {
	return p.compareEach(what, key, func(b storage.Bucket, _ bool) result { return call(b) })
}

// noKey is the key for compare if the result of the call has no revision.
const noKey = ""

// compareEach is like compare, but call knows whether it gets the bucket in memory. So it can name the same
// revision of an object in both buckets, by different options.
func (p *player) compareEach(what, key string, call func(b storage.Bucket, inMemory bool) result) string {
	other := call(p.other, false)
	if storage.CodeOf(other.err) == storage.Unsupported {
		// The call has changed nothing, so it must not change the bucket in memory, either.
		return ""
	}
	memory := call(p.memory, true)
	p.history = append(p.history, "  "+what)

	// A checksum that only one bucket reports is no difference.
	want, got := withSameChecksums(memory.describe(), other.describe())
	if want != got {
		return fmt.Sprintf("%s\n  in memory: %s\n             %v\n  here:      %s\n             %v",
			what, want, memory.err, got, other.err)
	}

	p.remember(key, memory.attrs, other.attrs)
	return ""
}

// withSameChecksums returns the texts of two results. If only one of them reports a checksum, it removes
// all checksums.
func withSameChecksums(want, got string) (string, string) {
	wantSums := checksum.FindAllString(want, -1)
	gotSums := checksum.FindAllString(got, -1)
	if len(wantSums) == len(gotSums) {
		return want, got
	}
	return checksum.ReplaceAllString(want, ""), checksum.ReplaceAllString(got, "")
}

// remember records the revisions of an object in the two buckets, after both have stored the same content.
// Later conditions can then name the same state in both buckets. It records nothing if the object in memory
// has changed since, or if the revision is known.
func (p *player) remember(key string, memory, other *storage.Attrs) {
	if memory == nil || other == nil {
		return
	}
	isKnown := func(r revision) bool {
		return r.key == key && r.memory == memory.Revision && r.memoryVersion == memory.Version
	}
	if slices.ContainsFunc(p.revisions, isKnown) {
		return
	}

	content, _, err := storage.ReadAll(p.ctx, p.memory, key, storage.IfRevision(memory.Revision))
	if err != nil {
		// The object has another revision now, so no later condition can name this one.
		return
	}
	p.revisions = append(p.revisions, revision{
		key:           key,
		memory:        memory.Revision,
		other:         other.Revision,
		memoryVersion: memory.Version,
		otherVersion:  other.Version,
		content:       string(content),
	})
}

// describe returns a text with the parts of the result that must be equal in both buckets.
func (r result) describe() string {
	if r.err == nil {
		return "ok " + r.text
	}
	storageErr, ok := errors.AsType[*storage.Error](r.err)
	if !ok {
		return fmt.Sprintf("%T, which is no *storage.Error", r.err)
	}
	return fmt.Sprintf(
		"%s, Op %s, Key %q, Retryable %v; before it %s",
		storageErr.Code, storageErr.Op, storageErr.Key, storageErr.Retryable, r.text,
	)
}

// describe returns a text with the attributes that must be equal in both buckets.
func describe(a *storage.Attrs) string {
	if a == nil {
		return "no attributes"
	}
	encoding := a.ContentEncoding
	if encoding == "identity" {
		// A download may leave it out.
		encoding = ""
	}

	text := fmt.Sprintf(
		"%q size=%d type=%q encoding=%q disposition=%q language=%q cache=%q class=%q metadata=%q", a.Key, a.Size,
		a.ContentType, encoding, a.ContentDisposition, a.ContentLanguage, a.CacheControl, a.StorageClass,
		a.Metadata,
	)
	if a.CRC32C.Known {
		text += fmt.Sprintf(" crc32c=%x", a.CRC32C.Sum)
	}
	return text
}
