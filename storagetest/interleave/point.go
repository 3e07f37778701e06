package interleave

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
)

// ErrLost is the cause of the error if a response was lost.
var ErrLost = errors.New("interleave: the response was lost")

// ErrUnanswered is the cause of the error if a store did not answer.
var ErrUnanswered = errors.New("interleave: the store did not answer")

// ErrDied is the cause of the errors of a process that died.
var ErrDied = errors.New("interleave: the process died")

// deadCalls is the number of failed requests after which a goroutine of a dead process is ended. It may
// repeat a request for ever.
const deadCalls = 200

// A request is one moment of effect.
type request struct {
	call   string
	store  *Store
	reads  []string // keys
	writes []string // keys
	// prefix is set if the request reads all keys with it.
	prefix    *string
	body      []byte // of a write, or nil
	condition storage.Condition
	part      int
}

// commutes reports whether two requests have the same effects and results in either order.
func (r *request) commutes(other *request) bool {
	if r.store != other.store {
		return true
	}
	return !r.disturbs(other) && !other.disturbs(r)
}

// disturbs reports whether r writes something that other reads or writes.
func (r *request) disturbs(other *request) bool {
	for _, key := range r.writes {
		if other.prefix != nil && strings.HasPrefix(key, *other.prefix) {
			return true
		}
		if slices.Contains(other.reads, key) || slices.Contains(other.writes, key) {
			return true
		}
	}
	return false
}

// String returns a line of a printed schedule, such as `Put pages "a" "text" if absent`.
func (r *request) String() string {
	const maxShown = 24 // bytes of a body
	var b strings.Builder
	b.WriteString(r.call + " " + r.store.name)
	for _, key := range slices.Concat(r.reads, r.writes) {
		fmt.Fprintf(&b, " %q", key)
	}
	if r.prefix != nil {
		fmt.Fprintf(&b, " %q", *r.prefix+"…")
	}
	if r.part > 0 {
		fmt.Fprintf(&b, " part %d", r.part)
	}
	if r.body != nil {
		fmt.Fprintf(&b, " %.*q", maxShown, r.body)
	}
	if len(r.body) > maxShown {
		fmt.Fprintf(&b, "… (%d bytes)", len(r.body))
	}
	if condition := conditionText(r.condition); condition != "" {
		b.WriteString(" " + condition)
	}
	return b.String()
}

type actorKey struct{}

// actor returns the actor that makes a request with ctx, or the one for background requests.
func (p *Process) actor(ctx context.Context) *Actor {
	if a, ok := ctx.Value(actorKey{}).(*Actor); ok && a.process == p {
		return a
	}
	return p.background
}

// point waits for the turn of a request in the schedule, and then calls effect, which makes the request.
// The schedule may also decide that the response is lost, or that the request fails without an effect.
func (d *processDriver) point(ctx context.Context, r *request, effect func() error) error {
	s := d.process.scene.schedule
	r.store = d.store
	pending, err := s.park(ctx, d.process, r)
	if err != nil {
		return err
	}
	if pending == nil {
		// The schedule does not run, so the request takes effect at once.
		return effect()
	}

	select {
	case <-pending.granted:
	case <-ctx.Done():
		if s.withdraw(pending) {
			return &storage.Error{Code: codeOf(ctx), Unknown: len(r.writes) > 0, Err: context.Cause(ctx)}
		}
		// The request was granted at the same time.
		<-pending.granted
	}

	// The request may fail without an effect.
	switch pending.fault {
	case killProcess:
		return died(r)
	case failRequest, beginOutage:
		err = unanswered()
		s.report(pending, err)
		return err
	}

	// The request takes effect, and its response may be lost.
	err = effect()
	isLost := pending.fault == loseResponse && err == nil
	if isLost {
		err = &storage.Error{Code: storage.Unavailable, Retryable: true, Unknown: true, Err: ErrLost}
	}
	s.report(pending, err)
	return err
}

// codeOf returns the code of the error with which ctx has ended.
func codeOf(ctx context.Context) storage.Code {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return storage.DeadlineExceeded
	}
	return storage.Canceled
}

// unanswered returns the error of a request to a store that does not answer.
func unanswered() error {
	return &storage.Error{Code: storage.Unavailable, Retryable: true, Err: ErrUnanswered}
}

// died returns the error of a request of a dead process.
func died(r *request) error {
	return &storage.Error{Code: storage.Canceled, Unknown: len(r.writes) > 0, Err: ErrDied}
}

// A processDriver is a store as one process reaches it.
type processDriver struct {
	driver.Driver
	process *Process
	store   *Store
}

// isFree reports whether requests take effect at once.
func (d *processDriver) isFree() bool { return d.process.scene.schedule.isFree() }

func key(k string) []string { return []string{k} }

