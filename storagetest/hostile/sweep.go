package hostile

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
)

// The sweep replaces the response to each request of an operation, before or after the request
// takes effect. The client receives the error page of a gateway, without an error code of the
// store, or a closed connection. Whatever the status is, the operation must report its outcome
// correctly.

const (
	firstStatus, lastStatus = 400, 599
	noResponse              = lastStatus + 1 // variant that closes the connection
)

// usualStatuses are the statuses that gateways send most often, and those that drivers treat in a special
// way.
var usualStatuses = []int{400, 403, 404, 408, 409, 412, 416, 429, 499, 500, 501, 502, 503, 504, 520, 599, noResponse}

// fewStatuses are the statuses for slow operations and for reads.
var fewStatuses = []int{404, 409, 412, 500, 503, noResponse}

// mostSwept limits the tries with one operation. Each try begins to replace responses at one of the
// first mostSwept requests.
const mostSwept = 24

// sweepFaults returns faults in which a gateway responds with an error page, before or after the request
// takes effect. It responds to one request, or to that and all later ones. A bucket with retries gets only one
// page, because the driver would wait before each retry.
func sweepFaults() []fault {
	var faults []fault
	for _, row := range []struct {
		name          string
		blocksRequest bool
		breaksOnce    bool
		attempts      int
	}{
		{name: "one page before the effect", blocksRequest: true, breaksOnce: true, attempts: 1},
		{name: "pages from one before the effect", blocksRequest: true, attempts: 1},
		{name: "one page before the effect, with retries", blocksRequest: true, breaksOnce: true, attempts: 3},
		{name: "one page after the effect", breaksOnce: true, attempts: 1},
		{name: "pages from one after the effect", attempts: 1},
		{name: "one page after the effect, with retries", breaksOnce: true, attempts: 3},
	} {
		faults = append(faults, fault{
			name:           row.name,
			blocksRequest:  row.blocksRequest,
			attempts:       row.attempts,
			onlyWrites:     true,
			large:          true,
			sweepsStatuses: true,
			breaksOnce:     row.breaksOnce,
			respond:        respondAsGateway,
		})
	}
	return faults
}

// respondAsGateway sends the error page of a gateway, with x.variant as its status.
func respondAsGateway(x *exchange) {
	if x.variant == noResponse {
		return
	}
	x.respond(x.variant, "text/html", "<html><body>The gateway has given up.</body></html>")
}

// sweep runs the operation many times on one server. In each run, the server responds to one of the
// requests with one of the statuses to try, in place of the true response.
func (s *suite) sweep(t *testing.T, f fault, o operation) {
	const tls = false
	server := newServer(t, s.store.Server, tls)
	b := engine.New(s.store.Open(t, server.URL),
		storage.WithRetry(storage.RetryPolicy{Attempts: f.attempts, MaxDelay: 1}))
	t.Cleanup(func() { _ = storage.Close(b) })

	// A run without broken responses shows the method and path of each request of the operation.
	const (
		firstBroken = mostSwept + 1
		noStatus    = 0
	)
	intact := s.runTrialOn(t, server, b, f, o, firstBroken, noStatus)
	lines := intact.server.lines()

	for number := 1; number <= mostSwept; number++ {
		isReadRequest := number <= len(lines) && isRead(lines[number-1])
		if isReadRequest && !f.blocksRequest {
			// The fault comes after the effect of a request, and a read has no effect.
			continue
		}
		isLastWrite := number == lastWrite(lines)
		for _, status := range s.statuses(&f, &o, isReadRequest, isLastWrite) {
			trial := s.runTrialOn(t, server, b, f, o, number, status)
			if t.Failed() {
				return
			}
			if trial.broken == 0 {
				// The operation makes fewer requests.
				return
			}
		}
	}
}

// lastWrite returns the number, counted from 1, of the last request that writes, or 0 if none does.
func lastWrite(lines []string) int {
	for i, line := range slices.Backward(lines) {
		if !isRead(line) {
			return i + 1
		}
	}
	return 0
}

