package faults_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A fakeDriver is a driver that keeps objects in a map. Only the methods that the tests call are implemented.
type fakeDriver struct {
	driver.Driver // nil, because only overridden methods are called
	mu            sync.Mutex
	objects       map[string][]byte
	closed        int // number of bodies of Get that were closed
}

func newFakeDriver() *fakeDriver { return &fakeDriver{objects: map[string][]byte{}} }

// Describe says that the driver has multipart uploads and conditional creation. Pages and batches
// have at most ten entries.
func (fake *fakeDriver) Describe() driver.Description {
	return driver.Description{
		Provider: "shelf",
		MaxBatch: 10,
		MaxPage:  10,
		Features: driver.StreamingPut | storage.MultipartUploads | storage.ConditionalCreate,
	}
}

// Put stores the whole body.
func (fake *fakeDriver) Put(_ context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	fake.mu.Lock()
	defer fake.mu.Unlock()
	fake.objects[r.Key] = data
	return &storage.Attrs{Key: r.Key, Size: int64(len(data))}, nil
}

// Get returns a body. The driver counts how many bodies are closed.
func (fake *fakeDriver) Get(_ context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	fake.mu.Lock()
	defer fake.mu.Unlock()
	data, ok := fake.objects[r.Key]
	if !ok {
		return nil, nil, storage.ObjectNotFound
	}
	return &storage.Attrs{Key: r.Key}, &fakeBody{Reader: bytes.NewReader(data), driver: fake}, nil
}

// Delete also succeeds if there is no object.
func (fake *fakeDriver) Delete(_ context.Context, r *driver.DeleteRequest) error {
	fake.mu.Lock()
	defer fake.mu.Unlock()
	delete(fake.objects, r.Key)
	return nil
}

// DeleteBatch removes the objects one by one.
func (fake *fakeDriver) DeleteBatch(ctx context.Context, r []driver.DeleteRequest) []error {
	for i := range r {
		_ = fake.Delete(ctx, &r[i])
	}
	return make([]error, len(r))
}

func (fake *fakeDriver) List(context.Context, *driver.ListRequest) (*storage.Page, error) {
	return &storage.Page{}, nil
}

func (fake *fakeDriver) CompleteParts(context.Context, *driver.CompleteRequest) (*storage.Attrs, error) {
	return &storage.Attrs{}, nil
}

func (fake *fakeDriver) PutPart(_ context.Context, r *driver.PartRequest) (driver.Part, error) {
	return driver.Part{Number: r.Number, Size: r.Size}, nil
}

// has reports whether there is an object with this key.
func (fake *fakeDriver) has(key string) bool {
	fake.mu.Lock()
	defer fake.mu.Unlock()
	_, ok := fake.objects[key]
	return ok
}

type fakeBody struct {
	*bytes.Reader
	driver *fakeDriver
}

// Close counts the bodies that are closed.
func (b *fakeBody) Close() error {
	b.driver.mu.Lock()
	defer b.driver.mu.Unlock()
	b.driver.closed++
	return nil
}

// put stores an object with the driver d.
func put(d driver.Driver, key, body string) error {
	_, err := d.Put(context.Background(), &driver.PutRequest{
		Key:  key,
		Body: strings.NewReader(body),
		Size: int64(len(body)),
	})
	return err
}

// open returns the body of an object.
func open(t *testing.T, d driver.Driver, key string) io.ReadCloser {
	t.Helper()
	_, body, err := d.Get(context.Background(), &driver.GetRequest{Key: key, Length: -1})
	require.NoError(t, err)
	return body
}

// A call that Fail hits does not reach the driver, and fails with a retryable Unavailable that
// names the rule.
func TestFailDoesNothing(t *testing.T) {
	fake := newFakeDriver()
	injector := faults.New(faults.Fail(faults.Put))
	err := put(injector.Layer()(fake), "a", "x")

	var failure *storage.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, storage.Unavailable, failure.Code)
	require.True(t, failure.Retryable)
	require.False(t, failure.Unknown)
	require.False(t, fake.has("a"))

	var injected *faults.Injected
	require.ErrorAs(t, err, &injected)
	require.Equal(t, "Fail(Put)", injected.Rule)
}

