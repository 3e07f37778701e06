package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

const (
	defaultPartSize    = 10 << 20
	defaultConcurrency = 4
	defaultAttempts    = 5
	maxParts           = 10_000
)

// A LargeFile is a file to send in parts.
type LargeFile struct {
	Name    string
	Body    io.ReaderAt // read at several offsets at the same time
	Size    int64       // bytes
	Purpose string      // purpose of a client file; "" means none
	Temp    bool        // true for a temp file, false for a client file

	// Token names the upload. If it is "", a random token is used. To resume a failed upload, set
	// Token, PartSize and Sums to the values of the first attempt, which [Incomplete] has.
	Token string
	// PartSize is the size of a part in bytes. If it is 0, 10 MiB are used, or more if the file
	// would have more than 10,000 parts. If the file is larger than 1,000,000 MiB, its parts exceed
	// the server's default limit of 100 MiB. Then the server needs a larger
	// filesapi.Config.MaxUploadSize.
	PartSize    int64
	Concurrency int // parts in progress at the same time; 0 means 4
	Attempts    int // maximum number of attempts to send a part, including the first one; 0 means 5
	// Sums has the CRC32C of each part that the server already has, by the numbers of the parts. Such
	// a part is read, and is sent again only if its bytes have changed.
	Sums map[int]uint32
	// Only is a list of the parts to send, by their numbers, beginning with 1. If Only is nil, all
	// parts are sent. If the server already has a part, the new bytes replace the part. The other
	// parts are not read: the server must have their current bytes.
	Only []int
}

// Incomplete is the error of [Client.UploadLarge] if some parts did not arrive. To resume the
// upload, copy Token, PartSize and Sums to a [LargeFile].
type Incomplete struct {
	Token    string
	PartSize int64
	Sums     map[int]uint32 // CRC32C of each part that has arrived, by the numbers of the parts
	Missing  []int          // numbers of the parts that may not have arrived
	Err      error          // error of the first part that failed
}

// Error returns the number of missing parts and the text of Err.
func (e *Incomplete) Error() string {
	return fmt.Sprintf("uploads/client: %d parts are missing: %v", len(e.Missing), e.Err)
}

// Unwrap returns Err.
func (e *Incomplete) Unwrap() error { return e.Err }

// UploadLarge sends a file in parts, several at the same time. If the server or the connection
// fails, it sends the part again. When it returns nil, the file is complete. If it fails with an
// [*Incomplete], the upload can be resumed, even in another process. If f is invalid, it fails with
// storage.InvalidArgument.
func (c *Client) UploadLarge(ctx context.Context, f LargeFile) (*filesapi.Record, error) {
	if err := f.setDefaults(); err != nil {
		return nil, err
	}

	// Send all parts, or those in Only. missing shrinks as the parts arrive, so it is a copy.
	parts := slices.Clone(f.Only)
	if f.Only == nil {
		parts = numbersUpTo(f.count())
	}
	u := &largeUpload{
		client:  c,
		file:    f,
		count:   f.count(),
		missing: slices.Clone(parts),
		sums:    maps.Clone(f.Sums),
	}
	err := running.Each(ctx, len(parts), f.Concurrency, func(ctx context.Context, i int) error {
		return u.sendIfChanged(ctx, parts[i])
	})
	return u.result(err)
}

// numbersUpTo returns the numbers from 1 to count.
func numbersUpTo(count int) []int {
	numbers := make([]int, count)
	for i := range numbers {
		numbers[i] = i + 1
	}
	return numbers
}

// setDefaults sets the fields that the caller has left out, and fails with InvalidArgument if one is invalid.
func (f *LargeFile) setDefaults() error {
	if f.Body == nil {
		return invalidFile("Body must not be nil")
	}
	if f.Size < 0 || f.PartSize < 0 || f.Concurrency < 0 || f.Attempts < 0 {
		return invalidFile("Size, PartSize, Concurrency and Attempts must not be negative")
	}
	hasTooManyParts := f.PartSize > 0 && (f.Size-1)/f.PartSize >= maxParts
	if hasTooManyParts {
		return invalidFile("PartSize must be larger: at most 10,000 parts are allowed")
	}

	f.Token = cmp.Or(f.Token, rand.Text())
	f.PartSize = cmp.Or(f.PartSize, max(defaultPartSize, (f.Size+maxParts-1)/maxParts))
	f.Concurrency = cmp.Or(f.Concurrency, defaultConcurrency)
	f.Attempts = cmp.Or(f.Attempts, defaultAttempts)

	for _, part := range f.Only {
		if part < 1 || part > f.count() {
			return invalidFile("Only must have numbers of parts, beginning with 1")
		}
	}
	return nil
}

// invalidFile returns the error for a LargeFile that breaks a rule.
func invalidFile(rule string) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: "UploadLarge", Hint: rule}
}

// count returns the number of parts. An empty file has one part.
func (f *LargeFile) count() int {
	return max(1, int((f.Size+f.PartSize-1)/f.PartSize))
}