// isRead reports whether a line of server.lines is a request that reads.
func isRead(line string) bool {
	return strings.HasPrefix(line, "GET ") || strings.HasPrefix(line, "HEAD ")
}

// statuses returns the status codes to try for one request of an operation. Each status takes a run of the
// operation, so all statuses are tried only for the request that completes a fast operation without retries.
//
// isRead is true if the request only reads, and commits is true if it completes the operation.
func (s *suite) statuses(f *fault, o *operation, isRead, commits bool) []int {
	if o.large || isRead || !f.breaksOnce {
		return fewStatuses
	}
	triesAll := s.store.Statuses && o.allStatuses && commits && f.attempts <= 1
	if !triesAll {
		return usualStatuses
	}

	statuses := make([]int, 0, noResponse-firstStatus+1)
	for status := firstStatus; status <= noResponse; status++ {
		statuses = append(statuses, status)
	}
	return statuses
}

const newer = "the content of another writer, which is newer"

// replacedBy replaces the object as another writer.
func replacedBy(ctx context.Context, b storage.Bucket) error {
	_, err := b.Upload(ctx, "a", strings.NewReader(newer))
	return err
}

// moreWrites returns the operations that only the sweep tries.
func moreWrites(desc *driver.Description) []operation {
	all := []operation{
		{
			name:        "Upload with IfRevision",
			allStatuses: true,
			needs:       storage.ConditionalUpdate | storage.Metadata,
			prepare:     putObjects("a"),
			tookEffect:  isReplaced("a", before, after),
			do:          uploadIfRevision,
		},
		{
			name:        "Upload with IfRevision beside another writer",
			needs:       storage.ConditionalUpdate | storage.Metadata,
			otherWriter: replacedBy,
			prepare:     putObjects("a"),
			tookEffect:  isReplaced("a", before, after),
			do:          uploadIfRevision,
		},
		{
			name:        "Upload with IfAbsent beside another writer",
			needs:       storage.ConditionalCreate | storage.Metadata,
			otherWriter: replacedBy,
			tookEffect:  isReplaced("a", "", after),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := b.Upload(ctx, "a", strings.NewReader(after), storage.IfAbsent())
				return err
			},
		},
		{
			name:       "Update",
			needs:      storage.ConditionalCreate | storage.ConditionalUpdate | storage.Metadata,
			prepare:    putObjects("a"),
			tookEffect: isReplaced("a", before, before+after),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := storage.Update(
					ctx, b, "a",
					func(old []byte, _ *storage.Attrs) ([]byte, error) { return append(old, after...), nil },
				)
				return err
			},
		},
		{
			name:       "Copy with IfAbsent",
			needs:      storage.ServerCopy | storage.ConditionalCreate | storage.Metadata,
			prepare:    putObjects("a"),
			tookEffect: isReplaced("copy", "", before),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := storage.Copy(ctx, b, "copy", b, "a", storage.IfAbsent())
				return err
			},
		},
		{
			name:       "Copy without attributes",
			needs:      storage.ServerCopy,
			prepare:    putObjects("a"),
			tookEffect: isReplaced("copy", "", before),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := storage.Copy(ctx, b, "copy", b, "a", storage.WithoutAttrs())
				return err
			},
		},
		copyOfLarge("Copy of a large object", storage.ServerCopy),
		copyOfLarge(
			"Copy of a large object with IfAbsent", storage.ServerCopy|storage.ConditionalCreate|storage.Metadata,
			storage.IfAbsent(),
		),
		{
			name:       "Remove with IfRevision",
			needs:      storage.ConditionalRemove,
			prepare:    putObjects("a"),
			tookEffect: isReplaced("a", before, ""),
			do: func(ctx context.Context, b storage.Bucket) error {
				attrs, err := b.Attrs(ctx, "a")
				if err != nil {
					return err
				}
				return b.Remove(ctx, "a", storage.IfRevision(attrs.Revision))
			},
		},
		{
			name:        "Move",
			allStatuses: true,
			single:      true,
			needs:       storage.ServerMove,
			prepare:     putObjects("a"),
			tookEffect:  isReplaced("moved", "", before),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := storage.Move(ctx, b, "a", "moved")
				return err
			},
		},
		{
			name:       "Move with IfAbsent",
			needs:      storage.ServerMove | storage.ConditionalCreate,
			prepare:    putObjects("a"),
			tookEffect: isReplaced("moved", "", before),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := storage.Move(ctx, b, "a", "moved", storage.IfAbsent())
				return err
			},
		},
		{
			name:        "Compose",
			allStatuses: true,
			needs:       storage.ServerCompose,
			prepare:     putObjects("a", "b"),
			tookEffect:  isReplaced("joined", "", before+before),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := storage.Compose(ctx, b, "joined", []string{"a", "b"})
				return err
			},
		},
		{
			name:       "Compose with IfAbsent",
			needs:      storage.ServerCompose | storage.ConditionalCreate | storage.Metadata,
			prepare:    putObjects("a", "b"),
			tookEffect: isReplaced("joined", "", before+before),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := storage.Compose(ctx, b, "joined", []string{"a", "b"}, storage.IfAbsent())
				return err
			},
		},
		{
			name:        "Append",
			allStatuses: true,
			needs:       storage.ServerAppend | storage.ConditionalCreate | storage.ConditionalUpdate | storage.Metadata,
			prepare:     putObjects("a"),
			tookEffect:  isReplaced("a", before, before+after),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := storage.Append(ctx, b, "a", []byte(after))
				return err
			},
		},
		{
			name:        "An open upload",
			allStatuses: true,
			needs:       storage.OpenUploads,
			prepare:     putObjects("a"),
			tookEffect:  isReplaced("a", before, after),
			do:          openUpload,
		},
		{
			name:       "Upload in parts with IfAbsent",
			needs:      storage.MultipartUploads | storage.ConditionalCreate | storage.Metadata,
			large:      true,
			tookEffect: isReplaced("a", "", inParts(desc)),
			do: func(ctx context.Context, b storage.Bucket) error {
				_, err := b.Upload(
					ctx, "a", strings.NewReader(inParts(desc)), storage.WithPartSize(partSize(desc)),
					storage.WithConcurrency(1),
					storage.IfAbsent(),
				)
				return err
			},
		},
	}

	for i := range all {
		all[i].sweeps = true
	}
	return all
}

