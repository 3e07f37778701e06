package filesclient

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/internal/panics"
)

const (
	defaultPartSize    = 10 << 20
	defaultConcurrency = 4
	defaultAttempts    = 5
	maxParts           = 10_000
)

// A LargeFile is one to be sent in parts.
type LargeFile struct {
	Name    string
	Body    io.ReaderAt // read at several places at once
	Size    int64       // bytes
	Purpose string      // of a client file; "": none
	Temp    bool        // a temp file

	// Token names the upload; "" draws one. To go on with an upload that has
	// failed, give it again, with the same PartSize: Incomplete has both.
	Token string
	// PartSize is in bytes; 0: 10 MiB, or more where there would be over 10,000
	// parts. Of a file beyond 1,000,000 MiB these are larger than the 100 MiB that a
	// server takes unless its HandlerConfig.MaxUploadSize is larger.
	PartSize    int64
	Concurrency int // parts on their way at once; 0: 4
	Attempts    int // of one part, the first included; 0: 5
	// Only are the parts to send; nil: all. Those that have arrived already are
	// replaced by the same bytes.
	Only []int
}

// Incomplete is the error of UploadLarge where some parts did not arrive. To go
// on with the upload, set LargeFile.Token, PartSize and Only to what it says.
type Incomplete struct {
	Token    string
	PartSize int64
	Missing  []int // the parts that are not known to have arrived
	Err      error // of the part that failed first
}

// Error is Err with what is missing.
func (e *Incomplete) Error() string {
	return fmt.Sprintf("filesclient: %d parts are missing: %v", len(e.Missing), e.Err)
}

// Unwrap is Err.
func (e *Incomplete) Unwrap() error { return e.Err }

// UploadLarge sends a file in parts, several at once, and one again where the
// server or the way there was in trouble. It is done when UploadLarge returns;
// after an *Incomplete it can be gone on with, in another process too.
// InvalidArgument (of storage) where f makes no sense.
func (c *Client) UploadLarge(ctx context.Context, f LargeFile) (*files.Record, error) {
	if err := f.complete(); err != nil {
		return nil, err
	}
	count := f.count()
	u := &largeUpload{client: c, file: f, count: count, left: slices.Clone(f.Only)}
	if f.Only == nil {
		for part := range count {
			u.left = append(u.left, part+1)
		}
	}
	u.missing = slices.Clone(u.left)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group panics.Group
	for range min(f.Concurrency, len(u.left)) {
		group.Go(func() { u.work(ctx, cancel) }, cancel)
	}
	group.Wait()
	return u.result()
}

// complete sets what is left to us.
func (f *LargeFile) complete() error {
	wrong := func(rule string) error {
		return &storage.Error{Code: storage.InvalidArgument, Op: "UploadLarge", Hint: rule}
	}
	switch {
	case f.Body == nil:
		return wrong("Body must not be nil")
	case f.Size < 0 || f.PartSize < 0 || f.Concurrency < 0 || f.Attempts < 0:
		return wrong("Size, PartSize, Concurrency and Attempts must not be negative")
	case f.PartSize > 0 && (f.Size-1)/f.PartSize >= maxParts:
		return wrong("PartSize must be larger: there are 10,000 parts at most")
	}
	if f.Token == "" {
		f.Token = rand.Text()
	}
	if f.PartSize == 0 {
		f.PartSize = max(defaultPartSize, (f.Size+maxParts-1)/maxParts)
	}
	if f.Concurrency == 0 {
		f.Concurrency = defaultConcurrency
	}
	if f.Attempts == 0 {
		f.Attempts = defaultAttempts
	}
	if slices.ContainsFunc(f.Only, func(part int) bool { return part < 1 || part > f.count() }) {
		return wrong("Only must have numbers of parts, from 1 on")
	}
	return nil
}

// count is how many parts there are; an empty file is one.
func (f *LargeFile) count() int {
	return max(1, int((f.Size+f.PartSize-1)/f.PartSize))
}

type largeUpload struct {
	client *Client
	file   LargeFile
	count  int

	mu      sync.Mutex
	left    []int // nobody is at them yet
	missing []int // have not arrived
	record  *files.Record
	err     error
}

// work sends parts until there are none, or one has failed for good.
func (u *largeUpload) work(ctx context.Context, cancel context.CancelFunc) {
	for {
		part, found := u.next()
		if !found || ctx.Err() != nil && u.fail(ctx.Err()) {
			return
		}
		record, err := u.send(ctx, part)
		if err != nil {
			u.fail(err)
			cancel()
			return
		}
		u.arrived(part, record)
	}
}

func (u *largeUpload) next() (part int, found bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.left) == 0 || u.err != nil {
		return 0, false
	}
	part, u.left = u.left[0], u.left[1:]
	return part, true
}

// fail keeps the first error.
func (u *largeUpload) fail(err error) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err == nil {
		u.err = err
	}
	return true
}

func (u *largeUpload) arrived(part int, record *files.Record) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.missing = slices.DeleteFunc(u.missing, func(p int) bool { return p == part })
	if record != nil {
		u.record = record
	}
}

var errPartsLost = errors.New("every part was sent but the server still lacks some: the upload has expired, or LargeFile.Only left parts out")

func (u *largeUpload) result() (*files.Record, error) {
	if u.record != nil {
		return u.record, nil
	}
	if u.err == nil {
		u.err, u.missing = errPartsLost, nil
		for part := range u.count {
			u.missing = append(u.missing, part+1)
		}
	}
	return nil, &Incomplete{Token: u.file.Token, PartSize: u.file.PartSize, Missing: u.missing, Err: u.err}
}

const (
	firstWait   = 200 * time.Millisecond
	longestWait = 10 * time.Second
)

// send sends one part, again where that may help.
func (u *largeUpload) send(ctx context.Context, part int) (*files.Record, error) {
	for attempt := 1; ; attempt++ {
		record, err := u.attempt(ctx, part)
		if err == nil || attempt == u.file.Attempts || ctx.Err() != nil || !isRetryable(err) {
			return record, err
		}
		wait := u.client.jitter(min(longestWait, firstWait<<min(attempt, 10)))
		if e, ok := errors.AsType[*Error](err); ok {
			wait = max(wait, e.RetryAfter)
		}
		if u.client.wait(ctx, wait) != nil {
			return nil, err
		}
	}
}

func (u *largeUpload) attempt(ctx context.Context, part int) (*files.Record, error) {
	f := &u.file
	from := int64(part-1) * f.PartSize
	body := io.NewSectionReader(f.Body, from, min(f.PartSize, f.Size-from))
	path := "files/parts"
	if f.Temp {
		path = "temp-files/parts"
	}
	record, err := u.client.uploadPart(ctx, path, Part{
		Token: f.Token, Count: u.count, Part: part, OriginalFileName: f.Name, Purpose: f.Purpose,
	}, body)
	if e, ok := errors.AsType[*files.Error](err); ok && e.Code == files.Completed && e.Record != nil {
		return e.Record, nil // the answer that had the record was lost
	}
	return record, err
}

// transient is an error that another attempt may not meet.
func isRetryable(err error) bool {
	e, answered := errors.AsType[*Error](err)
	if !answered {
		return true // the connection
	}
	return e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests || e.Err.Code == files.Interrupted
}