// A largeUpload is one call of UploadLarge.
type largeUpload struct {
	client *Client
	file   LargeFile
	count  int

	mu      sync.Mutex
	missing []int          // parts that have not arrived
	sums    map[int]uint32 // CRC32C of the parts that have arrived
	record  *filesapi.Record
}

// section returns the bytes of one part.
func (u *largeUpload) section(part int) *io.SectionReader {
	f := &u.file
	offset := int64(part-1) * f.PartSize
	return io.NewSectionReader(f.Body, offset, min(f.PartSize, f.Size-offset))
}

// sendIfChanged sends one part unless the server has the same bytes already.
func (u *largeUpload) sendIfChanged(ctx context.Context, part int) error {
	sum, err := u.sum(part)
	if err != nil {
		return err
	}
	if !u.isChanged(part, sum) {
		u.noteArrived(part, sum, nil)
		return nil
	}

	record, err := u.send(ctx, part)
	if err != nil {
		return err
	}
	u.noteArrived(part, sum, record)
	return nil
}

// sum returns the CRC32C of one part.
func (u *largeUpload) sum(part int) (uint32, error) {
	hash := crc32c.New()
	_, err := io.Copy(hash, u.section(part))
	return hash.Sum32(), err
}

// isChanged reports whether a part must be sent because the server does not have it with this checksum.
func (u *largeUpload) isChanged(part int, sum uint32) bool {
	u.mu.Lock()
	defer u.mu.Unlock()

	oldSum, hasArrived := u.sums[part]
	if hasArrived && oldSum == sum {
		return false
	}
	// From now on, the server may have the old bytes or the new ones.
	delete(u.sums, part)
	return true
}

// noteArrived notes that the server has a part with this CRC32C. record is that of the complete file, or nil
// if the server has not sent it.
func (u *largeUpload) noteArrived(part int, sum uint32, record *filesapi.Record) {
	u.mu.Lock()
	defer u.mu.Unlock()

	if u.sums == nil {
		u.sums = map[int]uint32{}
	}
	u.sums[part] = sum
	u.missing = slices.DeleteFunc(u.missing, func(p int) bool { return p == part })
	if record != nil {
		u.record = record
	}
}

var errPartsLost = errors.New(
	"every part was sent but the server still lacks some: the upload has expired, or LargeFile.Only left parts out",
)

// result returns the record of the complete file, or an Incomplete with which the caller can resume after
// err.
func (u *largeUpload) result(err error) (*filesapi.Record, error) {
	if u.record != nil {
		return u.record, nil
	}
	if err == nil {
		// Every part was sent, but no response had the record, so the server has lost some parts or Only has
		// left some out. All must be sent again, because it is not known which.
		err = errPartsLost
		u.missing = numbersUpTo(u.count)
		u.sums = nil
	}
	return nil, &Incomplete{
		Token:    u.file.Token,
		PartSize: u.file.PartSize,
		Sums:     u.sums,
		Missing:  u.missing,
		Err:      err,
	}
}

const (
	firstWait   = 200 * time.Millisecond
	longestWait = 10 * time.Second
)

// send sends one part, and tries again after a failure as long as this may help.
func (u *largeUpload) send(ctx context.Context, part int) (*filesapi.Record, error) {
	for attempt := 1; ; attempt++ {
		record, err := u.attempt(ctx, part)
		if err == nil {
			return record, nil
		}
		isLast := attempt == u.file.Attempts
		if isLast || ctx.Err() != nil || !isRetryable(err) {
			return nil, err
		}

		// The wait doubles with each attempt, but the shift must not overflow.
		const maxShift = 10
		bound := min(longestWait, firstWait<<min(attempt, maxShift))
		wait := u.client.jitter(bound)
		if respErr, ok := errors.AsType[*Error](err); ok {
			wait = max(wait, respErr.RetryAfter)
		}
		if u.client.wait(ctx, wait) != nil {
			return nil, err
		}
	}
}

// attempt sends one part once, and returns the record, or nil if other parts are still missing.
func (u *largeUpload) attempt(ctx context.Context, part int) (*filesapi.Record, error) {
	f := &u.file
	path := "files/parts"
	if f.Temp {
		path = "temp-files/parts"
	}
	metadata := Part{
		Token:            f.Token,
		Count:            u.count,
		Part:             part,
		OriginalFileName: f.Name,
		Purpose:          f.Purpose,
	}
	record, err := u.client.uploadPart(ctx, path, metadata, u.section(part))
	if err == nil {
		return record, nil
	}

	respErr, isResponse := errors.AsType[*Error](err)
	if isResponse && respErr.Err.Code == uploads.Completed && respErr.Record != nil {
		// An earlier attempt completed the file, but its response with the record was lost.
		return respErr.Record, nil
	}
	return nil, err
}

// isRetryable reports whether another attempt may succeed after err.
func isRetryable(err error) bool {
	respErr, isResponse := errors.AsType[*Error](err)
	if !isResponse {
		// The connection failed.
		return true
	}
	if webserver.IsTemporary(respErr.Status) || respErr.Status == http.StatusRequestTimeout {
		return true
	}
	return respErr.Err.Code == uploads.Interrupted // the body did not arrive completely
}