// partSize returns the size of the parts of an upload, in bytes.
func partSize(desc *driver.Description) int64 { return max(1<<10, desc.MinPartSize) }

// inParts returns a content that is long enough for two parts.
func inParts(desc *driver.Description) string {
	return strings.Repeat("p", int(partSize(desc))) + after
}

// uploadIfRevision replaces the object "a" if nobody has changed it meanwhile.
func uploadIfRevision(ctx context.Context, b storage.Bucket) error {
	attrs, err := b.Attrs(ctx, "a")
	if err != nil {
		return err
	}
	_, err = b.Upload(ctx, "a", strings.NewReader(after), storage.IfRevision(attrs.Revision))
	return err
}

// copyOfLarge returns an operation that copies a large object, which a driver with a small limit
// for single copies does in parts.
func copyOfLarge(name string, needs storage.Features, opts ...storage.CopyOption) operation {
	content := strings.Repeat("large ", 1_000)
	return operation{
		name:       name,
		needs:      needs,
		large:      true,
		tookEffect: isReplaced("copy", "", content),
		prepare: func(ctx context.Context, b storage.Bucket) error {
			_, err := b.Upload(ctx, "a", strings.NewReader(content))
			return err
		},
		do: func(ctx context.Context, b storage.Bucket) error {
			_, err := storage.Copy(ctx, b, "copy", b, "a", opts...)
			return err
		},
	}
}

// openUpload uploads "a" with BeginUpload, PutPart for its only part, and Complete.
func openUpload(ctx context.Context, b storage.Bucket) error {
	u, err := storage.BeginUpload(ctx, b, "a")
	if err != nil {
		return err
	}
	if _, err = u.PutPart(ctx, 1, strings.NewReader(after)); err != nil {
		return err
	}
	_, err = u.Complete(ctx)
	return err
}
