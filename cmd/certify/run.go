package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest"
)

// settings are the flags.
type settings struct {
	address, out, rules  string
	yes, planOnly, locks bool
	parallel             int
}

// lockRules are about retention and legal hold.
var lockRules = []string{"G2", "G3"}

// A certification is one run of the program.
type certification struct {
	settings
	service *storage.Service
	driver  storage.ServiceDriver // of the same account
	name    string                // every bucket begins with it
	plan    string
	dir     string // results of the suite
	began   time.Time

	buckets  atomic.Int64
	requests atomic.Int64
	bytes    atomic.Int64 // of bodies, in both directions
	mu       sync.Mutex
	failed   []string
	speed    speed
}

func begin(ctx context.Context, s settings) (*certification, error) {
	if u, err := url.Parse(s.address); err == nil && u.Host != "" {
		return nil, fmt.Errorf("the address must be that of an account, without the bucket %q: each case creates a bucket of its own", u.Host)
	}
	if err := knownRules(s.rules); err != nil {
		return nil, err
	}
	service, err := storage.OpenService(ctx, s.address)
	if err != nil {
		return nil, err
	}
	driver, err := storage.OpenServiceDriver(ctx, s.address)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "certify-")
	if err != nil {
		return nil, err
	}
	c := &certification{settings: s, service: service, driver: driver, dir: dir, name: "omnibucket-certify-" + strings.ToLower(rand.Text()[:8]), began: time.Now()}
	c.plan = fmt.Sprintf(`Account: %s
Cases: %d, on up to as many buckets %s-N, %d at the same time. Each bucket is deleted.
Requests: about %d to objects, and about %d to create, empty and delete buckets.
Bytes: about %d MiB in all. The store bills requests and bytes.
`, s.address, len(c.cases()), c.name, s.parallel, requestsOfACase*len(c.cases()), 8*len(c.cases()), bytesOfACase*len(c.cases())>>20)
	return c, nil
}

// These are means of a run of all cases on MinIO.
const (
	requestsOfACase = 30
	bytesOfACase    = 1 << 20
)

func knownRules(list string) error {
	if list == "" {
		return nil
	}
	for _, rule := range strings.Split(list, ",") {
		if !slices.ContainsFunc(storagetest.Cases(), func(c storagetest.Case) bool { return c.Rule == rule }) {
			return fmt.Errorf("-run: no case has the rule %q", rule)
		}
	}
	return nil
}

// cases returns those that run.
func (c *certification) cases() []storagetest.Case {
	return slices.DeleteFunc(storagetest.Cases(), func(k storagetest.Case) bool { return slices.Contains(c.leftOut(), k.Rule) })
}

