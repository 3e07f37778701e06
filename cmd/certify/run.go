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
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/recording"
	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/storagetest"
)

// settings are the values of the flags.
type settings struct {
	address, out, rules  string
	yes, planOnly, locks bool
	questions            bool // true if no case runs, and only the questions are asked
	kms                  string
	sasLimit             time.Duration
	immutable            string // name of a container
	defender             bool
	parallel             int
	record               string // folder for the exchanges; "" records none
}

// retentionRule is the rule about objects under retention or a legal hold.
const retentionRule = "G3"

// lockRules are the rules about retention and legal hold.
var lockRules = []string{"G2", retentionRule}

// notAsked is the skip reason of cases that the flags exclude. The result does not list these
// cases. Its fields Rules and Locks show the flags instead.
const notAsked = "not asked for"

// A certification is one run of the program.
type certification struct {
	settings
	service storage.Service
	driver  driver.ServiceDriver // driver of the same account as service, for opening buckets
	name    string               // beginning of the name of every bucket of the suite
	plan    string
	// recorder records the exchanges. It is nil unless -record was given.
	recorder *recording.Recorder
	dir      string // directory of the suite's results
	began    time.Time

	all     []question
	answers []answer

	// unversioned is true if the account keeps no versions, and the library cannot enable versions.
	// Only the management API of the account can enable them, and the library does not use that
	// API.
	unversioned bool

	ledger      ledger
	interrupted atomic.Bool

	buckets  atomic.Int64
	requests atomic.Int64
	bytes    atomic.Int64 // bytes of bodies, in both directions
	mu       sync.Mutex
	failed   []string
	speed    speed
}

// begin opens the account that the settings name and plans the run. It creates no bucket.
func begin(ctx context.Context, s settings) (*certification, error) {
	// The host in an address is the name of a bucket.
	if u, err := url.Parse(s.address); err == nil && u.Host != "" {
		return nil, fmt.Errorf(
			"the address must be that of an account, without the bucket %q: each case creates a bucket of its own",
			u.Host,
		)
	}
	if err := checkRules(s.rules); err != nil {
		return nil, err
	}

	c := &certification{
		settings: s,
		name:     "omnibucket-certify-" + strings.ToLower(rand.Text()[:8]),
		began:    time.Now(),
		all:      questions,
	}
	if s.record != "" {
		c.recorder = recording.New(s.record, s.address, os.Environ())
		// The recorder observes only drivers that are opened later, so this comes first.
		transport.Observe(c.recorder.Transport)
	}

	var err error
	c.service, err = c.open(ctx)
	if err != nil {
		return nil, err
	}
	c.driver, err = engine.OpenServiceDriver(ctx, s.address)
	if err != nil {
		return nil, err
	}
	c.plan = c.planText()
	return c, nil
}

// planText tells what the program will do, and how many buckets, requests and bytes that takes.
func (c *certification) planText() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Account: %s\n", c.address)
	if !c.questions {
		count := len(c.cases())
		requests := requestsOfACase * count
		bucketRequests := bucketRequestsOfACase * count
		fmt.Fprintf(
			&b,
			"Cases: %d, on up to as many buckets %s-N and storagetest-…, %d at the same time. Each bucket is deleted.\n",
			count, c.name, c.parallel,
		)
		fmt.Fprintf(
			&b,
			"Requests: about %d to objects, and about %d to create, empty and delete buckets.\n",
			requests, bucketRequests,
		)

		fmt.Fprintf(&b, "Bytes: about %d MiB in all. The store bills requests and bytes.\n", bytesOfACase*count>>20)
	}
	if !c.asksQuestions() {
		return b.String()
	}

	asked := c.questionsToAsk()
	fmt.Fprintf(&b, "Questions: %d, each on a bucket %s-qN of its own, which is deleted.\n", len(asked), c.name)
	for _, q := range asked {
		fmt.Fprintf(&b, "  %s (%s)\n", q.text, q.id)
		fmt.Fprintf(&b, "    It takes %s. It is for an account that is %s.\n", q.cost, q.account)
	}
	return b.String()
}