// result is like the method point for an effect that returns a value. If the request fails, also because its
// response is lost, result returns no value.
func result[T any](
	ctx context.Context, d *processDriver, r *request, effect func() (T, error),
) (T, error) {
	var value, none T
	err := d.point(ctx, r, func() error {
		var err error
		value, err = effect()
		return err
	})
	if err != nil {
		return none, err
	}
	return value, nil
}

// conditionText describes a condition, and returns "" for none.
func conditionText(c storage.Condition) string {
	if c.Absent {
		return "if absent"
	}
	if c.Revision != "" {
		return "if " + c.Revision
	}
	if c.NotRevision != "" {
		return "if not " + c.NotRevision
	}
	return ""
}

// Put makes a request of the schedule. It reads the body before it waits for its turn, because the body
// may come from another request that waits, too.
func (d *processDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	req := *r
	req.Body = bytes.NewReader(data)
	point := &request{call: "Put", writes: key(r.Key), body: data, condition: r.Condition}
	return result(ctx, d, point, func() (*storage.Attrs, error) { return d.Driver.Put(ctx, &req) })
}

// Get makes a request of the schedule, which reads the object in one moment, although the caller may read
// the body later.
func (d *processDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	var body io.ReadCloser
	point := &request{call: "Get", reads: key(r.Key), condition: r.Condition}
	attrs, err := result(ctx, d, point, func() (attrs *storage.Attrs, err error) {
		attrs, body, err = d.Driver.Get(ctx, r)
		return attrs, err
	})
	return attrs, body, err
}

func (d *processDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	point := &request{call: "Head", reads: key(r.Key), condition: r.Condition}
	return result(ctx, d, point, func() (*storage.Attrs, error) { return d.Driver.Head(ctx, r) })
}

func (d *processDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	point := &request{call: "List", prefix: &r.Prefix}
	return result(ctx, d, point, func() (*storage.Page, error) { return d.Driver.List(ctx, r) })
}

func (d *processDriver) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	point := &request{call: "ListVersions", prefix: &r.Prefix}
	return result(ctx, d, point, func() (*driver.VersionPage, error) { return d.Driver.ListVersions(ctx, r) })
}

func (d *processDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	point := &request{call: "Delete", writes: key(r.Key), condition: r.Condition}
	return d.point(ctx, point, func() error { return d.Driver.Delete(ctx, r) })
}

// DeleteBatch removes each key in its own batch, because each removal is one request of the
// schedule.
func (d *processDriver) DeleteBatch(ctx context.Context, r []driver.DeleteRequest) []error {
	errs := make([]error, len(r))
	for i := range r {
		point := &request{call: "DeleteBatch", writes: key(r[i].Key), condition: r[i].Condition}
		errs[i] = d.point(ctx, point, func() error { return d.Driver.DeleteBatch(ctx, r[i:i+1])[0] })
	}
	return errs
}

func (d *processDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	point := &request{call: "BeginParts", writes: key(r.Key), condition: r.Condition}
	return result(ctx, d, point, func() (string, error) { return d.Driver.BeginParts(ctx, r) })
}

// PutPart makes a request of the schedule. Like Put, it reads the body before it waits for its turn.
func (d *processDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return driver.Part{}, err
	}
	req := *r
	req.Body = bytes.NewReader(data)
	point := &request{call: "PutPart", writes: key(r.Key), part: r.Number, body: data}
	return result(ctx, d, point, func() (driver.Part, error) { return d.Driver.PutPart(ctx, &req) })
}

func (d *processDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	point := &request{call: "CompleteParts", writes: key(r.Put.Key), condition: r.Put.Condition}
	return result(ctx, d, point, func() (*storage.Attrs, error) { return d.Driver.CompleteParts(ctx, r) })
}

func (d *processDriver) AbortParts(ctx context.Context, k, upload string) error {
	point := &request{call: "AbortParts", writes: key(k)}
	return d.point(ctx, point, func() error { return d.Driver.AbortParts(ctx, k, upload) })
}

func (d *processDriver) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	point := &request{call: "ListParts", reads: key(r.Key)}
	return result(ctx, d, point, func() (*driver.PartPage, error) { return d.Driver.ListParts(ctx, r) })
}

func (d *processDriver) ListUploads(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	point := &request{call: "ListUploads", prefix: &r.Prefix}
	return result(ctx, d, point, func() (*driver.UploadPage, error) { return d.Driver.ListUploads(ctx, r) })
}