// A call that DropResponse hits reaches the driver, and only its result is lost. So the outcome of
// a write is unknown.
func TestDropResponseHasDoneTheWork(t *testing.T) {
	fake := newFakeDriver()
	injector := faults.New(faults.DropResponse(faults.Put | faults.Get | faults.DeleteBatch))
	d := injector.Layer()(fake)
	body := strings.NewReader("whole")

	// A write stores the object.
	_, err := d.Put(context.Background(), &driver.PutRequest{Key: "a", Body: body, Size: 5})
	require.ErrorIs(t, err, storage.OutcomeUnknown)
	require.ErrorIs(t, err, storage.Unavailable)
	require.Zero(t, body.Len(), "the inner call must read the body to its end")
	require.True(t, fake.has("a"))

	// The body of a read is closed.
	_, _, err = d.Get(context.Background(), &driver.GetRequest{Key: "a"})
	require.ErrorIs(t, err, storage.Unavailable)
	require.NotErrorIs(t, err, storage.OutcomeUnknown, "a read has no unknown outcome")
	require.Equal(t, 1, fake.closed, "the dropped body must be closed")
	require.Zero(t, injector.OpenBodies())

	// Each deletion of a batch has an unknown outcome.
	errs := d.DeleteBatch(context.Background(), []driver.DeleteRequest{{Key: "a"}, {Key: "b"}})
	require.Len(t, errs, 2)
	require.ErrorIs(t, errs[1], storage.OutcomeUnknown)
	require.False(t, fake.has("a"))
}

// If the driver itself fails, DropResponse returns the driver's error.
func TestDropResponseKeepsARealError(t *testing.T) {
	d := faults.New(faults.DropResponse(faults.Get)).Layer()(newFakeDriver())
	_, _, err := d.Get(context.Background(), &driver.GetRequest{Key: "missing"})
	require.Equal(t, storage.ObjectNotFound, err)
}

// Nth, First, Every, Chance and ForKey select the calls that a rule hits.
func TestWhen(t *testing.T) {
	tests := []struct {
		name string
		rule faults.Rule
		hits string // for each of ten calls, x for a hit and a dot for none
	}{
		{name: "always", rule: faults.Fail(faults.Put), hits: "xxxxxxxxxx"},
		{name: "nth", rule: faults.Fail(faults.Put).Nth(3), hits: "..x......."},
		{name: "first", rule: faults.Fail(faults.Put).First(2), hits: "xx........"},
		{name: "every", rule: faults.Fail(faults.Put).Every(4), hits: "...x...x.."},
		{name: "chance of none", rule: faults.Fail(faults.Put).Chance(0, 1), hits: ".........."},
		{name: "chance of all", rule: faults.Fail(faults.Put).Chance(1, 1), hits: "xxxxxxxxxx"},
		{name: "another call", rule: faults.Fail(faults.Get), hits: ".........."},
		{name: "another key", rule: faults.Fail(faults.Put).ForKey("b"), hits: ".........."},
		{name: "a set of calls", rule: faults.Fail(faults.Writes).Nth(10), hits: ".........x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.hits, hitsOf(tt.rule))
		})
	}
}

// Chance hits the same calls each time it has the same seed.
func TestChanceIsReplayable(t *testing.T) {
	hitsWithSeed := func(seed uint64) string {
		return hitsOf(faults.Fail(faults.Any).Chance(0.5, seed))
	}
	hits := hitsWithSeed(7)
	require.Equal(t, hits, hitsWithSeed(7))
	require.NotEqual(t, hits, hitsWithSeed(8))
	require.Contains(t, hits, "x", "some calls must be hit")
	require.Contains(t, hits, ".", "some calls must not be hit")
}

// hitsOf makes ten calls of Put and returns one letter for each: x if the rule hit it, and a dot otherwise.
func hitsOf(rule faults.Rule) string {
	d := faults.New(rule).Layer()(newFakeDriver())
	var hits strings.Builder
	for range 10 {
		if put(d, "a", "x") != nil {
			hits.WriteByte('x')
		} else {
			hits.WriteByte('.')
		}
	}
	return hits.String()
}

// If several rules match a call, the first one applies.
func TestRulesFirstThatHitsCounts(t *testing.T) {
	d := faults.New(
		faults.Fail(faults.Put).Nth(1).WithError(storage.RateLimited),
		faults.Fail(faults.Put).Nth(1).WithError(storage.Internal),
		faults.Fail(faults.Put).Nth(2).WithError(storage.Locked),
	).Layer()(newFakeDriver())
	require.Equal(t, storage.RateLimited, put(d, "a", ""))
	require.Equal(t, storage.Locked, put(d, "a", ""), "rules after one that applies must keep counting")
}

// Cut ends the body of a download with an error after a number of bytes.
func TestCutOfADownload(t *testing.T) {
	fake := newFakeDriver()
	require.NoError(t, put(fake, "a", "hello"))
	tests := map[string]struct {
		rule faults.Rule
		want string
		err  error
	}{
		"in the middle": {rule: faults.Cut(faults.Get, 3), want: "hel", err: io.ErrUnexpectedEOF},
		"at once":       {rule: faults.Cut(faults.Get, 0), want: "", err: io.ErrUnexpectedEOF},
		"past the end":  {rule: faults.Cut(faults.Get, 6), want: "hello", err: nil},
		"as a short body that looks complete": {
			rule: faults.Cut(faults.Get, 3).WithError(io.EOF),
			want: "hel",
			err:  nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			body := open(t, faults.New(tt.rule).Layer()(fake), "a")
			got, err := io.ReadAll(body)
			require.Equal(t, tt.want, string(got))
			require.ErrorIs(t, err, tt.err)
			require.NoError(t, body.Close())
		})
	}
}

