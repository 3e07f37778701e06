package recorded

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
)

// A Store opens the driver under test. All requests of the driver must go through client.
type Store struct {
	Provider Provider
	Open     func(t *testing.T, client *http.Client, bucket string) driver.Driver
	// OpenService opens the account. If it is nil, the exchanges with buckets are not replayed.
	OpenService func(t *testing.T, client *http.Client) driver.ServiceDriver
	// Extra returns the response to a request of the given kind that the driver adds to the recorded
	// one, such as a request that finds out whether the bucket exists. If it returns nil, the request
	// fails.
	Extra func(x *Exchange, kind Kind) *Response
	// Token returns the driver's token for a token of the provider. It may be nil.
	Token func(token string) string
	// SkipReason returns why an exchange cannot be replayed, or "". It may be nil.
	SkipReason func(x *Exchange) string
}

// errUnexpected is the error of a request to which there is no response.
var errUnexpected = errors.New("the recording has no response to this request")

// errEndless is the error of a call that sends requests without an end.
var errEndless = errors.New("the call sends the same request again and again")

// A replayTransport is an HTTP transport that responds with recorded bytes.
type replayTransport struct {
	store    *Store
	x        *Exchange
	answer   []byte // bytes of the recorded response, perhaps broken
	replayed int    // number of requests with the recorded response
	all      []string
}

// RoundTrip returns the recorded response if the request belongs to the recorded operation. If the driver
// sends an extra request beside that operation, RoundTrip returns the response of Store.Extra.
func (rt *replayTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	// Read the whole body, as a server does.
	if r.Body != nil {
		_, err := io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}

	// The driver may send a condition or a range that the recorded request lacks, or leave one out.
	rt.all = append(rt.all, r.Method+" "+r.URL.Host+r.URL.RequestURI())
	kind, _, _ := kindOf(rt.x.Provider, r.Method, r.URL, canonical(r.Header))
	isRecordedOperation := unconditional[kind] == unconditional[rt.x.Kind]
	if !isRecordedOperation {
		resp := rt.store.Extra(rt.x, kind)
		if resp == nil {
			return nil, fmt.Errorf("%w: %s %s (%s)", errUnexpected, r.Method, r.URL.Path, kind)
		}
		return readResponse(resp.Wire(r.Method), r)
	}

	// No call that ends by itself makes so many requests.
	const maxReplayed = 10 * maxBrokenRequests
	rt.replayed++
	if rt.replayed > maxReplayed {
		return nil, errEndless
	}
	return readResponse(rt.answer, r)
}

// canonical returns h with canonical names, which the SDK of Azure does not send.
func canonical(h http.Header) http.Header {
	result := http.Header{}
	for name, values := range h {
		result[http.CanonicalHeaderKey(name)] = values
	}
	return result
}

// unconditional maps the kinds that one operation may send to one of them.
var unconditional = map[Kind]Kind{
	Head:         Head,
	Get:          Get,
	GetRange:     Get,
	Put:          Put,
	PutIf:        Put,
	Copy:         Copy,
	CopyIf:       Copy,
	Compose:      Compose,
	Delete:       Delete,
	DeleteIf:     Delete,
	Patch:        Patch,
	List:         List,
	ListVersions: ListVersions,
	BucketInfo:   BucketInfo,
	CreateBucket: CreateBucket,
	UpdateBucket: UpdateBucket,
	DeleteBucket: DeleteBucket,
	ListBuckets:  ListBuckets,
	GetPolicy:    GetPolicy,
	SetPolicy:    SetPolicy,
}

// call calls the operation that sends such a request as rt.x has, and returns its result. It calls an operation
// of the account or of the bucket. It calls the driver itself if the operation of the bucket would first send
// other requests.
func (s *Store) call(t *testing.T, rt *replayTransport, attempts int) (Result, error) {
	x := rt.x
	client := &http.Client{Transport: rt}
	retry := storage.WithRetry(storage.RetryPolicy{Attempts: attempts})
	ctx := t.Context()

	switch x.Kind {
	case BucketInfo, CreateBucket, UpdateBucket, DeleteBucket, ListBuckets, GetPolicy, SetPolicy:
		service := engine.NewService(s.OpenService(t, client), retry)
		defer service.Close()
		return callService(ctx, service, x)
	}

	d := s.Open(t, client, x.Bucket)
	switch x.Kind {
	case List, ListVersions, Copy, CopyIf, Compose, Patch:
		defer d.Close()
		return s.callDriver(ctx, d, x)
	}

	b := engine.New(d, retry, storage.WithVersioning(true))
	defer func() { _ = storage.Close(b) }()
	return callBucket(ctx, b, x)
}