// Copy reads the source in one request, and writes the copy in another one. So requests of other actors can
// take effect in between.
func (d *processDriver) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	dst := d.Locate(r.Key)
	isOtherBucket := r.Source.Account != dst.Account || r.Source.Bucket != dst.Bucket
	if d.isFree() || isOtherBucket {
		// No actors run, or the source is in a bucket that d cannot read.
		point := &request{call: "Copy", reads: key(r.Source.Key), writes: key(r.Key), condition: r.Condition}
		return result(ctx, d, point, func() (*storage.Attrs, error) { return d.Driver.Copy(ctx, r) })
	}

	src, err := d.source(ctx, "Copy", r.Source)
	if err != nil {
		return nil, err
	}
	properties := src.attrs.Properties
	if r.Replace {
		properties = r.Properties
	}
	return d.write(ctx, "Copy", &driver.PutRequest{
		Key:        r.Key,
		Body:       bytes.NewReader(src.data),
		Size:       int64(len(src.data)),
		Properties: properties,
		Controls:   r.Controls,
		Condition:  r.Condition,
		CRC32C:     checksum(src.data),
	})
}

// Compose reads each source in a request of its own, and writes the result in another one. So requests of
// other actors can take effect in between.
func (d *processDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	if d.isFree() {
		// No actors run, so nothing can happen between the requests.
		return d.Driver.Compose(ctx, r)
	}

	var data []byte
	for _, ref := range r.Sources {
		src, err := d.source(ctx, "Compose", ref)
		if err != nil {
			return nil, err
		}
		data = append(data, src.data...)
	}
	data = append(data, r.Tail...)
	return d.write(ctx, "Compose", &driver.PutRequest{
		Key:        r.Key,
		Body:       bytes.NewReader(data),
		Size:       int64(len(data)),
		Properties: r.Properties,
		Controls:   r.Controls,
		Condition:  r.Condition,
		CRC32C:     checksum(data),
	})
}

func checksum(data []byte) storage.CRC32C { return storage.CRC32C{Sum: crc32c.Sum(data), Known: true} }

// A source is what a copy has read.
type source struct {
	attrs *storage.Attrs
	data  []byte
}

// source reads the source of a copy. If the source is missing or has another revision than ref asks
// for, it fails with Changed.
func (d *processDriver) source(ctx context.Context, call string, ref driver.ObjectRef) (*source, error) {
	point := &request{call: call + " reads", reads: key(ref.Key)}
	return result(ctx, d, point, func() (*source, error) { return d.readSource(ctx, ref) })
}

// readSource is source without a point of the schedule.
func (d *processDriver) readSource(ctx context.Context, ref driver.ObjectRef) (*source, error) {
	attrs, body, err := d.Driver.Get(ctx, &driver.GetRequest{Key: ref.Key, Version: ref.Version, Length: -1})
	namesRevision := ref.Revision != ""
	if errors.Is(err, storage.ObjectNotFound) && namesRevision {
		return nil, storage.Changed
	}
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if namesRevision && attrs.Revision != ref.Revision {
		return nil, storage.Changed
	}

	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	return &source{attrs: attrs, data: data}, nil
}

// write writes what a copy has read.
func (d *processDriver) write(ctx context.Context, call string, r *driver.PutRequest) (*storage.Attrs, error) {
	point := &request{call: call + " writes", writes: key(r.Key), condition: r.Condition}
	return result(ctx, d, point, func() (*storage.Attrs, error) { return d.Driver.Put(ctx, r) })
}

// Move changes the key in one moment.
func (d *processDriver) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	point := &request{call: "Move", writes: []string{r.From, r.Key}, condition: r.Condition}
	return result(ctx, d, point, func() (*storage.Attrs, error) { return d.Driver.Move(ctx, r) })
}

func (d *processDriver) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	point := &request{call: "Tags", reads: key(r.Key)}
	return result(ctx, d, point, func() (map[string]string, error) { return d.Driver.Tags(ctx, r) })
}

func (d *processDriver) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	return d.change(ctx, "SetTags", r, d.Driver.SetTags)
}

func (d *processDriver) SetRetention(ctx context.Context, r *driver.ChangeRequest) error {
	return d.change(ctx, "SetRetention", r, d.Driver.SetRetention)
}

func (d *processDriver) SetLegalHold(ctx context.Context, r *driver.ChangeRequest) error {
	return d.change(ctx, "SetLegalHold", r, d.Driver.SetLegalHold)
}

func (d *processDriver) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	return d.change(ctx, "Restore", r, d.Driver.Restore)
}

// change makes a request that changes an object and returns only an error.
func (d *processDriver) change(
	ctx context.Context, call string, r *driver.ChangeRequest, do func(context.Context, *driver.ChangeRequest) error,
) error {
	return d.point(ctx, &request{call: call, writes: key(r.Key)}, func() error { return do(ctx, r) })
}

// endDead ends a goroutine of a dead process that repeats its requests for ever. The caller holds no lock.
func endDead(calls int) {
	if calls > deadCalls {
		runtime.Goexit()
	}
}