// If Cut hits an upload, it reads the body only up to the cut, and fails without calling the
// driver.
func TestCutOfAnUpload(t *testing.T) {
	fake := newFakeDriver()
	body := strings.NewReader("hello")
	d := faults.New(faults.Cut(faults.Put, 2)).Layer()(fake)

	_, err := d.Put(context.Background(), &driver.PutRequest{Key: "a", Body: body, Size: 5})
	require.ErrorIs(t, err, storage.Unavailable)
	require.NotErrorIs(t, err, storage.OutcomeUnknown)
	require.Equal(t, 3, body.Len())
	require.False(t, fake.has("a"))
}

// If the body of an upload fails before the cut, the call fails with the body's error.
func TestCutOfAnUploadKeepsTheBodysError(t *testing.T) {
	bodyErr := errors.New("the body failed")
	d := faults.New(faults.Cut(faults.Put, 2)).Layer()(newFakeDriver())

	_, err := d.Put(context.Background(), &driver.PutRequest{
		Key:  "a",
		Body: io.MultiReader(strings.NewReader("h"), failing{bodyErr}),
		Size: -1,
	})
	require.ErrorIs(t, err, bodyErr)
}

// A failing reader fails at each Read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A call that Stall hits returns when its context ends.
func TestStall(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d := faults.New(faults.Stall(faults.Put)).Layer()(newFakeDriver())
	_, err := d.Put(ctx, &driver.PutRequest{Key: "a", Body: strings.NewReader("")})
	require.ErrorIs(t, err, context.Canceled)
}

// A Read that StallBody blocks ends when another goroutine closes the body.
func TestStallBodyEndsWithClose(t *testing.T) {
	fake := newFakeDriver()
	require.NoError(t, put(fake, "a", "hello"))

	// The body of "hello" delivers two bytes, and then blocks.
	injector := faults.New(faults.StallBody(2))
	body := open(t, injector.Layer()(fake), "a")
	head := make([]byte, 2)
	_, err := io.ReadFull(body, head)
	require.NoError(t, err)

	// The third byte never comes, so only Close ends this Read.
	readErr := make(chan error)
	go func() {
		_, err := body.Read(make([]byte, 1))
		readErr <- err
	}()

	require.NoError(t, body.Close())
	require.Error(t, <-readErr)
	require.NoError(t, body.Close(), "a second Close must change nothing")
	require.Zero(t, injector.OpenBodies())
}

// A Read that StallBody blocks ends when the context of Get ends.
func TestStallBodyEndsWithContext(t *testing.T) {
	fake := newFakeDriver()
	require.NoError(t, put(fake, "a", "hello"))
	ctx, cancel := context.WithCancel(context.Background())
	_, body, err := faults.New(faults.StallBody(0)).Layer()(fake).Get(ctx, &driver.GetRequest{Key: "a"})
	require.NoError(t, err)
	cancel()

	_, err = body.Read(make([]byte, 1))
	require.ErrorIs(t, err, context.Canceled)
}

// Delay waits with the function that SetSleep has set. If the wait fails, Delay does not call the
// driver.
func TestDelayWaitsByTheInjectedClock(t *testing.T) {
	var delay time.Duration
	injector := faults.New(faults.Delay(faults.Put, time.Hour))
	injector.SetSleep(func(_ context.Context, d time.Duration) error {
		delay += d
		return nil
	})
	fake := newFakeDriver()
	require.NoError(t, put(injector.Layer()(fake), "a", "x"))
	require.Equal(t, time.Hour, delay)
	require.True(t, fake.has("a"))

	injector.SetSleep(func(context.Context, time.Duration) error { return context.Canceled })
	require.ErrorIs(t, put(injector.Layer()(fake), "b", "x"), context.Canceled)
	require.False(t, fake.has("b"))
}

// Corrupt inverts the lowest bit of one byte of a body.
func TestCorrupt(t *testing.T) {
	fake := newFakeDriver()
	require.NoError(t, put(faults.New(faults.Corrupt(faults.Put, 1)).Layer()(fake), "a", "hello"))
	require.Equal(t, "hdllo", string(fake.objects["a"]))

	body := open(t, faults.New(faults.Corrupt(faults.Get, 1)).Layer()(fake), "a")
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got), "a second inversion must restore the byte")
	require.NoError(t, body.Close())
}