// callBucket calls the method of b that sends the same kind of request as x.
func callBucket(ctx context.Context, b storage.Bucket, x *Exchange) (Result, error) {
	switch x.Kind {
	case Head:
		attrs, err := b.Attrs(ctx, x.Key)
		return Result{Attrs: attrs}, err
	case Get:
		content, attrs, err := storage.ReadAll(ctx, b, x.Key)
		return Result{Attrs: attrs, Content: string(content)}, err
	case GetRange:
		content, attrs, err := storage.ReadAll(ctx, b, x.Key, rangeOf(x))
		return Result{Attrs: attrs, Content: string(content)}, err
	case Put:
		attrs, err := b.Upload(ctx, x.Key, bytes.NewReader(x.Content()))
		return Result{Attrs: written(attrs)}, err
	case PutIf:
		attrs, err := b.Upload(ctx, x.Key, bytes.NewReader(x.Content()), storage.IfAbsent())
		return Result{Attrs: written(attrs)}, err
	default: // Delete and DeleteIf
		return Result{}, b.Remove(ctx, x.Key)
	}
}

// rangeOf returns the option for the Range header of x, such as bytes=0-9, bytes=5- or bytes=-3.
func rangeOf(x *Exchange) storage.DownloadOption {
	text := cmp.Or(x.Request.Header.Get("Range"), x.Request.Header.Get("X-Ms-Range"))
	first, last, _ := strings.Cut(strings.TrimPrefix(text, "bytes="), "-")

	// A number is 0 if it is missing.
	start, _ := strconv.ParseInt(first, 10, 64)
	end, _ := strconv.ParseInt(last, 10, 64)
	const toEnd = -1
	switch {
	case first == "":
		return storage.WithRange(-end, toEnd)
	case last == "":
		return storage.WithRange(start, toEnd)
	default:
		return storage.WithRange(start, end-start+1)
	}
}

// These sizes of sources are small, so that the driver sends one request.
const (
	copySize    = 11
	composeSize = 5
)

// callDriver makes the call of the driver that sends a request of the kind of x, because the engine
// would make further requests before it.
func (s *Store) callDriver(ctx context.Context, d driver.Driver, x *Exchange) (Result, error) {
	switch x.Kind {
	case List, ListVersions:
		return s.callList(ctx, d, x)
	case Copy, CopyIf:
		attrs, err := d.Copy(ctx, &driver.CopyRequest{
			Source:    locate(d, x.CopySource, copySize),
			Key:       x.Key,
			Condition: storage.Condition{Absent: x.Kind == CopyIf},
		})
		return Result{Attrs: written(attrs)}, err
	case Compose:
		attrs, err := d.Compose(ctx, &driver.ComposeRequest{
			Key:     x.Key,
			Sources: []driver.ObjectRef{locate(d, "a", composeSize), locate(d, "b", composeSize)},
			Size:    2 * composeSize,
		})
		return Result{Attrs: written(attrs)}, err
	default: // Patch
		return Result{}, d.SetLegalHold(ctx, &driver.ChangeRequest{Key: x.Key, LegalHold: true})
	}
}

// locate returns a reference to an object of size bytes.
func locate(d driver.Driver, key string, size int64) driver.ObjectRef {
	ref := d.Locate(key)
	ref.Attrs = &storage.Attrs{Key: key, Size: size}
	return ref
}

// listRequest returns the request to the driver that has the parameters of x.
func (s *Store) listRequest(x *Exchange) *driver.ListRequest {
	// Each provider has its own name for a parameter.
	text := cmp.Or(x.Query.Get("max-keys"), x.Query.Get("maxResults"), x.Query.Get("maxresults"))
	limit, err := strconv.Atoi(text)
	if err != nil {
		limit = 1000
	}
	r := &driver.ListRequest{
		Prefix:    x.Query.Get("prefix"),
		Delimiter: x.Query.Get("delimiter"),
		Token:     cmp.Or(x.Query.Get("continuation-token"), x.Query.Get("pageToken"), x.Query.Get("marker")),
		Limit:     limit,
	}
	if s.Token != nil && r.Token != "" {
		r.Token = s.Token(r.Token)
	}
	return r
}

// callList lists objects or versions with the parameters of x.
func (s *Store) callList(ctx context.Context, d driver.Driver, x *Exchange) (Result, error) {
	r := s.listRequest(x)
	if x.Kind == ListVersions {
		page, err := d.ListVersions(ctx, r)
		if err != nil {
			return Result{}, err
		}
		result := Result{More: page.Token != ""}
		for _, version := range page.Entries {
			result.Entries = append(result.Entries, version.ListEntry)
		}
		return result, nil
	}

	page, err := d.List(ctx, r)
	if err != nil {
		return Result{}, err
	}
	return Result{Entries: page.Entries, More: page.Token != ""}, nil
}