// asksQuestions reports whether the program asks its questions. It asks none if -run selects cases.
func (c *certification) asksQuestions() bool { return c.questions || c.rules == "" }

// open opens the account as a service that records in the ledger which buckets it creates.
func (c *certification) open(ctx context.Context) (storage.Service, error) {
	driver, err := engine.OpenServiceDriver(ctx, c.address)
	if err != nil {
		return nil, err
	}
	return engine.NewService(&account{ServiceDriver: driver, ledger: &c.ledger, interrupted: &c.interrupted}), nil
}

// Averages per case, measured in a run of all cases on MinIO.
const (
	requestsOfACase       = 30
	bucketRequestsOfACase = 8
	bytesOfACase          = 8 << 20
)

// checkRules fails if a rule in the value of -run has no case.
func checkRules(list string) error {
	if list == "" {
		return nil
	}
	for rule := range strings.SplitSeq(list, ",") {
		hasRule := func(c storagetest.Case) bool { return c.Rule == rule }
		if !slices.ContainsFunc(storagetest.Cases(), hasRule) {
			return fmt.Errorf("-run: no case has the rule %q", rule)
		}
	}
	return nil
}

// cases returns the cases that the flags select.
func (c *certification) cases() []storagetest.Case {
	return slices.DeleteFunc(storagetest.Cases(), func(k storagetest.Case) bool { return !c.selects(k.Rule) })
}

// selects reports whether the flags -run and -locks permit the cases of a rule.
func (c *certification) selects(rule string) bool {
	if c.rules != "" && !slices.Contains(strings.Split(c.rules, ","), rule) {
		return false
	}
	return c.locks || !slices.Contains(lockRules, rule)
}