// Corrupt wraps the body of a request only during the call.
func TestCorruptGivesTheCallersBodyBack(t *testing.T) {
	body := strings.NewReader("hello")
	req := &driver.PutRequest{Key: "a", Body: body, Size: 5}
	d := faults.New(faults.Corrupt(faults.Put, 0)).Layer()(newFakeDriver())

	_, err := d.Put(context.Background(), req)
	require.NoError(t, err)
	require.Same(t, body, req.Body)
}

// The injector records the calls, the rules that hit them, and how many bodies are open.
func TestRecord(t *testing.T) {
	fake := newFakeDriver()
	injector := faults.New(faults.Fail(faults.Put).Nth(2).WithName("second put"))
	d := injector.Layer()(fake)

	require.NoError(t, put(d, "a", "x"))
	require.Error(t, put(d, "b", "x"))
	body := open(t, d, "a")

	// There were three calls. The second one failed, and the third one returned an open body.
	require.Equal(t, []faults.Event{
		{N: 1, Call: "Put", Key: "a"},
		{N: 2, Call: "Put", Key: "b", Fault: "second put"},
		{N: 3, Call: "Get", Key: "a"},
	}, injector.Events())
	require.Equal(t, []faults.Event{{N: 2, Call: "Put", Key: "b", Fault: "second put"}}, injector.Hits())
	require.Equal(t, 2, injector.Count(faults.Put))
	require.Equal(t, 2, injector.Count(faults.Writes))
	require.Equal(t, 3, injector.Count(faults.Any))
	require.Equal(t, 1, injector.OpenBodies())
	require.Equal(t, strings.Join([]string{
		`rule second put`,
		`   1 Put "a"`,
		`   2 Put "b" <- second put`,
		`   3 Get "a"`,
		`calls 3, open bodies 1`,
		``,
	}, "\n"), injector.String())

	// A body that is closed twice counts once.
	require.NoError(t, body.Close())
	require.NoError(t, body.Close())
	require.Zero(t, injector.OpenBodies())

	// Reset forgets all calls.
	injector.Reset()
	require.Empty(t, injector.Events())
	require.Zero(t, injector.Count(faults.Any))
}

// The injector keeps only the last 8192 events, but counts all calls.
func TestRecordIsBounded(t *testing.T) {
	const calls, maxEvents = 9000, 8192
	injector := faults.New()
	d := injector.Layer()(newFakeDriver())
	for range calls {
		require.NoError(t, put(d, "a", ""))
	}

	events := injector.Events()
	require.LessOrEqual(t, len(events), maxEvents)
	require.Equal(t, calls, events[len(events)-1].N)
	require.Equal(t, calls, injector.Count(faults.Put))
}

// If no rule matches, a body still implements io.WriterTo.
func TestBodyKeepsItsWriteTo(t *testing.T) {
	fake := newFakeDriver()
	require.NoError(t, put(fake, "a", "hello"))
	body := open(t, faults.New().Layer()(fake), "a")
	require.Implements(t, (*io.WriterTo)(nil), body)
	require.NoError(t, body.Close())
	require.Equal(t, 1, fake.closed)
}

// Set replaces the rules. The new rules count calls from zero.
func TestSetArmsAgain(t *testing.T) {
	injector := faults.New()
	d := injector.Layer()(newFakeDriver())
	require.NoError(t, put(d, "a", ""))

	injector.Set(faults.Fail(faults.Put).Nth(1))
	require.Error(t, put(d, "a", ""))

	injector.Set()
	require.NoError(t, put(d, "a", ""))
}

// The name of a rule tells its fault, its calls and its conditions.
func TestRuleNames(t *testing.T) {
	const several = faults.Head | faults.List | faults.Delete | faults.BeginParts | faults.ListVersions
	tests := []struct {
		rule faults.Rule
		want string
	}{
		{rule: faults.Fail(faults.Put | faults.PutPart).Nth(2), want: "Fail(Put|PutPart) call 2"},
		{rule: faults.Fail(several), want: "Fail(Head|List|Delete|BeginParts|ListVersions)"},
		{rule: faults.Fail(faults.Signs), want: "Fail(Signs)"},
		{rule: faults.DropResponse(faults.Writes).Every(3), want: "DropResponse(Writes) every 3 calls"},
		{rule: faults.Cut(faults.Get, 10).First(2), want: "Cut(Get, 10) first 2 calls"},
		{rule: faults.Stall(faults.Any).ForKey("k"), want: `Stall(Any) for "k"`},
		{rule: faults.StallBody(7).Chance(0.5, 9), want: "StallBody(7) chance 0.5 seed 9"},
		{rule: faults.Delay(faults.Reads, time.Second), want: "Delay(Reads, 1s)"},
		{rule: faults.Corrupt(faults.Get, 0), want: "Corrupt(Get, 0)"},
		{rule: faults.Fail(faults.Any).WithName("mine"), want: "mine"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			require.Equal(t, tt.want, tt.rule.String())
		})
	}
}
