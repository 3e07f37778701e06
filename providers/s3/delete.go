package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
)

// Delete is one DeleteObject.
func (d *driver) Delete(ctx context.Context, r *storage.DeleteRequest) error {
	in := &awss3.DeleteObjectInput{
		Bucket:    d.name(),
		Key:       &r.Key,
		VersionId: httpheader.Optional(r.Version),
		IfMatch:   httpheader.Optional(r.Condition.Revision),
	}
	err := writes(ctx, func(ctx context.Context) error {
		_, err := d.client.DeleteObject(ctx, in)
		return err
	})
	if err == nil {
		return nil
	}
	e := asError(err)
	if e.Status != http.StatusNotFound {
		return e
	}
	if failed := asError(d.notFound(ctx, e.Err)); failed.Code != storage.ObjectNotFound {
		return failed
	}
	return nil
}

// DeleteBatch is one DeleteObjects, which answers with failures alone. A server
// that knows no batches is Unsupported for all of them. What XML cannot name,
// and a condition, which many servers ignore in a batch, goes by itself.
func (d *driver) DeleteBatch(ctx context.Context, r []storage.DeleteRequest) []error {
	errs := make([]error, len(r))
	if d.profile.Batch == BatchNone {
		return fill(errs, storage.Unsupported)
	}
	in := &awss3.DeleteObjectsInput{Bucket: d.name(), Delete: &types.Delete{Quiet: aws.Bool(true)}}
	slots := map[batchName][]int{}
	for i := range r {
		if r[i].Condition != (storage.Condition{}) || !fitsXML(r[i].Key) {
			continue
		}
		name := batchName{r[i].Key, r[i].Version}
		if slots[name] == nil {
			in.Delete.Objects = append(in.Delete.Objects, types.ObjectIdentifier{Key: &r[i].Key, VersionId: httpheader.Optional(r[i].Version)})
		}
		slots[name] = append(slots[name], i)
	}
	if len(in.Delete.Objects) > 0 {
		if err := d.sendBatch(ctx, in, slots, errs); err != nil {
			return fill(errs, err)
		}
	}
	for i := range r {
		if r[i].Condition != (storage.Condition{}) || !fitsXML(r[i].Key) {
			errs[i] = d.Delete(ctx, &r[i])
		}
	}
	return errs
}

// A batchName is how a failure names its object.
type batchName struct{ key, version string }

// slotsOf are those of the objects that a failure is of; none where it names
// nothing that was asked for. Some servers name the version "null" where none
// was, or none where one was: then the key tells, though it be of several.
func slotsOf(failure *types.Error, slots map[batchName][]int) []int {
	name := batchName{aws.ToString(failure.Key), aws.ToString(failure.VersionId)}
	if at := slots[name]; at != nil {
		return at
	}
	if at := slots[batchName{name.key, ""}]; at != nil && name.version == "null" {
		return at
	}
	var all []int
	for other, at := range slots {
		if other.key == name.key {
			all = append(all, at...)
		}
	}
	return all
}

// sendBatch puts each object's failure where it belongs; what it answers is a
// failure of the batch. A failure that is of nobody may be of anybody: such a
// server is asked for one object at a time, as one that has no batches.
func (d *driver) sendBatch(ctx context.Context, in *awss3.DeleteObjectsInput, slots map[batchName][]int, errs []error) error {
	var out *awss3.DeleteObjectsOutput
	err := writes(ctx, func(ctx context.Context) (err error) {
		out, err = d.client.DeleteObjects(ctx, in, d.withBatch)
		return err
	})
	if err != nil {
		return d.batchFailed(err)
	}
	for i := range out.Errors {
		failure := &out.Errors[i]
		e := objectFailure(failure)
		if e == nil {
			continue
		}
		failed := slotsOf(failure, slots)
		if len(failed) == 0 {
			return &storage.Error{Code: storage.Unsupported, Err: e.Err, Hint: "the server's batch has failures of objects that it was not asked for"}
		}
		for _, slot := range failed {
			errs[slot] = e
		}
	}
	return nil
}

func (a *account) withBatch(o *awss3.Options) {
	if a.profile.Batch == BatchMD5 {
		o.APIOptions = append(o.APIOptions, withContentMD5)
	}
}

// batchFailed: a server that has no batches, or wants a checksum that it does
// not name, is asked for one object at a time from then on.
func (d *driver) batchFailed(err error) error {
	e := asError(err)
	switch {
	case e.Code == storage.Unsupported, isCode(e.Err, "MissingContentMD5"):
		e.Code = storage.Unsupported
	case e.Code == storage.ObjectNotFound:
		e.Code = storage.BucketNotFound
	}
	return e
}

// objectFailure is nil for an object that was not there.
func objectFailure(failure *types.Error) *storage.Error {
	code, message := aws.ToString(failure.Code), aws.ToString(failure.Message)
	m := meaningOf(code, message, 0)
	if m.Code == storage.ObjectNotFound {
		return nil
	}
	return m.NewError(0, nil, errors.New(strings.TrimSpace(code+": "+message)))
}

func fill(errs []error, err error) []error {
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// fitsXML reports whether XML 1.0 can hold the key: one that it cannot hold
// would have the server refuse the whole batch.
func fitsXML(key string) bool {
	if !utf8.ValidString(key) {
		return false
	}
	for _, c := range key {
		if c < 0x20 || c == 0x7F || c == 0xFFFE || c == 0xFFFF {
			return false
		}
	}
	return true
}