// callService makes the call of an account that sends a request of the kind of x.
func callService(ctx context.Context, s storage.Service, x *Exchange) (Result, error) {
	switch x.Kind {
	case BucketInfo, GetPolicy:
		return bucketResult(s.BucketInfo(ctx, x.Bucket))
	case UpdateBucket:
		return bucketResult(s.UpdateBucket(ctx, x.Bucket, storage.WithVersioning(true)))
	case SetPolicy:
		return bucketResult(s.UpdateBucket(ctx, x.Bucket, storage.WithPublicAccess(true)))
	case CreateBucket:
		var wanted struct{ Name string }
		if err := json.Unmarshal(x.Content(), &wanted); err != nil {
			return Result{}, err
		}
		return bucketResult(s.CreateBucket(ctx, wanted.Name))
	case DeleteBucket:
		return Result{}, s.DeleteBucket(ctx, x.Bucket)
	}

	// Any other kind lists the buckets.
	var r Result
	for info, err := range s.Buckets(ctx) {
		if err != nil {
			return Result{}, err
		}
		r.Buckets = append(r.Buckets, info.Name)
	}
	return r, nil
}

// bucketResult returns the result of a call that returns the settings of a bucket.
func bucketResult(info *storage.BucketInfo, err error) (Result, error) {
	if err != nil {
		return Result{}, err
	}
	return Result{Buckets: []string{info.Name}}, nil
}

// A Tally counts the exchanges of one kind.
type Tally struct {
	Kind      Kind           `json:"kind"`
	Exchanges int            `json:"exchanges"`
	Right     int            `json:"right"`
	Skipped   map[string]int `json:"unplayed,omitempty"` // numbers of exchanges by the reason
}

// Replay gives each recorded response to the driver, and compares what the caller learns with what
// the response says.
func Replay(t *testing.T, s Store, r Recording) {
	t.Helper()
	tallies := map[Kind]*Tally{}
	for i := range r.Exchanges {
		x := &r.Exchanges[i]
		tally := tallies[x.Kind]
		if tally == nil {
			tally = &Tally{Kind: x.Kind, Skipped: map[string]int{}}
			tallies[x.Kind] = tally
		}
		tally.Exchanges++

		reason, right := s.replayExchange(t, x)
		if reason != "" {
			tally.Skipped[reason]++
			continue
		}
		if right {
			tally.Right++
		}
	}
	report(t, s.Provider, r, tallies)
}

// The reasons for which an exchange is not replayed.
const (
	notSent    = "the driver does not send this request"
	keyRefused = "the contract does not permit the key"
	oneOfMany  = "it is one of several requests of a call"
)

// skipReason returns why an exchange is not replayed, or "" if it is.
func (s *Store) skipReason(x *Exchange) string {
	if x.Kind == uploadPart || x.Kind == openUploads {
		return oneOfMany
	}
	if unconditional[x.Kind] == "" {
		return notSent
	}
	if s.SkipReason != nil {
		return s.SkipReason(x)
	}
	return ""
}

// replayExchange gives the response of x to the driver, and reports whether the result is right. If the
// exchange cannot be replayed, it returns the reason, and otherwise "".
func (s *Store) replayExchange(t *testing.T, x *Exchange) (reason string, right bool) {
	t.Helper()
	if reason := s.skipReason(x); reason != "" {
		return reason, false
	}

	const attempts = 1
	rt := &replayTransport{store: s, x: x, answer: x.Response.Wire(x.Request.Method)}
	got, err := s.call(t, rt, attempts)
	hasSentNothing := len(rt.all) == 0
	if hasSentNothing && isKeyRefused(err) {
		// The engine does not permit the key, so it made no request.
		return keyRefused, false
	}

	if err != nil {
		got = Result{Code: storage.CodeOf(err)}
	}
	normalize(&got)
	want := x.Expected()
	normalize(&want)

	explanation := fmt.Sprintf("%s: %s %s, status %d; requests %q; error %v",
		x.Source, x.Request.Method, x.Request.URL, x.Response.Status, rt.all, err)
	if rt.replayed == 0 {
		t.Errorf("no request had the recorded kind %q: %s", x.Kind, explanation)
		return "", false
	}
	return "", assert.Equal(t, want, got, "%s", explanation)
}

// isKeyRefused reports whether the engine refused the key.
func isKeyRefused(err error) bool {
	return storage.CodeOf(err) == storage.InvalidArgument && strings.Contains(err.Error(), "key must ")
}