// leftOut returns the rules whose cases do not run.
func (c *certification) leftOut() []string {
	var rules []string
	for _, k := range storagetest.Cases() {
		if c.rules != "" && !slices.Contains(strings.Split(c.rules, ","), k.Rule) || !c.locks && slices.Contains(lockRules, k.Rule) {
			rules = append(rules, k.Rule)
		}
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// tests are what the program does, in order.
func (c *certification) tests() []testing.InternalTest {
	all := []testing.InternalTest{{Name: "suite", F: c.suite}}
	if c.rules == "" {
		all = append(all, testing.InternalTest{Name: "buckets", F: c.suiteOfBuckets}, testing.InternalTest{Name: "speed", F: c.measure})
	}
	return append(all, testing.InternalTest{Name: "result", F: c.write})
}

func (c *certification) suite(t *testing.T) {
	t.Setenv("OMNIBUCKET_SUPPORT", c.dir)
	opts := []storagetest.Option{
		storagetest.WithOpener(c.open),
		storagetest.WithVersionedOpen(c.opener(storage.WithVersions(), storage.WithVersioning(true))),
		storagetest.WithLockingOpen(c.opener(storage.WithVersions(), storage.WithObjectLock())),
	}
	if rules := c.leftOut(); len(rules) > 0 {
		opts = append(opts, storagetest.SkipRules("not asked for", rules...))
	}
	storagetest.RunDriver(t, func(t *testing.T) storage.Driver { return c.newBucket(t) }, opts...)
}

func (c *certification) suiteOfBuckets(t *testing.T) {
	t.Setenv("OMNIBUCKET_SUPPORT", c.dir)
	storagetest.RunService(t, func(t *testing.T) *storage.Service {
		t.Cleanup(func() { c.note(t) })
		service, err := storage.OpenService(t.Context(), c.address)
		require.NoError(t, err)
		return service
	}, c.withoutLocks()...)
}

// withoutLocks leaves out what was not asked for.
func (c *certification) withoutLocks() []storagetest.Option {
	if c.locks {
		return nil
	}
	return []storagetest.Option{storagetest.SkipRules("not asked for", "G3")}
}

// note keeps the name of a case that failed.
func (c *certification) note(t *testing.T) {
	if !t.Failed() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if isCase := strings.Count(t.Name(), "/") > 1; isCase && !slices.Contains(c.failed, t.Name()) {
		c.failed = append(c.failed, t.Name())
	}
}

// newBucket creates a bucket for a case. If the store cannot make one with these settings, the
// plain one shows what the case should see.
func (c *certification) newBucket(t *testing.T, settings ...storage.BucketOption) storage.Driver {
	t.Helper()
	t.Cleanup(func() { c.note(t) })
	name := fmt.Sprintf("%s-%d", c.name, c.buckets.Add(1))
	_, err := c.service.CreateBucket(t.Context(), name, settings...)
	if storage.CodeOf(err) == storage.Unsupported && len(settings) > 0 {
		_, err = c.service.CreateBucket(t.Context(), name)
	}
	require.NoError(t, err)
	t.Cleanup(func() { c.remove(t, name) })
	driver, err := c.driver.Driver(name)
	require.NoError(t, err)
	return driver
}

func (c *certification) open(_ *testing.T, d storage.Driver, opts ...storage.OpenOption) storage.Bucket {
	return storage.New(d, append([]storage.OpenOption{storage.WithHook(c.count)}, opts...)...)
}

// opener returns a function that creates a bucket with this setting and opens it so.
func (c *certification) opener(as storage.OpenOption, setting storage.BucketOption) storagetest.Open {
	return func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		t.Helper()
		return c.open(t, c.newBucket(t, setting), append([]storage.OpenOption{as}, opts...)...)
	}
}

// count is a hook that counts requests.
func (c *certification) count(ctx context.Context, _ storage.Operation) (context.Context, func(storage.Outcome), error) {
	return ctx, func(o storage.Outcome) {
		c.requests.Add(int64(o.Requests))
		c.bytes.Add(o.Bytes)
	}, nil
}

// remove empties a bucket and deletes it. A bucket that stays fails the case.
func (c *certification) remove(t *testing.T, name string) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	defer stop()
	bucket, err := c.service.Bucket(name, storage.WithHook(c.count), storage.WithVersions())
	require.NoError(t, err)
	defer func() { require.NoError(t, storage.Close(bucket)) }()
	require.NoError(t, empty(ctx, bucket))
	if err := c.service.DeleteBucket(ctx, name); storage.CodeOf(err) != storage.BucketNotFound {
		require.NoError(t, err, "bucket %s stays", name)
	}
}

// empty removes every object, version and upload.
func empty(ctx context.Context, bucket storage.Bucket) error {
	for upload, err := range storage.ListUploads(ctx, bucket) {
		if err != nil {
			break // the store does not list them, or the bucket is gone
		}
		if err := storage.AbortUpload(ctx, bucket, upload); err != nil {
			return err
		}
	}
	for version, err := range storage.Versions(ctx, bucket) {
		if err != nil {
			break // the store keeps none
		}
		if err := bucket.Remove(ctx, version.Key, storage.WithVersion(version.Version)); err != nil {
			return err
		}
	}
	_, err := storage.RemoveMatching(ctx, bucket, nil)
	if storage.CodeOf(err) == storage.BucketNotFound {
		return nil
	}
	return err
}