// excludedRules returns the rules that the flags exclude, sorted.
func (c *certification) excludedRules() []string {
	var rules []string
	for _, testCase := range storagetest.Cases() {
		if !c.selects(testCase.Rule) {
			rules = append(rules, testCase.Rule)
		}
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// tests returns the steps of the program in order, each as a test. With -questions, no case runs, and with
// -run, only some cases do.
func (c *certification) tests() []testing.InternalTest {
	var all []testing.InternalTest
	if !c.questions {
		all = append(all, testing.InternalTest{Name: "suite", F: c.suite})
	}
	if !c.questions && c.rules == "" {
		all = append(all, testing.InternalTest{Name: "buckets", F: c.suiteOfBuckets})
		all = append(all, testing.InternalTest{Name: "speed", F: c.measure})
	}
	if c.asksQuestions() {
		all = append(all, testing.InternalTest{Name: "questions", F: c.askAll})
	}
	return append(all, testing.InternalTest{Name: "result", F: c.finish})
}

// suite runs the cases about buckets and objects, each with a bucket of its own.
func (c *certification) suite(t *testing.T) {
	// The suite writes its results to files in this directory.
	t.Setenv("OMNIBUCKET_SUPPORT", c.dir)

	// WithVersioning is both a setting of a new bucket and an option for opening it.
	opts := []storagetest.Option{
		storagetest.WithOpener(c.openBucket),
		storagetest.WithVersionedOpen(c.opener(storage.WithVersioning(true), storage.WithVersioning(true))),
		storagetest.WithLockingOpen(c.opener(storage.WithVersioning(true), storage.WithObjectLock())),
	}
	if rules := c.excludedRules(); len(rules) > 0 {
		opts = append(opts, storagetest.SkipRules(notAsked, rules...))
	}
	opts = append(opts, c.withoutVersions()...)
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver { return c.newBucket(t) }, opts...)
}

// withoutVersions returns options that skip the cases about versions and locks, if the account keeps no
// versions.
func (c *certification) withoutVersions() (opts []storagetest.Option) {
	if !c.unversioned {
		return nil
	}
	const reason = "the account keeps no versions, which is a setting of the account"
	for _, testCase := range c.cases() {
		if testCase.Needs&(storage.Versioning|storage.ObjectLock) != 0 {
			opts = append(opts, storagetest.Skip(testCase.Name, reason))
		}
	}
	return opts
}

// suiteOfBuckets runs the cases that create, change and delete buckets.
func (c *certification) suiteOfBuckets(t *testing.T) {
	// The suite writes its results to files in this directory.
	t.Setenv("OMNIBUCKET_SUPPORT", c.dir)
	storagetest.RunService(t, func(t *testing.T) storage.Service {
		t.Cleanup(func() { c.recordFailure(t) })
		c.skipIfInterrupted(t)
		service, err := c.open(t.Context())
		require.NoError(t, err)
		return service
	}, c.withoutLocks()...)
}

// withoutLocks returns the option that skips the cases about retention, unless -locks was given.
func (c *certification) withoutLocks() []storagetest.Option {
	if c.locks {
		return nil
	}
	return []storagetest.Option{storagetest.SkipRules(notAsked, retentionRule)}
}

// recordFailure records the name of a test that has failed, unless one below it is recorded already.
func (c *certification) recordFailure(t *testing.T) {
	if !t.Failed() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	isRecorded := slices.ContainsFunc(c.failed, func(name string) bool {
		return name == t.Name() || strings.HasPrefix(name, t.Name()+"/")
	})
	if !isRecorded {
		c.failed = append(c.failed, t.Name())
	}
}

// skipIfInterrupted skips a case if the program was interrupted. An interrupted program writes no
// result.
func (c *certification) skipIfInterrupted(t *testing.T) {
	if c.interrupted.Load() {
		t.SkipNow()
	}
}

// newBucket creates a bucket for a case, which is deleted after the case. If the store does not support
// the settings, the bucket has none, and the case finds what is missing.
func (c *certification) newBucket(t *testing.T, settings ...storage.BucketOption) driver.Driver {
	t.Helper()
	// The last clean-up to be registered runs first, so this one sees whether removeBucket has failed the case.
	t.Cleanup(func() { c.recordFailure(t) })
	c.skipIfInterrupted(t)

	name := fmt.Sprintf("%s-%d", c.name, c.buckets.Add(1))
	_, err := c.service.CreateBucket(t.Context(), name, settings...)
	if storage.CodeOf(err) == storage.Unsupported && len(settings) > 0 {
		_, err = c.service.CreateBucket(t.Context(), name)
	}
	require.NoError(t, err)
	t.Cleanup(func() { c.removeBucket(t, name) })

	drv, err := c.driver.Driver(name)
	require.NoError(t, err)
	return drv
}

// openBucket opens a bucket on a driver. Its operations are counted, and fail after an interruption.
func (c *certification) openBucket(_ *testing.T, d driver.Driver, opts ...storage.OpenOption) storage.Bucket {
	return engine.New(d, append([]storage.OpenOption{storage.WithHook(c.countUntilInterrupted)}, opts...)...)
}

// opener returns a function that creates a bucket with a setting, such as versioning, and opens it with the option that
// the setting needs.
func (c *certification) opener(option storage.OpenOption, setting storage.BucketOption) storagetest.Open {
	return func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		t.Helper()
		drv := c.newBucket(t, setting)
		return c.openBucket(t, drv, append([]storage.OpenOption{option}, opts...)...)
	}
}

// count is a hook that counts requests.
func (c *certification) count(
	ctx context.Context, _ storage.Operation,
) (context.Context, func(storage.Outcome), error) {
	return ctx, func(o storage.Outcome) {
		c.requests.Add(int64(o.Requests))
		c.bytes.Add(o.Bytes)
	}, nil
}

// countUntilInterrupted is a hook that counts requests. After an interruption, it makes operations
// fail with Canceled.
func (c *certification) countUntilInterrupted(
	ctx context.Context, op storage.Operation,
) (context.Context, func(storage.Outcome), error) {
	if c.interrupted.Load() {
		return nil, nil, storage.Canceled
	}
	return c.count(ctx, op)
}

// removeBucket deletes the bucket of a case, and fails the case if it cannot. A bucket with locked
// objects stays until the end of the program.
func (c *certification) removeBucket(t *testing.T, name string) {
	err := c.deleteBucket(context.WithoutCancel(t.Context()), name)
	if storage.CodeOf(err) == storage.Locked {
		return
	}
	require.NoError(t, err, "bucket %s stays", name)
}
